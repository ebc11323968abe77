//! What Redis pushes: taken without waiting, read and delivered by a task of its own.

use super::{
    node::NodeParts,
    wire::{self, Heard, Unheard},
};
use crate::metrics;
use parking_lot::Mutex;
use redis::{PushInfo, PushKind, Value};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

/// Messages that may wait to be delivered.
const WAITING: usize = 16_384;
/// Bytes of them; beyond it they are dropped, and read from the log.
const WAITING_BYTES: usize = 64 << 20;
/// Messages delivered together at most.
const TOGETHER: usize = 256;

/// Where a connection's pushes go.
pub(super) struct Inflow {
    sender: mpsc::Sender<Vec<u8>>,
    shared: Arc<Shared>,
}

/// The task's end.
pub(super) struct Inbound {
    node: Arc<NodeParts>,
    receiver: mpsc::Receiver<Vec<u8>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    has_dropped: AtomicBool,
    /// Lanes that the server was asked to take away and has not yet.
    parting: AtomicUsize,
    lost: Arc<Notify>,
    /// How much has come.
    came: AtomicU64,
    /// When this node last heard itself, or began to listen.
    heard_itself: Mutex<Option<Instant>>,
}

impl Inflow {
    pub(super) fn new(node: &Arc<NodeParts>) -> (Self, Inbound) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let shared = Arc::<Shared>::default();
        let inbound = Inbound { node: Arc::clone(node), receiver, shared: Arc::clone(&shared) };
        (Self { sender, shared }, inbound)
    }

    /// Hears when the connection that [`Inflow::ear`] was given to has broken, or must be made anew.
    pub(super) fn lost(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.lost)
    }

    /// How much has come: what rises is busy, not dead.
    pub(super) fn came(&self) -> u64 {
        self.shared.came.load(Ordering::Relaxed)
    }

    /// When this node last heard what it had said itself, or began to listen.
    pub(super) fn heard_itself(&self) -> Option<Instant> {
        *self.shared.heard_itself.lock()
    }

    /// The server is asked to take away so many lanes.
    pub(super) fn expect_parting(&self, lanes: usize) {
        self.shared.parting.fetch_add(lanes, Ordering::Relaxed);
    }

    /// What a new connection calls for each push.
    pub(super) fn ear(&self) -> impl Fn(PushInfo) + Send + Sync + 'static {
        self.shared.parting.store(0, Ordering::Relaxed);
        *self.shared.heard_itself.lock() = Some(Instant::now());
        let (sender, shared) = (self.sender.clone(), Arc::clone(&self.shared));
        move |push| {
            shared.came.fetch_add(1, Ordering::Relaxed);
            match push.kind {
                PushKind::Message | PushKind::SMessage => {
                    if let Some(Value::BulkString(message)) = push.data.into_iter().nth(1) {
                        shared.take(&sender, message);
                    }
                }
                PushKind::Disconnection => shared.lost.notify_one(),
                // Nobody asked for it: the lane is another server's now.
                PushKind::SUnsubscribe if !shared.expects_parting() => shared.lost.notify_one(),
                _ => {}
            }
        }
    }
}

impl Shared {
    fn expects_parting(&self) -> bool {
        self.parting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn take(&self, sender: &mpsc::Sender<Vec<u8>>, message: Vec<u8>) {
        let length = message.len();
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        if before + length > WAITING_BYTES || sender.try_send(message).is_err() {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
            self.has_dropped.store(true, Ordering::Relaxed);
            metrics::BROKER_DROPPED.add("overflow", 1);
        }
    }
}

impl Inbound {
    /// Delivers what comes, for ever.
    pub(super) async fn run(&mut self) {
        let mut messages = Vec::with_capacity(TOGETHER);
        while self.receiver.recv_many(&mut messages, TOGETHER).await > 0 {
            metrics::BROKER_RECEIVED.add(messages.len() as u64);
            self.deliver(&mut messages);
        }
    }

    fn deliver(&self, messages: &mut Vec<Vec<u8>>) {
        let (mut broadcasts, mut heads) = (Vec::new(), Vec::new());
        let mut has_heard_itself = false;
        let mut has_lost = self.shared.has_dropped.swap(false, Ordering::Relaxed);
        for message in messages.drain(..) {
            self.shared.bytes.fetch_sub(message.len(), Ordering::Relaxed);
            match wire::read(&message, self.node.sender) {
                Ok(Heard::Own) => has_heard_itself = true,
                Ok(Heard::Probe { sender, nonce }) => {
                    if sender == self.node.sender {
                        has_heard_itself = true;
                        self.node.probes.heard(nonce);
                    }
                }
                Ok(Heard::Items(mut items)) => {
                    broadcasts.append(&mut items.broadcasts);
                    heads.append(&mut items.heads);
                    has_lost |= items.has_lost;
                }
                Err(Unheard::Version) => metrics::BROKER_DROPPED.add("version", 1),
                Err(Unheard::Malformed) => metrics::BROKER_DROPPED.add("malformed", 1),
            }
        }
        if has_heard_itself {
            *self.shared.heard_itself.lock() = Some(Instant::now());
        }
        let deliver = || {
            if !broadcasts.is_empty() {
                self.node.deliver.deliver(broadcasts);
            }
            if !heads.is_empty() {
                self.node.deliver.heads(heads);
            }
        };
        if has_lost { self.node.links.missed(deliver) } else { deliver() }
    }
}
