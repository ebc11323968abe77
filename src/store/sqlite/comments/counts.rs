//! What hangs on a comment, in numbers.

use crate::{
    publication::State,
    store::{
        CommentFacts, Result,
        sqlite::{
            Tx,
            columns::{count, reactions},
            posts::reaction_steps,
        },
    },
};
use communiconnect_protocol::{
    Channel, CommentCounts, CommentCountsState, CommentId, Data, PostId, ReactionKind, event,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Columns of the table `comment_counts`, in the order that [`counts_at`] reads.
macro_rules! comment_count_columns {
    () => {
        "comment_counts.version, likes, love, haha, wow, sad, angry, replies"
    };
}
pub(super) use comment_count_columns;

/// By how much the counts of a comment change.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store::sqlite) struct CommentMove {
    /// One reaction less of this kind.
    pub(in crate::store::sqlite) lost: Option<ReactionKind>,
    /// One reaction more of this kind.
    pub(in crate::store::sqlite) won: Option<ReactionKind>,
    /// Replies more or less.
    pub(in crate::store::sqlite) replies: i64,
}

/// Moves the counts of a comment in one step of their version, and tells them in the post's channel.
pub(in crate::store::sqlite) fn shift(
    tx: &mut Tx<'_>,
    comment: &CommentFacts,
    by: CommentMove,
) -> Result<CommentCounts> {
    let [likes, love, haha, wow, sad, angry] = reaction_steps(by.lost, by.won);
    let id = comment.id;
    let counts = tx
        .sql(concat!(
            "INSERT INTO comment_counts (comment, version, likes, love, haha, wow, sad, angry, replies)
             VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (comment) DO UPDATE SET version = version + 1, likes = likes + ?2, love = love + ?3,
                 haha = haha + ?4, wow = wow + ?5, sad = sad + ?6, angry = angry + ?7, replies = replies + ?8
             RETURNING ",
            comment_count_columns!()
        ))?
        .query_row(params![id.as_bytes(), likes, love, haha, wow, sad, angry, by.replies], |row| {
            counts_at(row, 0)
        })?;
    tx.state(State {
        channels: vec![Channel::Post(comment.post.id)],
        event: event::COMMENT_COUNTS.into(),
        key: id.to_string(),
        version: counts.version,
        data: Data::of(&CommentCountsState { comment_id: id, counts: counts.clone() }),
    });
    Ok(counts)
}

/// Counts of one comment; zeros where nothing ever hung on it.
pub(in crate::store::sqlite) fn of(connection: &Connection, id: CommentId) -> Result<CommentCounts> {
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

/// Counts of the newest comments of a post that have any.
pub(super) fn newest(
    connection: &Connection,
    post: PostId,
    limit: usize,
) -> Result<Vec<(CommentId, CommentCounts)>> {
    let counts = connection
        .prepare_cached(concat!(
            "SELECT ",
            comment_count_columns!(),
            ", comment FROM comments c JOIN comment_counts ON comment = c.id
             WHERE c.post = ?1 ORDER BY c.id DESC LIMIT ?2"
        ))?
        .query_map(params![post.as_bytes(), limit as i64], |row| {
            Ok((CommentId::from_bytes(row.get(8)?), counts_at(row, 0)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(counts)
}

/// The counts in the columns from `first` on; a missing row reads as zeros.
pub(super) fn counts_at(row: &Row<'_>, first: usize) -> rusqlite::Result<CommentCounts> {
    if row.get_ref(first)?.as_i64_or_null()?.is_none() {
        return Ok(CommentCounts::default());
    }
    Ok(CommentCounts {
        version: count(row, first)?,
        reactions: reactions(row, first + 1)?,
        replies: count(row, first + 7)?,
    })
}
