//! The one thread that writes: group commit, with a savepoint for each operation that speaks to the database itself.
//!
//! Order of every batch: run the operations, save the moved heads, commit (the disk has it now), hand the publications
//! on, answer. So nothing is told before it is durable, and publications leave in the order of their offsets.

use super::{
    ahead::{Ahead, Wants},
    db::Connection,
    heads::Heads,
    ids::{self, Ids},
    later::Later,
    link::Link,
    postgres::NodeTurn,
    settings::{OpenError, SqlSettings},
    sqlite,
    tx::{Memory, Tx},
};
use crate::{
    metrics,
    publication::Committed,
    store::{Result, StoreError},
};
use parking_lot::Mutex;
use std::{
    iter,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
    time::Instant,
};
use tokio::sync::{mpsc, oneshot};

/// Tells the waiting caller what became of its operation, given how the commit went.
type Answer = Box<dyn FnOnce(Result<()>) + Send>;

/// Runs an operation; whether its effect is to stay, and who waits for that.
type Run = Box<dyn FnOnce(&mut Tx<'_>) -> (bool, Answer) + Send>;

/// An operation that waits.
struct Job {
    /// What it is going to ask, where that may be read ahead.
    wants: Option<Wants>,
    run: Run,
}

/// The writing side. Dropping or finishing it waits until what was queued is on disk.
pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(
        mut link: Link,
        settings: &SqlSettings,
        committed: mpsc::Sender<Committed>,
    ) -> std::result::Result<Self, OpenError> {
        let (jobs, queue) = mpsc::channel(settings.queue.max(1));
        let batch = settings.batch.max(1);
        let last = ids::last(link.get()?).map_err(|error| OpenError::Use(error.to_string()))?;
        let memory = Memory {
            heads: Heads::new(settings.keep_count),
            ids: Ids::after(last),
            later: Later::default(),
            ahead: Ahead::default(),
        };
        let mut lane = Lane { link, memory, turn: NodeTurn::new(), committed, batch };
        let thread = thread::Builder::new().name("store-write".into()).spawn(move || lane.run(queue))?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) async fn run<T, F>(&self, wants: Option<Wants>, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let run = Box::new(move |tx: &mut Tx<'_>| {
            let outcome = operation(tx);
            let keep = outcome.is_ok();
            let tell: Answer = Box::new(move |commit| {
                let _ = answer.send(outcome.and_then(|value| commit.map(|()| value)));
            });
            (keep, tell)
        });
        match &*self.jobs.lock() {
            Some(jobs) => {
                jobs.try_send(Job { wants, run })
                    .map_err(|_| StoreError::Unavailable("too many writes are waiting".into()))?;
            }
            None => return Err(StoreError::Unavailable("the store has been closed".into())),
        }
        answered.await.map_err(|_| StoreError::Unavailable("the write was not carried out".into()))?
    }

    /// Takes no more, and waits until what was queued is on disk and handed on. Blocks; further calls do nothing.
    pub(super) fn finish(&self) {
        *self.jobs.lock() = None;
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What the writing thread owns.
struct Lane {
    link: Link,
    memory: Memory,
    turn: NodeTurn,
    committed: mpsc::Sender<Committed>,
    batch: usize,
}

impl Lane {
    fn run(&mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = Batch::default();
            let begun = Instant::now();
            let commit = self.write_batch(first, &mut queue, &mut batch);
            metrics::STORE_COMMITS.add(1);
            metrics::STORE_OPERATIONS.add(batch.answers.len() as u64);
            metrics::STORE_COMMIT_SECONDS.record(begun.elapsed().as_secs_f64());
            match &commit {
                Ok(()) if !batch.brought.is_empty() => {
                    // The publisher is gone only while the process stops; the log keeps what it would have carried.
                    let _ = self.committed.blocking_send(batch.brought);
                }
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(%error, operations = batch.answers.len(), "a group commit failed");
                    self.memory.heads.forget();
                    self.memory.later.clear();
                    self.memory.ahead = Ahead::default();
                    let _ = self.link.get().map(|connection| connection.command("ROLLBACK"));
                }
            }
            for answer in batch.answers {
                answer(commit.clone());
            }
        }
        if let Ok(Connection::Sqlite(connection)) = self.link.get() {
            sqlite::fold(connection);
        }
    }

    /// A job that is dropped unrun answers its caller `unavailable`.
    fn write_batch(&mut self, first: Job, queue: &mut mpsc::Receiver<Job>, batch: &mut Batch) -> Result<()> {
        let Self { link, memory, turn, batch: limit, .. } = self;
        let connection = link.get()?;
        begin(connection, turn, memory)?;
        let mut waiting = Some(first);
        while let Some(job) = waiting.take() {
            let room = limit.saturating_sub(batch.answers.len() + 1);
            let others = iter::from_fn(|| queue.try_recv().ok()).take(room);
            write_together(connection, memory, iter::once(job).chain(others).collect(), batch)?;
            // What came meanwhile shares the commit where it costs no round trips.
            if let Connection::Sqlite(_) = connection
                && batch.answers.len() < *limit
            {
                waiting = queue.try_recv().ok();
            }
        }
        memory.later.write_all(connection)?;
        memory.heads.save(connection)?;
        match connection {
            Connection::Sqlite(_) => connection.command("COMMIT")?,
            Connection::Postgres(session) => turn.end(session, memory.ids.last())?,
        }
        Ok(())
    }
}

/// Begins a transaction that nobody else writes beside.
fn begin(connection: &Connection, turn: &NodeTurn, memory: &mut Memory) -> Result<()> {
    match connection {
        Connection::Sqlite(_) => connection.command("BEGIN IMMEDIATE")?,
        Connection::Postgres(session) => {
            let taken = turn.take(session)?;
            memory.ids.pass(taken.last_id);
            if !taken.in_a_row {
                memory.heads.forget();
            }
        }
    }
    Ok(())
}

/// Those whose questions can be read ahead run together, as many as come one behind the other. Over a network all of them
/// go first: nobody has been answered yet, so nobody can tell.
fn write_together(
    connection: &Connection,
    memory: &mut Memory,
    mut jobs: Vec<Job>,
    batch: &mut Batch,
) -> Result<()> {
    if let Connection::Postgres(_) = connection {
        jobs.sort_by_key(|job| job.wants.is_none());
    }
    let mut jobs = jobs.into_iter().peekable();
    while jobs.peek().is_some() {
        let together: Vec<Job> = iter::from_fn(|| jobs.next_if(|job| job.wants.is_some())).collect();
        if !together.is_empty() {
            let wants = together.iter().filter_map(|job| job.wants.as_ref());
            memory.ahead.read(connection, wants, &mut memory.heads)?;
            for job in together {
                write_one(connection, memory, job, batch)?;
            }
            memory.later.settle(connection)?;
            memory.ahead.settle(connection)?;
        }
        while let Some(job) = jobs.next_if(|job| job.wants.is_none()) {
            write_one(connection, memory, job, batch)?;
        }
    }
    Ok(())
}

fn write_one(connection: &Connection, memory: &mut Memory, job: Job, batch: &mut Batch) -> Result<()> {
    let mut tx = Tx::new(connection, memory);
    // A panic is a bug in one operation; the others must not pay for it. Its caller hears `unavailable`.
    let ran = catch_unwind(AssertUnwindSafe(|| (job.run)(&mut tx)));
    let keep = matches!(ran, Ok((true, _)));
    if let Some(mut brought) = tx.end(keep)? {
        batch.brought.publications.append(&mut brought.publications);
        batch.brought.states.append(&mut brought.states);
    }
    if let Ok((_, answer)) = ran {
        batch.answers.push(answer);
    }
    Ok(())
}

/// What one group commit is about to bring.
#[derive(Default)]
struct Batch {
    answers: Vec<Answer>,
    brought: Committed,
}
