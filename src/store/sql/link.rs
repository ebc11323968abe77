//! A connection that is opened again when it was lost.

use super::{
    OpenError,
    db::{Connection, Error, Result},
    postgres,
    reopening::Reopening,
    sqlite,
};
use parking_lot::Mutex;
use std::{path::PathBuf, sync::Arc, time::Instant};

/// Where the database is.
#[derive(Clone)]
pub(super) enum Place {
    /// A file of this node alone.
    File(PathBuf),
    /// A server that several nodes use, and what all connections of this node know of its being away.
    Server(Arc<postgres::Server>, Arc<Mutex<Reopening>>),
}

impl Place {
    /// A server.
    pub(super) fn server(server: postgres::Server) -> Self {
        Self::Server(Arc::new(server), Arc::default())
    }

    /// Brings the tables up to date and answers the connection that writes.
    pub(super) fn writer(&self) -> std::result::Result<Link, OpenError> {
        let connection = match self {
            Self::File(path) => Connection::Sqlite(sqlite::writer(path)?),
            Self::Server(server, _) => {
                server.migrate()?;
                Connection::Postgres(server.open()?)
            }
        };
        Ok(Link::new(self, connection))
    }

    /// A connection that reads.
    pub(super) fn reader(&self) -> std::result::Result<Link, OpenError> {
        let connection = match self {
            Self::File(path) => Connection::Sqlite(sqlite::reader(path)?),
            Self::Server(server, _) => Connection::Postgres(server.open()?),
        };
        Ok(Link::new(self, connection))
    }
}

/// A connection, or the wish for one.
pub(super) struct Link {
    place: Place,
    connection: Option<Connection>,
}

impl Link {
    fn new(place: &Place, connection: Connection) -> Self {
        Self { place: place.clone(), connection: Some(connection) }
    }

    /// The connection; a lost one is opened anew, unless that failed a moment ago.
    pub(super) fn get(&mut self) -> Result<&Connection> {
        if let (Some(Connection::Postgres(session)), Place::Server(server, _)) =
            (&self.connection, &self.place)
            && session.is_found_lost()
        {
            tracing::warn!(server = %server, "the connection to the database was lost");
            self.connection = None;
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.reopen()?,
        };
        Ok(self.connection.insert(connection))
    }

    fn reopen(&self) -> Result<Connection> {
        let Place::Server(server, reopening) = &self.place else {
            return Err(Error::Unreachable("the file is closed".into()));
        };
        let begun = Instant::now();
        if let Some(cause) = reopening.lock().refusal(begun) {
            return Err(Error::Unreachable(cause));
        }
        match server.open() {
            Ok(session) => {
                tracing::info!(server = %server, "connected to the database again");
                reopening.lock().succeeded(Instant::now());
                Ok(Connection::Postgres(session))
            }
            Err(error) => {
                let cause = error.to_string();
                reopening.lock().failed(begun, Instant::now(), cause.clone());
                Err(Error::Unreachable(cause))
            }
        }
    }
}
