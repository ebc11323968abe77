//! What a shard is asked from outside, and the handle to ask.

use super::{
    event::{MediaEvent, PeerId},
    relay::Relay,
};
use crate::live::{
    forward::egress::Wish,
    rtc::{
        handshakes::{Report, Reporter},
        ice::{IceCredentials, Tuple},
    },
};
use crossbeam_channel::Sender;
use mio::Waker;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Datagrams from other shards that may wait: those of peers who moved, a tenth of a second of a fast publisher each.
const WAITING_DATAGRAMS: usize = 4096;

pub(in crate::live) enum Order {
    /// The rings of a relay that is watched here have grown.
    Moved(Arc<Relay>),
    /// Of a handshake of a peer here.
    Handshake(PeerId, Report),
    /// A datagram of a peer here came to the shard `via`.
    Datagram {
        peer: PeerId,
        tuple: Tuple,
        via: usize,
        datagram: Vec<u8>,
    },
    /// Datagrams from there belong to a peer of another shard, or do no more.
    Route(Tuple, Option<(PeerId, usize)>),
    Restart {
        peer: PeerId,
        local: IceCredentials,
        remote: IceCredentials,
    },
    Wish(PeerId, Wish),
    Close(PeerId),
    /// Tell this along with the shard's own events.
    Tell(MediaEvent),
    /// Say goodbye to everybody and end.
    Stop,
}

/// How others reach a shard. Never waits.
#[derive(Clone)]
pub(in crate::live) struct Handle {
    // Unbounded, because none may be lost; each kind is bounded by the number of peers or relays, datagrams are counted.
    orders: Sender<Order>,
    waker: Arc<Waker>,
    datagrams: Arc<AtomicUsize>,
}

impl Handle {
    pub(in crate::live) fn new(orders: Sender<Order>, waker: Waker) -> Self {
        Self { orders, waker: Arc::new(waker), datagrams: Arc::default() }
    }

    pub(in crate::live) fn order(&self, order: Order) {
        // Both fail only once the shard has ended.
        if self.orders.send(order).is_ok() {
            let _ = self.waker.wake();
        }
    }

    /// Hands a datagram over; `false` when too many wait.
    pub(in crate::live) fn datagram(&self, peer: PeerId, tuple: Tuple, via: usize, datagram: &[u8]) -> bool {
        if self.datagrams.fetch_add(1, Ordering::Relaxed) >= WAITING_DATAGRAMS {
            self.datagrams.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.order(Order::Datagram { peer, tuple, via, datagram: datagram.to_vec() });
        true
    }

    pub(in crate::live) fn took_datagram(&self) {
        self.datagrams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reporter<PeerId> for Handle {
    fn report(&self, id: PeerId, report: Report) {
        self.order(Order::Handshake(id, report));
    }
}
