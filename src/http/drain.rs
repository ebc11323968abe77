//! Sends everybody away from this node: because the process stops, or for as long as an operator wishes it.
//!
//! Owns the order of it: nobody new, then the lives end with their reports, then each client is told its own slot.

use super::state::HttpState;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

/// Head start of the lives, whose watchers are told the end while their sessions stand. A store that hangs delays the
/// good-byes by no more.
const LIVES_FIRST: Duration = Duration::from_secs(1);

/// Wishes of operators, one after the other: the latest holds.
#[derive(Debug, Default)]
pub struct Wishes {
    /// How many changed something. Held while the hub does what one says, so that none is overtaken.
    count: Mutex<u64>,
}

impl HttpState {
    /// Takes nobody any more and ends this node's lives with their reports; then, or after a second where that takes longer,
    /// tells every client its own slot within `over`, in which it is closed with 4000. Resolves once the lives have ended.
    pub async fn send_everybody_away(&self, over: Duration) {
        self.door.hub.take_no_sessions();
        self.lives_first(|| self.door.hub.drain(over)).await;
    }

    /// An operator wishes that everybody leaves; whether that is new. It goes on whether or not the operator waits for it.
    pub(super) fn begin_drain(self: &Arc<Self>, over: Duration) -> bool {
        let mine = {
            let mut wishes = self.wishes.count.lock();
            if !self.readiness.drain(true) {
                return false;
            }
            self.door.hub.take_no_sessions();
            *wishes += 1;
            *wishes
        };
        let state = Arc::clone(self);
        self.door.tasks.spawn(async move {
            let send_away = || {
                let wishes = state.wishes.count.lock();
                if *wishes == mine {
                    state.door.hub.drain(over);
                }
            };
            state.lives_first(send_away).await;
        });
        true
    }

    /// An operator wishes that this node takes people again; whether that is new.
    pub(super) fn end_drain(&self) -> bool {
        let mut wishes = self.wishes.count.lock();
        let changed = self.readiness.drain(false);
        if changed {
            *wishes += 1;
            self.door.hub.take_sessions();
        }
        changed
    }

    async fn lives_first(&self, send_away: impl FnOnce()) {
        let mut lives = std::pin::pin!(self.live.drain());
        let ended = tokio::time::timeout(LIVES_FIRST, &mut lives).await;
        send_away();
        if ended.is_err() {
            lives.await;
        }
    }
}
