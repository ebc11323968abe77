//! Threads that read snapshots beside the writer.

use super::{
    db::Connection,
    link::{Link, Place},
    settings::{OpenError, SqlSettings},
};
use crate::store::{Result, StoreError};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut Link) + Send>;

/// The reading side.
pub(super) struct Readers {
    jobs: crossbeam_channel::Sender<Job>,
}

impl Readers {
    pub(super) fn start(place: &Place, settings: &SqlSettings) -> std::result::Result<Self, OpenError> {
        let count = settings.readers.max(1);
        // A query takes little until it runs, and a crowd that comes back asks thousands of them at once.
        let (jobs, queue) = crossbeam_channel::bounded::<Job>(settings.queue.max(1));
        for number in 0..count {
            let mut link = place.reader()?;
            let queue = queue.clone();
            thread::Builder::new().name(format!("store-read-{number}")).spawn(move || {
                for job in queue {
                    job(&mut link);
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
        let job: Job = Box::new(move |link| {
            // Nobody waits any more: spare the disk.
            if !answer.is_closed() {
                // A panic is a bug in one query; the thread serves the others.
                let ran = catch_unwind(AssertUnwindSafe(|| on_snapshot(link, query)));
                let _ = answer
                    .send(ran.unwrap_or_else(|_| Err(StoreError::Internal("a query has panicked".into()))));
            }
        });
        self.jobs.try_send(job).map_err(|_| StoreError::Unavailable("too many reads are waiting".into()))?;
        answered.await.map_err(|_| StoreError::Internal("a reader thread has ended".into()))?
    }
}

fn on_snapshot<T>(link: &mut Link, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let connection = link.get()?;
    let snapshot = Snapshot::begin(connection)?;
    let answer = query(connection);
    drop(snapshot);
    answer
}

/// Ends with the query, also where that panics.
struct Snapshot<'c>(&'c Connection);

impl<'c> Snapshot<'c> {
    fn begin(connection: &'c Connection) -> Result<Self> {
        connection.begin_snapshot()?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Where even that fails the connection is lost, and the next query opens another.
        let _ = self.0.end_snapshot();
    }
}
