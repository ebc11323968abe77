//! What a node tells of its lives each second.

use super::end::encoded;
use crate::store::sql::db::{OptionalExtension, params};
use crate::{
    publication::State,
    store::{
        Result,
        lives::{Lease, LivePulse},
        sql::{Tx, columns::count},
    },
};
use communiconnect_protocol::{Channel, Data, LiveId, LiveViewersState, Viewers, event};

pub(super) fn pulse(tx: &mut Tx<'_>, lease: &Lease, pulses: Vec<LivePulse>) -> Result<Vec<LiveId>> {
    let mut gone = Vec::new();
    for pulse in pulses {
        let id = pulse.id.as_bytes();
        let renewed = tx
            .sql(
                "UPDATE live_counts SET until = ?3 WHERE live = ?1 AND node = ?2
                     AND EXISTS (SELECT 1 FROM lives WHERE id = ?1 AND state != 'ended')",
            )?
            .execute(params![id, lease.node, lease.until])?;
        if renewed == 0 {
            gone.push(pulse.id);
            continue;
        }
        tell_viewers(tx, pulse.id, pulse.viewers)?;
        if let Some(report) = &pulse.report {
            tx.sql("UPDATE lives SET report = ?2 WHERE id = ?1")?.execute(params![id, encoded(report)?])?;
        }
    }
    Ok(gone)
}

/// Notes who watches, and tells it where that is another number than before. A peak never falls.
pub(super) fn tell_viewers(tx: &mut Tx<'_>, id: LiveId, viewers: Viewers) -> Result<()> {
    let moved = tx
        .sql(
            "UPDATE live_counts SET version = version + 1, current = ?2, peak = CASE WHEN peak < ?3 THEN ?3 ELSE peak END
             WHERE live = ?1 AND (current != ?2 OR peak < ?3) RETURNING version, current, peak",
        )?
        .query_row(params![id.as_bytes(), viewers.current as i64, viewers.peak as i64], |row| {
            let viewers = Viewers { current: count(row, 1)?, peak: count(row, 2)? };
            Ok(LiveViewersState { live_id: id, version: count(row, 0)?, viewers })
        })
        .optional()?;
    if let Some(state) = moved {
        tx.state(State {
            channels: vec![Channel::Live(id)],
            event: event::LIVE_VIEWERS.into(),
            key: id.to_string(),
            version: state.version,
            data: Data::of(&state),
            actor: None,
        });
    }
    Ok(())
}
