//! When to stop.

use crate::tasks::Tasks;
use std::io;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

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

    /// Waits until the start is over, and ends the process where it is asked to end before that: nobody has come yet. What is
    /// waited for may block its thread, so the signals are heeded by another.
    pub(super) async fn or_end_before<T>(
        mut self,
        start: impl Future<Output = T>,
        tasks: &Tasks,
    ) -> (T, Self) {
        let (is_over, over) = oneshot::channel::<()>();
        let (back, given_back) = oneshot::channel();
        tasks.spawn(async move {
            tokio::select! {
                (signal, _) = self.next() => {
                    tracing::info!(signal, "stopped before the start was over");
                    std::process::exit(0)
                }
                _ = over => { let _ = back.send(self); }
            }
        });
        let started = start.await;
        drop(is_over);
        (started, given_back.await.expect("it waits for this and nothing else"))
    }

    /// The next that comes: its name, and the code that a shell gives whom it ended.
    pub(super) async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", 128 + SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => ("SIGINT", 128 + SignalKind::interrupt().as_raw_value()),
        }
    }
}
