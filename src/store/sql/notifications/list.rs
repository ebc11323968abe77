//! A person's list, and what they have read of it.

use super::{
    inbox::{self, Change},
    row::{NotificationRow, notification_columns},
};
use crate::store::sql::db::{Connection, params};
use crate::store::{
    Result,
    notifications::{NotificationPage, NotificationQuery, ReadMark},
    sql::Tx,
};
use communiconnect_protocol::{NotificationId, UserId};
use std::collections::HashSet;

pub(super) fn page(
    connection: &Connection,
    user: UserId,
    query: NotificationQuery,
) -> Result<NotificationPage> {
    let (time, id) = match query.before {
        Some(place) => (place.created_at, *place.id.as_bytes()),
        None => (i64::MAX, [0xff; 16]),
    };
    let mut rows: Vec<NotificationRow> = connection
        .prepare_cached(concat!(
            "SELECT ",
            notification_columns!(),
            " FROM notifications WHERE user = ?1 AND (created_at, id) < (?2, ?3) AND count > 0
                 AND (NOT ?4 OR read_at IS NULL)
                 AND (kind = 'follow' OR EXISTS (SELECT 1 FROM posts WHERE posts.id = thing))
             ORDER BY created_at DESC, id DESC LIMIT ?5"
        ))?
        .query_map(
            params![user.as_bytes(), time, id, query.unread, query.limit as i64 + 1],
            NotificationRow::at,
        )?;
    let more = rows.len() > query.limit;
    rows.truncate(query.limit);
    let notifications =
        rows.into_iter().filter_map(|row| row.shown(connection).transpose()).collect::<Result<_>>()?;
    Ok(NotificationPage { notifications, unread: inbox::unread(connection, user)?, more })
}

/// Marks as read; whether any was unread, and how many still are.
pub(super) fn mark_read(tx: &mut Tx<'_>, user: UserId, mark: &ReadMark, at: i64) -> Result<(bool, u64)> {
    let unread: Vec<(i64, NotificationId)> = tx
        .sql("SELECT no, id FROM notifications WHERE user = ?1 AND read_at IS NULL AND count > 0")?
        .query_map([user.as_bytes()], |row| Ok((row.get(0)?, NotificationId::from_bytes(row.get(1)?))))?;
    let wanted: Option<HashSet<&NotificationId>> = match mark {
        ReadMark::These(ids) => Some(ids.iter().collect()),
        ReadMark::All => None,
    };
    let mut read = 0;
    for (no, id) in &unread {
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(id)) {
            tx.sql("UPDATE notifications SET read_at = ?2 WHERE no = ?1")?.execute(params![no, at])?;
            read += 1;
        }
    }
    if read == 0 {
        return Ok((false, inbox::unread(tx.connection(), user)?));
    }
    Ok((true, inbox::shift(tx, user, Change { unread: -read, kept: 0 })?))
}
