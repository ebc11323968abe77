//! Where the publisher of one live and its viewers on all shards meet.
//!
//! Owns who watches on which shard and the wake-ups between shards, which merge: one that is still on its way stands for
//! all that follow. The packets themselves lie in the source's rings.

use crate::live::forward::{memory::Watched, source::SourceSlot};
use parking_lot::Mutex;
use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

/// Names a relay within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RelayId(u64);

/// One live in the media plane: what its publisher sends, and who watches. Made by [`MediaPlane::new_source`] and kept for the
/// live's whole life, so that viewers survive a publisher who comes back.
///
/// [`MediaPlane::new_source`]: crate::live::plane::MediaPlane::new_source
#[derive(Debug)]
pub struct Relay {
    id: RelayId,
    slot: Arc<SourceSlot>,
    shards: Box<[OnShard]>,
}

/// The relays of all lives, for what is bounded over all of them.
#[derive(Debug, Default)]
pub(in crate::live) struct Relays(Mutex<Vec<Weak<Relay>>>);

impl Relays {
    /// A relay for so many shards.
    pub(in crate::live) fn make(&self, shards: usize) -> Arc<Relay> {
        let relay = Arc::new(Relay::new(shards));
        self.0.lock().push(Arc::downgrade(&relay));
        relay
    }

    /// Every ring with how many watch it. Forgets lives that are over.
    pub(super) fn rings(&self) -> Vec<Watched> {
        let mut rings = Vec::new();
        self.0.lock().retain(|relay| {
            let Some(relay) = relay.upgrade() else { return false };
            let (viewers, source) = (relay.viewers(), relay.slot.load());
            rings.extend(source.encodings().map(|encoding| (encoding.clone(), viewers)));
            true
        });
        rings
    }
}

#[derive(Debug, Default)]
struct OnShard {
    viewers: AtomicUsize,
    /// A wake-up is on its way there.
    is_told: AtomicBool,
}

impl Relay {
    fn new(shards: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: RelayId(NEXT.fetch_add(1, Ordering::Relaxed)),
            slot: Arc::new(SourceSlot::new()),
            shards: (0..shards).map(|_| OnShard::default()).collect(),
        }
    }

    pub(super) fn id(&self) -> RelayId {
        self.id
    }

    /// What is published.
    pub fn source(&self) -> &Arc<SourceSlot> {
        &self.slot
    }

    /// Viewers whose keys are agreed, over all shards.
    pub fn viewers(&self) -> usize {
        self.shards.iter().map(|shard| shard.viewers.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn add_viewer(&self, shard: usize) {
        self.shards[shard].viewers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_viewer(&self, shard: usize) {
        self.shards[shard].viewers.fetch_sub(1, Ordering::Relaxed);
    }

    /// The shards beside `own` that have to be told that the rings have grown, and have not been yet.
    pub(super) fn to_tell(&self, own: usize) -> impl Iterator<Item = usize> {
        self.shards.iter().enumerate().filter_map(move |(place, shard)| {
            let is_new = place != own
                && shard.viewers.load(Ordering::Relaxed) > 0
                && !shard.is_told.swap(true, Ordering::AcqRel);
            is_new.then_some(place)
        })
    }

    /// The shard looks at the rings now: what grows from here on is told anew.
    pub(super) fn on_told(&self, shard: usize) {
        self.shards[shard].is_told.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_told_once_until_it_has_looked() {
        let relay = Relay::new(3);
        relay.add_viewer(0);
        relay.add_viewer(2);
        assert_eq!(
            relay.to_tell(0).collect::<Vec<_>>(),
            [2],
            "neither the own shard nor one without viewers"
        );
        assert_eq!(relay.to_tell(0).count(), 0, "it is on its way");
        relay.on_told(2);
        assert_eq!(relay.to_tell(0).collect::<Vec<_>>(), [2]);
    }
}
