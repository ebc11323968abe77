//! Log lines to stderr, for people or for machines.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, fmt};

/// A log filter that does not read.
#[derive(Debug, thiserror::Error)]
#[error(
    "log.level `{level}` is no filter: {reason}; write error, warn, info, debug, trace, or info,communiconnect::hub=debug"
)]
pub(super) struct WrongFilter {
    level: String,
    reason: String,
}

/// The media library's own words, of this node's self-test and of every hostile datagram, and a line for each table of a new
/// database. Whoever wants them says `log.level=info,rtc=info,refinery_core=info`.
const QUIET: &str = "rtc=error,webrtc=error,refinery_core=warn";

/// Starts logging for the whole process; a second call changes nothing.
pub(super) fn start(settings: &Log) -> Result<(), WrongFilter> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", settings.level))
        .map_err(|error| WrongFilter { level: settings.level.clone(), reason: error.to_string() })?;
    let lines =
        fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let _ = match settings.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // A panic is a line like any other, with the ids of the request or session that it happened in.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("something that is no text");
        tracing::error!(place, panic = message, "a mistake of the program");
    }));
    Ok(())
}
