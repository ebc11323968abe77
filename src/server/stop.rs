//! When to stop.

use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Takes the handlers of SIGTERM (a supervisor) and SIGINT (Ctrl-C) at once; the future resolves with the name of the
/// first that comes. From then on a second one ends the process as if there were no handler.
///
/// # Errors
/// Where the system gives no signal handlers.
pub(super) fn asked() -> io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
