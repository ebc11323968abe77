//! Lives that nobody carries any more: those of nodes that died, and those that a former run of this node has left behind.
//!
//! What a lease says of its node is `leases`' to judge; here leases are read and lives are ended.

use super::*;
use crate::store::{Result, StoreError};

/// Between two looks at leases: by as much may be too late that one has run out.
const LEASES_EVERY: Duration = Duration::from_secs(2);

/// Ends what a former run of this node has left behind. What is gone or was renewed meanwhile keeps no node from starting.
///
/// # Errors
/// Where the store cannot be asked.
pub(super) async fn end_those_of(node: &str, stores: &Stores) -> Result<()> {
    for held in stores.lives.leases().await? {
        if held.lease.node != node {
            continue;
        }
        let live = held.id;
        match end_unheld(stores, held, LiveReason::Lost).await {
            Ok(_) => {}
            Err(error @ (StoreError::NotFound(_) | StoreError::Refused(_))) => {
                tracing::info!(%live, %error, "a live of a former run needed no end any more");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Ends a live that nobody carries any more, with what was last noted of it.
///
/// # Errors
/// `Refused` as `unavailable` where its node has come back meanwhile.
pub(super) async fn end_unheld(stores: &Stores, held: Held, reason: LiveReason) -> Result<LiveReport> {
    let Held { id, lease } = held;
    let report = stores.lives.report(id).await?.unwrap_or_default();
    let end = LiveEnd { id, reason, report, encoder_left: true, seen: Some(lease), at: now_ms() };
    stores.lives.end(end).await
}

impl LiveService {
    /// Ends lives of nodes that died.
    pub(super) async fn look_at_leases(self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LEASES_EVERY) => {}
                () = self.parts.tasks.stopping() => return,
            }
            self.end_abandoned(Instant::now()).await;
        }
    }

    pub(super) async fn end_abandoned(&self, now: Instant) {
        let (Parts { stores, leases, .. }, asked) = (&*self.parts, Instant::now());
        let held = match stores.lives.leases().await {
            Ok(held) => held,
            Err(error) => {
                leases.unanswered();
                return tracing::debug!(%error, "leases of lives could not be read");
            }
        };
        for held in leases.told(now, asked.elapsed(), held) {
            let (live, node) = (held.id, held.lease.node.clone());
            match end_unheld(stores, held, LiveReason::Lost).await {
                Ok(_) => {
                    tracing::warn!(%live, %node, "ended a live whose node is gone");
                    self.tell(live, Ask::Removed).await;
                }
                Err(error) => tracing::debug!(%live, %error, "a live of a silent node was not ended"),
            }
        }
    }
}
