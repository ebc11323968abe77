//! A connection that is opened again when it was lost.

use super::{
    OpenError,
    db::{Connection, Error, Result},
    postgres, sqlite,
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// Where the database is.
#[derive(Clone)]
pub(super) enum Place {
    /// A file of this node alone.
    File(PathBuf),
    /// A server that several nodes use.
    Server(Arc<postgres::Server>),
}

impl Place {
    /// Brings the tables up to date and answers the connection that writes.
    pub(super) fn writer(&self) -> std::result::Result<Link, OpenError> {
        let connection = match self {
            Self::File(path) => Connection::Sqlite(sqlite::writer(path)?),
            Self::Server(server) => {
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
            Self::Server(server) => Connection::Postgres(server.open()?),
        };
        Ok(Link::new(self, connection))
    }
}

/// A connection, or the wish for one.
pub(super) struct Link {
    place: Place,
    connection: Option<Connection>,
    /// When the last attempt ended, and how long the next one waits after it.
    tried: Instant,
    pause: Duration,
    /// Why the last attempt failed.
    cause: String,
}

/// The first pause after a failed attempt; it doubles up to the longest. In between everything is refused at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Link {
    fn new(place: &Place, connection: Connection) -> Self {
        Self {
            place: place.clone(),
            connection: Some(connection),
            tried: Instant::now(),
            pause: Duration::ZERO,
            cause: String::new(),
        }
    }

    /// The connection; a lost one is opened anew, unless that failed a moment ago.
    pub(super) fn get(&mut self) -> Result<&Connection> {
        if let (Some(Connection::Postgres(session)), Place::Server(server)) = (&self.connection, &self.place)
            && session.is_lost()
        {
            tracing::warn!(server = %server, "the connection to the database was lost");
            self.connection = None;
        }
        if self.connection.is_none() {
            self.reopen()?;
        }
        self.connection.as_ref().ok_or_else(|| Error::Unreachable(self.cause.clone()))
    }

    fn reopen(&mut self) -> Result<()> {
        let Place::Server(server) = &self.place else { return Ok(()) };
        if self.tried.elapsed() < self.pause {
            return Err(Error::Unreachable(self.cause.clone()));
        }
        let opened = server.open();
        self.tried = Instant::now();
        match opened {
            Ok(session) => {
                tracing::info!(server = %server, "connected to the database again");
                self.connection = Some(Connection::Postgres(session));
                self.pause = Duration::ZERO;
                Ok(())
            }
            Err(error) => {
                self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                self.cause = error.to_string();
                Err(Error::Unreachable(self.cause.clone()))
            }
        }
    }
}
