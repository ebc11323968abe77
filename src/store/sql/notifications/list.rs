//! A person's list, and what they have read of it.

use super::{
    inbox::{self, Change},
    row::{NotificationRow, notification_columns},
};
use crate::store::sql::db::{Connection, params};
use crate::store::{
    Result,
    notifications::{NotificationPage, NotificationQuery, ReadMark},
    sql::{Tx, leftovers::is_anything_left},
};
use communiconnect_protocol::{NotificationId, UserId};
use std::collections::HashSet;

pub(super) fn page(
    connection: &Connection,
    user: UserId,
    query: NotificationQuery,
) -> Result<NotificationPage> {
    let mut place = match query.before {
        Some(place) => (place.created_at, *place.id.as_bytes()),
        None => (i64::MAX, [0xff; 16]),
    };
    let mut page =
        NotificationPage { notifications: Vec::new(), unread: unread(connection, user)?, more: false };
    let wanted = query.limit + 1;
    // Of some of them what they tell of is gone: then more are looked at.
    loop {
        let rows = below(connection, user, (place, query.unread), wanted)?;
        let is_end = rows.len() < wanted;
        for row in rows {
            place = (row.created_at, *row.id.as_bytes());
            let Some(shown) = row.shown(connection)? else { continue };
            if page.notifications.len() == query.limit {
                page.more = true;
                return Ok(page);
            }
            page.notifications.push(shown);
        }
        if is_end {
            return Ok(page);
        }
    }
}

/// The next rows of a person's list, newest first.
fn below(
    connection: &Connection,
    user: UserId,
    ((time, id), unread): ((i64, [u8; 16]), bool),
    limit: usize,
) -> Result<Vec<NotificationRow>> {
    let rows = connection
        .prepare_cached(concat!(
            "SELECT ",
            notification_columns!(),
            " FROM notifications WHERE user = ?1 AND (created_at, id) < (?2, ?3) AND count > 0
                 AND (NOT ?4 OR read_at IS NULL)
             ORDER BY created_at DESC, id DESC LIMIT ?5"
        ))?
        .query_map(params![user.as_bytes(), time, id, unread, limit as i64], NotificationRow::at)?;
    Ok(rows)
}

/// How many are unread of those that are shown. What waits to be swept is counted in the inbox still.
fn unread(connection: &Connection, user: UserId) -> Result<u64> {
    let counted = inbox::unread(connection, user)?;
    if counted == 0 || !is_anything_left(connection)? {
        return Ok(counted);
    }
    let rows = connection
        .prepare_cached(concat!(
            "SELECT ",
            notification_columns!(),
            " FROM notifications WHERE user = ?1 AND read_at IS NULL AND count > 0"
        ))?
        .query_map([user.as_bytes()], NotificationRow::at)?;
    let mut gone = 0;
    for row in rows {
        gone += u64::from(row.is_gone(connection)?);
    }
    Ok(counted.saturating_sub(gone))
}

/// Marks as read; whether any was unread, and how many still are.
pub(super) fn mark_read(tx: &mut Tx<'_>, user: UserId, mark: &ReadMark, at: i64) -> Result<(bool, u64)> {
    let waiting: Vec<(i64, NotificationId)> = tx
        .sql("SELECT no, id FROM notifications WHERE user = ?1 AND read_at IS NULL AND count > 0")?
        .query_map([user.as_bytes()], |row| Ok((row.get(0)?, NotificationId::from_bytes(row.get(1)?))))?;
    let wanted: Option<HashSet<&NotificationId>> = match mark {
        ReadMark::These(ids) => Some(ids.iter().collect()),
        ReadMark::All => None,
    };
    let mut read = 0;
    for (no, id) in &waiting {
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(id)) {
            tx.sql("UPDATE notifications SET read_at = ?2 WHERE no = ?1")?.execute(params![no, at])?;
            read += 1;
        }
    }
    if read == 0 {
        return Ok((false, unread(tx.connection(), user)?));
    }
    inbox::shift(tx, user, Change { unread: -read, kept: 0 })?;
    Ok((true, unread(tx.connection(), user)?))
}
