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
            leftovers::is_removed,
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
        let Some(text) = self.text(connection)? else { return Ok(None) };
        let mut actors = Vec::with_capacity(SHOWN);
        for actor in self.actors.into_iter().take(SHOWN) {
            actors.extend(user(connection, actor)?);
        }
        let is_follow = self.kind == NotificationKind::Follow;
        let comment = CommentId::from_bytes(self.part);
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

    /// Whether what it tells of is gone, though the row itself may wait to be swept.
    pub(super) fn is_gone(&self, connection: &Connection) -> Result<bool> {
        Ok(self.text(connection)?.is_none())
    }

    /// How what it tells of begins; none where that is gone.
    fn text(&self, connection: &Connection) -> Result<Option<String>> {
        if self.kind == NotificationKind::Follow {
            return Ok(Some(String::new()));
        }
        let comment = CommentId::from_bytes(self.part);
        if comment != CommentId::NOTHING && is_removed(connection, PostId::from_bytes(self.thing), comment)? {
            return Ok(None);
        }
        excerpt(connection, &self.thing, comment)
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
    let named = named(tx, &event.notification)?;
    tx.publish(Draft {
        channel: Channel::User(user),
        event: &NOTIFICATION,
        data: Data::of(event),
        at,
        actor: event.notification.actors.first().map(|actor| actor.id),
        audience: Audience::Readers,
        subject: Some(subject),
        named: Some(bytes(&named)),
    })?;
    Ok(())
}

/// Everybody whom the entry must not tell of once its owner does not hear them any more.
fn named(tx: &Tx<'_>, told: &Notification) -> Result<Vec<UserId>> {
    let mut named: Vec<UserId> = told.actors.iter().map(|actor| actor.id).collect();
    let anothers_post = match told.kind {
        NotificationKind::Reply | NotificationKind::CommentReaction => told.post_id,
        // One's own post, or none.
        NotificationKind::PostReaction
        | NotificationKind::Comment
        | NotificationKind::Follow
        | NotificationKind::Share
        | NotificationKind::Repost
        | NotificationKind::ExternalShare => None,
    };
    if let Some(post) = anothers_post {
        let author = tx
            .sql("SELECT author FROM posts WHERE id = ?1")?
            .query_row([post.as_bytes()], |row| row.get(0).map(UserId::from_bytes))
            .optional()?;
        named.extend(author);
    }
    Ok(named)
}

/// Ids one after the other, as the column `actors` has them.
pub(super) fn people(bytes: &[u8]) -> Vec<UserId> {
    let (ids, _) = bytes.as_chunks::<16>();
    ids.iter().map(|id| UserId::from_bytes(*id)).collect()
}

/// The other way round.
pub(in crate::store::sql) fn bytes(people: &[UserId]) -> Vec<u8> {
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
