//! Opening the file: pragmas and migrations.

use crate::store::sql::OpenError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

mod embedded {
    refinery::embed_migrations!("src/store/migrations");
}

/// Statements kept prepared per connection; the store has fewer.
const PREPARED: usize = 256;

/// The connection that writes; makes the file where there is none, and brings its tables up to date.
pub(in crate::store::sql) fn writer(path: &Path) -> Result<Connection, OpenError> {
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    // FULL syncs the WAL at every commit: what is acknowledged survives a power cut. The checkpoint is much
    // rarer than the default: an operation touches pages all over the indexes, and a page that changed in many commits
    // is then copied back once. The WAL stays below some 128 MiB for it, which is read within a second after a crash.
    prepare(
        &connection,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
         PRAGMA wal_autocheckpoint = 32000; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
    )?;
    embedded::migrations::runner()
        .run(&mut connection)
        .map_err(|error| OpenError::migration(error, path.display().to_string()))?;
    Ok(connection)
}

/// A connection that only reads, beside the one that writes.
pub(in crate::store::sql) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    prepare(
        &connection,
        "PRAGMA cache_size = -16384; PRAGMA mmap_size = 268435456; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let refused = |source| OpenError::File { path: path.to_owned(), source };
    let connection = Connection::open_with_flags(path, flags).map_err(refused)?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(refused)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

fn prepare(connection: &Connection, pragmas: &str) -> Result<(), OpenError> {
    connection.execute_batch(pragmas).map_err(|error| OpenError::Use(error.to_string()))
}

/// Makes the tables as a former version of this program left them.
#[cfg(test)]
pub(in crate::store::sql) fn migrate_to(
    connection: &mut Connection,
    version: u8,
) -> Result<(), refinery::Error> {
    let target = refinery::Target::Version(version.into());
    embedded::migrations::runner().set_target(target).run(connection).map(drop)
}
