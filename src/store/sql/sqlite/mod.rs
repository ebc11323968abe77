//! SQLite in WAL mode with `synchronous=FULL`: opening, migrations, and what its errors and values mean.

mod open;

#[cfg(test)]
pub(super) use open::migrate_to;
pub(super) use open::{reader, writer};

use super::db::Value;
use rusqlite::{ErrorCode, types::ValueRef};

/// Whether an error passes: the disk may have room later, the lock may be free.
pub(super) fn passes(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly
        )
    )
}

/// A column's value; none of a kind that no table has.
pub(super) fn value(found: ValueRef<'_>) -> Option<Value<'_>> {
    Some(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).ok()?),
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
        ValueRef::Real(_) => return None,
    })
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(number),
            Self::Bool(is_set) => ValueRef::Integer(is_set.into()),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Moves what the WAL holds into the database and empties it, so that the next start has nothing to read and a copy of the
/// one file is whole. What cannot be moved now stays in the WAL, where it is as safe.
pub(super) fn fold(connection: &rusqlite::Connection) {
    let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    match folded {
        Ok(false) => {}
        Ok(true) => {
            tracing::warn!("the store was being read while it closed: its WAL stays, the next start reads it")
        }
        Err(error) => {
            tracing::warn!(%error, "the WAL could not be emptied: it stays, the next start reads it")
        }
    }
}
