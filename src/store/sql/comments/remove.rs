//! Removing a comment with what hangs on it.

use super::counts::{CommentMove, shift as shift_comment};
use crate::store::{
    Actor, CommentFacts, Result, Rule, StoreError,
    sql::{
        Tx,
        events::{COMMENT_DELETED, Happening, tell},
        facts, leftovers,
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
    let gone = subtree_size(tx, post, id)?;
    leftovers::remove_comment(tx, post, id.as_bytes())?;
    leftovers::sweep_of(tx, post.as_bytes())?;
    let removed = gone.unsigned_abs();
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
    shift(tx, &row.post(), Move { comments: -gone, at, ..Move::default() })?;
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

/// The comment and all below it, by the index alone.
fn subtree_size(tx: &Tx<'_>, post: PostId, root: CommentId) -> Result<i64> {
    Ok(tx
        .sql(
            "WITH RECURSIVE gone (id) AS (
                 SELECT id FROM comments WHERE id = ?2 UNION ALL
                 SELECT c.id FROM gone g JOIN comments c ON c.post = ?1 AND c.parent = g.id
             ) SELECT count(*) FROM gone",
        )?
        .query_row([post.as_bytes(), root.as_bytes()], |row| row.get(0))?)
}
