//! Publishing what changed again within the second.

use super::{
    PUBLISH_EVERY_MS, inbox,
    row::{NOTIFICATION_COLUMNS, NotificationRow, notification_columns, publish},
};
use crate::store::sql::db::{Connection, params};
use crate::store::{Result, sql::Tx};
use communiconnect_protocol::{CommentId, NotificationEvent};

/// Notifications that one call publishes, so that the writer is never held up for long.
const AT_ONCE: i64 = 500;

/// Whether no notification waits for its second to be over.
pub(super) fn nothing_waits(connection: &Connection, now: i64) -> Result<bool> {
    let waits = connection
        .prepare_cached(
            "SELECT 1 FROM notifications WHERE dirty = 1 AND (published_at <= ?1 OR published_at > ?2) LIMIT 1",
        )?
        .exists(params![now - PUBLISH_EVERY_MS, now])?;
    Ok(!waits)
}

/// Publishes the notifications whose second is over (or whose time lies ahead, where the clock went back).
pub(super) fn flush(tx: &mut Tx<'_>, now: i64) -> Result<usize> {
    let due: Vec<(NotificationRow, i64)> = tx
        .sql(concat!(
            "SELECT ",
            notification_columns!(),
            ", no FROM notifications WHERE dirty = 1 AND (published_at <= ?1 OR published_at > ?2)
             ORDER BY published_at LIMIT ?3"
        ))?
        .query_map(params![now - PUBLISH_EVERY_MS, now, AT_ONCE], |row| {
            Ok((NotificationRow::at(row)?, row.get(NOTIFICATION_COLUMNS)?))
        })?;
    let published = due.len();
    for (row, no) in due {
        tx.sql("UPDATE notifications SET dirty = 0, published_at = ?2 WHERE no = ?1")?
            .execute(params![no, now])?;
        let nothing = *CommentId::NOTHING.as_bytes();
        let subject = if row.part == nothing { row.thing } else { row.part };
        let user = row.user;
        let unread = inbox::unread(tx.connection(), user)?;
        // What it tells of is gone, and the notification is about to be.
        let Some(notification) = row.shown(tx.connection())? else { continue };
        let event = NotificationEvent { notification, unread };
        publish(tx, user, &event, subject, now)?;
    }
    Ok(published)
}
