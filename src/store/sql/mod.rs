//! The store on SQL: what every aggregate means, written once for SQLite and PostgreSQL.
//!
//! One thread writes, in group commits; a few threads read snapshots beside it. Nothing here waits on the async
//! runtime, and no operation is cancelled half-way: once queued it runs, whether or not somebody still waits for it.
//! `db/` is the face that both databases have; `sqlite/` and `postgres/` are what is behind it, and no other file knows
//! which of the two it speaks to, but for the few that write rows in bulk.

mod accounts;
mod ahead;
mod analytics;
mod bulk;
mod channel_key;
mod chat;
mod columns;
mod comments;
mod communities;
mod days;
mod db;
mod events;
mod external_shares;
mod facts;
mod heads;
mod ids;
mod later;
mod leftovers;
mod link;
mod live_keys;
mod lives;
mod log;
mod media;
mod notifications;
mod people;
mod postgres;
mod posts;
mod reactions;
mod reader;
mod reopening;
mod settings;
mod shares;
mod sqlite;
#[cfg(test)]
mod tests;
mod tx;
mod user_row;
mod writer;

pub use postgres::{ServerReport, examine};
pub use settings::{OpenError, SqlSettings};
pub(crate) use tx::Tx;

use super::{Result, Stores};
use crate::publication::Committed;
use ahead::Wants;
use db::{Connection, params};
use link::Place;
use postgres::Server;
use rand::Rng;
use reader::Readers;
use std::{path::Path, sync::Arc, thread};
use tokio::sync::mpsc;
use writer::Writer;

/// The store. Dropping the last handle ends its threads after what is queued is on disk.
pub struct SqlStore {
    writer: Writer,
    readers: Readers,
    epoch: Arc<str>,
    settings: SqlSettings,
    /// Whether each question is a round trip to a server.
    is_far: bool,
}

impl SqlStore {
    /// Opens or makes the database `communiconnect.db` in `folder`, brings its tables up to date, and starts the threads.
    /// Each group commit is handed to `committed` before anybody is told that it succeeded; the channel's bound holds
    /// the writer back when nobody takes them.
    ///
    /// # Errors
    /// Where the file cannot be used, or is of another version.
    pub fn in_folder(
        folder: &Path,
        settings: SqlSettings,
        committed: mpsc::Sender<Committed>,
    ) -> std::result::Result<Self, OpenError> {
        Self::open(Place::File(folder.join("communiconnect.db")), settings, committed)
    }

    /// The same on a PostgreSQL server, at an address like `postgres://user:password@host:5432/database`, which several
    /// nodes may use at the same time. What another node commits is not handed to `committed`.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses, or the database is of another version.
    pub fn on_server(
        url: &str,
        settings: SqlSettings,
        committed: mpsc::Sender<Committed>,
    ) -> std::result::Result<Self, OpenError> {
        let place = Place::server(Server::at(url)?);
        // Connections are driven by the thread that has them, and the caller's may belong to an async runtime.
        thread::scope(|scope| {
            scope
                .spawn(move || Self::open(place, settings, committed))
                .join()
                .unwrap_or_else(|_| Err(OpenError::Use("opening it has panicked".into())))
        })
    }

    fn open(
        place: Place,
        settings: SqlSettings,
        committed: mpsc::Sender<Committed>,
    ) -> std::result::Result<Self, OpenError> {
        let is_far = matches!(place, Place::Server(..));
        let mut link = place.writer()?;
        let epoch = epoch(link.get()?)?;
        let readers = Readers::start(&place, &settings)?;
        let writer = Writer::start(link, &settings, committed)?;
        Ok(Self { writer, readers, epoch, settings, is_far })
    }

    /// A handle per aggregate, all on this store.
    pub fn stores(self: &Arc<Self>) -> Stores {
        Stores {
            accounts: self.clone(),
            people: self.clone(),
            communities: self.clone(),
            posts: self.clone(),
            comments: self.clone(),
            reactions: self.clone(),
            shares: self.clone(),
            media: self.clone(),
            external_shares: self.clone(),
            analytics: self.clone(),
            notifications: self.clone(),
            lives: self.clone(),
            live_keys: self.clone(),
            chat: self.clone(),
            log: self.clone(),
        }
    }

    /// Takes no more writes, and resolves when what was queued is on disk and handed on, and the log of writes is folded
    /// into the database: the one file is then all there is.
    pub async fn close(self: Arc<Self>) {
        let finished = tokio::task::spawn_blocking(move || self.writer.finish()).await;
        finished.expect("waiting for a thread does not panic");
    }

    /// Runs an operation in the next group commit; its effect is on disk when this resolves with `Ok`.
    pub(crate) async fn write<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.writer.run(None, operation).await
    }

    /// The same of an operation whose questions can be read ahead for many at once.
    pub(crate) async fn write_wanting<T, F>(&self, wants: Wants, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.writer.run(Some(wants), operation).await
    }

    /// The same where reading ahead spares round trips and nothing else: on SQLite it asks when its turn has come.
    pub(crate) async fn write_wanting_far<T, F>(&self, wants: Wants, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.writer.run(self.is_far.then_some(wants), operation).await
    }

    /// Runs a query on one snapshot.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.run(query).await
    }
}

/// The store's epoch, made with it. Whoever restores a backup deletes the row, so that clients load their state anew.
fn epoch(connection: &Connection) -> db::Result<Arc<str>> {
    let epoch = format!("{:012x}", rand::rng().random::<u64>() >> 16);
    connection
        .prepare_cached("INSERT INTO meta (name, value) VALUES ('epoch', ?1) ON CONFLICT DO NOTHING")?
        .execute([epoch])?;
    connection
        .prepare_cached("SELECT value FROM meta WHERE name = 'epoch'")?
        .query_row(params![], |row| row.get(0))
}
