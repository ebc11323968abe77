//! The end of a live, and its report.

use super::{channels, pulse::tell_viewers, row};
use crate::store::sql::db::{Connection, OptionalExtension, params};
use crate::store::{
    Result, StoreError,
    lives::{Lease, LiveEnd},
    sql::{
        Tx,
        events::{Happening, LIVE_ENDED, tell},
    },
};
use communiconnect_protocol::{
    Code, Data, ErrorBody, LiveEnded, LiveId, LiveReason, LiveReport, LiveState, Viewers, ViewersTotal,
};

/// Milliseconds after which a live whose node has come back may be asked for.
const CAME_BACK_MS: u64 = 1_000;

pub(super) fn end(tx: &mut Tx<'_>, end: LiveEnd) -> Result<LiveReport> {
    let live = row(tx, end.id)?;
    if live.state == LiveState::Ended {
        return Ok(report(tx.connection(), end.id)?.unwrap_or_default());
    }
    if let Some(seen) = &end.seen
        && !stands(tx, end.id, seen)?
    {
        let message = "the node that carries this live has come back: ask again";
        return Err(ErrorBody::new(Code::Unavailable, message).retry_after(CAME_BACK_MS).into());
    }
    let id = end.id.as_bytes();
    let report = end.report;
    tx.sql(
        "UPDATE lives SET state = ?2, reason = ?3, ended_at = ?4, encoder_left = ?5, report = ?6 WHERE id = ?1",
    )?
    .execute(params![
        id,
        LiveState::Ended.as_str(),
        end.reason.as_str(),
        end.at,
        end.encoder_left,
        encoded(&report)?,
    ])?;
    let viewers = Viewers { current: 0, peak: report.viewers.peak };
    tell_viewers(tx, end.id, viewers)?;
    let data = LiveEnded {
        live_id: end.id,
        post_id: live.post.facts.id,
        reason: end.reason,
        duration_ms: report.duration_ms,
        viewers: ViewersTotal { peak: report.viewers.peak, unique: report.viewers.unique },
    };
    let happening = Happening {
        event: &LIVE_ENDED,
        data: Data::of(&data),
        at: end.at,
        actor: Some(live.post.facts.author),
        subject: Some(*live.post.facts.id.as_bytes()),
    };
    tell(tx, channels(&live), happening)?;
    Ok(report)
}

/// Ends a live that nobody carries, with the last report that was noted.
pub(super) fn lose(tx: &mut Tx<'_>, id: LiveId, at: i64) -> Result<LiveReport> {
    let report = report(tx.connection(), id)?.unwrap_or_default();
    end(tx, LiveEnd { id, reason: LiveReason::Lost, report, encoder_left: true, seen: None, at })
}

/// Whether this is the lease of a live still. Writes it, so that no other transaction renews it meanwhile.
pub(super) fn stands(tx: &mut Tx<'_>, id: LiveId, Lease { node, until }: &Lease) -> Result<bool> {
    let held = tx
        .sql("UPDATE live_counts SET until = until WHERE live = ?1 AND node = ?2 AND until = ?3")?
        .execute(params![id.as_bytes(), node, until])?;
    Ok(held == 1)
}

/// The last report that was noted; an empty one before the first.
pub(super) fn report(connection: &Connection, id: LiveId) -> Result<Option<LiveReport>> {
    let bytes: Option<Option<Vec<u8>>> = connection
        .prepare_cached("SELECT report FROM lives WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(bytes) = bytes else { return Ok(None) };
    let Some(bytes) = bytes else { return Ok(Some(LiveReport::default())) };
    let report = rmp_serde::from_slice(&bytes)
        .map_err(|error| StoreError::Internal(format!("a stored report does not read: {error}")))?;
    Ok(Some(report))
}

pub(super) fn encoded(report: &LiveReport) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(report)
        .map_err(|error| StoreError::Internal(format!("a report does not encode: {error}")))
}
