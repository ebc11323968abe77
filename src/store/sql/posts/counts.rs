//! What hangs on a post, in numbers.

use crate::publication::State;
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::store::{
    PostFacts, Reader, Result, StoreError,
    sql::{
        Tx,
        columns::{REACTION_COLUMNS, count, reactions},
        days::DayRow,
        facts::{POST_FACTS, PostRow, post_at, post_fact_columns, reader_key},
    },
};
use communiconnect_protocol::{Data, PostCounts, PostCountsState, PostId, ReactionKind, event};

/// Columns of the table `post_counts`, in the order that [`counts_at`] reads.
macro_rules! post_count_columns {
    () => {
        "post_counts.version, likes, love, haha, wow, sad, angry, comments, shares, external_shares, views"
    };
}
pub(in crate::store::sql) use post_count_columns;

/// By how much the counts of a post change.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store::sql) struct Move {
    /// One reaction less of this kind.
    pub(in crate::store::sql) lost: Option<ReactionKind>,
    /// One reaction more of this kind.
    pub(in crate::store::sql) won: Option<ReactionKind>,
    /// Comments more or less.
    pub(in crate::store::sql) comments: i64,
    /// Shares and reposts more or less.
    pub(in crate::store::sql) shares: i64,
    /// Shares to other platforms more.
    pub(in crate::store::sql) external_shares: i64,
    /// Of these shares, reposts.
    pub(in crate::store::sql) reposts: i64,
    /// Views more.
    pub(in crate::store::sql) views: i64,
    /// Of these views, those of guests who had not seen it in their session.
    pub(in crate::store::sql) guests: i64,
    /// When, in milliseconds since 1970 UTC.
    pub(in crate::store::sql) at: i64,
}

impl Move {
    /// Moves counts in one step of their version, as the statement of [`shift`] does.
    pub(in crate::store::sql) fn apply(self, counts: &mut PostCounts) {
        counts.version += 1;
        counts.comments = counts.comments.saturating_add_signed(self.comments);
        counts.shares = counts.shares.saturating_add_signed(self.shares);
        counts.external_shares = counts.external_shares.saturating_add_signed(self.external_shares);
        counts.views = counts.views.saturating_add_signed(self.views);
        for (kind, step) in REACTION_COLUMNS.into_iter().zip(reaction_steps(self.lost, self.won)) {
            let count = counts.reactions.remove(&kind).unwrap_or(0).saturating_add_signed(step);
            if count > 0 {
                counts.reactions.insert(kind, count);
            }
        }
    }
}

/// By how much each of the six columns of reactions changes.
pub(in crate::store::sql) fn reaction_steps(
    lost: Option<ReactionKind>,
    won: Option<ReactionKind>,
) -> [i64; 6] {
    REACTION_COLUMNS.map(|kind| i64::from(won == Some(kind)) - i64::from(lost == Some(kind)))
}

/// Moves the counts of a post in one step of their version, and tells them where the post goes.
pub(in crate::store::sql) fn shift(tx: &mut Tx<'_>, post: &PostRow, by: Move) -> Result<PostCounts> {
    let id = post.facts.id;
    tx.day(DayRow::of(id, by));
    let counts = match tx.shift_ahead(id, by) {
        Some(counts) => counts,
        None => shift_row(tx, id, by)?,
    };
    let placement = post.placement();
    tx.state(State {
        channels: placement.later(),
        event: event::POST_COUNTS.into(),
        key: id.to_string(),
        version: counts.version,
        data: Data::of(&PostCountsState { post_id: id, counts: counts.clone() }),
        actor: placement.named_author(),
    });
    Ok(counts)
}

fn shift_row(tx: &Tx<'_>, id: PostId, by: Move) -> Result<PostCounts> {
    let [likes, love, haha, wow, sad, angry] = reaction_steps(by.lost, by.won);
    let counts = tx
        .sql(concat!(
            "UPDATE post_counts SET version = version + 1, likes = likes + ?2, love = love + ?3, haha = haha + ?4,
                 wow = wow + ?5, sad = sad + ?6, angry = angry + ?7, comments = comments + ?8, views = views + ?9,
                 shares = shares + ?10, external_shares = external_shares + ?11
             WHERE post = ?1 RETURNING ",
            post_count_columns!()
        ))?
        .query_row(
            params![id.as_bytes(), likes, love, haha, wow, sad, angry, by.comments, by.views, by.shares, by.external_shares],
            |row| counts_at(row, 0),
        )
        .optional()?
        .ok_or(StoreError::NotFound("post"))?;
    Ok(counts)
}

/// How many columns [`post_count_columns`] has.
pub(in crate::store::sql) const POST_COUNTS: usize = 11;

pub(in crate::store::sql) fn counts_at(row: &Row<'_>, first: usize) -> db::Result<PostCounts> {
    Ok(PostCounts {
        version: count(row, first)?,
        reactions: reactions(row, first + 1)?,
        comments: count(row, first + 7)?,
        shares: count(row, first + 8)?,
        external_shares: count(row, first + 9)?,
        views: count(row, first + 10)?,
    })
}

/// Counts of one post.
pub(in crate::store::sql) fn of(connection: &Connection, id: PostId) -> Result<PostCounts> {
    connection
        .prepare_cached(concat!("SELECT ", post_count_columns!(), " FROM post_counts WHERE post = ?1"))?
        .query_row([id.as_bytes()], |row| counts_at(row, 0))
        .optional()?
        .ok_or(StoreError::NotFound("post"))
}

/// Counts and facts in the order asked; unknown posts are left out.
pub(super) fn many(
    connection: &Connection,
    reader: &Reader,
    ids: &[PostId],
) -> Result<Vec<(PostCounts, PostFacts)>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        post_fact_columns!(),
        ", ",
        post_count_columns!(),
        " FROM posts p JOIN post_counts ON post = p.id WHERE p.id = ?1"
    ))?;
    let ids: Vec<_> = ids.iter().map(|id| *id.as_bytes()).collect();
    let found = statement.query_each(&ids, &reader_key(reader), |row| {
        Ok((counts_at(row, POST_FACTS)?, post_at(row, 0, reader)?.facts))
    })?;
    Ok(found)
}
