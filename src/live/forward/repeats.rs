//! Which packets a viewer wants again, and which of them it may have.
//!
//! Owns the bounds: what waits, what is on its way already, and how much may be repeated at all. Knows no packets.

use std::collections::VecDeque;
use std::time::Duration;

use super::wire::Wire;

/// Repeats that wait to be sent; a viewer that misses more asks again.
const MAX_REPEATS: usize = 128;

/// Repeats remembered so that one is not sent twice while it is on its way.
const MAX_REPEATED: usize = 64;

/// Bytes that may be repeated before anything else was sent, and the most that can be saved up.
const REPEAT_CREDIT: i64 = 128 * 1024;

/// Which repeats are wanted, and which may be sent.
#[derive(Debug)]
pub(super) struct Repeats {
    wanted: VecDeque<u16>,
    /// The low bits of repeated indices, and when, in milliseconds of the session.
    recent: VecDeque<(u32, u32)>,
    /// Bytes that may be repeated: a viewer that asks for everything again and again gets at most half of its stream more.
    credit: i64,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { wanted: VecDeque::new(), recent: VecDeque::new(), credit: REPEAT_CREDIT }
    }
}

impl Repeats {
    /// The next packet that is wanted.
    pub(super) fn next(&mut self) -> Option<u16> {
        self.wanted.pop_front()
    }

    /// Whether none is wanted.
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Forgets what is wanted.
    pub(super) fn clear(&mut self) {
        self.wanted.clear();
    }

    /// Notes that the viewer wants a packet again.
    pub(super) fn want(&mut self, sequence: u16) {
        if self.wanted.len() < MAX_REPEATS && !self.wanted.contains(&sequence) {
            self.wanted.push_back(sequence);
        }
    }

    /// Notes that so many bytes were sent for the first time.
    pub(super) fn earn(&mut self, size: usize) {
        self.credit = (self.credit + size as i64 / 2).min(REPEAT_CREDIT);
    }

    /// What to remember once the repeat is sent; none where it may not be.
    pub(super) fn allow(&self, out: u64, round_trip: Duration, wire: &Wire<'_>) -> Option<(u32, u32)> {
        let index = (out & 0xffff_ffff) as u32;
        let now =
            (wire.now.saturating_duration_since(wire.transport.started).as_millis() & 0xffff_ffff) as u32;
        let wait = u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX);
        let is_on_its_way =
            self.recent.iter().any(|&(known, at)| known == index && now.wrapping_sub(at) < wait);
        (self.credit > 0 && !is_on_its_way).then_some((index, now))
    }

    /// Notes that a repeat of so many bytes was sent.
    pub(super) fn sent(&mut self, repeated: (u32, u32), size: usize) {
        self.credit -= size as i64;
        if self.recent.len() == MAX_REPEATED {
            self.recent.pop_front();
        }
        self.recent.push_back(repeated);
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.wanted.capacity() * size_of::<u16>() + self.recent.capacity() * size_of::<(u32, u32)>()
    }
}
