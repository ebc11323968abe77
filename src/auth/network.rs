//! Whom an address belongs to, for everything that is counted by address.

use std::net::IpAddr;

/// What one household or machine has: an address of IPv4, or a /64 of IPv6, from which it may choose as many as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network([u8; 8]);

/// The network of an address; one of IPv4 that is written as IPv6 is the same as without.
pub fn network_of(address: IpAddr) -> Network {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            // No network of IPv6 begins like this: ::/64 is reserved (RFC 4291 §2.5).
            Network([0, 0, 0, 0, a, b, c, d])
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h, ..] = v6.octets();
            Network([a, b, c, d, e, f, g, h])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_of_ipv6_are_one() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
