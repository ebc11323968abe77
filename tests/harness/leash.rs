//! Processes that end with this one, however it ends: a killed test leaves no server behind.
//!
//! A shell starts a watcher that holds the reading end of a pipe, then becomes the program, which keeps its process id.
//! When the writing end is gone, the watcher kills the program. (A signal by `prctl` would come when the *thread* ends
//! that started the program.)

use std::{ffi::OsStr, process::Command, process::Stdio};

/// The watcher holds none of the program's own streams, so that who reads them sees the program's end.
const LEASH: &str = r#"exec 3<&0; (cat <&3; kill -9 $$) >/dev/null 2>&1 & exec "$@" </dev/null 3<&-"#;

/// A command of this program on a leash. Its standard input is the leash: hold it as long as the program is to run, and
/// set no other.
pub fn on_leash(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", LEASH, "leash"]).arg(program).stdin(Stdio::piped());
    command
}
