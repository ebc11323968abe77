//! The addresses that answers name.

use super::PlaneSettings;
use crate::live::rtc::sdp::Candidate;
use parking_lot::Mutex;
use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// How long a look at the machine's interfaces holds: they rarely change, and offers come in bursts.
const FRESH: Duration = Duration::from_secs(5);

/// Addresses in an answer at most: each costs a client a check of every one of its own.
const MOST: usize = 8;

pub(super) struct Addresses {
    bound: SocketAddr,
    announced: Vec<SocketAddr>,
    offers_loopback: bool,
    has_ipv6: bool,
    seen: Mutex<Option<(Instant, Vec<Candidate>)>>,
}

impl Addresses {
    /// `port` is the bound one; `has_ipv6` says whether a socket is bound for IPv6.
    pub(super) fn new(settings: &PlaneSettings, port: u16, has_ipv6: bool) -> Self {
        let announced = settings.announce.iter().map(|address| match address.port() {
            0 => SocketAddr::new(address.ip(), port),
            _ => *address,
        });
        Self {
            bound: SocketAddr::new(settings.udp.ip(), port),
            announced: announced.collect(),
            offers_loopback: settings.offers_loopback,
            has_ipv6,
            seen: Mutex::default(),
        }
    }

    /// Where peers may try to reach this process.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let mut seen = self.seen.lock();
        match &*seen {
            Some((at, candidates)) if at.elapsed() < FRESH => candidates.clone(),
            _ => {
                let machine = if_addrs::get_if_addrs().unwrap_or_else(|error| {
                    tracing::warn!(%error, "the machine's addresses cannot be read; set live.announce");
                    Vec::new()
                });
                let candidates = self.choose(machine.iter().map(if_addrs::Interface::ip));
                *seen = Some((Instant::now(), candidates.clone()));
                candidates
            }
        }
    }

    /// What was announced, or else what is bound and can be reached; loopback last.
    fn choose(&self, machine: impl Iterator<Item = IpAddr>) -> Vec<Candidate> {
        let reachable: Vec<IpAddr> = match self.bound.ip() {
            ip if !ip.is_unspecified() => vec![ip],
            ip if ip.is_ipv6() => machine.filter(IpAddr::is_ipv6).collect(),
            _ => machine.filter(|address| self.has_ipv6 || address.is_ipv4()).collect(),
        };
        let port = self.bound.port();
        let mut chosen = self.announced.clone();
        if chosen.is_empty() {
            let own = reachable.iter().filter(|address| !address.is_loopback() && is_global_enough(address));
            chosen.extend(own.map(|address| SocketAddr::new(*address, port)));
        }
        if self.offers_loopback {
            let loopback = reachable.iter().filter(|address| address.is_loopback());
            chosen.extend(loopback.map(|address| SocketAddr::new(*address, port)));
        }
        // IPv4 first among equals: it works in more places.
        chosen.sort_by_key(|address| (address.ip().is_loopback(), address.is_ipv6()));
        chosen.truncate(MOST);
        chosen.into_iter().map(Candidate::host).collect()
    }
}

/// Link-local IPv6 needs a zone, which candidates cannot carry; link-local IPv4 is what a machine without a network has.
fn is_global_enough(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(settings: &PlaneSettings) -> Vec<String> {
        let machine = ["127.0.0.1", "10.0.0.5", "::1", "fe80::1", "2001:db8::5", "169.254.1.1"];
        let machine = machine.iter().map(|address| address.parse().expect("an address"));
        let candidates = Addresses::new(settings, 8189, true).choose(machine);
        candidates.iter().map(|candidate| candidate.address.to_string()).collect()
    }

    fn settings(udp: &str) -> PlaneSettings {
        PlaneSettings::at(udp.parse().expect("an address"))
    }

    #[test]
    fn every_address_that_can_be_reached_is_offered_and_loopback_only_where_it_serves() {
        let mut any = settings("0.0.0.0:8189");
        assert_eq!(chosen(&any), ["10.0.0.5:8189", "[2001:db8::5]:8189"]);
        any.offers_loopback = true;
        assert_eq!(chosen(&any)[2..], ["127.0.0.1:8189", "[::1]:8189"]);
        assert_eq!(chosen(&settings("127.0.0.1:8189")), ["127.0.0.1:8189"]);
        assert_eq!(chosen(&settings("10.0.0.5:8189")), ["10.0.0.5:8189"]);
    }

    #[test]
    fn announced_addresses_take_the_place_of_the_machines_own() {
        let mut behind_nat = settings("0.0.0.0:8189");
        behind_nat.announce =
            ["203.0.113.7:0", "203.0.113.7:9000"].map(|a| a.parse().expect("an address")).into();
        assert_eq!(chosen(&behind_nat), ["203.0.113.7:8189", "203.0.113.7:9000"]);
    }
}
