//! PostgreSQL, for several nodes on one database: connecting, migrations, and what its errors mean.
//!
//! Nodes take turns (`turn.rs`): a group commit has the database's one writing lock from its first statement to its
//! last, as the writing thread has SQLite. Facts that a rule has judged therefore hold until the commit, channels have no
//! hole, ids rise in the order of commits, and there is nothing that two nodes could deadlock on.

mod bulk;
mod dialect;
mod examine;
mod server;
mod session;
mod tls;
mod turn;
mod value;

pub use examine::{ServerReport, examine};
pub(super) use server::Server;
pub(crate) use session::{Session, Statement};
pub(super) use turn::NodeTurn;

use tokio_postgres::{Error, error::SqlState};

/// Whether an error passes, so that the same may succeed later: the server is away or stops, has too much to do, or gave
/// up on a statement that waited too long.
pub(super) fn passes(error: &Error) -> bool {
    let Some(state) = error.code() else { return true };
    let class = &state.code()[..2];
    // 08 connection, 40 rolled back, 53 resources, 55 not in this state, 57 operator intervention, 58 system, 25 the
    // transaction has failed or ended before (PostgreSQL, appendix A).
    matches!(class, "08" | "25" | "40" | "53" | "55" | "57" | "58") || *state == SqlState::DISK_FULL
}

/// The error with the server's own words, or with what is behind it: alone it says `db error`, or where it happened.
pub(super) fn told(error: &Error) -> String {
    match error.as_db_error() {
        Some(theirs) => format!("{} ({})", theirs.message(), theirs.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}
