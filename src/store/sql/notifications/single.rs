//! Notifications of one cause each: comments, replies, new followers.

use super::{
    inbox,
    row::{EXCERPT, publish},
};
use crate::store::sql::db::params;
use crate::store::{
    Result, StoreError,
    sql::{Tx, later::NotificationNew, user_row::user},
};
use communiconnect_protocol::{
    CommentId, Notification, NotificationEvent, NotificationId, NotificationKind, PostId, User, UserId,
};

/// What is to be told to whom.
#[derive(Clone, Copy)]
pub(in crate::store::sql) struct Telling<'a> {
    pub(in crate::store::sql) user: UserId,
    pub(in crate::store::sql) kind: NotificationKind,
    /// The post, or who follows.
    pub(in crate::store::sql) thing: [u8; 16],
    /// The comment; zeros where there is none.
    pub(in crate::store::sql) part: [u8; 16],
    /// Who did it, where they are named.
    pub(in crate::store::sql) actor: Option<&'a User>,
    /// What it is about; cut here.
    pub(in crate::store::sql) text: &'a str,
    pub(in crate::store::sql) at: i64,
}

/// Writes and publishes a notification, unless the person does not want its kind.
pub(in crate::store::sql) fn tell_one(tx: &mut Tx<'_>, telling: &Telling<'_>) -> Result<()> {
    let Some(unread) = inbox::enter(tx, telling.user, telling.kind)? else { return Ok(()) };
    let id = NotificationId::from_bytes(tx.id(telling.at));
    let actor: &[u8] = telling.actor.map_or(&[], |actor| actor.id.as_bytes());
    tx.notification(NotificationNew {
        id: *id.as_bytes(),
        user: telling.user,
        kind: telling.kind,
        thing: telling.thing,
        part: telling.part,
        actors: actor.to_vec(),
        at: telling.at,
    })?;
    let is_follow = telling.kind == NotificationKind::Follow;
    let comment = CommentId::from_bytes(telling.part);
    let notification = Notification {
        id,
        kind: telling.kind,
        actors: telling.actor.into_iter().cloned().collect(),
        count: 1,
        post_id: (!is_follow).then(|| PostId::from_bytes(telling.thing)),
        comment_id: (comment != CommentId::NOTHING).then_some(comment),
        live_id: None,
        text: telling.text.chars().take(EXCERPT).collect(),
        created_at: telling.at,
        read_at: None,
    };
    let subject = if comment == CommentId::NOTHING { telling.thing } else { telling.part };
    publish(tx, telling.user, &NotificationEvent { notification, unread }, subject, telling.at)
}

/// Tells a person of a new follower: once, however often that one follows anew.
pub(in crate::store::sql) fn told_follow(
    tx: &mut Tx<'_>,
    follower: UserId,
    author: UserId,
    at: i64,
) -> Result<()> {
    let kind = NotificationKind::Follow;
    if inbox::muted(tx, author)? & inbox::bit(kind) != 0 {
        return Ok(());
    }
    let known = tx
        .sql("SELECT 1 FROM notifications WHERE thing = ?1 AND part = ?2 AND kind = ?3 AND user = ?4")?
        .exists(params![
            follower.as_bytes(),
            CommentId::NOTHING.as_bytes(),
            kind.as_str(),
            author.as_bytes()
        ])?;
    if known {
        return Ok(());
    }
    let actor = user(tx.connection(), follower)?.ok_or(StoreError::NotFound("user"))?;
    tell_one(
        tx,
        &Telling {
            user: author,
            kind,
            thing: *follower.as_bytes(),
            part: *CommentId::NOTHING.as_bytes(),
            actor: Some(&actor),
            text: "",
            at,
        },
    )
}
