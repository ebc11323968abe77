//! The bounds of the store, and why it may not open.

use std::path::PathBuf;

/// The bounds of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlSettings {
    /// Operations that may wait for the writer, and queries for the readers; more are refused as `unavailable` rather than kept in memory.
    pub queue: usize,
    /// Operations of one group commit: enough to hide the disk's wait, few enough to answer soon.
    pub batch: usize,
    /// Threads that read, each with a connection of its own.
    pub readers: usize,
    /// Publications kept per channel.
    pub keep_count: u64,
    /// Milliseconds for which publications are kept.
    pub keep_ms: i64,
    /// Milliseconds for which answers to operations are remembered; the contract promises a day at least.
    pub keep_ops_ms: i64,
}

impl Default for SqlSettings {
    fn default() -> Self {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        Self {
            queue: 4096,
            batch: 500,
            readers: 2,
            keep_count: 10_000,
            keep_ms: 7 * DAY_MS,
            keep_ops_ms: 2 * DAY_MS,
        }
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite refused.
    #[error(
        "cannot open the database {path}: {source}; is the folder there, writable, and on a disk with space?"
    )]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The address of the server does not read.
    #[error(
        "the address of the PostgreSQL server does not read: {0}; it is like postgres://user:password@host:5432/database"
    )]
    Address(String),
    /// The server could not be reached or refused.
    #[error(
        "cannot use the PostgreSQL server at {place}: {cause}; does it run, and may this user use this database?"
    )]
    Server {
        /// Host and database; never the password.
        place: String,
        /// Why.
        cause: String,
    },
    /// A table could not be brought up to date.
    #[error("cannot bring the database up to date: {0}; nothing was changed by the step that failed")]
    Migration(Box<refinery::Error>),
    /// Another build made tables that this one does not know in this form.
    #[error(
        "the database {place} was written by another version of this program: its step {step} of the tables {how}. \
         Start it with the version that wrote it or a later one, or restore the backup of {place} that was made before \
         that version; nothing was changed"
    )]
    Foreign {
        /// Which file, or which host and database.
        place: String,
        /// Number and name of the migration.
        step: String,
        /// In which way it is foreign.
        how: &'static str,
    },
    /// A first statement failed.
    #[error("cannot use the database: {0}")]
    Use(String),
    /// A thread could not be started.
    #[error("cannot start a store thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl OpenError {
    /// What a failed migration means for the database at `place`.
    pub(super) fn migration(error: refinery::Error, place: String) -> Self {
        let foreign = |step: &refinery::Migration, place, how| Self::Foreign {
            place,
            step: format!("V{} \"{}\"", step.version(), step.name()),
            how,
        };
        match error.kind() {
            refinery::error::Kind::DivergentVersion(ours, _) => foreign(ours, place, "is another here"),
            refinery::error::Kind::MissingVersion(theirs) => foreign(theirs, place, "is unknown here"),
            _ => Self::Migration(Box::new(error)),
        }
    }
}

impl From<super::db::Error> for OpenError {
    fn from(error: super::db::Error) -> Self {
        Self::Use(error.to_string())
    }
}
