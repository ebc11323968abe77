//! Notifications go with what they tell of.

use crate::store::{Result, sqlite::Tx};
use communiconnect_protocol::PostId;
use rusqlite::{CachedStatement, Params, params};
use std::collections::HashMap;

/// Removes all notifications about a post and its comments.
pub(in crate::store::sqlite) fn forget_post(tx: &mut Tx<'_>, post: PostId) -> Result<()> {
    let gone =
        tx.sql("DELETE FROM notifications WHERE thing = ?1 RETURNING user, read_at IS NULL AND count > 0")?;
    lower(tx, gone, [post.as_bytes()])
}

/// Runs a statement that removes notifications and returns `user, unread` of each, and lowers what inboxes count.
fn lower(tx: &mut Tx<'_>, mut gone: CachedStatement<'_>, params: impl Params) -> Result<()> {
    let mut per_person: HashMap<[u8; 16], (i64, i64)> = HashMap::new();
    let mut rows = gone.query(params)?;
    while let Some(row) = rows.next()? {
        let (kept, unread) = per_person.entry(row.get(0)?).or_default();
        *kept += 1;
        *unread += i64::from(row.get::<_, bool>(1)?);
    }
    let mut inbox = tx.sql("UPDATE inboxes SET kept = kept - ?2, unread = unread - ?3 WHERE user = ?1")?;
    for (user, (kept, unread)) in per_person {
        inbox.execute(params![user, kept, unread])?;
    }
    Ok(())
}
