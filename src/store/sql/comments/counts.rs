//! What hangs on a comment, in numbers.

use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::{
    publication::State,
    store::{
        CommentFacts, Reader, Result,
        sql::{
            Tx,
            columns::{count, reactions},
            facts::{COMMENT_FACTS, CommentRow, comment_at, comment_fact_columns, reader_key},
            leftovers::hangs_on_removed,
            posts::reaction_steps,
        },
    },
};
use communiconnect_protocol::{
    Channel, CommentCounts, CommentCountsState, CommentId, Data, PostId, ReactionKind, event,
};

/// Columns of the table `comment_counts`, in the order that [`counts_at`] reads.
macro_rules! comment_count_columns {
    () => {
        "comment_counts.version, likes, love, haha, wow, sad, angry, replies"
    };
}
pub(super) use comment_count_columns;

/// By how much the counts of a comment change.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store::sql) struct CommentMove {
    /// One reaction less of this kind.
    pub(in crate::store::sql) lost: Option<ReactionKind>,
    /// One reaction more of this kind.
    pub(in crate::store::sql) won: Option<ReactionKind>,
    /// Replies more or less.
    pub(in crate::store::sql) replies: i64,
}

/// Moves the counts of a comment in one step of their version, and tells them in the post's channel.
pub(in crate::store::sql) fn shift(
    tx: &mut Tx<'_>,
    comment: &CommentFacts,
    by: CommentMove,
) -> Result<CommentCounts> {
    let [likes, love, haha, wow, sad, angry] = reaction_steps(by.lost, by.won);
    let id = comment.id;
    let counts = tx
        .sql(concat!(
            "INSERT INTO comment_counts (comment, version, likes, love, haha, wow, sad, angry, replies, post)
             VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (comment) DO UPDATE SET version = comment_counts.version + 1,
                 likes = comment_counts.likes + ?2, love = comment_counts.love + ?3,
                 haha = comment_counts.haha + ?4, wow = comment_counts.wow + ?5, sad = comment_counts.sad + ?6,
                 angry = comment_counts.angry + ?7, replies = comment_counts.replies + ?8
             RETURNING ",
            comment_count_columns!()
        ))?
        .query_row(
            params![
                id.as_bytes(),
                likes,
                love,
                haha,
                wow,
                sad,
                angry,
                by.replies,
                comment.post.id.as_bytes()
            ],
            |row| counts_at(row, 0),
        )?;
    tx.state(State {
        channels: vec![Channel::Post(comment.post.id)],
        event: event::COMMENT_COUNTS.into(),
        key: id.to_string(),
        version: counts.version,
        data: Data::of(&CommentCountsState { comment_id: id, counts: counts.clone() }),
        actor: (!comment.anonymous).then_some(comment.author),
    });
    Ok(counts)
}

/// Counts of one comment; zeros where nothing ever hung on it.
pub(in crate::store::sql) fn of(connection: &Connection, id: CommentId) -> Result<CommentCounts> {
    let counts = connection
        .prepare_cached(concat!(
            "SELECT ",
            comment_count_columns!(),
            " FROM comment_counts WHERE comment = ?1"
        ))?
        .query_row([id.as_bytes()], |row| counts_at(row, 0))
        .optional()?;
    Ok(counts.unwrap_or_default())
}

/// Counts of the newest comments of a post that have any, with what the policy needs.
pub(super) fn newest(
    connection: &Connection,
    reader: &Reader,
    post: PostId,
    limit: usize,
) -> Result<Vec<(CommentFacts, CommentCounts)>> {
    let found: Vec<(CommentRow, CommentCounts)> = connection
        .prepare_cached(NEWEST)?
        .query_map(params![post.as_bytes(), reader_key(reader), limit as i64], |row| {
            Ok((comment_at(row, 0, reader)?, counts_at(row, COMMENT_FACTS)?))
        })?;
    let mut present = Vec::with_capacity(found.len());
    for (row, counts) in found {
        if !hangs_on_removed(connection, &row)? {
            present.push((row.facts, counts));
        }
    }
    Ok(present)
}

/// Walks the index of a post's counts from its end; a test looks at the plan.
pub(in crate::store::sql) const NEWEST: &str = concat!(
    "SELECT ",
    comment_fact_columns!(),
    ", ",
    comment_count_columns!(),
    " FROM comment_counts JOIN comments c ON c.id = comment JOIN posts p ON p.id = c.post
     WHERE comment_counts.post = ?1 ORDER BY comment DESC LIMIT ?3"
);

/// The counts in the columns from `first` on; a missing row reads as zeros.
pub(super) fn counts_at(row: &Row<'_>, first: usize) -> db::Result<CommentCounts> {
    if row.get::<Option<i64>>(first)?.is_none() {
        return Ok(CommentCounts::default());
    }
    Ok(CommentCounts {
        version: count(row, first)?,
        reactions: reactions(row, first + 1)?,
        replies: count(row, first + 7)?,
    })
}
