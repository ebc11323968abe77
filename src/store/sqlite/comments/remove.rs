//! Removing a comment with what hangs on it.

use super::counts::{CommentMove, shift as shift_comment};
use crate::store::{
    Actor, CommentFacts, Result, Rule, StoreError,
    sqlite::{
        Tx,
        events::{COMMENT_DELETED, Happening, tell},
        facts, notifications,
        posts::{Move, shift},
    },
};
use communiconnect_protocol::{Channel, CommentDeleted, CommentId, Data, PostId};

/// Removes the comment and its replies; answers how many went.
pub(super) fn delete(
    tx: &mut Tx<'_>,
    actor: Actor,
    id: CommentId,
    at: i64,
    rule: Rule<CommentFacts>,
) -> Result<u64> {
    let reader = actor.into();
    let row = facts::comment(tx.connection(), &reader, id)?;
    rule(&row.facts)?;
    let post = row.facts.post.id;
    let gone = subtree(tx, post, id)?;
    for comment in &gone {
        notifications::forget_comment(tx, post, comment)?;
        tx.erase_subject(comment)?;
        for sql in [
            "DELETE FROM reactions WHERE target = ?1",
            "DELETE FROM comment_counts WHERE comment = ?1",
            "DELETE FROM comments WHERE id = ?1",
        ] {
            tx.sql(sql)?.execute([comment])?;
        }
    }
    let removed = gone.len() as u64;
    let facts = &row.facts;
    // What a moderator takes away must reach everybody who saw it, and a moderator is not named.
    let named = !facts.anonymous && facts.author == actor.user;
    let happening = Happening {
        event: &COMMENT_DELETED,
        data: Data::of(&CommentDeleted { comment_id: id, removed }),
        at,
        actor: named.then_some(actor.user),
        subject: None,
    };
    tell(tx, vec![Channel::Post(post)], happening)?;
    shift(tx, &row.post(), Move { comments: -(gone.len() as i64), ..Move::default() })?;
    if let Some(parent) = row.parent {
        match facts::comment(tx.connection(), &reader, parent) {
            Ok(parent) => {
                let by = CommentMove { replies: -1, ..CommentMove::default() };
                shift_comment(tx, &parent.facts, by)?;
            }
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

fn subtree(tx: &Tx<'_>, post: PostId, root: CommentId) -> Result<Vec<[u8; 16]>> {
    let ids = tx
        .sql(
            "WITH RECURSIVE gone (id) AS (
                 SELECT ?2 UNION ALL
                 SELECT c.id FROM gone g JOIN comments c ON c.post = ?1 AND c.parent = g.id
             ) SELECT id FROM gone",
        )?
        .query_map([post.as_bytes(), root.as_bytes()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}
