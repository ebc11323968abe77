//! A notification's row, how it is shown, and its entry in the `user:` log.

use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::{
    publication::Audience,
    store::{
        Result,
        sql::{
            Tx,
            columns::{count, word},
            events::NOTIFICATION,
            tx::Draft,
            user_row::user,
        },
    },
};
use communiconnect_protocol::{
    Channel, CommentId, Data, Notification, NotificationEvent, NotificationId, NotificationKind, PostId,
    UserId,
};

/// People that a notification names.
const SHOWN: usize = 3;

/// Characters of what a notification is about.
pub(super) const EXCERPT: usize = 100;

/// Columns of the table `notifications`, in the order that [`NotificationRow::at`] reads.
macro_rules! notification_columns {
    () => {
        "id, user, kind, thing, part, actors, count, created_at, read_at"
    };
}
pub(super) use notification_columns;

/// How many columns [`notification_columns`] has.
pub(super) const NOTIFICATION_COLUMNS: usize = 9;

/// A notification as it is stored.
#[derive(Clone, Debug)]
pub(super) struct NotificationRow {
    pub(super) id: NotificationId,
    pub(super) user: UserId,
    pub(super) kind: NotificationKind,
    pub(super) thing: [u8; 16],
    pub(super) part: [u8; 16],
    /// Latest first; some more than are shown.
    pub(super) actors: Vec<UserId>,
    pub(super) count: u64,
    pub(super) created_at: i64,
    pub(super) read_at: Option<i64>,
}

impl NotificationRow {
    pub(super) fn at(row: &Row<'_>) -> db::Result<Self> {
        Ok(Self {
            id: NotificationId::from_bytes(row.get(0)?),
            user: UserId::from_bytes(row.get(1)?),
            kind: word(row, 2, NotificationKind::from_word)?,
            thing: row.get(3)?,
            part: row.get(4)?,
            actors: people(row.bytes(5)?),
            count: count(row, 6)?,
            created_at: row.get(7)?,
            read_at: row.get(8)?,
        })
    }

    /// As the person sees it, with names and text as they are now; none where what it tells of is gone.
    pub(super) fn shown(self, connection: &Connection) -> Result<Option<Notification>> {
        let mut actors = Vec::with_capacity(SHOWN);
        for actor in self.actors.into_iter().take(SHOWN) {
            actors.extend(user(connection, actor)?);
        }
        let is_follow = self.kind == NotificationKind::Follow;
        let comment = CommentId::from_bytes(self.part);
        let text = if is_follow { Some(String::new()) } else { excerpt(connection, &self.thing, comment)? };
        let Some(text) = text else { return Ok(None) };
        Ok(Some(Notification {
            id: self.id,
            kind: self.kind,
            actors,
            count: self.count,
            post_id: (!is_follow).then(|| PostId::from_bytes(self.thing)),
            comment_id: (comment != CommentId::NOTHING).then_some(comment),
            live_id: None,
            text,
            created_at: self.created_at,
            read_at: self.read_at,
        }))
    }
}

/// Writes the notification into the person's own log. `subject` is what takes it away when it is deleted.
pub(super) fn publish(
    tx: &mut Tx<'_>,
    user: UserId,
    event: &NotificationEvent,
    subject: [u8; 16],
    at: i64,
) -> Result<()> {
    tx.publish(Draft {
        channel: Channel::User(user),
        event: &NOTIFICATION,
        data: Data::of(event),
        at,
        actor: event.notification.actors.first().map(|actor| actor.id),
        audience: Audience::Readers,
        subject: Some(subject),
    })?;
    Ok(())
}

/// Ids one after the other, as the column `actors` has them.
pub(super) fn people(bytes: &[u8]) -> Vec<UserId> {
    let (ids, _) = bytes.as_chunks::<16>();
    ids.iter().map(|id| UserId::from_bytes(*id)).collect()
}

/// The other way round.
pub(super) fn bytes(people: &[UserId]) -> Vec<u8> {
    people.iter().flat_map(UserId::as_bytes).copied().collect()
}

/// The beginning of the comment, or of the post where there is no comment.
fn excerpt(connection: &Connection, post: &[u8; 16], comment: CommentId) -> Result<Option<String>> {
    let (sql, id) = if comment == CommentId::NOTHING {
        ("SELECT substr(coalesce(title, content), 1, ?2) FROM posts WHERE id = ?1", post)
    } else {
        (
            "SELECT substr(c.content, 1, ?2) FROM comments c JOIN posts p ON p.id = c.post WHERE c.id = ?1",
            comment.as_bytes(),
        )
    };
    let text: Option<String> = connection
        .prepare_cached(sql)?
        .query_row(params![id, EXCERPT as i64], |row| row.get(0))
        .optional()?;
    Ok(text)
}
