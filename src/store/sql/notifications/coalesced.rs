//! Reactions to one post or comment: one notification that grows and shrinks.

use super::{
    PUBLISH_EVERY_MS,
    inbox::{self, Change, bit},
    row::{NotificationRow, bytes, people, publish},
};
use crate::store::sql::db::{self, OptionalExtension, Row, params};
use crate::store::{Result, sql::Tx};
use communiconnect_protocol::{CommentId, NotificationEvent, NotificationId, NotificationKind, UserId};

/// People remembered per notification: more than are shown, so that some are left when the latest take it back.
const REMEMBERED: usize = 8;

/// Who reacted to what, and whom it is told.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::sql) struct Reacted {
    pub(in crate::store::sql) owner: UserId,
    pub(in crate::store::sql) kind: NotificationKind,
    /// The post.
    pub(in crate::store::sql) thing: [u8; 16],
    /// The comment; zeros for a reaction to the post itself.
    pub(in crate::store::sql) part: [u8; 16],
    pub(in crate::store::sql) person: UserId,
    pub(in crate::store::sql) at: i64,
}

impl Reacted {
    /// What was reacted to.
    pub(super) fn target(&self) -> [u8; 16] {
        if self.part == *CommentId::NOTHING.as_bytes() { self.thing } else { self.part }
    }
}

/// Which notification counts a reaction, as the column `told` has it: a notification that was dropped and begun anew does
/// not count those whom the one before it counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sql) struct Counted(i64);

impl Counted {
    /// In none: the author was not to hear of it.
    pub(in crate::store::sql) const NOWHERE: Self = Self(0);
    /// In whichever stands: written by versions that did not tell them apart.
    const ANYWHERE: Self = Self(1);

    pub(in crate::store::sql) fn from_column(told: i64) -> Self {
        Self(told)
    }

    pub(in crate::store::sql) fn column(self) -> i64 {
        self.0
    }

    /// The first half of the id: the millisecond and a part of the counter (RFC 9562 §5.7), one of a kind per target.
    fn by(id: NotificationId) -> Self {
        let (half, _) = id.as_bytes().split_first_chunk().expect("an id has sixteen bytes");
        Self(i64::from_be_bytes(*half))
    }
}

/// Counts one more person; by which notification, where the owner wants to hear of it.
pub(in crate::store::sql) fn add_person(tx: &mut Tx<'_>, reacted: &Reacted) -> Result<Counted> {
    let (muted, standing) = standing(tx, reacted)?;
    if muted & bit(reacted.kind) != 0 {
        return Ok(Counted::NOWHERE);
    }
    match standing {
        Some(standing) => {
            let counted = Counted::by(standing.id);
            grow(tx, reacted, standing)?;
            Ok(counted)
        }
        None => begin(tx, reacted),
    }
}

/// Counts one person less, without telling: what is pushed is news.
pub(in crate::store::sql) fn drop_person(tx: &mut Tx<'_>, reacted: &Reacted, counted: Counted) -> Result<()> {
    if counted == Counted::NOWHERE {
        return Ok(());
    }
    let (_, Some(standing)) = standing(tx, reacted)? else { return Ok(()) };
    let by = Counted::by(standing.id);
    if standing.count == 0 || counted != by && counted != Counted::ANYWHERE {
        return Ok(());
    }
    let left = standing.count - 1;
    let mut actors = standing.actors;
    actors.retain(|actor| *actor != reacted.person);
    if actors.is_empty() && left > 0 {
        actors =
            tx.sql("SELECT user FROM reactions WHERE target = ?1 AND told IN (?3, ?4) LIMIT ?2")?.query_map(
                params![reacted.target(), REMEMBERED as i64, by.column(), Counted::ANYWHERE.column()],
                |row| row.get(0).map(UserId::from_bytes),
            )?;
    }
    tx.sql("UPDATE notifications SET count = ?2, actors = ?3, dirty = CASE WHEN ?4 THEN 0 ELSE dirty END WHERE no = ?1")?
        .send(params![standing.no, left, bytes(&actors), left == 0])?;
    if left == 0 && !standing.read {
        inbox::shift(tx, reacted.owner, Change { unread: -1, kept: 0 })?;
    }
    Ok(())
}

/// The notification as it stands.
struct Standing {
    no: i64,
    id: NotificationId,
    actors: Vec<UserId>,
    count: i64,
    read: bool,
    published_at: i64,
}

/// The kinds that the owner has muted, and the notification where there is one.
fn standing(tx: &Tx<'_>, reacted: &Reacted) -> Result<(i64, Option<Standing>)> {
    let found = tx
        .sql(
            "SELECT i.muted, n.no, n.id, n.actors, n.count, n.read_at IS NOT NULL, n.published_at
             FROM inboxes i LEFT JOIN notifications n
                 ON n.thing = ?2 AND n.part = ?3 AND n.kind = ?4 AND n.user = i.user
             WHERE i.user = ?1",
        )?
        .query_row(
            params![reacted.owner.as_bytes(), reacted.thing, reacted.part, reacted.kind.as_str()],
            |row| Ok((row.get(0)?, standing_at(row)?)),
        )
        .optional()?;
    Ok(found.unwrap_or((0, None)))
}

fn standing_at(row: &Row<'_>) -> db::Result<Option<Standing>> {
    let Some(no) = row.get(1)? else { return Ok(None) };
    Ok(Some(Standing {
        no,
        id: NotificationId::from_bytes(row.get(2)?),
        actors: people(row.bytes(3)?),
        count: row.get(4)?,
        read: row.get(5)?,
        published_at: row.get(6)?,
    }))
}

fn begin(tx: &mut Tx<'_>, reacted: &Reacted) -> Result<Counted> {
    let Some(unread) = inbox::enter(tx, reacted.owner, reacted.kind)? else { return Ok(Counted::NOWHERE) };
    let id = NotificationId::from_bytes(tx.id(reacted.at));
    tx.sql(
        "INSERT INTO notifications
             (id, user, kind, thing, part, actors, count, created_at, published_at, dirty)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7, 0)",
    )?
    .send(params![
        id.as_bytes(),
        reacted.owner.as_bytes(),
        reacted.kind.as_str(),
        reacted.thing,
        reacted.part,
        reacted.person.as_bytes(),
        reacted.at,
    ])?;
    tell(tx, reacted, Told { id, actors: vec![reacted.person], count: 1, unread })?;
    Ok(Counted::by(id))
}

fn grow(tx: &mut Tx<'_>, reacted: &Reacted, standing: Standing) -> Result<()> {
    let mut actors = standing.actors;
    actors.retain(|actor| *actor != reacted.person);
    actors.insert(0, reacted.person);
    actors.truncate(REMEMBERED);
    let count = standing.count + 1;
    let since = reacted.at - standing.published_at;
    let now = !(0..PUBLISH_EVERY_MS).contains(&since);
    tx.sql(
        "UPDATE notifications SET count = ?2, actors = ?3, created_at = ?4, read_at = NULL,
             published_at = CASE WHEN ?5 THEN ?4 ELSE published_at END, dirty = CASE WHEN ?5 THEN 0 ELSE 1 END
         WHERE no = ?1",
    )?
    .send(params![standing.no, count, bytes(&actors), reacted.at, now])?;
    let was_unread = standing.count > 0 && !standing.read;
    if now || !was_unread {
        let by = Change { unread: i64::from(!was_unread), kept: 0 };
        let unread = inbox::shift(tx, reacted.owner, by)?;
        if now {
            let count = count.unsigned_abs();
            tell(tx, reacted, Told { id: standing.id, actors, count, unread })?;
        }
    }
    Ok(())
}

/// What is told of a notification that has just changed.
struct Told {
    id: NotificationId,
    actors: Vec<UserId>,
    count: u64,
    unread: u64,
}

fn tell(tx: &mut Tx<'_>, reacted: &Reacted, told: Told) -> Result<()> {
    let row = NotificationRow {
        id: told.id,
        user: reacted.owner,
        kind: reacted.kind,
        thing: reacted.thing,
        part: reacted.part,
        actors: told.actors,
        count: told.count,
        created_at: reacted.at,
        read_at: None,
    };
    let Some(notification) = row.shown(tx.connection())? else { return Ok(()) };
    let event = NotificationEvent { notification, unread: told.unread };
    publish(tx, reacted.owner, &event, reacted.target(), reacted.at)
}
