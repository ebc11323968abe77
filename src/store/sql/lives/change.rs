//! A running live comes into another state.

use super::{channels, row, view};
use crate::store::sql::db::params;
use crate::store::{
    Result, StoreError,
    lives::LiveChange,
    sql::{
        Tx,
        events::{Happening, LIVE_INTERRUPTED, LIVE_RESUMED, LIVE_STARTED, tell},
    },
};
use communiconnect_protocol::{Data, LiveEvent, LiveInterrupted, LiveReason, LiveResumed, LiveState, Role};

pub(super) fn change(tx: &mut Tx<'_>, change: LiveChange) -> Result<()> {
    let before = row(tx, change.id)?;
    if before.state == LiveState::Ended || change.state == LiveState::Ended {
        return Err(StoreError::NotFound("live"));
    }
    let id = change.id;
    let starts = change.state == LiveState::Live && before.started_at.is_none();
    tx.sql("UPDATE lives SET state = ?2, reason = ?3, started_at = coalesce(started_at, ?4) WHERE id = ?1")?
        .execute(params![
            id.as_bytes(),
            change.state.as_str(),
            change.reason.map(LiveReason::as_str),
            starts.then_some(change.at),
        ])?;
    tx.sql("UPDATE live_counts SET node = ?2, until = ?3 WHERE live = ?1")?.execute(params![
        id.as_bytes(),
        change.lease.node,
        change.lease.until
    ])?;
    if change.state == before.state {
        return Ok(());
    }
    let post_id = before.post.facts.id;
    let (event, data) = match change.state {
        LiveState::Live if starts => {
            let nobody = crate::store::Reader { user: None, role: Role::User };
            let live = view::live(tx.connection(), &nobody, id)?.live;
            (&LIVE_STARTED, Data::of(&LiveEvent { live }))
        }
        LiveState::Live => (&LIVE_RESUMED, Data::of(&LiveResumed { live_id: id, post_id })),
        LiveState::Interrupted => {
            let reason = change.reason.unwrap_or(LiveReason::Lost);
            (&LIVE_INTERRUPTED, Data::of(&LiveInterrupted { live_id: id, post_id, reason }))
        }
        LiveState::Created | LiveState::Connecting | LiveState::Ended => return Ok(()),
    };
    let happening = Happening {
        event,
        data,
        at: change.at,
        actor: Some(before.post.facts.author),
        subject: Some(*post_id.as_bytes()),
    };
    tell(tx, channels(&before), happening)?;
    Ok(())
}
