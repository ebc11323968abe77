//! Notifications go with what they tell of, and with the peace between two people.

use super::{
    coalesced::{Reacted, drop_person},
    inbox::{self, Change},
    row::{NOTIFICATION_COLUMNS, NotificationRow, notification_columns},
};
use crate::store::{Result, sqlite::Tx};
use communiconnect_protocol::{CommentId, NotificationKind, PostId, UserId};
use rusqlite::{Params, params};
use std::collections::HashMap;

/// Removes the notifications about a post; those about its comments go with them.
pub(in crate::store::sqlite) fn forget_post(tx: &mut Tx<'_>, post: PostId) -> Result<()> {
    forget_about(tx, post, CommentId::NOTHING.as_bytes())
}

/// Removes the notifications about one comment.
pub(in crate::store::sqlite) fn forget_comment(
    tx: &mut Tx<'_>,
    post: PostId,
    comment: &[u8; 16],
) -> Result<()> {
    forget_about(tx, post, comment)
}

fn forget_about(tx: &mut Tx<'_>, post: PostId, part: &[u8; 16]) -> Result<()> {
    forget(
        tx,
        "DELETE FROM notifications WHERE part = ?1 AND thing = ?2
         RETURNING user, read_at IS NULL AND count > 0",
        [part, post.as_bytes()],
    )
}

/// Two people no longer hear of each other: removes from the list of each what names the other.
pub(in crate::store::sqlite) fn forget_between(
    tx: &mut Tx<'_>,
    one: UserId,
    other: UserId,
    at: i64,
) -> Result<()> {
    forget_person(tx, one, other, at)?;
    forget_person(tx, other, one, at)
}

/// Walks through the owner's list, which is bounded.
fn forget_person(tx: &mut Tx<'_>, owner: UserId, person: UserId, at: i64) -> Result<()> {
    let rows: Vec<(NotificationRow, i64)> = tx
        .sql(concat!("SELECT ", notification_columns!(), ", no FROM notifications WHERE user = ?1"))?
        .query_map([owner.as_bytes()], |row| Ok((NotificationRow::at(row)?, row.get(NOTIFICATION_COLUMNS)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (row, no) in rows {
        match row.kind {
            NotificationKind::PostReaction | NotificationKind::CommentReaction => {
                let NotificationRow { kind, thing, part, .. } = row;
                let reacted = Reacted { owner, kind, thing, part, person, at };
                let told = tx
                    .sql("UPDATE reactions SET told = 0 WHERE target = ?1 AND user = ?2 AND told = 1")?
                    .execute(params![reacted.target(), person.as_bytes()])?;
                if told > 0 {
                    drop_person(tx, &reacted)?;
                }
            }
            NotificationKind::Comment | NotificationKind::Reply | NotificationKind::Follow => {
                if row.actors.contains(&person) {
                    forget(
                        tx,
                        "DELETE FROM notifications WHERE no = ?1 RETURNING user, read_at IS NULL AND count > 0",
                        [no],
                    )?;
                }
            }
        }
    }
    Ok(())
}

/// Runs a statement that removes notifications and returns `user, unread` of each, and lowers what inboxes count.
fn forget(tx: &mut Tx<'_>, sql: &str, params: impl Params) -> Result<()> {
    let mut per_person: HashMap<UserId, Change> = HashMap::new();
    let mut statement = tx.sql(sql)?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        let change = per_person.entry(UserId::from_bytes(row.get(0)?)).or_default();
        change.kept -= 1;
        change.unread -= i64::from(row.get::<_, bool>(1)?);
    }
    drop(rows);
    for (user, change) in per_person {
        inbox::shift(tx, user, change)?;
    }
    Ok(())
}
