//! The thread on which handshakes run: their arithmetic takes a millisecond, in which a shard forwards a thousand packets.
//!
//! Owns every association from its beginning to its goodbye. Has no socket: shards bring datagrams and carry away what
//! is to be sent, and get the keys of a peer as soon as they are agreed.

use super::{
    dtls::{Association, DtlsError, Identity, Outcome},
    sdp::{DtlsRole, Fingerprint},
    srtp::SrtpKeys,
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

/// Datagrams that may wait for the thread, over all peers: two seconds of its work. What comes on top is dropped, and
/// peers repeat it.
const WAITING_DATAGRAMS: usize = 4096;

/// What a shard is told of an association.
#[derive(Debug)]
pub enum Report {
    /// Send this to the peer.
    Send(Vec<u8>),
    /// The peer is who its description promised: media may come as soon as the last flight has been sent, and may be sent
    /// only then.
    Established {
        /// Of both directions.
        keys: Box<SrtpKeys>,
        /// The last flight, to be sent at once.
        flight: Vec<Vec<u8>>,
    },
    /// No keys will come. Nothing follows but what is to be sent.
    Failed(DtlsError),
    /// The peer said goodbye. Nothing follows.
    ClosedByPeer,
    /// The goodbye that was asked for has been handed over to be sent. Nothing follows.
    Closed,
}

/// Whom reports go to: the shard that owns the peer.
pub trait Reporter<Id>: Send + 'static {
    /// Hands a report over without waiting.
    fn report(&self, id: Id, report: Report);
}

enum Order<Id, R> {
    Begin { id: Id, role: DtlsRole, trusted: Vec<Fingerprint>, to: R },
    Datagram { id: Id, datagram: Vec<u8> },
    Close { id: Id },
}

/// The handle to the thread, which ends once all handles are dropped. Clones share it.
pub struct Handshakes<Id, R> {
    // Unbounded, because beginnings and ends must not be lost: each peer has one of both, and datagrams are counted.
    orders: Sender<Order<Id, R>>,
    waiting: Arc<AtomicUsize>,
}

impl<Id, R> Clone for Handshakes<Id, R> {
    fn clone(&self) -> Self {
        Self { orders: self.orders.clone(), waiting: self.waiting.clone() }
    }
}

impl<Id, R> Handshakes<Id, R>
where
    Id: Copy + Eq + Ord + Hash + Send + 'static,
    R: Reporter<Id>,
{
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system starts no thread.
    pub fn start(identity: Arc<Identity>) -> io::Result<(Self, thread::JoinHandle<()>)> {
        let (orders, inbox) = crossbeam_channel::unbounded();
        let waiting = Arc::new(AtomicUsize::new(0));
        let room = Room {
            identity,
            waiting: waiting.clone(),
            associations: HashMap::new(),
            deadlines: BTreeSet::new(),
        };
        let thread = thread::Builder::new().name("live-handshakes".into()).spawn(move || room.run(&inbox))?;
        Ok((Self { orders, waiting }, thread))
    }

    /// Begins an association whose reports go to `to`.
    pub fn begin(&self, id: Id, role: DtlsRole, trusted: Vec<Fingerprint>, to: R) {
        // Fails only once the thread has ended, and then nobody waits for reports.
        let _ = self.orders.send(Order::Begin { id, role, trusted, to });
    }

    /// Hands a datagram of the peer over; `false` when too many wait and it was dropped.
    pub fn datagram(&self, id: Id, datagram: &[u8]) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_DATAGRAMS {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.orders.send(Order::Datagram { id, datagram: datagram.to_vec() }).is_ok()
    }

    /// Says goodbye to the peer and forgets the association.
    pub fn close(&self, id: Id) {
        let _ = self.orders.send(Order::Close { id });
    }
}

struct Room<Id, R> {
    identity: Arc<Identity>,
    waiting: Arc<AtomicUsize>,
    associations: HashMap<Id, Held<R>>,
    deadlines: BTreeSet<(Instant, Id)>,
}

struct Held<R> {
    association: Association,
    to: R,
    deadline: Option<Instant>,
}

impl<Id, R> Room<Id, R>
where
    Id: Copy + Eq + Ord + Hash,
    R: Reporter<Id>,
{
    fn run(mut self, inbox: &Receiver<Order<Id, R>>) {
        loop {
            let order = match self.deadlines.first() {
                Some((due, _)) => match inbox.recv_deadline(*due) {
                    Ok(order) => Some(order),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                None => match inbox.recv() {
                    Ok(order) => Some(order),
                    Err(_) => return,
                },
            };
            let now = Instant::now();
            match order {
                Some(order) => self.take(now, order),
                None => self.on_deadlines(now),
            }
        }
    }

    fn take(&mut self, now: Instant, order: Order<Id, R>) {
        match order {
            Order::Begin { id, role, trusted, to } => {
                match Association::new(self.identity.clone(), role, trusted, now) {
                    Ok(association) => {
                        self.associations.insert(id, Held { association, to, deadline: None });
                        self.flush(id);
                    }
                    Err(error) => to.report(id, Report::Failed(error)),
                }
            }
            Order::Datagram { id, datagram } => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                let Some(held) = self.associations.get_mut(&id) else { return };
                let association = &mut held.association;
                match guarded(|| association.on_datagram(now, &datagram)) {
                    Ok(None) => self.flush(id),
                    Ok(Some(Outcome::Established(keys))) => {
                        let transmits = std::iter::from_fn(|| held.association.poll_transmit());
                        let flight = transmits.map(|datagram| datagram.to_vec()).collect();
                        held.to.report(id, Report::Established { keys, flight });
                        self.flush(id);
                    }
                    Ok(Some(Outcome::ClosedByPeer)) => self.end(id, Report::ClosedByPeer),
                    Err(error) => self.end(id, Report::Failed(error)),
                }
            }
            Order::Close { id } => {
                let Some(held) = self.associations.get_mut(&id) else { return };
                held.association.close(now);
                self.end(id, Report::Closed);
            }
        }
    }

    fn on_deadlines(&mut self, now: Instant) {
        while let Some(&(due, id)) = self.deadlines.first() {
            if due > now {
                return;
            }
            self.deadlines.remove(&(due, id));
            let Some(held) = self.associations.get_mut(&id) else { continue };
            held.deadline = None;
            let association = &mut held.association;
            match guarded(|| association.on_timeout(now)) {
                Ok(()) => self.flush(id),
                Err(error) => self.end(id, Report::Failed(error)),
            }
        }
    }

    /// Hands over what is to be sent, and notes when the association wants to be called again.
    fn flush(&mut self, id: Id) {
        let Some(held) = self.associations.get_mut(&id) else { return };
        while let Some(datagram) = held.association.poll_transmit() {
            held.to.report(id, Report::Send(datagram.to_vec()));
        }
        let wanted = held.association.poll_timeout();
        if wanted != held.deadline {
            if let Some(old) = held.deadline {
                self.deadlines.remove(&(old, id));
            }
            if let Some(new) = wanted {
                self.deadlines.insert((new, id));
            }
            held.deadline = wanted;
        }
    }

    /// Hands over the last words, then the end.
    fn end(&mut self, id: Id, report: Report) {
        self.flush(id);
        let Some(held) = self.associations.remove(&id) else { return };
        if let Some(deadline) = held.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        held.to.report(id, report);
    }
}

/// A library reads here what strangers send, before they are known. Should it panic on something, that costs one peer its
/// handshake, not all of them: the association is dropped by whoever gets the error.
fn guarded<T>(step: impl FnOnce() -> Result<T, DtlsError>) -> Result<T, DtlsError> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| {
        tracing::error!("a DTLS handshake was given up after a panic in its library");
        Err(DtlsError::Protocol("its library panicked".to_owned()))
    })
}
