//! Giving a comment another text.

use super::view::view;
use crate::store::sql::db::params;
use crate::store::{
    Actor, CommentFacts, Result, Rule, StoreError,
    comments::CommentChange,
    sql::{
        Tx,
        events::{COMMENT_EDITED, Happening, tell},
        facts,
    },
};
use communiconnect_protocol::{Channel, Comment, CommentEvent, Data};

pub(super) fn edit(
    tx: &mut Tx<'_>,
    actor: Actor,
    change: &CommentChange,
    rule: Rule<CommentFacts>,
) -> Result<Comment> {
    let reader = actor.into();
    let facts = facts::comment(tx.connection(), &reader, change.comment_id)?.facts;
    rule(&facts)?;
    let id = change.comment_id.as_bytes();
    tx.sql("UPDATE comments SET content = ?2, edited_at = ?3 WHERE id = ?1")?.execute(params![
        id,
        change.content,
        change.at
    ])?;
    let comment =
        view(tx.connection(), &reader, change.comment_id)?.ok_or(StoreError::NotFound("comment"))?.comment;
    let event = CommentEvent { comment: Comment { my: None, ..comment.clone() }, op: None };
    let happening = Happening {
        event: &COMMENT_EDITED,
        data: Data::of(&event),
        at: change.at,
        actor: (!facts.anonymous).then_some(facts.author),
        subject: Some(*id),
    };
    tell(tx, vec![Channel::Post(facts.post.id)], happening)?;
    Ok(comment)
}
