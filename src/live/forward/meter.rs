//! How much of something there was in the last second.

use std::time::{Duration, Instant};

/// Sums amounts over the last second, in ten steps. Constant memory, no allocation.
#[derive(Clone, Copy, Debug)]
pub struct RateMeter {
    began: Instant,
    /// The step that `steps` was last written in.
    newest: u64,
    steps: [u64; STEPS as usize],
}

impl RateMeter {
    /// A meter that begins to count.
    pub fn new(now: Instant) -> Self {
        Self { began: now, newest: 0, steps: [0; STEPS as usize] }
    }

    /// Counts `amount`.
    pub fn add(&mut self, now: Instant, amount: u64) {
        self.advance(now);
        self.steps[(self.newest % STEPS) as usize] += amount;
    }

    /// What was counted in the last second. A meter younger than that answers for as long as it has counted, a fifth of a
    /// second at least, put up to a second.
    pub fn per_second(&mut self, now: Instant) -> u64 {
        self.advance(now);
        let sum = self.steps.iter().sum::<u64>();
        let counted = now.saturating_duration_since(self.began).clamp(STEP * 2, STEP * STEPS as u32);
        (u128::from(sum) * 1_000 / counted.as_millis()) as u64
    }

    fn advance(&mut self, now: Instant) {
        let step = (now.saturating_duration_since(self.began).as_millis() / STEP.as_millis()) as u64;
        for passed in self.newest + 1..=step.min(self.newest + STEPS) {
            self.steps[(passed % STEPS) as usize] = 0;
        }
        self.newest = self.newest.max(step);
    }
}

const STEPS: u64 = 10;
const STEP: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_counted_and_then_forgotten() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut meter = RateMeter::new(start);
        meter.add(at(10), 100);
        assert_eq!(meter.per_second(at(100)), 500, "a young meter is put up to a second");
        for step in 1..20 {
            meter.add(at(step * 100), 100);
        }
        assert_eq!(meter.per_second(at(1_950)), 1_000);
        assert_eq!(meter.per_second(at(2_450)), 500);
        assert_eq!(meter.per_second(at(60_000)), 0);
        meter.add(at(60_001), 7);
        assert_eq!(meter.per_second(at(60_010)), 7);
    }
}
