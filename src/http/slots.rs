//! How many connections a listener has, in all and per address (of IPv6: per /64).

use crate::{
    auth::{Network, network_of},
    config::Config,
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Counts connections. Clones share the count.
#[derive(Clone, Debug)]
pub struct Slots {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    all: AtomicUsize,
    most: usize,
    /// 0 is off, and then the map stays empty. Otherwise bounded by the connections there are.
    most_per_address: usize,
    by_address: Mutex<HashMap<Network, usize>>,
}

/// One connection's place; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Slot {
    shared: Arc<Shared>,
    /// Whose it is; none where many share a connection.
    address: Option<Network>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// `http.connections` is reached.
    All,
    /// `limits.connections_per_address` is reached.
    Address,
}

impl Slots {
    /// For sockets that come through proxies, which the listener cannot count by address.
    pub fn behind_proxies(config: &Config) -> Self {
        Self::new(config.http.connections, config.limits.connections_per_address)
    }

    /// `most_per_address` 0 is off.
    pub(super) fn new(most: usize, most_per_address: usize) -> Self {
        let by_address = Mutex::default();
        Self { shared: Arc::new(Shared { all: AtomicUsize::new(0), most, most_per_address, by_address }) }
    }

    /// Takes a place.
    pub(super) fn take(&self, address: IpAddr) -> Result<Slot, Full> {
        let (shared, address) = (&self.shared, network_of(address));
        if shared.most_per_address > 0 {
            let mut by_address = shared.by_address.lock();
            let count = by_address.entry(address).or_default();
            if *count >= shared.most_per_address {
                return Err(Full::Address);
            }
            *count += 1;
        }
        self.counted(Slot { shared: shared.clone(), address: Some(address) })
    }

    /// Takes a place that is no one address's.
    pub(super) fn take_unnamed(&self) -> Result<Slot, Full> {
        self.counted(Slot { shared: self.shared.clone(), address: None })
    }

    /// The slot exists already, so that its drop undoes both counts.
    fn counted(&self, slot: Slot) -> Result<Slot, Full> {
        let shared = &self.shared;
        if shared.all.fetch_add(1, Ordering::Relaxed) >= shared.most {
            return Err(Full::All);
        }
        Ok(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.all.fetch_sub(1, Ordering::Relaxed);
        let Some(address) = self.address.filter(|_| self.shared.most_per_address > 0) else { return };
        let mut by_address = self.shared.by_address.lock();
        if let Some(count) = by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_when_connections_end() {
        let slots = Slots::new(3, 2);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = slots.take(one).expect("free");
        let _second = slots.take(one).expect("free");
        assert_eq!(slots.take(one).expect_err("two from one address"), Full::Address);
        let third = slots.take(other).expect("free");
        assert_eq!(slots.take(other).expect_err("three in all"), Full::All);
        assert_eq!(slots.take_unnamed().expect_err("whoever it is"), Full::All);
        drop(first);
        drop(slots.take_unnamed().expect("free"));
        assert!(slots.take(one).is_ok());
        drop(third);
        assert!(
            !slots.shared.by_address.lock().contains_key(&network_of(other)),
            "an address without connections is forgotten"
        );
    }
}
