//! Reading comments with what the policy needs.

use super::counts::{comment_count_columns, counts_at};
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::store::{
    Reader, Result,
    comments::{CommentQuery, CommentView},
    sql::{
        columns::optional_word,
        facts::{COMMENT_FACTS, comment_at, comment_fact_columns, reader_key},
        leftovers::is_removed,
        user_row::{USER_COLUMNS, user_at, user_columns},
    },
};
use communiconnect_protocol::{Comment, CommentId, MyComment, ReactionKind};

const USER: usize = COMMENT_FACTS;
const COUNTS: usize = USER + USER_COLUMNS;
const REST: usize = COUNTS + 8;

/// Reads comments of posts for reader `?2`, in the order of columns that [`view_at`] reads.
macro_rules! select_comments {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            comment_fact_columns!(),
            ", ",
            user_columns!(),
            ", ",
            comment_count_columns!(),
            ", c.content, c.edited_at, (SELECT kind FROM reactions WHERE target = c.id AND user = ?2)
             FROM comments c JOIN posts p ON p.id = c.post JOIN users u ON u.id = c.author
                 LEFT JOIN comment_counts ON comment = c.id
             WHERE ",
            $condition
        )
    };
}

/// One comment with `my` for the reader; an anonymous one names nobody.
pub(super) fn view(connection: &Connection, reader: &Reader, id: CommentId) -> Result<Option<CommentView>> {
    let view = connection
        .prepare_cached(select_comments!("c.id = ?1"))?
        .query_row(params![id.as_bytes(), reader_key(reader)], |row| view_at(row, reader))
        .optional()?;
    let Some(view) = view else { return Ok(None) };
    match view.comment.parent_id {
        Some(parent) if is_removed(connection, view.comment.post_id, parent)? => Ok(None),
        _ => Ok(Some(view)),
    }
}

/// A page of one level, oldest first.
pub(super) fn list(
    connection: &Connection,
    reader: &Reader,
    query: &CommentQuery,
) -> Result<Vec<CommentView>> {
    if let Some(parent) = query.parent_id
        && is_removed(connection, query.post_id, parent)?
    {
        return Ok(Vec::new());
    }
    let views = connection
        .prepare_cached(select_comments!(
            "c.post = ?1 AND c.parent = ?3 AND c.id > ?4 ORDER BY c.id LIMIT ?5"
        ))?
        .query_map(
            params![
                query.post_id.as_bytes(),
                reader_key(reader),
                query.parent_id.unwrap_or(CommentId::NOTHING).as_bytes(),
                query.after.unwrap_or(CommentId::NOTHING).as_bytes(),
                query.limit as i64,
            ],
            |row| view_at(row, reader),
        )?;
    Ok(views)
}

fn view_at(row: &Row<'_>, reader: &Reader) -> db::Result<CommentView> {
    let found = comment_at(row, 0, reader)?;
    let facts = found.facts;
    let my = MyComment {
        author: facts.relation.is_self,
        reaction: optional_word(row, REST + 2, ReactionKind::from_word)?,
    };
    let comment = Comment {
        id: facts.id,
        post_id: facts.post.id,
        parent_id: found.parent,
        depth: facts.depth,
        anonymous: facts.anonymous,
        author: if facts.anonymous { None } else { Some(user_at(row, USER)?) },
        content: row.get(REST)?,
        counts: counts_at(row, COUNTS)?,
        created_at: facts.created_at,
        edited_at: row.get(REST + 1)?,
        my: Some(my),
    };
    Ok(CommentView { comment, facts })
}
