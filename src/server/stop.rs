//! When to stop.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for the end: SIGTERM of a supervisor and SIGINT of Ctrl-C. Their handlers stay for the whole life of
/// the process, so somebody has to heed the second one as well.
pub(super) struct Asked {
    terminate: Signal,
    interrupt: Signal,
}

impl Asked {
    /// Takes the handlers at once.
    ///
    /// # Errors
    /// Where the system gives no signal handlers.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next that comes: its name, and the code that a shell gives whom it ended.
    pub(super) async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", 128 + SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => ("SIGINT", 128 + SignalKind::interrupt().as_raw_value()),
        }
    }
}
