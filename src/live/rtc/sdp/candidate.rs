//! ICE candidates as SDP writes them (RFC 8839, section 5.1).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Candidates kept of one offer or fragment. A lite agent waits for checks instead of trying addresses, so they only
/// serve to be looked at; a client's interfaces fit in.
pub(super) const MAX_CANDIDATES: usize = 16;

/// What a candidate's address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    /// Of an interface, or one announced as such.
    Host,
    /// As a STUN server saw it.
    ServerReflexive,
    /// As the peer saw it.
    PeerReflexive,
    /// Of a TURN server.
    Relayed,
}

/// A UDP address that may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where.
    pub address: SocketAddr,
    /// What kind of address it is.
    pub kind: CandidateKind,
}

impl Candidate {
    /// One of our own.
    pub fn host(address: SocketAddr) -> Self {
        Self { address, kind: CandidateKind::Host }
    }

    /// Reads the value of `a=candidate`, with or without `a=` and `candidate:` before it.
    ///
    /// `None` for what cannot be used and is to be dropped: TCP, RTCP's own component, host names (`.local` ones too:
    /// nothing is looked up), zone ids, ports out of range, garbage.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("a=").unwrap_or(text);
        let text = text.strip_prefix("candidate:").unwrap_or(text);
        let mut words = text.split_ascii_whitespace();
        let _foundation = words.next()?;
        let component: u16 = words.next()?.parse().ok()?;
        let transport = words.next()?;
        let _priority: u32 = words.next()?.parse().ok()?;
        let address: IpAddr = words.next()?.parse().ok()?;
        let port: u16 = words.next()?.parse().ok()?;
        if component != 1 || port == 0 || !transport.eq_ignore_ascii_case("udp") || words.next()? != "typ" {
            return None;
        }
        let kind = match words.next()? {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "prflx" => CandidateKind::PeerReflexive,
            "relay" => CandidateKind::Relayed,
            _ => return None,
        };
        Some(Self { address: SocketAddr::new(address, port), kind })
    }
}

/// Writes our candidates, the preferred one first, and that there will be no others.
pub(super) fn write_all(out: &mut impl fmt::Write, candidates: &[Candidate]) -> fmt::Result {
    // RFC 8445, section 5.1.2.1: a host's type preference is 126, and one component is 256 - 1.
    const HOST: u32 = 126 << 24;
    const FIRST_COMPONENT: u32 = 256 - 1;
    for (place, candidate) in (1u16..).zip(candidates) {
        let priority = HOST + (u32::from(u16::MAX - place) << 8) + FIRST_COMPONENT;
        let (ip, port) = (candidate.address.ip(), candidate.address.port());
        // Each address is a base of its own and thereby a foundation of its own (section 5.1.1.3).
        write!(out, "a=candidate:{place} 1 udp {priority} {ip} {port} typ host\r\n")?;
    }
    out.write_str("a=end-of-candidates\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_browsers_send() {
        let host =
            Candidate::parse("candidate:3848945101 1 udp 2122194687 192.0.2.2 57959 typ host generation 0");
        assert_eq!(host, Some(Candidate::host("192.0.2.2:57959".parse().unwrap())));
        let mapped = "a=candidate:0 1 UDP 1685987071 2001:db8::7 4444 typ srflx raddr 10.0.0.1 rport 9";
        assert_eq!(
            Candidate::parse(mapped),
            Some(Candidate {
                address: "[2001:db8::7]:4444".parse().unwrap(),
                kind: CandidateKind::ServerReflexive
            })
        );
    }

    #[test]
    fn drops_what_a_lite_agent_cannot_use() {
        for text in [
            "",
            "candidate:",
            "candidate:0 1 UDP 2122187007 5c957eb6-534b-4db1-8c20-caa5cca70b7e.local 46982 typ host",
            "candidate:1 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active",
            "candidate:1 2 udp 2122187006 192.0.2.2 34017 typ host",
            "candidate:1 1 udp 2122187006 fe80::1%eth0 34017 typ host",
            "candidate:1 1 udp 2122187006 192.0.2.2 0 typ host",
            "candidate:1 1 udp 2122187006 192.0.2.2 65536 typ host",
            "candidate:1 1 udp 99999999999 192.0.2.2 4000 typ host",
            "candidate:1 1 udp 2122187006 192.0.2.2 4000 typ",
            "candidate:1 1 udp 2122187006 192.0.2.2 4000 typ elsewhere",
        ] {
            assert_eq!(Candidate::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn our_candidates_are_told_in_order_and_completely() {
        let ours =
            ["192.0.2.1:8189", "[2001:db8::1]:8189"].map(|each| Candidate::host(each.parse().unwrap()));
        let mut text = String::new();
        write_all(&mut text, &ours).unwrap();
        assert_eq!(
            text,
            "a=candidate:1 1 udp 2130706175 192.0.2.1 8189 typ host\r\n\
             a=candidate:2 1 udp 2130705919 2001:db8::1 8189 typ host\r\n\
             a=end-of-candidates\r\n"
        );
        for (line, candidate) in text.lines().zip(&ours) {
            assert_eq!(Candidate::parse(line).as_ref(), Some(candidate));
        }
    }
}
