//! What a lease that is not renewed says of the node that held it.
//!
//! A lease is renewed in the store, each time with another value. How long one has stayed the same is counted by this node's
//! own steady clock from when it was first seen: what a node's wall clock says, which may be off by any time, counts for
//! nobody else. While the store answers nobody, nobody can renew, and one that stays the same says nothing: then counting
//! begins anew once the store answers again. Pure: the time goes in.

use super::settings::{LEASE, RENEW_EVERY};
use crate::store::lives::{Held, Lease};
use communiconnect_protocol::LiveId;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// A page that took longer tells of an outage that has just ended: others may still wait for theirs.
const SLOW: Duration = Duration::from_secs(1);

/// After this long without a renewal two have been missed: a holder that lives does not let it come to that.
const SILENCE: Duration = RENEW_EVERY.saturating_mul(2);

/// The leases of all running lives as they were last seen, and since when each is the same. As many as the store tells.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<LiveId, Seen>>);

/// Some of the leases, as the store has told them.
#[derive(Debug)]
pub(super) struct Page {
    /// From the question until the answer.
    pub(super) took: Duration,
    pub(super) held: Vec<Held>,
}

#[derive(Debug)]
struct Seen {
    lease: Lease,
    since: Instant,
}

impl Leases {
    /// The store, asked then and again after each page, has told all leases; answers those that have run out.
    pub(super) fn told(&self, mut asked: Instant, pages: Vec<Page>) -> Vec<Held> {
        let mut seen = self.0.lock();
        let mut before = std::mem::take(&mut *seen);
        if pages.iter().any(|page| page.took > SLOW) {
            before.clear();
        }
        let mut run_out = Vec::new();
        for Page { took, held } in pages {
            let answered = asked + took;
            for Held { id, lease } in held {
                let since = match before.remove(&id) {
                    Some(seen) if seen.lease == lease => seen.since,
                    _ => answered,
                };
                if asked.saturating_duration_since(since) >= LEASE {
                    run_out.push(Held { id, lease: lease.clone() });
                }
                seen.insert(id, Seen { lease, since });
            }
            asked = answered;
        }
        run_out
    }

    /// The store could not be asked.
    pub(super) fn unanswered(&self) {
        self.0.lock().clear();
    }

    /// Whether the holder of this lease, which stands still, has missed two renewals: it is most likely gone, and may come
    /// back.
    pub(super) fn is_silent(&self, live: LiveId, lease: &Lease, now: Instant) -> bool {
        let seen = self.0.lock();
        seen.get(&live)
            .is_some_and(|seen| seen.lease == *lease && now.saturating_duration_since(seen.since) > SILENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(2);
    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: i64 = 60_000;
    const LIVE: LiveId = LiveId::NOTHING;

    /// A node that carries a live, by a clock that is off by `off` milliseconds.
    struct Holder {
        off: i64,
    }

    impl Holder {
        /// The lease that it wrote last, so long after the beginning of time.
        fn lease(&self, passed: Duration) -> Lease {
            let renewals = passed.as_millis() / RENEW_EVERY.as_millis();
            let renewed = renewals * RENEW_EVERY.as_millis() + LEASE.as_millis();
            Lease { node: "holder".into(), until: self.off + 1_000_000 + renewed as i64 }
        }
    }

    fn held(lease: Lease) -> Vec<Held> {
        vec![Held { id: LIVE, lease }]
    }

    fn page(took: Duration, held: Vec<Held>) -> Vec<Page> {
        vec![Page { took, held }]
    }

    #[test]
    fn who_renews_is_there_whatever_its_clock_says() {
        for off in [-MINUTE, 0, MINUTE] {
            let (leases, begun, holder) = (Leases::default(), Instant::now(), Holder { off });
            for second in 0..120 {
                let passed = SECOND * second;
                let lease = holder.lease(passed);
                assert_eq!(
                    leases.told(begun + passed, page(MOMENT, held(lease.clone()))),
                    [],
                    "{off} {second}"
                );
                assert!(!leases.is_silent(LIVE, &lease, begun + passed), "{off} {second}");
            }
        }
    }

    #[test]
    fn who_renews_no_more_is_silent_and_then_gone_whatever_its_clock_says() {
        for off in [-MINUTE, 0, MINUTE] {
            let (leases, begun) = (Leases::default(), Instant::now());
            let last = Holder { off }.lease(Duration::ZERO);
            assert_eq!(leases.told(begun, page(MOMENT, held(last.clone()))), []);
            let first = begun + MOMENT;
            assert!(!leases.is_silent(LIVE, &last, first + SILENCE));
            assert!(leases.is_silent(LIVE, &last, first + SILENCE + MOMENT));
            assert_eq!(leases.told(first + LEASE - MOMENT, page(MOMENT, held(last.clone()))), []);
            assert_eq!(leases.told(first + LEASE, page(MOMENT, held(last.clone()))), held(last));
        }
    }

    #[test]
    fn who_comes_back_is_there() {
        let (leases, begun, holder) = (Leases::default(), Instant::now(), Holder { off: -MINUTE });
        let last = holder.lease(Duration::ZERO);
        leases.told(begun, page(MOMENT, held(last.clone())));
        let renewed = holder.lease(RENEW_EVERY);
        assert!(!leases.is_silent(LIVE, &renewed, begun + LEASE), "it was renewed since it was last seen");
        assert_eq!(leases.told(begun + LEASE, page(MOMENT, held(renewed.clone()))), []);
        assert!(!leases.is_silent(LIVE, &last, begun + LEASE * 2), "another lease stands by now");
        assert!(leases.is_silent(LIVE, &renewed, begun + LEASE * 2));
    }

    #[test]
    fn a_lease_says_nothing_until_the_store_has_answered_for_as_long() {
        let (leases, begun) = (Leases::default(), Instant::now());
        let last = Holder { off: 0 }.lease(Duration::ZERO);
        let told = |at| leases.told(at, page(MOMENT, held(last.clone())));
        assert_eq!(told(begun), [], "it was never asked before");
        assert_eq!(told(begun + LEASE / 2), []);
        leases.unanswered();
        assert!(!leases.is_silent(LIVE, &last, begun + LEASE), "who could know?");
        assert_eq!(told(begun + LEASE), []);
        assert_eq!(told(begun + LEASE * 2 - SECOND), []);
        assert_eq!(told(begun + LEASE * 2 + MOMENT), held(last.clone()));
    }

    #[test]
    fn an_answer_that_took_long_is_the_end_of_an_outage() {
        let (leases, begun) = (Leases::default(), Instant::now());
        let last = Holder { off: 0 }.lease(Duration::ZERO);
        leases.told(begun, page(MOMENT, held(last.clone())));
        assert_eq!(leases.told(begun + LEASE, page(SLOW + MOMENT, held(last.clone()))), []);
        assert_eq!(leases.told(begun + LEASE * 2, page(MOMENT, held(last.clone()))), []);
        assert_eq!(leases.told(begun + LEASE * 3, page(MOMENT, held(last.clone()))), held(last));
    }

    #[test]
    fn many_pages_that_took_a_while_together_are_no_outage() {
        let (leases, begun) = (Leases::default(), Instant::now());
        let last = Holder { off: 0 }.lease(Duration::ZERO);
        let pages = || {
            let empty = (0..3).map(|_| Page { took: SLOW, held: Vec::new() });
            empty.chain(page(MOMENT, held(last.clone()))).collect()
        };
        let first = begun + SLOW * 3 + MOMENT;
        assert_eq!(leases.told(begun, pages()), []);
        assert!(
            !leases.is_silent(LIVE, &last, first + SILENCE),
            "it is counted from when its page was there"
        );
        assert_eq!(leases.told(begun + LEASE, pages()), [], "asked for that page too early");
        assert_eq!(leases.told(begun + LEASE + MOMENT, pages()), held(last));
    }

    #[test]
    fn nothing_is_kept_of_a_live_that_runs_no_longer() {
        let (leases, begun) = (Leases::default(), Instant::now());
        leases.told(begun, page(MOMENT, held(Holder { off: 0 }.lease(Duration::ZERO))));
        leases.told(begun + SECOND, page(MOMENT, Vec::new()));
        assert!(leases.0.lock().is_empty());
    }
}
