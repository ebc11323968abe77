//! Notifications go with what they tell of.

use super::inbox::{self, Change};
use crate::store::sql::db::Params;
use crate::store::{Result, sql::Tx};
use communiconnect_protocol::{CommentId, PostId, UserId};
use std::collections::HashMap;

/// Removes the notifications about a post; those about its comments go with them.
pub(in crate::store::sql) fn forget_post(tx: &mut Tx<'_>, post: PostId) -> Result<()> {
    forget_about(tx, post, CommentId::NOTHING.as_bytes())
}

/// Removes the notifications about one comment.
pub(in crate::store::sql) fn forget_comment(tx: &mut Tx<'_>, post: PostId, comment: &[u8; 16]) -> Result<()> {
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

/// Runs a statement that removes notifications and returns `user, unread` of each, and lowers what inboxes count.
pub(super) fn forget(tx: &mut Tx<'_>, sql: &str, params: impl Params) -> Result<()> {
    let mut per_person: HashMap<UserId, Change> = HashMap::new();
    tx.sql(sql)?.for_each(params, |row| {
        let change = per_person.entry(UserId::from_bytes(row.get(0)?)).or_default();
        change.kept -= 1;
        change.unread -= i64::from(row.get::<bool>(1)?);
        Ok(true)
    })?;
    for (user, change) in per_person {
        inbox::shift(tx, user, change)?;
    }
    Ok(())
}
