//! What can go wrong with a statement, and what it means to a caller.

use crate::store::StoreError;

/// What every statement answers.
pub(in crate::store::sql) type Result<T> = std::result::Result<T, Error>;

/// Why a statement brought nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::store::sql) enum Error {
    /// A row was asked for, and there is none; see [`OptionalExtension`].
    #[error("no row was found")]
    NoRow,
    /// A column holds what it must never hold.
    #[error("column {0} holds an unexpected value")]
    Column(usize),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("{}", super::super::postgres::told(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// The server did not answer in time; the connection is of no use any more.
    #[error("the database did not answer in time")]
    Silence,
    /// There is no connection now; it is tried again soon.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let passes = match &error {
            Error::NoRow | Error::Column(_) => false,
            Error::Sqlite(error) => super::super::sqlite::passes(error),
            Error::Postgres(error) => super::super::postgres::passes(error),
            Error::Silence | Error::Unreachable(_) => true,
        };
        if passes { Self::Unavailable(error.to_string()) } else { Self::Internal(error.to_string()) }
    }
}

/// A row that may be missing.
pub(in crate::store::sql) trait OptionalExtension<T> {
    fn optional(self) -> Result<Option<T>>;
}

impl<T> OptionalExtension<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::NoRow) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
