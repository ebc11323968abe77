//! Reactions to one post or comment, and shares of one post: one notification of each kind that grows and shrinks.

use super::{
    PUBLISH_EVERY_MS,
    inbox::{self, Change, bit},
    row::{NotificationRow, bytes, people, publish},
};
use crate::store::sql::db::{self, OptionalExtension, Row, params};
use crate::store::{Result, sql::Tx};
use communiconnect_protocol::{
    CommentId, NotificationEvent, NotificationId, NotificationKind, PostId, UserId,
};

/// People remembered per notification: more than are shown, so that some are left when the latest take it back.
const REMEMBERED: usize = 8;

/// Whether all that was done of one kind to one thing is one notification.
pub(super) const fn is_coalesced(kind: NotificationKind) -> bool {
    match kind {
        NotificationKind::PostReaction
        | NotificationKind::CommentReaction
        | NotificationKind::Share
        | NotificationKind::Repost
        | NotificationKind::ExternalShare => true,
        NotificationKind::Comment | NotificationKind::Reply | NotificationKind::Follow => false,
    }
}

/// What causes a notification that grows and shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Causes {
    /// Rows of `reactions`.
    Reactions,
    /// Rows of `shares`; the word of the notification's kind is theirs.
    Shares,
    /// Rows of `external_shares`.
    ExternalShares,
}

impl Causes {
    pub(super) const fn of(kind: NotificationKind) -> Self {
        match kind {
            NotificationKind::Share | NotificationKind::Repost => Self::Shares,
            NotificationKind::ExternalShare => Self::ExternalShares,
            NotificationKind::PostReaction
            | NotificationKind::CommentReaction
            | NotificationKind::Comment
            | NotificationKind::Reply
            | NotificationKind::Follow => Self::Reactions,
        }
    }
}

/// Who reacted to what or shared it, and whom it is told.
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
    /// What was reacted to or shared.
    pub(super) fn target(&self) -> [u8; 16] {
        if self.part == *CommentId::NOTHING.as_bytes() { self.thing } else { self.part }
    }

    /// The post, where this is a reaction to it: of those some is read ahead.
    fn post(&self) -> Option<PostId> {
        (self.kind == NotificationKind::PostReaction).then(|| PostId::from_bytes(self.thing))
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

    /// Whether a reaction with this in its column is among those that the notification counts.
    pub(in crate::store::sql) fn is_by(self, notification: Self) -> bool {
        self == notification || self == Self::ANYWHERE
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
    if standing.count == 0 || !counted.is_by(by) {
        return Ok(());
    }
    let left = standing.count - 1;
    let was_unread = standing.read_at.is_none();
    let mut actors = standing.actors;
    actors.retain(|actor| *actor != reacted.person);
    if actors.is_empty() && left > 0 {
        actors = others(tx, reacted, by)?;
    }
    put(tx, reacted, &Standing { count: left, actors, dirty: standing.dirty && left > 0, ..standing })?;
    if left == 0 && was_unread {
        inbox::shift(tx, reacted.owner, Change { unread: -1, kept: 0 })?;
    }
    Ok(())
}

/// Some of those whom the notification counts, beside the one who takes it back.
fn others(tx: &Tx<'_>, reacted: &Reacted, by: Counted) -> Result<Vec<UserId>> {
    match Causes::of(reacted.kind) {
        Causes::Reactions => {}
        Causes::Shares => return other_sharers(tx, reacted, by),
        Causes::ExternalShares => return others_outside(tx, reacted, by),
    }
    // Those known ahead are left out of what the table says, and must not take the place of others there.
    let known_ahead = reacted.post().map_or(0, |post| tx.felt_ahead_count(post));
    let limit = REMEMBERED + known_ahead;
    let mut found: Vec<UserId> =
        tx.sql("SELECT user FROM reactions WHERE target = ?1 AND told IN (?3, ?4) LIMIT ?2")?.query_map(
            params![reacted.target(), limit as i64, by.column(), Counted::ANYWHERE.column()],
            |row| row.get(0).map(UserId::from_bytes),
        )?;
    // What was read ahead is newer than the table.
    let post = PostId::from_bytes(reacted.thing);
    found.retain(|user| {
        let is_known = reacted.post().and_then(|post| tx.felt_ahead(post, *user));
        *user != reacted.person && is_known.is_none()
    });
    if reacted.post().is_some() {
        found.extend(tx.counted_ahead(post, by).filter(|user| *user != reacted.person));
    }
    found.truncate(REMEMBERED);
    Ok(found)
}

/// The same of shares.
fn other_sharers(tx: &Tx<'_>, shared: &Reacted, by: Counted) -> Result<Vec<UserId>> {
    Ok(tx
        .sql("SELECT user FROM shares WHERE post = ?1 AND kind = ?2 AND told = ?3 AND user != ?4 LIMIT ?5")?
        .query_map(
            params![
                shared.thing,
                shared.kind.as_str(),
                by.column(),
                shared.person.as_bytes(),
                REMEMBERED as i64
            ],
            |row| row.get(0).map(UserId::from_bytes),
        )?)
}

/// The same of shares to other platforms.
fn others_outside(tx: &Tx<'_>, shared: &Reacted, by: Counted) -> Result<Vec<UserId>> {
    let person = shared.person.as_bytes();
    Ok(tx
        .sql("SELECT user FROM external_shares WHERE post = ?1 AND told = ?2 AND user != ?3 LIMIT ?4")?
        .query_map(params![shared.thing, by.column(), person, REMEMBERED as i64], |row| {
            row.get(0).map(UserId::from_bytes)
        })?)
}

/// The notification of what was done of one kind to one thing, as it stands.
#[derive(Clone, Debug)]
pub(in crate::store::sql) struct Standing {
    pub(in crate::store::sql) no: i64,
    pub(in crate::store::sql) id: NotificationId,
    /// Latest first.
    pub(in crate::store::sql) actors: Vec<UserId>,
    pub(in crate::store::sql) count: i64,
    pub(in crate::store::sql) created_at: i64,
    pub(in crate::store::sql) read_at: Option<i64>,
    pub(in crate::store::sql) published_at: i64,
    pub(in crate::store::sql) dirty: bool,
}

/// Columns of the notification `n` that [`standing_at`] reads.
macro_rules! standing_columns {
    () => {
        "n.no, n.id, n.actors, n.count, n.created_at, n.read_at, n.published_at, n.dirty"
    };
}
pub(in crate::store::sql) use standing_columns;

/// None where there is no such notification.
pub(in crate::store::sql) fn standing_at(row: &Row<'_>, first: usize) -> db::Result<Option<Standing>> {
    let Some(no) = row.get(first)? else { return Ok(None) };
    Ok(Some(Standing {
        no,
        id: NotificationId::from_bytes(row.get(first + 1)?),
        actors: people(row.bytes(first + 2)?),
        count: row.get(first + 3)?,
        created_at: row.get(first + 4)?,
        read_at: row.get(first + 5)?,
        published_at: row.get(first + 6)?,
        dirty: row.get(first + 7)?,
    }))
}

/// The kinds that the owner has muted, and the notification where there is one.
fn standing(tx: &Tx<'_>, reacted: &Reacted) -> Result<(i64, Option<Standing>)> {
    if let Some(post) = reacted.post()
        && let Some(standing) = tx.standing_ahead(post)
        && let Some(inbox) = tx.inbox_ahead(reacted.owner)
    {
        return Ok((inbox.muted, standing.clone()));
    }
    let found = tx
        .sql(concat!(
            "SELECT i.muted, ",
            standing_columns!(),
            " FROM inboxes i LEFT JOIN notifications n
                 ON n.thing = ?2 AND n.part = ?3 AND n.kind = ?4 AND n.user = i.user
             WHERE i.user = ?1"
        ))?
        .query_row(
            params![reacted.owner.as_bytes(), reacted.thing, reacted.part, reacted.kind.as_str()],
            |row| Ok((row.get(0)?, standing_at(row, 1)?)),
        )
        .optional()?;
    Ok(found.unwrap_or((0, None)))
}

/// Writes a notification that has changed.
fn put(tx: &mut Tx<'_>, reacted: &Reacted, standing: &Standing) -> Result<()> {
    if let Some(post) = reacted.post()
        && tx.stand_ahead(post, standing)
    {
        return Ok(());
    }
    tx.sql(
        "UPDATE notifications SET count = ?2, actors = ?3, created_at = ?4, read_at = ?5, published_at = ?6, dirty = ?7
         WHERE no = ?1",
    )?
    .send(params![
        standing.no,
        standing.count,
        bytes(&standing.actors),
        standing.created_at,
        standing.read_at,
        standing.published_at,
        standing.dirty,
    ])?;
    Ok(())
}

fn begin(tx: &mut Tx<'_>, reacted: &Reacted) -> Result<Counted> {
    let Some(unread) = inbox::enter(tx, reacted.owner, reacted.kind)? else { return Ok(Counted::NOWHERE) };
    let id = NotificationId::from_bytes(tx.id(reacted.at));
    let actors = vec![reacted.person];
    let no = tx
        .sql(
            "INSERT INTO notifications
                 (id, user, kind, thing, part, actors, count, created_at, published_at, dirty)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7, 0) RETURNING no",
        )?
        .query_row(
            params![
                id.as_bytes(),
                reacted.owner.as_bytes(),
                reacted.kind.as_str(),
                reacted.thing,
                reacted.part,
                reacted.person.as_bytes(),
                reacted.at,
            ],
            |row| row.get(0),
        )?;
    let (created_at, published_at) = (reacted.at, reacted.at);
    if let Some(post) = reacted.post() {
        let actors = actors.clone();
        tx.stand_ahead(
            post,
            &Standing { no, id, actors, count: 1, created_at, read_at: None, published_at, dirty: false },
        );
    }
    tell(tx, reacted, Told { id, actors, count: 1, unread })?;
    Ok(Counted::by(id))
}

fn grow(tx: &mut Tx<'_>, reacted: &Reacted, standing: Standing) -> Result<()> {
    let was_unread = standing.count > 0 && standing.read_at.is_none();
    let mut actors = standing.actors;
    actors.retain(|actor| *actor != reacted.person);
    actors.insert(0, reacted.person);
    actors.truncate(REMEMBERED);
    let since = reacted.at - standing.published_at;
    let now = !(0..PUBLISH_EVERY_MS).contains(&since);
    let (id, count) = (standing.id, standing.count + 1);
    let grown = Standing {
        actors,
        count,
        created_at: reacted.at,
        read_at: None,
        published_at: if now { reacted.at } else { standing.published_at },
        dirty: !now,
        ..standing
    };
    put(tx, reacted, &grown)?;
    if now || !was_unread {
        let by = Change { unread: i64::from(!was_unread), kept: 0 };
        let unread = inbox::shift(tx, reacted.owner, by)?;
        if now {
            let (actors, count) = (grown.actors, count.unsigned_abs());
            tell(tx, reacted, Told { id, actors, count, unread })?;
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
