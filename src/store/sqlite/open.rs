//! Opening the database: pragmas, migrations, epoch.

use rand::Rng;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The bounds of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteSettings {
    /// Operations that may wait for the writer; more are refused as `unavailable` rather than kept in memory.
    pub queue: usize,
    /// Operations of one group commit: enough to hide the disk's wait, few enough to answer soon.
    pub batch: usize,
    /// Threads that read.
    pub readers: usize,
    /// Publications kept per channel.
    pub keep_count: u64,
    /// Milliseconds for which publications are kept.
    pub keep_ms: i64,
    /// Milliseconds for which answers to operations are remembered; the contract promises a day at least.
    pub keep_ops_ms: i64,
}

impl Default for SqliteSettings {
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
    Database {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A table could not be brought up to date.
    #[error("cannot bring the database up to date: {0}; nothing was changed by the step that failed")]
    Migration(Box<refinery::Error>),
    /// Another build made tables that this one does not know in this form.
    #[error(
        "the database {path} was written by another version of this program: its step {step} of the tables {how}. \
         Start it with the version that wrote it or a later one, or restore the backup of {path} that was made before \
         that version; nothing was changed"
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Number and name of the migration.
        step: String,
        /// In which way it is foreign.
        how: &'static str,
    },
    /// A first statement failed.
    #[error("cannot use the database: {0}")]
    Use(#[from] rusqlite::Error),
    /// A thread could not be started.
    #[error("cannot start a store thread: {0}")]
    Thread(#[from] std::io::Error),
}

mod embedded {
    refinery::embed_migrations!("src/store/migrations");
}

/// Statements kept prepared per connection; the store has fewer.
const PREPARED: usize = 256;

pub(super) fn writer_connection(path: &Path, _settings: &SqliteSettings) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    // FULL syncs the WAL at every commit: what is acknowledged survives a power cut. The checkpoint is much
    // rarer than the default: an operation touches pages all over the indexes, and a page that changed in many commits
    // is then copied back once. The WAL stays below some 128 MiB for it, which is read within a second after a crash.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
         PRAGMA wal_autocheckpoint = 32000; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

pub(super) fn reader_connection(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute_batch(
        "PRAGMA cache_size = -16384; PRAGMA mmap_size = 268435456; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|source| OpenError::Database { path: path.to_owned(), source })?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let foreign = |step: &refinery::Migration, how| OpenError::Foreign {
        path: path.to_owned(),
        step: format!("V{} \"{}\"", step.version(), step.name()),
        how,
    };
    match embedded::migrations::runner().run(connection) {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            refinery::error::Kind::DivergentVersion(ours, _) => foreign(ours, "is another here"),
            refinery::error::Kind::MissingVersion(theirs) => foreign(theirs, "is unknown here"),
            _ => OpenError::Migration(Box::new(error)),
        }),
    }
}

/// The store's epoch, made with it. Whoever restores a backup deletes the row, so that clients load their state anew.
pub(super) fn epoch(connection: &Connection) -> Result<Arc<str>, OpenError> {
    let known: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))
        .optional()?;
    if let Some(epoch) = known {
        return Ok(epoch.into());
    }
    let epoch = format!("{:012x}", rand::rng().random::<u64>() >> 16);
    connection.execute("INSERT INTO meta (name, value) VALUES ('epoch', ?1)", [&epoch])?;
    Ok(epoch.into())
}
