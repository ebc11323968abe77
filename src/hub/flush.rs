//! The adaptive flush of a channel: what is said to very many readers in quick succession goes out together.
//!
//! Pure: time goes in as an argument. A fan-out costs a wake and a system call for each reader, whatever it carries, and
//! these are nearly all of its cost. So a fan-out is followed by a pause that is as long as its readers are many; what comes
//! in the pause waits for its end. A channel with few readers, or one that speaks more seldom, never waits: a channel of up to
//! 1,000 readers that would keep a processor busy with wakes and writes alone keeps it half busy.

use super::delivery::Delivery;
use std::{mem, sync::Arc};

/// Microseconds of pause for each reader: about twice what waking one and writing to its socket costs.
const PAUSE_US: u64 = 20;

/// What waits at most, in pushes: beyond it a longer wait shares nothing more worth having, and the smallest outbox holds as many.
const WAITING: usize = 16;

/// The same in bytes of what they tell: a sixteenth of a reader's outbox.
const WAITING_BYTES: usize = 64 << 10;

/// When a channel spoke last, and what waits since.
#[derive(Debug, Default)]
pub(super) struct Flush {
    waiting: Vec<Arc<Delivery>>,
    waiting_bytes: usize,
    /// When the pause is over, in milliseconds of a steady clock.
    free_at: u64,
}

/// What becomes of deliveries that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Turn {
    /// They go out at once, after what waits.
    Now,
    /// They wait for others: somebody has to come back after so many milliseconds.
    After(u64),
    /// They wait, and somebody comes already.
    Joined,
}

impl Flush {
    /// Whether deliveries that come at `now` wait; if so they are taken.
    pub(super) fn turn(&mut self, now: u64, deliveries: &mut Vec<Arc<Delivery>>) -> Turn {
        let bytes: usize = deliveries.iter().map(|delivery| delivery.data().as_bytes().len()).sum();
        let is_too_much = self.waiting.len() + deliveries.len() > WAITING
            || self.waiting_bytes.saturating_add(bytes) > WAITING_BYTES;
        if now >= self.free_at || is_too_much {
            return Turn::Now;
        }
        self.waiting_bytes += bytes;
        let is_first = self.waiting.is_empty();
        self.waiting.append(deliveries);
        if is_first { Turn::After(self.free_at - now) } else { Turn::Joined }
    }

    /// What waits, oldest first.
    pub(super) fn take(&mut self) -> Vec<Arc<Delivery>> {
        self.waiting_bytes = 0;
        mem::take(&mut self.waiting)
    }

    /// A fan-out to so many readers at `now`: a pause of `longest_ms` at most begins.
    pub(super) fn spoke(&mut self, now: u64, readers: usize, longest_ms: u64) {
        let others = readers.saturating_sub(1) as u64;
        let pause = others.saturating_mul(PAUSE_US) / 1_000;
        self.free_at = now + pause.min(longest_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::Signal;
    use communiconnect_protocol::Data;

    const LONGEST_MS: u64 = 20;

    fn some(count: usize) -> Vec<Arc<Delivery>> {
        let one = || Signal {
            channel: "test:a".parse().expect("a test channel"),
            event: "e".into(),
            data: Data::of(&0),
        };
        (0..count).map(|_| Delivery::signal(one())).collect()
    }

    /// Says one thing each `pace` ms for a second to so many readers; answers fan-outs and the longest wait.
    fn speak(readers: usize, pace: u64) -> (usize, u64) {
        let (mut flush, mut fan_outs, mut longest) = (Flush::default(), 0, 0);
        let (mut oldest, mut due) = (None, None);
        for now in 0..1_100 {
            if due.is_some_and(|due| now >= due) {
                assert!(!flush.take().is_empty(), "somebody comes for what waits");
                flush.spoke(now, readers, LONGEST_MS);
                longest = longest.max(now - oldest.take().expect("something waits"));
                (due, fan_outs) = (None, fan_outs + 1);
            }
            if now % pace > 0 || now >= 1_000 {
                continue;
            }
            match flush.turn(now, &mut some(1)) {
                Turn::Now => {
                    flush.spoke(now, readers, LONGEST_MS);
                    fan_outs += 1;
                }
                Turn::After(wait) => (oldest, due) = (Some(now), Some(now + wait)),
                Turn::Joined => assert!(due.is_some()),
            }
        }
        assert!(flush.take().is_empty(), "nothing is left behind");
        (fan_outs, longest)
    }

    #[test]
    fn few_readers_never_wait() {
        assert_eq!(speak(50, 1), (1_000, 0));
    }

    #[test]
    fn a_channel_that_speaks_seldom_never_waits() {
        assert_eq!(speak(100_000, 20), (50, 0));
    }

    #[test]
    fn a_busy_channel_of_many_readers_speaks_as_often_as_it_may() {
        let (fan_outs, longest) = speak(1_000, 5);
        assert!((45..=55).contains(&fan_outs), "{fan_outs} fan-outs");
        assert!(longest <= LONGEST_MS, "waited {longest} ms");
        let (fan_outs, longest) = speak(100, 1);
        assert!((450..=1_000).contains(&fan_outs), "{fan_outs} fan-outs");
        assert!(longest <= 2, "waited {longest} ms");
    }

    #[test]
    fn what_waits_is_bounded_and_keeps_its_order() {
        let mut flush = Flush::default();
        flush.spoke(0, 1_000, LONGEST_MS);
        let all = some(WAITING + 1);
        for (place, delivery) in all.iter().enumerate() {
            let mut one = vec![Arc::clone(delivery)];
            let turn = flush.turn(1, &mut one);
            match place {
                0 => assert_eq!(turn, Turn::After(18)),
                _ if place < WAITING => assert_eq!(turn, Turn::Joined),
                _ => {
                    assert_eq!((turn, one.len()), (Turn::Now, 1), "beyond the bound it is the caller's again")
                }
            }
        }
        let taken = flush.take();
        assert!(taken.iter().zip(&all).all(|(taken, given)| Arc::ptr_eq(taken, given)));
        assert_eq!(taken.len(), WAITING);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_too() {
        let long = || Signal {
            channel: "test:a".parse().expect("a test channel"),
            event: "e".into(),
            data: Data::of(&"x".repeat(WAITING_BYTES / 2)),
        };
        let mut flush = Flush::default();
        flush.spoke(0, 1_000, LONGEST_MS);
        assert_ne!(flush.turn(1, &mut vec![Delivery::signal(long())]), Turn::Now);
        assert_eq!(flush.turn(1, &mut vec![Delivery::signal(long())]), Turn::Now);
        assert_eq!(flush.take().len(), 1);
        assert_ne!(flush.turn(1, &mut vec![Delivery::signal(long())]), Turn::Now, "there is room again");
    }

    #[test]
    fn the_pause_can_be_switched_off() {
        let mut flush = Flush::default();
        flush.spoke(5, 1_000_000, 0);
        assert_eq!(flush.turn(5, &mut some(1)), Turn::Now);
    }
}
