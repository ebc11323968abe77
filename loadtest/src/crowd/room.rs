//! The thread that all readers of a run share, and the handle by which the run tells them what to do.

use super::{Manner, Names, Tally, seat::Seat, session::Session};
use crate::oracle::Ledger;
use anyhow::{Result, anyhow, bail};
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, watch},
    task::{JoinSet, LocalSet},
};

/// Bytes that are read at once, for whichever socket: more than a kernel hands over.
const BUFFER: usize = 256 << 10;

/// How long readers stay once all have everything: a repair that comes late, and brings something again, is seen.
const STAYING: Duration = Duration::from_millis(1_500);

/// How often the run looks at how far the readers are.
const LOOK: Duration = Duration::from_millis(20);

/// One reader.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Which node.
    pub server: SocketAddr,
    /// Which channels, by number.
    pub channels: Vec<u32>,
    /// As whom; a guest without one.
    pub token: Option<Arc<str>>,
    /// How it behaves.
    pub manner: Manner,
    /// Under which of the plan's voices it is counted.
    pub voice: usize,
}

/// Who reads what.
#[derive(Debug)]
pub struct Plan {
    /// The channels.
    pub names: Arc<Names>,
    /// What everybody is given, compared.
    pub ledger: Arc<Ledger>,
    /// The readers.
    pub readers: Vec<Wish>,
    /// What kinds of readers there are.
    pub voices: Vec<String>,
    /// So many come at a time.
    pub at_a_time: usize,
    /// Whether a bare writer serves them, which sends from the first byte on and asks for nothing.
    pub is_bare: bool,
}

/// What the run tells all readers.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Whether those that stall do not read now.
    pub is_paused: bool,
    /// How often everybody's connection was cut so far. Who was cut comes back at once, not so many at a time.
    pub cuts: u32,
    /// Whether those that come and go may go.
    pub may_go: bool,
    /// Added to the voice under which each reader is counted: a part of the run with an account of its own.
    pub part: usize,
    /// The end: leave once everything up to these heads, by channel, has come.
    pub heads: Option<Arc<Vec<u64>>>,
    /// The versions of the last states, by channel, which everybody must have at the end.
    pub versions: Arc<Vec<u64>>,
    /// Leave now.
    pub is_over: bool,
}

/// How far the readers are.
#[derive(Debug, Default)]
pub(super) struct Status {
    settled: AtomicUsize,
    comings: AtomicUsize,
    whole: AtomicUsize,
    pushed: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Status {
    pub(super) fn settled(&self) {
        self.settled.fetch_add(1, Ordering::Relaxed);
        self.comings.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unsettled(&self) {
        self.settled.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn whole(&self) {
        self.whole.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn pushed(&self, count: u64) {
        self.pushed.fetch_add(count, Ordering::Relaxed);
    }

    /// Keeps the last trouble, to say what holds a run up.
    pub(super) fn trouble(&self, text: impl FnOnce() -> String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(text());
    }
}

/// What all seats share.
pub(super) struct Room {
    pub(super) tally: RefCell<Tally>,
    pub(super) buffer: RefCell<Vec<u8>>,
    pub(super) opening: Semaphore,
    pub(super) status: Arc<Status>,
    pub(super) is_bare: bool,
    /// By number of the reader: whether it has all that it came for.
    pub(super) is_settled: Vec<Cell<bool>>,
}

/// Readers at work.
#[derive(Debug)]
pub struct Crowd {
    orders: watch::Sender<Order>,
    status: Arc<Status>,
    readers: usize,
    thread: Mutex<Option<JoinHandle<Result<Tally>>>>,
}

impl Crowd {
    /// Starts the readers, in a thread of their own.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub fn start(plan: Plan) -> Result<Self> {
        let (orders, receiver) = watch::channel(Order::default());
        let (status, readers) = (Arc::new(Status::default()), plan.readers.len());
        let told = Arc::clone(&status);
        let body = move || run(plan, receiver, told);
        let thread = thread::Builder::new().name("crowd".into()).spawn(body)?;
        Ok(Self { orders, status, readers, thread: Mutex::new(Some(thread)) })
    }

    /// How many have everything that they came for.
    pub fn settled(&self) -> usize {
        self.status.settled.load(Ordering::Relaxed)
    }

    /// How many publications were pushed to them so far.
    pub fn pushed(&self) -> u64 {
        self.status.pushed.load(Ordering::Relaxed)
    }

    /// Waits until all are settled, and each has been so at least `times`; `progress` is told how many are.
    ///
    /// # Errors
    /// Where that takes longer than `patience`; says what was last in the way.
    pub async fn all_settled(
        &self,
        times: usize,
        patience: Duration,
        mut progress: impl FnMut(usize),
    ) -> Result<()> {
        let until = Instant::now() + patience;
        loop {
            let settled = self.settled();
            progress(settled);
            let comings = self.status.comings.load(Ordering::Relaxed);
            if settled == self.readers && comings >= times * self.readers {
                return Ok(());
            }
            if Instant::now() > until || self.is_over() {
                let trouble = self.status.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let trouble = trouble.unwrap_or_else(|| "no error was told".into());
                bail!("{settled} of {} readers are subscribed after {patience:?}: {trouble}", self.readers);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells all readers something.
    pub fn order(&self, change: impl FnOnce(&mut Order)) {
        self.orders.send_modify(change);
    }

    /// Lets the readers leave once all have everything up to `heads`, by channel, and `STAYING` longer, or after `patience`;
    /// answers the account.
    ///
    /// # Errors
    /// Where the readers' thread failed.
    pub async fn finish(&self, heads: Vec<u64>, versions: Vec<u64>, patience: Duration) -> Result<Tally> {
        self.order(|order| {
            order.versions = Arc::new(versions);
            order.heads = Some(Arc::new(heads));
        });
        let until = Instant::now() + patience;
        let are_whole = || self.status.whole.load(Ordering::Relaxed) == self.readers;
        while !are_whole() && !self.is_over() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
        tokio::time::sleep(STAYING).await;
        self.order(|order| order.is_over = true);
        while !self.is_over() {
            tokio::time::sleep(LOOK).await;
        }
        let thread = self.thread().take().ok_or_else(|| anyhow!("this crowd has left already"))?;
        thread.join().map_err(|_| anyhow!("the readers' thread panicked"))?
    }

    fn is_over(&self) -> bool {
        self.thread().as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<Result<Tally>>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(plan: Plan, orders: watch::Receiver<Order>, status: Arc<Status>) -> Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Plan { names, ledger, readers, voices, at_a_time, is_bare } = plan;
    let room = Rc::new(Room {
        tally: RefCell::new(Tally::new(&voices, Arc::clone(&names), ledger)),
        buffer: RefCell::new(vec![0; BUFFER]),
        opening: Semaphore::new(at_a_time),
        status,
        is_bare,
        is_settled: readers.iter().map(|_| Cell::new(false)).collect(),
    });
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut seats = JoinSet::new();
        for (number, mut wish) in readers.into_iter().enumerate() {
            let channels = std::mem::take(&mut wish.channels);
            let session = Session::new(number, wish.voice, Arc::clone(&names), channels);
            let session = session.with_token(wish.token.take());
            let session = if is_bare { session.unasked() } else { session };
            let (room, orders) = (Rc::clone(&room), orders.clone());
            let seat = Seat { number, wish, session, room, orders, wished: None, is_whole: false };
            seats.spawn_local(seat.sit());
        }
        while let Some(sat) = seats.join_next().await {
            sat?;
        }
        anyhow::Ok(())
    })?;
    drop(local);
    let mut tally =
        Rc::into_inner(room).ok_or_else(|| anyhow!("a seat outlived its task"))?.tally.into_inner();
    tally.end();
    Ok(tally)
}
