//! Reading lives.

use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::store::{
    LiveFacts, Reader, Result, StoreError,
    lives::{Held, Lease, LiveQuery, LiveView, WhichLive},
    sql::{
        columns::{count, optional_word, word},
        facts::{POST_FACTS, PostRow, post_at, post_fact_columns, reader_key},
        postgres::Session,
        user_row::{USER_COLUMNS, user_at, user_columns},
    },
};
use communiconnect_protocol::{Live, LiveId, LiveReason, LiveState, UserId, Viewers};

/// Smaller than every id.
const BEGIN: [u8; 16] = [0; 16];

/// Greater than every id.
const END: [u8; 16] = [0xff; 16];

/// A reader that is nobody, for what is asked of a live rather than for a person.
const NOBODY: Reader = Reader { user: None, role: communiconnect_protocol::Role::User };

/// A live as the store's own operations see it.
#[derive(Debug)]
pub(super) struct LiveRow {
    pub(super) id: LiveId,
    pub(super) post: PostRow,
    pub(super) state: LiveState,
    pub(super) started_at: Option<i64>,
}

pub(super) fn row(connection: &Connection, id: LiveId) -> Result<Option<LiveRow>> {
    let row = connection
        .prepare_cached(concat!(
            "SELECT ",
            post_fact_columns!(),
            ", l.state, l.started_at FROM lives l JOIN posts p ON p.id = l.post WHERE l.id = ?1"
        ))?
        .query_row(params![id.as_bytes(), reader_key(&NOBODY)], |row| {
            Ok(LiveRow {
                id,
                post: post_at(row, 0, &NOBODY)?,
                state: word(row, POST_FACTS, LiveState::from_word)?,
                started_at: row.get(POST_FACTS + 1)?,
            })
        })
        .optional()?;
    Ok(row)
}

/// Facts of a live, or that it is not there.
pub(in crate::store::sql) fn live(connection: &Connection, reader: &Reader, id: LiveId) -> Result<LiveView> {
    view(connection, reader, id)?.ok_or(StoreError::NotFound("live"))
}

/// The live with what its reader is to it.
pub(in crate::store::sql) fn view(
    connection: &Connection,
    reader: &Reader,
    id: LiveId,
) -> Result<Option<LiveView>> {
    let found = connection
        .prepare_cached(VIEW)?
        .query_row(params![id.as_bytes(), reader_key(reader)], |row| view_at(row, reader))
        .optional()?;
    Ok(found)
}

/// Lives in the order asked; unknown ones are left out.
pub(super) fn views(connection: &Connection, reader: &Reader, ids: &[LiveId]) -> Result<Vec<LiveView>> {
    let ids: Vec<_> = ids.iter().map(|id| *id.as_bytes()).collect();
    let mut statement = connection.prepare_cached(VIEW)?;
    Ok(statement.query_each(&ids, &reader_key(reader), |row| view_at(row, reader))?)
}

/// Columns of a live `l` for a reader, in the order that [`view_at`] reads, and where they come from but for `l` itself.
macro_rules! live_view {
    ($reader:literal, $lives:literal) => {
        concat!(
            "SELECT ",
            post_fact_columns!($reader),
            ", ",
            user_columns!(),
            ", p.title, p.content, l.state, l.reason, l.generation, l.started_at, l.ended_at,
               n.node, n.current, n.peak, n.version, n.until, l.id,
               EXISTS (SELECT 1 FROM live_bans WHERE live = l.id AND user = ",
            $reader,
            "), ",
            $reader,
            " FROM ",
            $lives,
            " JOIN posts p ON p.id = l.post JOIN users u ON u.id = l.owner JOIN live_counts n ON n.live = l.id"
        )
    };
}

const VIEW: &str = concat!(live_view!("?2", "lives l"), " WHERE l.id = ?1");

/// Lives for one reader each, read at once.
const VIEWS: &str = live_view!(
    "asked.reader",
    "unnest(?1::bytea[], ?2::bytea[]) AS asked (live, reader) JOIN lives l ON l.id = asked.live"
);

/// Each of these lives as the person beside it sees it; unknown ones are left out.
pub(in crate::store::sql) fn views_of_each(
    session: &Session,
    asked: &[(LiveId, UserId)],
) -> db::Result<Vec<(UserId, LiveView)>> {
    let lives: Vec<&[u8]> = asked.iter().map(|(live, _)| &live.as_bytes()[..]).collect();
    let readers: Vec<&[u8]> = asked.iter().map(|(_, reader)| &reader.as_bytes()[..]).collect();
    let view = |row: tokio_postgres::Row| {
        let row = Row::Postgres(&row);
        let reader = UserId::from_bytes(row.get(POST_FACTS + USER_COLUMNS + 14)?);
        Ok((reader, view_at(&row, &Reader { user: Some(reader), ..NOBODY })?))
    };
    session.many(VIEWS, &[&lives, &readers])?.into_iter().map(view).collect()
}

fn view_at(row: &Row<'_>, reader: &Reader) -> db::Result<LiveView> {
    const REST: usize = POST_FACTS + USER_COLUMNS;
    let post = post_at(row, 0, reader)?.facts;
    let id = LiveId::from_bytes(row.get(REST + 12)?);
    let description: String = row.get(REST + 1)?;
    let live = Live {
        id,
        post_id: post.id,
        community_id: post.community_id,
        owner: user_at(row, POST_FACTS)?,
        title: row.get::<Option<String>>(REST)?.unwrap_or_default(),
        description: (!description.is_empty()).then_some(description),
        state: word(row, REST + 2, LiveState::from_word)?,
        reason: optional_word(row, REST + 3, LiveReason::from_word)?,
        visibility: post.visibility,
        viewers: Viewers { current: count(row, REST + 8)?, peak: count(row, REST + 9)? },
        started_at: row.get(REST + 5)?,
        ended_at: row.get(REST + 6)?,
    };
    let facts = LiveFacts { id, state: live.state, banned: row.get(REST + 13)?, post };
    Ok(LiveView {
        live,
        facts,
        generation: count(row, REST + 4)?,
        lease: Lease { node: row.get(REST + 7)?, until: row.get(REST + 11)? },
        viewers_version: count(row, REST + 10)?,
    })
}

pub(super) fn find(connection: &Connection, which: WhichLive) -> Result<Option<LiveId>> {
    let (sql, key) = match which {
        WhichLive::Id(id) => return Ok(Some(id)),
        WhichLive::RunningOf(user) => {
            ("SELECT id FROM lives WHERE owner = ?1 AND state != 'ended'", *user.as_bytes())
        }
        WhichLive::OfPost(post) => ("SELECT id FROM lives WHERE post = ?1", *post.as_bytes()),
    };
    let id = connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
    Ok(id.map(LiveId::from_bytes))
}

/// Running lives, newest first. They are few (each is a person on air), so those of a community are picked from all.
pub(super) fn running(connection: &Connection, query: &LiveQuery) -> Result<Vec<LiveId>> {
    let before = query.before.map_or(END, |id| *id.as_bytes());
    let community = query.community_id.map(|id| *id.as_bytes());
    let ids = connection
        .prepare_cached(
            "SELECT l.id FROM lives l WHERE l.state != 'ended' AND l.id < ?1
                 AND (EXISTS (SELECT 1 FROM feed WHERE community = ?2 AND post = l.post) OR ?2 IS NULL)
             ORDER BY l.id DESC LIMIT ?3",
        )?
        .query_map(params![before, community, query.limit as i64], |row| {
            row.get(0).map(LiveId::from_bytes)
        })?;
    Ok(ids)
}

pub(super) fn leases(connection: &Connection, after: Option<LiveId>, limit: usize) -> Result<Vec<Held>> {
    let after = after.map_or(BEGIN, |id| *id.as_bytes());
    let held = connection
        .prepare_cached(
            "SELECT l.id, n.node, n.until FROM lives l JOIN live_counts n ON n.live = l.id
             WHERE l.state != 'ended' AND l.id > ?1 ORDER BY l.id LIMIT ?2",
        )?
        .query_map(params![after, limit as i64], |row| {
            let lease = Lease { node: row.get(1)?, until: row.get(2)? };
            Ok(Held { id: LiveId::from_bytes(row.get(0)?), lease })
        })?;
    Ok(held)
}
