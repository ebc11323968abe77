//! A live goes with its post.

use super::end;
use crate::store::sql::db::{OptionalExtension, params};
use crate::store::{
    Result,
    lives::LiveEnd,
    sql::{
        Tx,
        events::{Happening, POST_DELETED, tell},
        leftovers::{Rest, Swept, leave, sweep_of},
    },
};
use communiconnect_protocol::{Channel, Data, LiveId, LiveReason, PostDeleted, PostId};

/// Ends the live of a post that is being deleted, where it has one, and takes away all that hangs on it. Its channel's last
/// words are that it ended and that its post is gone, so that whoever listens hears of it.
pub(in crate::store::sql) fn remove_of_post(tx: &mut Tx<'_>, post_id: PostId, at: i64) -> Result<()> {
    let id: Option<[u8; 16]> = tx
        .sql("SELECT id FROM lives WHERE post = ?1")?
        .query_row([post_id.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(id) = id.map(LiveId::from_bytes) else { return Ok(()) };
    let report = end::report(tx.connection(), id)?.unwrap_or_default();
    end::end(tx, LiveEnd { id, reason: LiveReason::Stopped, report, encoder_left: false, seen: None, at })?;
    // Those who listen hear of the end; the log keeps nothing of a thing that is gone.
    let channel = Channel::Live(id);
    let upto = tx.place(&channel)?.head;
    leave(tx, Rest::LiveLog { upto }, id.as_bytes(), id.as_bytes())?;
    leave(tx, Rest::Bans, id.as_bytes(), id.as_bytes())?;
    sweep_of(tx, id.as_bytes())?;
    // Whose messages its chat had is swept by age: without their live nobody reaches them, and by live they are not indexed.
    for sql in ["DELETE FROM live_counts WHERE live = ?1", "DELETE FROM lives WHERE id = ?1"] {
        tx.sql(sql)?.execute([id.as_bytes()])?;
    }
    let data = Data::of(&PostDeleted { post_id });
    tell(tx, vec![channel], Happening { event: &POST_DELETED, data, at, actor: None, subject: None })?;
    Ok(())
}

/// Overwrites up to `limit` entries of what the log of a live says, from `upto` down.
pub(in crate::store::sql) fn sweep_log(
    tx: &mut Tx<'_>,
    id: LiveId,
    upto: u64,
    limit: usize,
) -> Result<Swept> {
    let channel = Channel::Live(id);
    let above = upto.saturating_sub(limit as u64);
    let rows = tx.erase_span(&channel, above, upto)?;
    let first = tx.place(&channel)?.first;
    Ok(Swept { rows, rest: (above >= first).then_some(Rest::LiveLog { upto: above }) })
}

/// Forgets up to `limit` of those who were banned from a live; how many.
pub(in crate::store::sql) fn sweep_bans(tx: &mut Tx<'_>, id: LiveId, limit: usize) -> Result<usize> {
    let bans = "DELETE FROM live_bans WHERE (live, user) IN (SELECT live, user FROM live_bans WHERE live = ?1 LIMIT ?2)";
    Ok(tx.sql(bans)?.execute(params![id.as_bytes(), limit as i64])?)
}
