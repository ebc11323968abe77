//! A look at the server before a start.

use super::Server;
use crate::store::sql::{
    OpenError,
    db::{self, Error},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReport {
    /// Host and database; never the password.
    pub place: String,
    /// Its version, as it names it.
    pub version: String,
    /// How long it took to bring a word to its disk.
    pub synced: Duration,
    /// What should be changed there.
    pub advice: Option<&'static str>,
}

/// Connects and asks. Changes no table: what is synced is a word in the server's write-ahead log.
///
/// # Errors
/// Where the address does not read, or the server cannot be reached, or refuses.
pub fn examine(url: &str) -> Result<ServerReport, OpenError> {
    let server = Server::at(url)?;
    // The connection is driven by the thread that has it, and the caller's may belong to an async runtime.
    thread::scope(|scope| {
        scope
            .spawn(|| look(&server))
            .join()
            .unwrap_or_else(|_| Err(OpenError::Use("looking at the server has panicked".into())))
    })
}

fn look(server: &Server) -> Result<ServerReport, OpenError> {
    let session = server.open()?;
    let ask = |sql: &str| -> db::Result<String> {
        let rows = session.prepare(sql)?.rows(&[])?;
        Ok(rows.first().ok_or(Error::NoRow)?.try_get(0)?)
    };
    let word = "SELECT pg_logical_emit_message(true, 'communiconnect', 'doctor')::text";
    ask(word)?;
    let begun = Instant::now();
    ask(word)?;
    let synced = begun.elapsed();
    let advice = if ask("SELECT pg_is_in_recovery()::text")? == "true" {
        Some("it is a standby, which takes no writes: name the primary")
    } else if ask("SHOW fsync")? == "off" {
        Some("its fsync is off, so that a power cut loses what was acknowledged: switch it on")
    } else if ask("SELECT has_schema_privilege('public', 'CREATE')::text")? == "false" {
        Some("this user may make no tables in the schema public: grant it CREATE there")
    } else {
        None
    };
    Ok(ServerReport { place: server.to_string(), version: ask("SHOW server_version")?, synced, advice })
}
