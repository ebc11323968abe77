//! What every shard of one node shares.

use super::{interest::Interest, link::Connector, links::Links, names::Names, wire::Sender};
use crate::broker::Deliver;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
};
use tokio::sync::{Notify, oneshot};

/// Who this node is, whom it delivers to, and how it speaks to servers.
pub(super) struct NodeParts {
    pub(super) sender: Sender,
    pub(super) names: Names,
    pub(super) connector: Connector,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) links: Arc<Links>,
    pub(super) interest: Interest,
    pub(super) probes: Probes,
    pub(super) dialect: Dialect,
    /// A server did not do as expected: where lanes are may have changed.
    pub(super) doubt: Notify,
    /// Something was published that no server carries, or that one took with it: the others must be told.
    pub(super) untold: AtomicBool,
}

/// Which commands carry messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Any server knows every message.
    Plain,
    /// Messages stay on the shard that their name hashes to (Redis 7.0, "Sharded Pub/Sub").
    Sharded,
}

impl Dialect {
    pub(super) fn publish(self) -> &'static str {
        if self == Self::Plain { "PUBLISH" } else { "SPUBLISH" }
    }

    pub(super) fn subscribe(self) -> &'static str {
        if self == Self::Plain { "SUBSCRIBE" } else { "SSUBSCRIBE" }
    }

    pub(super) fn unsubscribe(self) -> &'static str {
        if self == Self::Plain { "UNSUBSCRIBE" } else { "SUNSUBSCRIBE" }
    }
}

/// Probes that are on their way.
#[derive(Debug, Default)]
pub(super) struct Probes {
    waiting: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

impl Probes {
    /// A probe with a number of its own, and what resolves when it is heard.
    pub(super) fn begin(&self) -> (Probe<'_>, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        let nonce = rand::random();
        self.waiting.lock().insert(nonce, sender);
        (Probe { probes: self, nonce }, receiver)
    }

    /// The probe came back.
    pub(super) fn heard(&self, nonce: u64) {
        if let Some(waiting) = self.waiting.lock().remove(&nonce) {
            let _ = waiting.send(());
        }
    }
}

/// A probe that is waited for until this is dropped.
pub(super) struct Probe<'a> {
    probes: &'a Probes,
    nonce: u64,
}

impl Probe<'_> {
    /// Tells it from others.
    pub(super) fn nonce(&self) -> u64 {
        self.nonce
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.probes.waiting.lock().remove(&self.nonce);
    }
}
