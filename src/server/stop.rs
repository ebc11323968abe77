//! When to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves with the name of the signal that asks to stop: SIGTERM of a supervisor, or Ctrl-C.
///
/// # Errors
/// Where the system takes no signal handlers.
pub(super) async fn asked() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
