//! Which posts a feed may show, newest first.

use crate::store::sql::db::{Connection, params};
use crate::store::{
    Reader, Result,
    posts::{FeedQuery, FeedScope, OnlyLive},
    sql::facts::reader_key,
};
use communiconnect_protocol::{PostId, PostKind, UserId};
use std::collections::BinaryHeap;

/// Communities, and people, that a home feed draws from at most; each costs a look-up a page.
const HOME_SOURCES: i64 = 5_000;

/// Greater than every id.
const END: [u8; 16] = [0xff; 16];

pub(super) fn candidates(connection: &Connection, reader: &Reader, query: &FeedQuery) -> Result<Vec<PostId>> {
    let before = query.before.map_or(END, |id| *id.as_bytes());
    if query.live == OnlyLive::Yes {
        return on_air(connection, reader, query);
    }
    let shelf = Shelf { connection, kind: query.kind };
    let ids = match query.scope {
        FeedScope::Community(community) => {
            shelf.below(Source::Community(*community.as_bytes()), before, query.limit)?
        }
        FeedScope::Author(author) => {
            let source = if reader.user == Some(author) { Source::Own } else { Source::Named };
            shelf.below(source(*author.as_bytes()), before, query.limit)?
        }
        FeedScope::Home => match reader.user {
            Some(user) => match connection {
                Connection::Sqlite(_) => merged(&shelf, sources(connection, user)?, before, query.limit)?,
                Connection::Postgres(_) => shelf.merged_there(user, before, query.limit)?,
            },
            None => Vec::new(),
        },
    };
    Ok(ids.into_iter().map(PostId::from_bytes).collect())
}

/// Posts of running lives. These are few, so that each is looked at.
fn on_air(connection: &Connection, reader: &Reader, query: &FeedQuery) -> Result<Vec<PostId>> {
    let (belongs, key) = match query.scope {
        FeedScope::Community(id) => {
            ("EXISTS (SELECT 1 FROM feed WHERE community = ?1 AND post = l.post)", *id.as_bytes())
        }
        FeedScope::Author(id) => ("l.owner = ?1", *id.as_bytes()),
        FeedScope::Home => (
            "(EXISTS (SELECT 1 FROM follows WHERE follower = ?1 AND author = l.owner)
              OR EXISTS (SELECT 1 FROM feed f JOIN members m ON m.community = f.community
                         WHERE m.user = ?1 AND f.post = l.post))",
            reader_key(reader),
        ),
    };
    let before = query.before.map_or(END, |id| *id.as_bytes());
    let kind = query.kind.map(PostKind::as_str);
    let ids = connection
        .prepare_cached(&format!(
            "SELECT l.post FROM lives l WHERE l.state != 'ended' AND l.post < ?2 AND coalesce(?4, 'live') = 'live'
                 AND {belongs}
             ORDER BY l.post DESC LIMIT ?3"
        ))?
        .query_map(params![key, before, query.limit as i64, kind], |row| row.get(0).map(PostId::from_bytes))?;
    Ok(ids)
}

type Key = [u8; 16];

/// A list of posts that is ordered already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// A community and what lies in it.
    Community(Key),
    /// What a person wrote under their name.
    Named(Key),
    /// All that a person wrote.
    Own(Key),
}

struct Shelf<'a> {
    connection: &'a Connection,
    kind: Option<PostKind>,
}

impl Shelf<'_> {
    fn below(&self, source: Source, before: Key, limit: usize) -> Result<Vec<Key>> {
        let kind = self.kind.map(PostKind::as_str);
        let (sql, key) = match (source, kind) {
            (Source::Community(key), None) => (
                "SELECT post FROM feed WHERE community = ?1 AND post < ?2 AND CAST(?4 AS TEXT) IS NULL
                 ORDER BY post DESC LIMIT ?3",
                key,
            ),
            (Source::Community(key), Some(_)) => (
                "SELECT post FROM feed WHERE community = ?1 AND post < ?2 AND kind = ?4
                 ORDER BY post DESC LIMIT ?3",
                key,
            ),
            (Source::Named(key), _) => (
                "SELECT id FROM posts WHERE author = ?1 AND id < ?2 AND anonymous = 0 AND (kind = ?4 OR ?4 IS NULL)
                 ORDER BY id DESC LIMIT ?3",
                key,
            ),
            (Source::Own(key), _) => (
                "SELECT id FROM posts WHERE author = ?1 AND id < ?2 AND (kind = ?4 OR ?4 IS NULL)
                 ORDER BY id DESC LIMIT ?3",
                key,
            ),
        };
        let ids = self
            .connection
            .prepare_cached(sql)?
            .query_map(params![key, before, limit as i64, kind], |row| row.get(0))?;
        Ok(ids)
    }
}

/// What [`merged`] finds, by one statement: over a network a look-up of each source would be a round trip of its own.
macro_rules! merge {
    ($of_kind:literal) => {
        concat!(
            "SELECT DISTINCT post FROM (
                 SELECT f.post FROM (SELECT community FROM members WHERE user = ?1 LIMIT ?5) m CROSS JOIN LATERAL
                     (SELECT post FROM feed WHERE community = m.community AND post < ?2 AND ",
            $of_kind,
            " ORDER BY post DESC LIMIT ?3) f
                 UNION ALL
                 SELECT p.id FROM (SELECT author FROM follows WHERE follower = ?1 LIMIT ?5) o CROSS JOIN LATERAL
                     (SELECT id FROM posts WHERE author = o.author AND id < ?2 AND anonymous = 0
                          AND (kind = ?4 OR ?4 IS NULL)
                      ORDER BY id DESC LIMIT ?3) p
             ) AS own (post) ORDER BY post DESC LIMIT ?3"
        )
    };
}

impl Shelf<'_> {
    fn merged_there(&self, user: UserId, before: Key, limit: usize) -> Result<Vec<Key>> {
        let kind = self.kind.map(PostKind::as_str);
        let sql = if kind.is_some() { merge!("kind = ?4") } else { merge!("CAST(?4 AS TEXT) IS NULL") };
        let ids = self
            .connection
            .prepare_cached(sql)?
            .query_map(params![user.as_bytes(), before, limit as i64, kind, HOME_SOURCES], |row| {
                row.get(0)
            })?;
        Ok(ids)
    }
}

/// Takes the newest of all sources one by one, and asks a source for its next only when its last was taken.
fn merged(shelf: &Shelf<'_>, sources: Vec<Source>, before: Key, limit: usize) -> Result<Vec<Key>> {
    let mut waiting = BinaryHeap::with_capacity(sources.len());
    let next = |source: Source, before: Key, waiting: &mut BinaryHeap<(Key, Source)>| -> Result<()> {
        waiting.extend(shelf.below(source, before, 1)?.into_iter().map(|id| (id, source)));
        Ok(())
    };
    for source in sources {
        next(source, before, &mut waiting)?;
    }
    let mut ids: Vec<Key> = Vec::with_capacity(limit);
    while ids.len() < limit {
        let Some((id, source)) = waiting.pop() else { break };
        // One post may come from several sources; they stand next to each other.
        if ids.last() != Some(&id) {
            ids.push(id);
        }
        next(source, id, &mut waiting)?;
    }
    Ok(ids)
}

fn sources(connection: &Connection, user: UserId) -> Result<Vec<Source>> {
    let keys = |sql: &str| -> Result<Vec<Key>> {
        let keys = connection
            .prepare_cached(sql)?
            .query_map(params![user.as_bytes(), HOME_SOURCES], |row| row.get(0))?;
        Ok(keys)
    };
    let communities = keys("SELECT community FROM members WHERE user = ?1 LIMIT ?2")?;
    let people = keys("SELECT author FROM follows WHERE follower = ?1 LIMIT ?2")?;
    Ok(communities.into_iter().map(Source::Community).chain(people.into_iter().map(Source::Named)).collect())
}
