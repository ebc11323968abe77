//! How often is too often: the generic cell rate algorithm (ITU-T I.371), with time passed in.
//!
//! `governor` does the same but reads a clock of its own, which a pure session must not.

/// A limit of so many per second, with a second's worth at once. One number of state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    /// When the next would come at an even pace, in microseconds.
    next: u64,
}

impl Rate {
    /// Takes one of `per_second` at `now` (milliseconds of any steady clock); otherwise answers after how many
    /// milliseconds there is one again. 0 per second is no limit.
    pub fn take(&mut self, now: u64, per_second: u32) -> Result<(), u64> {
        if per_second == 0 {
            return Ok(());
        }
        let now = now * 1_000;
        let interval = 1_000_000 / u64::from(per_second);
        let burst = 1_000_000 - interval;
        let next = self.next.max(now);
        if next - now > burst {
            return Err((next - now - burst).div_ceil(1_000));
        }
        self.next = next + interval;
        Ok(())
    }

    /// Counts `count` that were taken elsewhere; it delays by a second at most, however many there were.
    pub fn spend(&mut self, now: u64, count: u32, per_second: u32) {
        if per_second == 0 {
            return;
        }
        let now = now * 1_000;
        let interval = 1_000_000 / u64::from(per_second);
        self.next = (self.next.max(now) + interval * u64::from(count)).min(now + 1_000_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_at_once_then_an_even_pace() {
        let mut rate = Rate::default();
        let now = 5_000;
        assert_eq!((0..20).filter(|_| rate.take(now, 10).is_ok()).count(), 10);
        assert_eq!(rate.take(now, 10), Err(100));
        assert_eq!(rate.take(now + 99, 10), Err(1));
        assert_eq!(rate.take(now + 100, 10), Ok(()));
        assert_eq!(rate.take(now + 100, 10), Err(100));
        assert_eq!((0..20).filter(|_| rate.take(now + 60_000, 10).is_ok()).count(), 10);
    }

    #[test]
    fn what_was_taken_elsewhere_counts_here_but_for_no_longer_than_a_second() {
        let mut rate = Rate::default();
        rate.spend(0, 8, 10);
        assert_eq!((0..20).filter(|_| rate.take(0, 10).is_ok()).count(), 2);
        rate.spend(0, 1_000, 10);
        assert_eq!(rate.take(100, 10), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut rate = Rate::default();
        assert!((0..100).all(|_| rate.take(1, 0).is_ok()));
    }
}
