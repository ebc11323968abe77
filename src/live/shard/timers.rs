//! When which peer wants to be looked at: an ordered queue in which an entry that was overtaken is left to be skipped.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

/// Deadlines of peers by their place in the shard.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BinaryHeap<Reverse<(Instant, usize)>>,
}

/// What one peer has in the queue: its earliest entry, which alone counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alarm(Option<Instant>);

/// Deadlines closer to each other than this are one: a shard wakes for both at once.
const GRAIN: Duration = Duration::from_micros(500);

impl Timers {
    /// Sees to it that the peer is looked at by `due`.
    pub(super) fn arm(&mut self, place: usize, alarm: &mut Alarm, due: Instant) {
        if alarm.0.is_some_and(|armed| armed <= due + GRAIN) {
            return;
        }
        alarm.0 = Some(due);
        self.queue.push(Reverse((due, place)));
    }

    /// When the next peer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((due, _))| *due)
    }

    /// The next peer that is due, with the entry that called it.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(usize, Instant)> {
        let Reverse((due, place)) = *self.queue.peek()?;
        (due <= now).then(|| {
            self.queue.pop();
            (place, due)
        })
    }
}

impl Alarm {
    /// Whether the entry is the one that counts; it is spent then.
    pub(super) fn rings(&mut self, entry: Instant) -> bool {
        let rings = self.0 == Some(entry);
        if rings {
            self.0 = None;
        }
        rings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_deadline_of_a_peer_counts_and_the_others_are_skipped() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (mut timers, mut one, mut other) = (Timers::default(), Alarm::default(), Alarm::default());
        timers.arm(1, &mut one, at(50));
        timers.arm(2, &mut other, at(30));
        timers.arm(1, &mut one, at(10));
        timers.arm(1, &mut one, at(40));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop(at(5)), None);

        let (place, entry) = timers.pop(at(60)).expect("due");
        assert!(place == 1 && one.rings(entry));
        let (place, entry) = timers.pop(at(60)).expect("due");
        assert!(place == 2 && other.rings(entry));
        let (place, entry) = timers.pop(at(60)).expect("the overtaken entry");
        assert!(place == 1 && !one.rings(entry));
        assert_eq!(timers.next(), None);
    }
}
