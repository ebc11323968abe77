//! The part of what a shard sends that replays may take: first come, first served.
//!
//! Owns who waits for one and since when. A replay is paid for as a whole when it begins, so that many who come at once do
//! not all begin.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::pacer::Pacer;

/// Per cent of what a node sends that replays may take: those who watch already need the rest.
pub const REPLAY_SHARE: u64 = 25;

/// Who waits asks again with every packet of its live, or five times a second; who has not asked for so long has gone.
const FORGOTTEN: Duration = Duration::from_millis(600);

/// Lets viewers begin replays, one after the other.
#[derive(Debug)]
pub struct Ration<T> {
    pacer: Pacer,
    /// Who waits, in the order in which they came.
    queue: VecDeque<T>,
    /// When each of them last asked.
    asked: HashMap<T, Instant>,
}

impl<T: Copy + Eq + Hash> Ration<T> {
    /// So many bits per second for replays.
    pub fn new(bits_per_second: u64, now: Instant) -> Self {
        let mut pacer = Pacer::new(now);
        pacer.set_rate(Some(bits_per_second), now);
        Self { pacer, queue: VecDeque::new(), asked: HashMap::new() }
    }

    /// Whether it is a viewer's turn to begin a replay now. Who may not keeps its place by asking again, and who may by not
    /// saying what became of it: [`Self::begun`] or [`Self::leave`].
    pub fn admits(&mut self, viewer: T, now: Instant) -> bool {
        self.keep_place(viewer, now);
        self.queue.front() == Some(&viewer) && self.pacer.allowance(now) > 0
    }

    /// A viewer has begun a replay of so many bytes.
    pub fn begun(&mut self, viewer: T, bytes: usize) {
        self.leave(viewer);
        self.pacer.spend(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A viewer wants no replay any more, or never did.
    pub fn leave(&mut self, viewer: T) {
        if self.asked.remove(&viewer).is_some()
            && let Some(at) = self.queue.iter().position(|waiting| *waiting == viewer)
        {
            self.queue.remove(at);
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn keep_place(&mut self, viewer: T, now: Instant) {
        if self.asked.insert(viewer, now).is_none() {
            self.queue.push_back(viewer);
        }
        let has_gone =
            |asked: Option<&Instant>| asked.is_none_or(|at| now.saturating_duration_since(*at) > FORGOTTEN);
        while let Some(first) = self.queue.front().filter(|first| has_gone(self.asked.get(first))) {
            self.asked.remove(first);
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE: usize = 1_000_000;

    /// Asks, and begins where it may.
    fn begins(ration: &mut Ration<u32>, viewer: u32, bytes: usize, now: Instant) -> bool {
        let begins = ration.admits(viewer, now);
        if begins {
            ration.begun(viewer, bytes);
        }
        begins
    }

    /// Viewers who ask every ten milliseconds until they are let in, in an order that is not the queue's.
    fn served(ration: &mut Ration<u32>, start: Instant, mut viewers: Vec<u32>, time: Duration) -> Vec<u32> {
        let (mut now, mut served) = (start, Vec::new());
        while now < start + time {
            viewers.reverse();
            viewers.retain(|viewer| {
                let begins = begins(ration, *viewer, MEGABYTE, now);
                served.extend(begins.then_some(*viewer));
                !begins
            });
            now += Duration::from_millis(10);
        }
        served
    }

    #[test]
    fn who_comes_first_is_served_first_and_the_rate_is_kept() {
        let start = Instant::now();
        let mut ration = Ration::new(40_000_000, start);
        let now = start + Duration::from_secs(1);
        for viewer in 0..20 {
            // The first finds what was saved up; a megabyte costs a fifth of a second.
            assert_eq!(begins(&mut ration, viewer, MEGABYTE, now), viewer == 0);
        }
        assert_eq!(ration.waiting(), 19);
        let order = served(&mut ration, now, (1..20).collect(), Duration::from_secs(2));
        assert_eq!(order, (1..=u32::try_from(order.len()).unwrap()).collect::<Vec<_>>());
        assert!((9..=11).contains(&order.len()), "five a second: {order:?}");
    }

    #[test]
    fn who_has_gone_keeps_nobody_waiting() {
        let start = Instant::now();
        let mut ration = Ration::new(40_000_000, start);
        let now = start + Duration::from_secs(1);
        assert!(begins(&mut ration, 0, MEGABYTE, now));
        assert!(!ration.admits(1, now) && !ration.admits(2, now));
        let later = now + Duration::from_millis(590);
        assert!(!ration.admits(2, later), "the other may still ask");
        assert!(begins(&mut ration, 2, MEGABYTE, later + Duration::from_millis(20)));
        assert_eq!(ration.waiting(), 0);
    }

    #[test]
    fn who_leaves_lets_the_next_in_at_once() {
        let start = Instant::now();
        let mut ration = Ration::new(40_000_000, start);
        let now = start + Duration::from_secs(1);
        assert!(begins(&mut ration, 0, MEGABYTE, now));
        assert!(![1, 2, 3].into_iter().any(|viewer| ration.admits(viewer, now)));
        ration.leave(1);
        ration.leave(1);
        ration.leave(7);
        assert_eq!(ration.waiting(), 2);
        let later = now + Duration::from_millis(250);
        assert!(!ration.admits(1, later), "who comes back comes last");
        assert!(begins(&mut ration, 2, MEGABYTE, later));
    }

    #[test]
    fn whose_turn_comes_to_nothing_has_cost_nobody_anything() {
        let start = Instant::now();
        let mut ration = Ration::new(40_000_000, start);
        let now = start + Duration::from_secs(1);
        assert!(ration.admits(0, now));
        assert!(!ration.admits(1, now), "its turn is taken");
        ration.leave(0);
        assert!(ration.admits(1, now));
    }

    #[test]
    fn an_idle_shard_saves_up_no_more_than_a_moment() {
        let start = Instant::now();
        let mut ration = Ration::new(40_000_000, start);
        let later = start + Duration::from_secs(3_600);
        let begun = (0..100).filter(|viewer| begins(&mut ration, *viewer, MEGABYTE / 10, later)).count();
        assert!(begun <= 6, "{begun}: a tenth of a second's worth and one that goes over it");
    }
}
