//! Comments that go, and what hangs on them.

use super::{Rest, leave};
use crate::store::sql::db::params;
use crate::store::{
    Result,
    sql::{Tx, notifications},
};
use communiconnect_protocol::PostId;

/// Reactions that go together with a comment; more are left over.
const REACTIONS_AT_ONCE: usize = 50;

/// Removes a comment of a post that stays; its replies are left over, where there are any.
pub(in crate::store::sql) fn remove_comment(tx: &mut Tx<'_>, post: PostId, comment: &[u8; 16]) -> Result<()> {
    remove_single(tx, post, comment)?;
    let has_replies = tx
        .sql("SELECT 1 FROM comments WHERE post = ?1 AND parent = ?2")?
        .exists([post.as_bytes(), comment])?;
    if has_replies {
        leave(tx, Rest::Replies, post.as_bytes(), comment)?;
    }
    Ok(())
}

/// Removes up to `limit` comments of a post, replies too; how many went.
pub(super) fn remove_all(tx: &mut Tx<'_>, post: PostId, limit: usize) -> Result<usize> {
    let ids: Vec<[u8; 16]> = tx
        .sql("SELECT id FROM comments WHERE post = ?1 LIMIT ?2")?
        .query_map(params![post.as_bytes(), limit as i64], |row| row.get(0))?;
    for id in &ids {
        remove_single(tx, post, id)?;
    }
    Ok(ids.len())
}

/// Removes up to `limit` replies to one comment; what hangs on them is left over. How many went.
pub(super) fn remove_replies(
    tx: &mut Tx<'_>,
    post: PostId,
    parent: &[u8; 16],
    limit: usize,
) -> Result<usize> {
    let ids: Vec<[u8; 16]> = tx
        .sql("SELECT id FROM comments WHERE post = ?1 AND parent = ?2 LIMIT ?3")?
        .query_map(params![post.as_bytes(), parent, limit as i64], |row| row.get(0))?;
    for id in &ids {
        remove_comment(tx, post, id)?;
    }
    Ok(ids.len())
}

/// Removes up to `limit` reactions to a post or comment; how many went.
pub(super) fn remove_reactions(tx: &Tx<'_>, target: &[u8; 16], limit: usize) -> Result<usize> {
    let removed = tx
        .sql("DELETE FROM reactions WHERE (target, user) IN (SELECT target, user FROM reactions WHERE target = ?1 LIMIT ?2)")?
        .execute(params![target, limit as i64])?;
    Ok(removed)
}

fn remove_single(tx: &mut Tx<'_>, post: PostId, comment: &[u8; 16]) -> Result<()> {
    notifications::forget_comment(tx, post, comment)?;
    tx.erase_subject(comment)?;
    if remove_reactions(tx, comment, REACTIONS_AT_ONCE)? == REACTIONS_AT_ONCE {
        leave(tx, Rest::Reactions, post.as_bytes(), comment)?;
    }
    for sql in ["DELETE FROM comment_counts WHERE comment = ?1", "DELETE FROM comments WHERE id = ?1"] {
        tx.sql(sql)?.execute([comment])?;
    }
    Ok(())
}
