//! A ceiling on what is sent to one viewer, as a bucket of bytes that fills with time.
//!
//! Owns the arithmetic alone. Media is normally sent as it comes, without a ceiling; one is set while a viewer's address is not
//! confirmed, and for the bursts of a probe.

use std::time::{Duration, Instant};

/// How much may be saved up while nothing is sent: a few packets of sound.
const SAVED: Duration = Duration::from_millis(100);

/// A packet may always be saved up for, however low the rate.
const LEAST_SAVED: i64 = 1_500;

/// Says how many bytes may leave now.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    /// Bits per second.
    rate: Option<u64>,
    /// Bytes that may leave; below zero after a packet that was larger.
    level: i64,
    filled: Instant,
}

impl Pacer {
    /// Without a ceiling.
    pub fn new(now: Instant) -> Self {
        Self { rate: None, level: 0, filled: now }
    }

    /// Sets or lifts the ceiling, in bits per second.
    pub fn set_rate(&mut self, rate: Option<u64>, now: Instant) {
        self.fill(now);
        self.rate = rate.map(|rate| rate.max(1));
        self.level = self.level.min(self.most());
    }

    /// Whether there is a ceiling.
    pub fn is_limited(&self) -> bool {
        self.rate.is_some()
    }

    /// Bytes that may leave now; a packet that goes over them is the last.
    pub fn allowance(&mut self, now: Instant) -> i64 {
        self.fill(now);
        if self.rate.is_some() { self.level } else { i64::MAX }
    }

    /// Notes that so many bytes left.
    pub fn spend(&mut self, bytes: i64) {
        if self.rate.is_some() {
            self.level = self.level.saturating_sub(bytes);
        }
    }

    /// When something may leave again; none where it may now.
    pub fn ready_at(&self) -> Option<Instant> {
        let rate = self.rate.filter(|_| self.level <= 0)?;
        let missing = self.level.unsigned_abs() + 1;
        Some(self.filled + Duration::from_nanos(missing.saturating_mul(8_000_000_000) / rate + 1))
    }

    fn most(&self) -> i64 {
        let bits = self.rate.unwrap_or(0).saturating_mul(SAVED.as_millis() as u64) / 1_000;
        LEAST_SAVED.max(i64::try_from(bits / 8).unwrap_or(i64::MAX))
    }

    fn fill(&mut self, now: Instant) {
        let Some(rate) = self.rate else {
            self.filled = now;
            return;
        };
        let passed = now.saturating_duration_since(self.filled).min(Duration::from_secs(60));
        let bytes = (passed.as_nanos() * u128::from(rate) / 8_000_000_000) as i64;
        // What is less than a byte stays with the time that made it.
        if bytes > 0 {
            self.level = self.level.saturating_add(bytes).min(self.most());
            self.filled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends packets of `size` bytes whenever the pacer lets it, for `seconds`; returns the bytes sent.
    fn send(pacer: &mut Pacer, start: Instant, seconds: u64, size: i64) -> i64 {
        let end = start + Duration::from_secs(seconds);
        let (mut now, mut bytes) = (start, 0);
        while now < end {
            if pacer.allowance(now) > 0 {
                pacer.spend(size);
                bytes += size;
            }
            now = pacer.ready_at().unwrap_or(now).max(now + Duration::from_micros(100));
        }
        bytes
    }

    #[test]
    fn without_a_ceiling_everything_leaves_at_once() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        pacer.spend(1 << 40);
        assert_eq!(pacer.allowance(now), i64::MAX);
        assert_eq!(pacer.ready_at(), None);
    }

    #[test]
    fn a_ceiling_holds_for_large_and_small_packets() {
        for size in [60, 1_200] {
            let start = Instant::now();
            let mut pacer = Pacer::new(start);
            pacer.set_rate(Some(100_000), start);
            let bytes = send(&mut pacer, start, 10, size);
            let allowed = 10 * 100_000 / 8;
            assert!(
                (allowed - 2_000..=allowed + 2_000).contains(&bytes),
                "{bytes} of {allowed} in packets of {size}"
            );
        }
    }

    #[test]
    fn silence_saves_up_little() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start);
        pacer.set_rate(Some(100_000), start);
        assert_eq!(pacer.allowance(start + Duration::from_secs(3_600)), LEAST_SAVED);
    }

    #[test]
    fn what_was_saved_without_a_ceiling_is_not_spent_under_one() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start);
        pacer.set_rate(Some(100_000_000), start);
        let later = start + Duration::from_secs(1);
        assert!(pacer.allowance(later) > 1_000_000);
        pacer.set_rate(Some(100_000), later);
        assert_eq!(pacer.allowance(later), LEAST_SAVED);
    }
}
