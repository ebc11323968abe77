//! Who runs in the background: every task of the process is started here, so that a drain can wait for all of them.
//!
//! Owns the one task tracker and the one stop signal. Does not know what any task does.

use std::time::Duration;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A handle to start tasks and to learn that the process stops. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts a task. It should end soon after [`Tasks::stopping`] resolves.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(task);
    }

    /// Resolves once the process begins to stop.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the process has begun to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Tells every task to end, without waiting for them.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Tells every task to end and waits for them, `limit` at most; answers how many were still running then.
    pub async fn stop(&self, limit: Duration) -> usize {
        self.stop.cancel();
        self.tracker.close();
        let _ = tokio::time::timeout(limit, self.tracker.wait()).await;
        self.tracker.len()
    }
}
