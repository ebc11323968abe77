//! Where a request really comes from when it came through proxies: what is counted by address is counted for that.
//!
//! Only what a trusted proxy says is believed, and of what it says only what trusted proxies have written: a chain is read
//! from its right end, where the nearest of them has put the address that it saw.

use crate::config::{ClientHeader, Config};
use axum::http::{HeaderMap, header};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The proxies in front of a listener.
#[derive(Clone, Debug)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: ClientHeader,
}

impl Proxies {
    /// Those of the settings.
    pub fn of(config: &Config) -> Self {
        Self { trusted: config.http.trusted_proxies.clone(), header: config.http.client_header }
    }

    /// None: every peer speaks for itself.
    pub fn none() -> Self {
        Self { trusted: Vec::new(), header: ClientHeader::XForwardedFor }
    }

    /// Whether this address is a proxy's.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Whose request it is that came from `peer`: the first address from the right that is no trusted proxy's. Where the
    /// chain ends or cannot be read before that, it is the last proxy's own.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut known = peer.to_canonical();
        if !self.trusts(known) {
            return known;
        }
        let name = match self.header {
            ClientHeader::XForwardedFor => "x-forwarded-for",
            ClientHeader::Forwarded => header::FORWARDED.as_str(),
        };
        let fields: Vec<_> = headers.get_all(name).iter().map(|field| field.as_bytes()).collect();
        let hops = fields.into_iter().rev().flat_map(|field| match self.header {
            ClientHeader::XForwardedFor => field.rsplit(|&byte| byte == b',').collect(),
            ClientHeader::Forwarded => parts_from_right(field, b','),
        });
        for hop in hops {
            let named = match self.header {
                ClientHeader::XForwardedFor => address(hop),
                ClientHeader::Forwarded => forwarded_for(hop).and_then(address),
            };
            let Some(named) = named else { break };
            known = named.to_canonical();
            if !self.trusts(known) {
                break;
            }
        }
        known
    }
}

/// What a separator outside of quotes parts, the last part first. Quotes are counted from the right as well: what a proxy has
/// appended is balanced, and one quote too many that its client wrote swallows nothing of it.
fn parts_from_right(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut parts, mut end, mut is_quoted) = (Vec::new(), text.len(), false);
    for (at, &byte) in text.iter().enumerate().rev() {
        if byte == b'"' && !is_escaped(&text[..at]) {
            is_quoted = !is_quoted;
        } else if byte == separator && !is_quoted {
            parts.push(&text[at + 1..end]);
            end = at;
        }
    }
    parts.push(&text[..end]);
    parts
}

/// Whether what follows `before` is the second half of a quoted pair (RFC 9110, section 5.6.4).
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// The node that a forwarded-element names as the client (RFC 7239, section 4).
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    parts_from_right(element, b';').into_iter().find_map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        let is_for = name.eq_ignore_ascii_case(b"for");
        is_for.then(|| value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value))
    })
}

/// An address as proxies write it: bare, in brackets, or with a port; none for `unknown` and hidden names.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn client(header: &str, peer: &str, fields: &[(&str, &str)]) -> String {
        let settings =
            [("http.trusted_proxies", "10.0.0.0/8, 2001:db8:1::/48"), ("http.client_header", header)];
        let proxies = Proxies::of(&Config::with(settings).expect("good settings"));
        let headers = fields.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"))
        });
        proxies.client(peer.parse().expect("an address"), &headers.collect()).to_string()
    }

    #[test]
    fn who_is_no_trusted_proxy_speaks_for_itself() {
        let forged = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.7")];
        assert_eq!(client("x-forwarded-for", "192.0.2.1", &forged), "192.0.2.1");
        assert_eq!(client("forwarded", "192.0.2.1", &forged), "192.0.2.1");
        assert_eq!(client("x-forwarded-for", "10.0.0.1", &[]), "10.0.0.1", "one of its own");
        assert_eq!(client("x-forwarded-for", "::ffff:192.0.2.1", &[]), "192.0.2.1", "one address, one name");
    }

    #[test]
    fn a_chain_is_read_from_the_right_to_the_first_who_is_not_trusted() {
        let of = |chain: &str| client("x-forwarded-for", "10.0.0.1", &[("x-forwarded-for", chain)]);
        assert_eq!(of("203.0.113.7"), "203.0.113.7");
        assert_eq!(of("127.0.0.1, 203.0.113.7"), "203.0.113.7", "what the client wrote itself is left");
        assert_eq!(of("198.51.100.1, 203.0.113.7, 10.2.0.9,10.3.0.9"), "203.0.113.7");
        assert_eq!(of("10.9.9.9, 10.2.0.9"), "10.9.9.9", "an inner client");
        assert_eq!(of("203.0.113.7:4711"), "203.0.113.7");
        assert_eq!(of("[2001:db8:2::7]:4711, 2001:db8:1::9"), "2001:db8:2::7");
        assert_eq!(of("203.0.113.7, unknown"), "10.0.0.1", "nothing left of what cannot be read counts");
        assert_eq!(of(", ,"), "10.0.0.1");
        assert_eq!(of("::ffff:203.0.113.7"), "203.0.113.7");
    }

    #[test]
    fn fields_of_one_name_are_one_chain() {
        let fields = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.7, 10.2.0.9")];
        assert_eq!(client("x-forwarded-for", "::ffff:10.0.0.1", &fields), "203.0.113.7");
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_writes_it() {
        let of = |chain: &str| client("forwarded", "10.0.0.1", &[("forwarded", chain)]);
        assert_eq!(of("for=203.0.113.7;proto=https;by=10.0.0.1"), "203.0.113.7");
        assert_eq!(of("by=10.0.0.1; For=\"[2001:db8:2::7]:4711\""), "2001:db8:2::7");
        assert_eq!(of("for=198.51.100.1;by=\"a,b\", for=10.2.0.9"), "198.51.100.1");
        assert_eq!(of("for=198.51.100.1, for=_hidden"), "10.0.0.1");
        assert_eq!(of("proto=https"), "10.0.0.1");
    }

    #[test]
    fn what_a_client_wrote_never_swallows_what_the_proxy_appends() {
        let plain = |forged: &str| {
            let chain = format!("{forged}, 203.0.113.7");
            client("x-forwarded-for", "10.0.0.1", &[("x-forwarded-for", &chain)])
        };
        let standard = |forged: &str| {
            let chain = format!(r#"{forged}, for="203.0.113.7:4711";host="a\";b, c";by=10.0.0.1"#);
            client("forwarded", "10.0.0.1", &[("forwarded", &chain)])
        };
        for forged in ["\"", "\"198.51.100.1", "\\\"", "é", "198.51.100.1é", "for=\"198.51.100.1", "a;b=\",;"]
        {
            assert_eq!(plain(forged), "203.0.113.7", "after {forged}");
            assert_eq!(standard(forged), "203.0.113.7", "after {forged}");
        }
    }

    #[test]
    fn the_other_header_is_never_believed() {
        // A proxy that writes one of the two hands the other on as the client sent it.
        let both = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=198.51.100.1")];
        assert_eq!(client("x-forwarded-for", "10.0.0.1", &both), "203.0.113.7");
        assert_eq!(client("forwarded", "10.0.0.1", &both), "198.51.100.1");
    }
}
