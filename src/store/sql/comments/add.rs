//! Writing a comment.

use super::counts::shift as shift_comment;
use crate::store::{
    Actor, HeardFacts, Judge, Result, StoreError,
    comments::{CommentRules, NewComment, NewCommentFacts},
    sql::{
        Tx,
        comments::counts::CommentMove,
        events::{COMMENT_ADDED, Happening, tell},
        facts::{self, CommentRow, PostRow},
        later::CommentNew,
        notifications::{Telling, tell_one},
        posts::{Move, shift},
    },
};
use communiconnect_protocol::{
    Channel, Comment, CommentCounts, CommentEvent, CommentId, Data, MyComment, NotificationKind, User,
};

/// Writes the comment, tells it and notifies; answers it with its offset in the post's channel.
pub(super) fn add(
    tx: &mut Tx<'_>,
    actor: Actor,
    op: &str,
    new: NewComment,
    rules: CommentRules,
) -> Result<(Comment, u64)> {
    let reader = actor.into();
    let post = tx.post(&reader, new.post_id)?;
    let parent = match new.parent_id {
        Some(parent) => Some(facts::comment(tx.connection(), &reader, parent)?),
        None => None,
    };
    let judged =
        NewCommentFacts { post: post.facts.clone(), parent: parent.as_ref().map(|row| row.facts.clone()) };
    (rules.may)(&judged)?;
    if parent.as_ref().is_some_and(|parent| parent.facts.post.id != post.facts.id) {
        return Err(StoreError::NotFound("comment"));
    }
    let author = tx.user(actor.user)?.ok_or(StoreError::NotFound("user"))?;
    let mut comment = Comment {
        id: CommentId::from_bytes(tx.id(new.at)),
        post_id: new.post_id,
        parent_id: new.parent_id,
        depth: parent.as_ref().map_or(0, |parent| parent.facts.depth.saturating_add(1)),
        anonymous: new.anonymous,
        author: (!new.anonymous).then_some(author),
        content: new.content,
        counts: CommentCounts::default(),
        created_at: new.at,
        edited_at: None,
        my: None,
    };
    tx.comment(CommentNew { author: actor.user, comment: comment.clone() })?;
    let event = CommentEvent { comment, op: (!new.anonymous).then(|| op.to_owned()) };
    let happening = Happening {
        event: &COMMENT_ADDED,
        data: Data::of(&event),
        at: new.at,
        actor: (!new.anonymous).then_some(actor.user),
        subject: Some(*event.comment.id.as_bytes()),
    };
    comment = event.comment;
    let offset = tell(tx, vec![Channel::Post(new.post_id)], happening)?;
    shift(tx, &post, Move { comments: 1, at: new.at, ..Move::default() })?;
    if let Some(parent) = &parent {
        shift_comment(tx, &parent.facts, CommentMove { replies: 1, ..CommentMove::default() })?;
    }
    notify(tx, &post, parent.as_ref(), &comment, rules.hears)?;
    comment.my = Some(MyComment { author: true, reaction: None });
    Ok((comment, offset))
}

/// Tells the parent's author of a reply, and the post's author of a comment; nobody twice.
fn notify(
    tx: &mut Tx<'_>,
    post: &PostRow,
    parent: Option<&CommentRow>,
    comment: &Comment,
    hears: Judge<HeardFacts>,
) -> Result<()> {
    let named: Option<&User> = comment.author.as_ref();
    let on_post = (post.facts.author, NotificationKind::Comment, post.facts.relation);
    let on_parent =
        parent.map(|parent| (parent.facts.author, NotificationKind::Reply, parent.facts.relation));
    let on_post = Some(on_post).filter(|(author, ..)| on_parent.is_none_or(|(other, ..)| other != *author));
    for (user, kind, actor) in on_parent.into_iter().chain(on_post) {
        let sight = match user == post.facts.author {
            true => post.seen_by_author(),
            false => post.seen_by(tx.connection(), user)?,
        };
        let heard = HeardFacts { post: Some(sight), actor, named: named.is_some() };
        if !hears(&heard) {
            continue;
        }
        let telling = Telling {
            user,
            kind,
            thing: *comment.post_id.as_bytes(),
            part: *comment.id.as_bytes(),
            actor: named,
            text: &comment.content,
            at: comment.created_at,
        };
        tell_one(tx, &telling)?;
    }
    Ok(())
}
