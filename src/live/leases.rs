//! What a lease that has run out says of the node that held it.
//!
//! Leases are renewed in the store. While the store answers nobody, nobody can renew, and one that ran out meanwhile says
//! nothing: its holder gets as long as a whole lease to come back once the store answers again. Pure: the time goes in.

use super::settings::{LEASE, RENEW_EVERY};
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// An answer that took longer tells of an outage that has just ended: others may still wait for theirs.
const SLOW: Duration = Duration::from_secs(1);

/// Milliseconds of a lease that are left when the second renewal was missed: a holder that lives does not let it come to that.
const LEFT_IN_SILENCE: i64 = LEASE.saturating_sub(RENEW_EVERY.saturating_mul(2)).as_millis() as i64;

/// Since when the store answers without a break, as far as this node knows.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<Option<Instant>>);

impl Leases {
    /// The store has answered, after so long.
    pub(super) fn answered(&self, now: Instant, took: Duration) {
        let mut since = self.0.lock();
        if took > SLOW {
            *since = None;
        }
        since.get_or_insert(now);
    }

    /// The store could not be asked.
    pub(super) fn unanswered(&self) {
        *self.0.lock() = None;
    }

    /// Whether everybody has had the time to renew.
    pub(super) fn are_trusted(&self, now: Instant) -> bool {
        self.0.lock().is_some_and(|since| now.saturating_duration_since(since) >= LEASE)
    }

    /// Whether who holds a lease until then has missed two renewals: it is most likely gone, and may still come back.
    pub(super) fn is_silent(&self, until: i64, now: Instant, now_ms: i64) -> bool {
        self.are_trusted(now) && until.saturating_sub(now_ms) < LEFT_IN_SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(2);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_lease_says_nothing_until_the_store_has_answered_for_as_long() {
        let (leases, begun) = (Leases::default(), Instant::now());
        assert!(!leases.are_trusted(begun + LEASE), "it was never asked");
        leases.answered(begun, MOMENT);
        leases.answered(begun + LEASE / 2, MOMENT);
        assert!(!leases.are_trusted(begun + LEASE - SECOND) && leases.are_trusted(begun + LEASE));
        leases.unanswered();
        assert!(!leases.are_trusted(begun + LEASE));
        leases.answered(begun + LEASE, MOMENT);
        assert!(!leases.are_trusted(begun + LEASE * 2 - SECOND) && leases.are_trusted(begun + LEASE * 2));
    }

    #[test]
    fn an_answer_that_took_long_is_the_end_of_an_outage() {
        let (leases, begun) = (Leases::default(), Instant::now());
        leases.answered(begun, MOMENT);
        leases.answered(begun + LEASE, SLOW + MOMENT);
        assert!(!leases.are_trusted(begun + LEASE) && leases.are_trusted(begun + LEASE * 2));
    }

    #[test]
    fn whoever_has_missed_two_renewals_is_silent() {
        let (leases, begun, now) = (Leases::default(), Instant::now(), 1_000_000);
        let until = |ago: Duration| now + (LEASE - ago).as_millis() as i64;
        leases.answered(begun, MOMENT);
        let later = begun + LEASE;
        assert!(!leases.is_silent(until(RENEW_EVERY * 2), later, now));
        assert!(leases.is_silent(until(RENEW_EVERY * 2 + SECOND), later, now));
        assert!(!leases.is_silent(until(RENEW_EVERY * 2 + SECOND), begun, now), "who could know?");
    }
}
