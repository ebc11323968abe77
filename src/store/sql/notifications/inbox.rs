//! What is kept per person beside the notifications: how many, how many unread, and which kinds are not wanted.

use crate::store::sql::db::{Connection, OptionalExtension, params};
use crate::store::{Result, sql::Tx};
use communiconnect_protocol::{NotificationKind, UserId};
use std::collections::BTreeMap;

/// Notifications kept per person. The oldest go beyond it, so that neither the table nor a walk through a person's
/// list grows without bound.
pub(in crate::store::sql) const KEPT: i64 = 1_000;

/// How many go at once, so that a full inbox does not pay for every single one.
const PRUNED: i64 = 64;

/// Makes room for a new notification of this kind and counts it; how many are unread then, or none where the person
/// does not want it.
pub(super) fn enter(tx: &mut Tx<'_>, user: UserId, kind: NotificationKind) -> Result<Option<u64>> {
    if let Some(inbox) = tx.inbox_ahead(user) {
        return Ok((inbox.muted & bit(kind) == 0).then(|| {
            tx.change_inbox_ahead(user, Change { unread: 1, kept: 1 });
            (inbox.unread + 1).unsigned_abs()
        }));
    }
    let counted: Option<(i64, i64)> = tx
        .sql(
            "INSERT INTO inboxes (user, unread, kept) VALUES (?1, 1, 1)
             ON CONFLICT (user) DO UPDATE SET unread = inboxes.unread + 1, kept = inboxes.kept + 1
                 WHERE inboxes.muted & ?2 = 0
             RETURNING unread, kept",
        )?
        .query_row(params![user.as_bytes(), bit(kind)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((unread, kept)) = counted else { return Ok(None) };
    let dropped = if kept > KEPT + PRUNED { prune(tx, user)? } else { 0 };
    Ok(Some((unread - dropped).unsigned_abs()))
}

/// Drops the oldest; answers how many of them were unread.
fn prune(tx: &mut Tx<'_>, user: UserId) -> Result<i64> {
    let unread: Vec<bool> = tx
        .sql(
            "DELETE FROM notifications WHERE no IN
                 (SELECT no FROM notifications WHERE user = ?1 ORDER BY created_at, id LIMIT ?2)
             RETURNING read_at IS NULL AND count > 0",
        )?
        .query_map(params![user.as_bytes(), PRUNED], |row| row.get(0))?;
    let dropped = unread.iter().filter(|unread| **unread).count() as i64;
    shift(tx, user, Change { unread: -dropped, kept: -(unread.len() as i64) })?;
    Ok(dropped)
}

/// By how much an inbox changes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store::sql) struct Change {
    pub(in crate::store::sql) unread: i64,
    pub(in crate::store::sql) kept: i64,
}

/// Moves what an inbox counts; answers how many are unread then.
pub(super) fn shift(tx: &mut Tx<'_>, user: UserId, by: Change) -> Result<u64> {
    if let Some(inbox) = tx.change_inbox_ahead(user, by) {
        return Ok(inbox.unread.unsigned_abs());
    }
    let unread: Option<i64> = tx
        .sql("UPDATE inboxes SET unread = unread + ?2, kept = kept + ?3 WHERE user = ?1 RETURNING unread")?
        .query_row(params![user.as_bytes(), by.unread, by.kept], |row| row.get(0))
        .optional()?;
    Ok(unread.unwrap_or(0).unsigned_abs())
}

/// How many are unread.
pub(super) fn unread(connection: &Connection, user: UserId) -> Result<u64> {
    let unread: Option<i64> = connection
        .prepare_cached("SELECT unread FROM inboxes WHERE user = ?1")?
        .query_row([user.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(unread.unwrap_or(0).unsigned_abs())
}

/// Sets the wishes given; answers all of them and whether any changed.
pub(super) fn set_preferences(
    tx: &mut Tx<'_>,
    user: UserId,
    wishes: &BTreeMap<NotificationKind, bool>,
) -> Result<(BTreeMap<NotificationKind, bool>, bool)> {
    let before = muted(tx, user)?;
    let muted = wishes
        .iter()
        .fold(before, |muted, (kind, wanted)| if *wanted { muted & !bit(*kind) } else { muted | bit(*kind) });
    if muted != before {
        tx.sql(
            "INSERT INTO inboxes (user, muted) VALUES (?1, ?2)
             ON CONFLICT (user) DO UPDATE SET muted = excluded.muted",
        )?
        .execute(params![user.as_bytes(), muted])?;
    }
    let all = NotificationKind::ALL.iter().map(|kind| (*kind, muted & bit(*kind) == 0)).collect();
    Ok((all, muted != before))
}

/// The kinds that a person does not want, as bits.
pub(super) fn muted(tx: &Tx<'_>, user: UserId) -> Result<i64> {
    let wished = tx
        .sql("SELECT muted FROM inboxes WHERE user = ?1")?
        .query_row([user.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(wished.unwrap_or(MUTED_AT_FIRST))
}

/// What somebody who wished for nothing does not get, as in the table: new followers are told to those who wish it.
const MUTED_AT_FIRST: i64 = bit(NotificationKind::Follow);

/// The bit of a kind in `inboxes.muted`; never to be given to another kind.
pub(super) const fn bit(kind: NotificationKind) -> i64 {
    match kind {
        NotificationKind::PostReaction => 1,
        NotificationKind::CommentReaction => 1 << 1,
        NotificationKind::Comment => 1 << 2,
        NotificationKind::Reply => 1 << 3,
        NotificationKind::Follow => 1 << 4,
        NotificationKind::Share => 1 << 5,
        NotificationKind::Repost => 1 << 6,
        NotificationKind::ExternalShare => 1 << 7,
    }
}
