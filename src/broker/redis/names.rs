//! Which Redis channel carries which of our channels. Pure.
//!
//! Channels are hashed onto a fixed number of Redis channels ("lanes"), so that what waits for one lane goes as one message,
//! a subscription rarely needs a word to Redis, and a return needs a few hundred of them at most.

use communiconnect_protocol::Channel;
use crc::{CRC_16_XMODEM, CRC_32_ISCSI, Crc};
use std::{
    fmt::{self, Write},
    ops::Range,
};

/// Redis channels of one store. Part of what nodes agree on: another number needs another [`PREFIX`].
pub(super) const LANES: u16 = 256;

/// Begins every Redis channel of ours.
const PREFIX: &str = "communiconnect:1";

/// Hash slots of a cluster (Redis cluster specification, "Key distribution model").
pub(super) const SLOTS: u16 = 16_384;

/// One of the Redis channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane(u16);

impl Lane {
    /// The lane of a channel: the same on every node.
    pub(super) fn of(channel: &Channel) -> Self {
        const HASH: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
        struct Digest<'a>(crc::Digest<'a, u32>);
        impl Write for Digest<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.update(text.as_bytes());
                Ok(())
            }
        }
        let mut digest = Digest(HASH.digest());
        write!(digest, "{channel}").expect("a digest takes all");
        Self(u16::try_from(digest.0.finalize() % u32::from(LANES)).expect("below LANES"))
    }

    /// Every lane.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..LANES).map(Self)
    }

    /// Its place among all.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The names of one store's lanes.
#[derive(Debug)]
pub(super) struct Names {
    lanes: Vec<String>,
}

impl Names {
    /// Those of the store `store`, so that nodes of different stores that share a Redis never hear each other.
    pub(super) fn of(store: &str) -> Self {
        Self { lanes: (0..LANES).map(|lane| format!("{PREFIX}:{store}:{lane}")).collect() }
    }

    /// The Redis channel of a lane.
    pub(super) fn name(&self, lane: Lane) -> &str {
        &self.lanes[lane.index()]
    }

    /// Lanes whose hash slot lies in `slots`.
    pub(super) fn in_slots(&self, slots: &[Range<u16>]) -> Vec<Lane> {
        let mine = |lane: &Lane| {
            let slot = slot_of(self.name(*lane));
            slots.iter().any(|range| range.contains(&slot))
        };
        Lane::all().filter(mine).collect()
    }
}

/// The hash slot of a name without hash tags.
fn slot_of(name: &str) -> u16 {
    const HASH: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);
    HASH.checksum(name.as_bytes()) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // `CLUSTER KEYSLOT` of a Redis 7.0.15.
        assert_eq!(slot_of("123456789"), 0x31c3 % SLOTS);
        assert_eq!(slot_of("foo"), 12_182);
    }

    #[test]
    fn channels_spread_over_the_lanes() {
        let mut hits = vec![0; usize::from(LANES)];
        for number in 0..LANES * 64 {
            let channel: Channel = format!("test:{number}").parse().expect("a test channel");
            hits[Lane::of(&channel).index()] += 1;
        }
        assert!(hits.iter().all(|hits| (24..=128).contains(hits)), "{hits:?}");
    }

    #[test]
    fn every_lane_lies_in_one_slot_range() {
        let names = Names::of("0123456789ab");
        let thirds = [0..5_461, 5_461..10_923, 10_923..SLOTS];
        let counts = thirds.map(|third| names.in_slots(std::slice::from_ref(&third)).len());
        assert_eq!(counts.iter().sum::<usize>(), usize::from(LANES));
        assert!(counts.iter().all(|count| *count > 40), "{counts:?}");
    }
}
