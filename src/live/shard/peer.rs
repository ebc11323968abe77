//! One peer on its shard: its address, its keys, and what flows.

use super::{event::PeerEnd, event::PeerId, registry::Waiting, relay::Relay, timers::Alarm};
use crate::live::{
    forward::{egress::Egress, ingress::Ingress},
    rtc::{
        ice::{Ice, Tuple},
        sdp::{DtlsRole, Fingerprint, NegotiatedMedia},
        srtp::{Opener, Profile, Sealer, SrtpKeys},
    },
};
use std::{sync::Arc, time::Instant};

/// A peer from its first authentic datagram to its end.
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) ice: Ice,
    pub(super) relay: Arc<Relay>,
    pub(super) handshake: Handshake,
    pub(super) protection: Option<Protection>,
    pub(super) media: Media,
    /// Its addresses, each with the shard at which its datagrams arrive.
    pub(super) tuples: Vec<(Tuple, usize)>,
    /// When something authentic last came from it.
    pub(super) heard: Instant,
    pub(super) alarm: Alarm,
    /// It waits to be served in this round.
    pub(super) is_due: bool,
    /// Its goodbye is under way, since when and why.
    pub(super) ending: Option<(Instant, PeerEnd)>,
    pub(super) confirmation: Confirmation,
}

/// What the handshake is begun with.
pub(super) struct Handshake {
    pub(super) role: DtlsRole,
    pub(super) trusted: Vec<Fingerprint>,
    /// Where the peer's last DTLS datagram came from.
    pub(super) from: Option<Tuple>,
}

/// Both directions of SRTP.
pub(super) struct Protection {
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
    pub(super) profile: Profile,
}

/// What flows, once the keys are agreed.
pub(super) enum Media {
    /// Nothing yet.
    Agreed(NegotiatedMedia),
    Publisher(Box<Publisher>),
    Viewer(Box<Viewer>),
}

pub(super) struct Publisher {
    pub(super) ingress: Ingress,
    pub(super) has_started: bool,
    pub(super) is_stalled: bool,
    /// When its keys were agreed: silence counts from there.
    pub(super) since: Instant,
    pub(super) meter: Meter,
    pub(super) told_of_b_frames: bool,
}

pub(super) struct Viewer {
    pub(super) egress: Egress,
    pub(super) is_present: bool,
    pub(super) got: Got,
}

/// What a viewer has been sent so far, told once each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Got {
    #[default]
    Nothing,
    Packet,
    Picture,
}

impl Peer {
    pub(super) fn new(waiting: Waiting, now: Instant) -> Self {
        let negotiated = waiting.negotiated;
        Self {
            id: waiting.id,
            ice: waiting.ice,
            relay: waiting.relay,
            handshake: Handshake { role: negotiated.dtls, trusted: negotiated.fingerprints, from: None },
            protection: None,
            media: Media::Agreed(negotiated.media),
            tuples: Vec::new(),
            heard: now,
            alarm: Alarm::default(),
            is_due: false,
            ending: None,
            confirmation: Confirmation::default(),
        }
    }

    /// Whether media may flow to and from it.
    pub(super) fn is_open(&self) -> bool {
        self.protection.is_some() && self.ending.is_none()
    }
}

impl Protection {
    pub(super) fn new(keys: &SrtpKeys) -> Self {
        Self { sealer: Sealer::new(keys), opener: Opener::new(keys), profile: keys.profile }
    }
}

/// Proof that a peer gets what is sent to its new address: it names, in a report from there, a sender report that was
/// sent there (RFC 3550, section 6.4.1). Whoever points a stream at a victim does not see those.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    /// The middle of the time stamps of the sender reports that went to the present address.
    sent: [u32; 4],
    next: usize,
}

impl Confirmation {
    /// The peer is sent to another address from now on.
    pub(super) fn on_move(&mut self) {
        *self = Self::default();
    }

    /// Notes the sender report at the head of a plain compound packet that goes out.
    pub(super) fn on_sent(&mut self, compound: &[u8]) {
        const SENDER_REPORT: u8 = 200;
        if compound.len() >= 16 && compound[1] == SENDER_REPORT {
            self.sent[self.next % 4] =
                u32::from_be_bytes([compound[10], compound[11], compound[12], compound[13]]);
            self.next += 1;
        }
    }

    /// Whether a plain compound packet of the peer names one of them.
    pub(super) fn is_in(&self, compound: &[u8]) -> bool {
        let mut rest = compound;
        while let Some([first, kind, high, low]) = rest.first_chunk::<4>() {
            let len = 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]));
            let Some(packet) = rest.get(..len) else { return false };
            let blocks = match kind {
                200 => packet.get(28..),
                201 => packet.get(8..),
                _ => None,
            };
            let count = usize::from(first & 0x1f);
            for block in blocks.unwrap_or_default().chunks_exact(24).take(count) {
                let named = u32::from_be_bytes([block[16], block[17], block[18], block[19]]);
                if named != 0 && self.sent.contains(&named) {
                    return true;
                }
            }
            rest = &rest[len..];
        }
        false
    }
}

/// How long a publisher has been sending more than it may.
#[derive(Debug, Default)]
pub(super) struct Meter {
    over_since: Option<Instant>,
    warned: Option<Instant>,
}

/// What is to be done about its bitrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    Warn,
    Close,
}

impl Meter {
    /// Judges once a second: over the limit for `patience` it is warned, for as long again it is closed.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        bitrate: u64,
        limit: u64,
        patience: std::time::Duration,
    ) -> Verdict {
        if bitrate <= limit {
            *self = Self::default();
            return Verdict::Fine;
        }
        let since = *self.over_since.get_or_insert(now);
        match self.warned {
            None if now.saturating_duration_since(since) >= patience => {
                self.warned = Some(now);
                Verdict::Warn
            }
            Some(warned) if now.saturating_duration_since(warned) >= patience => Verdict::Close,
            _ => Verdict::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_publisher_over_its_limit_is_warned_and_then_closed_and_a_short_burst_is_nothing() {
        let start = Instant::now();
        let patience = Duration::from_secs(5);
        let mut meter = Meter::default();
        let mut judge =
            |second, bitrate| meter.judge(start + Duration::from_secs(second), bitrate, 100, patience);
        assert_eq!([judge(0, 150), judge(4, 150), judge(5, 90)], [Verdict::Fine; 3], "a burst");
        assert_eq!([judge(6, 150), judge(10, 150)], [Verdict::Fine; 2]);
        assert_eq!(judge(11, 150), Verdict::Warn);
        assert_eq!(judge(15, 150), Verdict::Fine);
        assert_eq!(judge(16, 150), Verdict::Close);
    }

    #[test]
    fn only_a_report_that_names_what_was_sent_there_confirms_an_address() {
        let mut sender_report = vec![0x80, 200, 0, 6];
        sender_report.extend((0..24).map(|byte| byte + 1));
        let mut receiver_report = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
        receiver_report.extend([0; 16]);
        receiver_report.extend(&sender_report[10..14]);
        receiver_report.extend([0; 4]);

        let mut confirmation = Confirmation::default();
        assert!(!confirmation.is_in(&receiver_report));
        confirmation.on_sent(&sender_report);
        assert!(confirmation.is_in(&receiver_report));
        confirmation.on_move();
        assert!(!confirmation.is_in(&receiver_report), "it went to the address before");
        receiver_report[24..28].fill(0);
        assert!(!confirmation.is_in(&receiver_report), "no report was received at all");
        assert!(!confirmation.is_in(&receiver_report[..20]));
    }
}
