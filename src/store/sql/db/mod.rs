//! One face for both databases: connections, statements and rows as the aggregates use them.
//!
//! SQL above this line is written once, in the words that SQLite and PostgreSQL share, with `?1` for parameters; what
//! PostgreSQL spells differently is rewritten when a statement is prepared (`postgres/dialect.rs`). Nothing here knows
//! what a table means.

mod error;
mod value;

pub(super) use error::{Error, OptionalExtension, Result};
pub(super) use value::{FromValue, Params, ToValue, Value, params};

use super::postgres;

/// A connection to either database, with its prepared statements.
pub(crate) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(postgres::Session),
}

/// A statement, prepared once per connection.
pub(crate) enum Statement<'c> {
    Sqlite(rusqlite::CachedStatement<'c>),
    Postgres(postgres::Statement<'c>),
}

/// A statement that the two databases spell differently.
pub(super) struct Spelled {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

impl Spelled {
    /// As the database of a connection has it.
    pub(super) fn on(&self, connection: &Connection) -> &'static str {
        match connection {
            Connection::Sqlite(_) => self.sqlite,
            Connection::Postgres(_) => self.postgres,
        }
    }
}

/// A row that a statement found.
pub(super) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl Connection {
    pub(super) fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>> {
        Ok(match self {
            Self::Sqlite(connection) => Statement::Sqlite(connection.prepare_cached(sql)?),
            Self::Postgres(session) => Statement::Postgres(session.prepare(sql)?),
        })
    }

    /// Runs a statement without parameters whose effect on rows is of no interest.
    pub(super) fn command(&self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => Ok(connection.prepare_cached(sql)?.execute([]).map(drop)?),
            Self::Postgres(session) => session.command(sql),
        }
    }

    /// The same, without waiting for a server: where it fails, so does all that follows in the transaction.
    pub(super) fn mark(&self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.command(sql),
            Self::Postgres(session) => session.send(sql),
        }
    }

    /// Begins to read from one snapshot.
    pub(super) fn begin_snapshot(&self) -> Result<()> {
        self.mark(match self {
            Self::Sqlite(_) => "BEGIN",
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })
    }

    /// Ends reading from a snapshot.
    pub(super) fn end_snapshot(&self) -> Result<()> {
        self.mark("ROLLBACK")?;
        if let Self::Postgres(session) = self {
            // Until it hears of it, the server keeps what the snapshot saw.
            session.flush();
        }
        Ok(())
    }
}

impl Statement<'_> {
    /// Runs the statement; answers how many rows it wrote.
    pub(super) fn execute(&mut self, params: impl Params) -> Result<usize> {
        params.bind(|values| match self {
            Self::Sqlite(statement) => Ok(statement.execute(rusqlite::params_from_iter(values))?),
            Self::Postgres(statement) => statement.execute(values),
        })
    }

    /// Runs a statement whose count of rows nobody asks for, without waiting for a server: where it fails, so does all that
    /// follows in the transaction.
    pub(super) fn send(&mut self, params: impl Params) -> Result<()> {
        params.bind(|values| match self {
            Self::Sqlite(statement) => Ok(statement.execute(rusqlite::params_from_iter(values)).map(drop)?),
            Self::Postgres(statement) => statement.send(values),
        })
    }

    /// Whether there is a row.
    pub(super) fn exists(&mut self, params: impl Params) -> Result<bool> {
        Ok(self.query_row(params, |_| Ok(())).optional()?.is_some())
    }

    /// The first row; [`Error::NoRow`] where there is none.
    pub(super) fn query_row<T>(
        &mut self,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        params.bind(|values| match self {
            Self::Sqlite(statement) => {
                let mut rows = statement.query(rusqlite::params_from_iter(values))?;
                let row = rows.next()?.ok_or(Error::NoRow)?;
                read(&Row::Sqlite(row))
            }
            Self::Postgres(statement) => {
                let rows = statement.rows(values)?;
                read(&Row::Postgres(rows.first().ok_or(Error::NoRow)?))
            }
        })
    }

    /// The first row for each of these ids (`?1`) and one reader (`?2`), in their order; where there is none it is left out. A
    /// server is asked for all of them at once: every question by itself would be a round trip.
    pub(super) fn query_each<T>(
        &mut self,
        ids: &[[u8; 16]],
        reader: &[u8; 16],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let Self::Postgres(statement) = self else {
            let rows = ids.iter().map(|id| self.query_row([id, reader], &mut read).optional());
            return rows.filter_map(Result::transpose).collect();
        };
        let values: Vec<_> = ids.iter().map(|id| [Value::Bytes(id), Value::Bytes(reader)]).collect();
        let found = statement.rows_of_each(&values)?;
        found.iter().filter_map(|rows| rows.first()).map(|row| read(&Row::Postgres(row))).collect()
    }

    /// Every row, read as something.
    pub(super) fn query_map<T>(
        &mut self,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.for_each(params, |row| {
            all.push(read(row)?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// Shows one row after the other, as long as `more` says so; never holds all of them.
    pub(super) fn for_each(
        &mut self,
        params: impl Params,
        mut more: impl FnMut(&Row<'_>) -> Result<bool>,
    ) -> Result<()> {
        params.bind(|values| match self {
            Self::Sqlite(statement) => {
                let mut rows = statement.query(rusqlite::params_from_iter(values))?;
                while let Some(row) = rows.next()? {
                    if !more(&Row::Sqlite(row))? {
                        break;
                    }
                }
                Ok(())
            }
            Self::Postgres(statement) => statement.each(values, |row| more(&Row::Postgres(row))),
        })
    }
}

impl<'r> Row<'r> {
    /// The value of a column.
    pub(super) fn get<T: FromValue<'r>>(&self, index: usize) -> Result<T> {
        let value = match self {
            Self::Sqlite(row) => super::sqlite::value(row.get_ref(index)?),
            Self::Postgres(row) => Some(row.try_get(index)?),
        };
        value.and_then(T::from_value).ok_or(Error::Column(index))
    }

    /// A text, where it lies.
    pub(super) fn text(&self, index: usize) -> Result<&'r str> {
        self.get(index)
    }

    /// Bytes, where they lie.
    pub(super) fn bytes(&self, index: usize) -> Result<&'r [u8]> {
        self.get(index)
    }
}
