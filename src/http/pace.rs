//! How many requests of a kind per second come over HTTP from one person, or from one network where nobody is named.

use crate::{auth::Network, config::Config};
use communiconnect_protocol::{Code, ErrorBody, UserId};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference},
    state::keyed::DashMapStateStore,
};
use parking_lot::Mutex;
use std::{num::NonZeroU32, time::Duration};

/// Whom a request counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A person.
    Person(UserId),
    /// Guests by where they are.
    Guests(Network),
}

/// Counts requests of one kind over HTTP.
pub struct Pace {
    what: &'static str,
    limit: Option<Limit>,
    clock: DefaultClock,
}

struct Limit {
    sources: RateLimiter<Source, DashMapStateStore<Source>, DefaultClock>,
    swept: Mutex<<DefaultClock as Clock>::Instant>,
}

/// Who has rested for a second has the full allowance again and is forgotten, which bounds memory by what can come in
/// within that time.
const REST: Duration = Duration::from_secs(1);

impl Pace {
    /// Of commands, as `limits.commands_per_second_user` has it; `limits.rates=off` lets everything through.
    pub fn of_commands(config: &Config) -> Self {
        Self::new("commands", config.limits.commands_per_second_user, config)
    }

    /// Of what makes, changes and ends media sessions, as `limits.signalling_per_second_address` has it.
    pub fn of_signalling(config: &Config) -> Self {
        Self::new("requests for media", config.limits.signalling_per_second_address, config)
    }

    /// Of uploads and their bytes, as `limits.media_per_second` has it.
    pub fn of_media(config: &Config) -> Self {
        Self::new("requests for files", config.limits.media_per_second, config)
    }

    fn new(what: &'static str, per_second: u32, config: &Config) -> Self {
        let clock = DefaultClock::default();
        let per_second = NonZeroU32::new(per_second);
        let limit = per_second.filter(|_| config.limits.rates).map(|per_second| Limit {
            sources: RateLimiter::dashmap_with_clock(Quota::per_second(per_second), clock.clone()),
            swept: Mutex::new(clock.now()),
        });
        Self { what, limit, clock }
    }

    /// Counts one, or tells when the next is possible.
    pub(super) fn take(&self, source: Source) -> Result<(), ErrorBody> {
        let Some(limit) = &self.limit else { return Ok(()) };
        let now = self.clock.now();
        self.sweep(limit, now);
        limit.sources.check_key(&source).map_err(|until| {
            let wait = u64::try_from(until.wait_time_from(now).as_millis()).unwrap_or(u64::MAX).max(1);
            let message = format!("too many {}: wait a little", self.what);
            ErrorBody::new(Code::RateLimited, message).retry_after(wait)
        })
    }

    fn sweep(&self, limit: &Limit, now: <DefaultClock as Clock>::Instant) {
        let Some(mut swept) = limit.swept.try_lock() else { return };
        if Duration::from(now.duration_since(*swept)) >= REST {
            *swept = now;
            limit.sources.retain_recent();
            limit.sources.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::network_of;

    fn pace(pairs: &[(&str, &str)]) -> Pace {
        Pace::of_commands(&Config::with(pairs.iter().copied()).expect("good settings"))
    }

    #[test]
    fn one_source_takes_nothing_from_another() {
        let pace = pace(&[("limits.commands_per_second_user", "1")]);
        let guests = |address: &str| Source::Guests(network_of(address.parse().expect("an address")));
        let person = Source::Person(UserId::new(1));
        assert_eq!(pace.take(person), Ok(()));
        let refused = pace.take(person).expect_err("the second at once");
        assert_eq!(refused.code, Code::RateLimited);
        assert!((1..=1_000).contains(&refused.retry_after_ms.expect("told")));
        assert_eq!(pace.take(guests("2001:db8::1")), Ok(()));
        assert!(pace.take(guests("2001:db8::2")).is_err(), "of the same /64");
        assert_eq!(pace.take(guests("2001:db8:0:1::1")), Ok(()));
    }

    #[test]
    fn load_tests_turn_it_off() {
        let pace = pace(&[("limits.commands_per_second_user", "1"), ("limits.rates", "off")]);
        let person = Source::Person(UserId::new(1));
        assert!((0..100).all(|_| pace.take(person).is_ok()));
    }
}
