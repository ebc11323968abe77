//! Threads that read snapshots beside the writer.

use super::open::{OpenError, SqliteSettings, reader_connection};
use crate::store::{Result, StoreError};
use rusqlite::Connection;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
};
use tokio::sync::oneshot;

/// Queries waiting per reader thread; a page of results each, so this bounds memory as well.
const WAITING_PER_READER: usize = 512;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The reading side.
pub(super) struct Readers {
    jobs: crossbeam_channel::Sender<Job>,
}

impl Readers {
    pub(super) fn start(path: &Path, settings: &SqliteSettings) -> std::result::Result<Self, OpenError> {
        let count = settings.readers.max(1);
        let (jobs, queue) = crossbeam_channel::bounded::<Job>(count * WAITING_PER_READER);
        for number in 0..count {
            let connection = reader_connection(path)?;
            let queue = queue.clone();
            thread::Builder::new().name(format!("store-read-{number}")).spawn(move || {
                for job in queue {
                    job(&connection);
                }
            })?;
        }
        Ok(Self { jobs })
    }

    pub(super) async fn run<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody waits any more: spare the disk.
            if !answer.is_closed() {
                // A panic is a bug in one query; the thread serves the others.
                let ran = catch_unwind(AssertUnwindSafe(|| on_snapshot(connection, query)));
                let _ = answer
                    .send(ran.unwrap_or_else(|_| Err(StoreError::Internal("a query has panicked".into()))));
            }
        });
        self.jobs.try_send(job).map_err(|_| StoreError::Unavailable("too many reads are waiting".into()))?;
        answered.await.map_err(|_| StoreError::Internal("a reader thread has ended".into()))?
    }
}

fn on_snapshot<T>(connection: &Connection, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let snapshot = connection.unchecked_transaction()?;
    let answer = query(&snapshot);
    snapshot.finish()?;
    answer
}
