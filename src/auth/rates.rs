//! How often somebody may try: registrations and logins.

use super::{error::AccountError, network::network_of, settings::AuthSettings};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference},
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed, keyed::DashMapStateStore},
};
use parking_lot::Mutex;
use std::{
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    time::Duration,
};

/// Addresses or names remembered per limit, some 100 bytes each. Beyond it all newcomers share one allowance, so that
/// whoever has many addresses gains nothing by using them and memory stays bounded.
const REMEMBERED: usize = 50_000;

/// How many times the allowance of one name at one address a whole address has, and a name from all addresses: a
/// classroom shares an address, and somebody who guesses from everywhere must not lock the owner out at once.
const WIDER: u32 = 10;

/// The limits of accounts.
pub(super) struct Rates<C: Clock = DefaultClock> {
    register: Option<Limit<C>>,
    login_pair: Option<Limit<C>>,
    login_address: Option<Limit<C>>,
    login_name: Option<Limit<C>>,
    hasher: RandomState,
}

impl<C: Clock + Clone> Rates<C> {
    pub(super) fn new(settings: &AuthSettings, clock: &C) -> Self {
        let per_hour = settings.register_per_hour_address.and_then(NonZeroU32::new).map(Quota::per_hour);
        let per_minute = settings.login_per_minute.and_then(NonZeroU32::new);
        let narrow = per_minute.map(Quota::per_minute);
        let wide = per_minute.map(|count| Quota::per_minute(count.saturating_mul(WIDER_COUNT)));
        let limit = |quota: Option<Quota>| quota.map(|quota| Limit::new(quota, clock.clone()));
        Self {
            register: limit(per_hour),
            login_pair: limit(narrow),
            login_address: limit(wide),
            login_name: limit(wide),
            hasher: RandomState::new(),
        }
    }

    /// Somebody wants to make an account.
    pub(super) fn register(&self, address: IpAddr) -> Result<(), AccountError> {
        self.take(&self.register, network_of(address))
    }

    /// Somebody tries a password for this name.
    pub(super) fn login(&self, address: IpAddr, name: &str) -> Result<(), AccountError> {
        let name = name.to_ascii_lowercase();
        self.take(&self.login_pair, (network_of(address), &name))?;
        self.take(&self.login_address, network_of(address))?;
        self.take(&self.login_name, &name)
    }

    /// Somebody shows a refresh token.
    pub(super) fn refresh(&self, address: IpAddr) -> Result<(), AccountError> {
        self.take(&self.login_address, network_of(address))
    }

    fn take(&self, limit: &Option<Limit<C>>, key: impl Hash) -> Result<(), AccountError> {
        match limit {
            Some(limit) => limit.take(self.hasher.hash_one(key)),
            None => Ok(()),
        }
    }
}

const WIDER_COUNT: NonZeroU32 = NonZeroU32::new(WIDER).expect("ten is not zero");

/// One limit for many keys, known by their hash (keyed at random, so that nobody can aim at another's).
struct Limit<C: Clock> {
    known: RateLimiter<u64, DashMapStateStore<u64>, C, NoOpMiddleware<C::Instant>>,
    newcomers: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    swept: Mutex<C::Instant>,
    clock: C,
}

/// How long newcomers share before those who have rested are forgotten once more: a sweep looks at all.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

impl<C: Clock + Clone> Limit<C> {
    fn new(quota: Quota, clock: C) -> Self {
        Self {
            known: RateLimiter::new(quota, DashMapStateStore::default(), clock.clone()),
            newcomers: RateLimiter::direct_with_clock(quota, clock.clone()),
            swept: Mutex::new(clock.now()),
            clock,
        }
    }

    fn is_full(&self) -> bool {
        if self.known.len() < REMEMBERED {
            return false;
        }
        let now = self.clock.now();
        if let Some(mut swept) = self.swept.try_lock()
            && now.duration_since(*swept) >= SWEEP_PAUSE.into()
        {
            *swept = now;
            self.known.retain_recent();
        }
        self.known.len() >= REMEMBERED
    }

    fn take(&self, key: u64) -> Result<(), AccountError> {
        let outcome = if self.is_full() { self.newcomers.check() } else { self.known.check_key(&key) };
        outcome.map_err(|too_soon| {
            let wait = too_soon.wait_time_from(self.clock.now()).as_millis();
            AccountError::RateLimited { retry_after_ms: u64::try_from(wait).unwrap_or(u64::MAX).max(1) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn rates(clock: &FakeRelativeClock) -> Rates<FakeRelativeClock> {
        let settings = AuthSettings {
            register_per_hour_address: Some(2),
            login_per_minute: Some(3),
            ..AuthSettings::default()
        };
        Rates::new(&settings, clock)
    }

    #[test]
    fn registrations_of_one_address_are_counted_and_come_back_with_time() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        assert_eq!(rates.register(HOME), Ok(()));
        assert_eq!(rates.register(HOME), Ok(()));
        assert_eq!(rates.register(HOME), Err(AccountError::RateLimited { retry_after_ms: 1_800_000 }));
        assert_eq!(rates.register(AWAY), Ok(()));
        clock.advance(Duration::from_millis(1_800_000));
        assert_eq!(rates.register(HOME), Ok(()));
    }

    #[test]
    fn guessing_one_name_stops_the_guesser_and_not_the_owner_elsewhere() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        for name in ["ann", "Ann", "ANN"] {
            assert_eq!(rates.login(HOME, name), Ok(()));
        }
        assert!(rates.login(HOME, "ann").is_err());
        assert_eq!(rates.login(HOME, "ben"), Ok(()));
        assert_eq!(rates.login(AWAY, "ann"), Ok(()));
    }

    #[test]
    fn guessing_one_name_from_everywhere_ends_too() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        let addresses = (0..40).map(|last| IpAddr::from([192, 0, 2, last]));
        assert_eq!(addresses.filter(|address| rates.login(*address, "ann").is_ok()).count(), 30);
    }

    #[test]
    fn memory_is_bounded_and_newcomers_then_share() {
        let clock = FakeRelativeClock::default();
        let limit = Limit::new(Quota::per_hour(NonZeroU32::new(2).unwrap()), clock.clone());
        for key in 0..REMEMBERED as u64 {
            limit.take(key).unwrap();
        }
        let taken = (0..10).filter(|key| limit.take(1_000_000 + key).is_ok()).count();
        assert_eq!((taken, limit.known.len()), (2, REMEMBERED));
        clock.advance(Duration::from_secs(3_600));
        limit.take(2_000_000).unwrap();
        assert!(limit.known.len() < 10);
    }

    #[test]
    fn off_means_off() {
        let settings = AuthSettings {
            register_per_hour_address: None,
            login_per_minute: None,
            ..AuthSettings::default()
        };
        let rates = Rates::new(&settings, &FakeRelativeClock::default());
        assert!((0..1_000).all(|_| rates.register(HOME).is_ok() && rates.login(HOME, "ann").is_ok()));
    }
}
