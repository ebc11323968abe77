//! The store of a single node: SQLite in WAL mode with `synchronous=FULL`.
//!
//! One thread writes, in group commits; a few threads read snapshots beside it. Nothing here waits on the async
//! runtime, and no operation is cancelled half-way: once queued it runs, whether or not somebody still waits for it.

mod accounts;
mod channel_key;
mod chat;
mod columns;
mod comments;
mod communities;
mod error;
mod events;
mod facts;
mod ids;
mod live_keys;
mod lives;
mod log;
mod notifications;
mod open;
mod people;
mod posts;
mod reactions;
mod reader;
#[cfg(test)]
mod tests;
mod tx;
mod user_row;
mod writer;

pub use open::{OpenError, SqliteSettings};
pub(crate) use tx::Tx;

use super::{Result, Stores};
use crate::publication::Committed;
use reader::Readers;
use rusqlite::Connection;
use std::{path::Path, sync::Arc};
use tokio::sync::mpsc;
use writer::Writer;

/// The store. Dropping the last handle ends its threads after what is queued is on disk.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    epoch: Arc<str>,
    settings: SqliteSettings,
}

impl SqliteStore {
    /// Opens or makes the database `communiconnect.db` in `folder`, brings its tables up to date, and starts the threads.
    /// Each group commit is handed to `committed` before anybody is told that it succeeded; the channel's bound holds
    /// the writer back when nobody takes them.
    pub fn open(
        folder: &Path,
        settings: SqliteSettings,
        committed: mpsc::Sender<Committed>,
    ) -> std::result::Result<Self, OpenError> {
        let path = folder.join("communiconnect.db");
        let mut connection = open::writer_connection(&path, &settings)?;
        open::migrate(&mut connection)?;
        let epoch = open::epoch(&connection)?;
        let readers = Readers::start(&path, &settings)?;
        let writer = Writer::start(connection, &settings, committed)?;
        Ok(Self { writer, readers, epoch, settings })
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
            notifications: self.clone(),
            lives: self.clone(),
            live_keys: self.clone(),
            chat: self.clone(),
            log: self.clone(),
        }
    }

    /// Takes no more writes, and resolves when what was queued is on disk and handed on.
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
        self.writer.run(operation).await
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
