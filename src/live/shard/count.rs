//! What a shard counts, and why datagrams are dropped. Counted in the shard, added to the metrics once a second.

use super::socket::Sent;
use crate::{live::rtc::srtp::OpenError, metrics};

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drop {
    /// No protocol that is spoken here.
    Garbage,
    /// From an address that is no peer's, or by a user name that is none's.
    Stranger,
    /// Media before its keys, or of a kind that its sender has no business with.
    Unexpected,
    /// Not sealed with the peer's key.
    Forged,
    /// It came before.
    Replayed,
    /// No RTP or RTCP inside, or none that was negotiated.
    Malformed,
    /// The queue to a handshake or another shard is full.
    Busy,
}

const REASONS: [(Drop, &str); 7] = [
    (Drop::Garbage, "garbage"),
    (Drop::Stranger, "stranger"),
    (Drop::Unexpected, "unexpected"),
    (Drop::Forged, "forged"),
    (Drop::Replayed, "replayed"),
    (Drop::Malformed, "malformed"),
    (Drop::Busy, "busy"),
];

impl From<OpenError> for Drop {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Forged => Self::Forged,
            OpenError::Replayed => Self::Replayed,
            OpenError::Malformed | OpenError::TooManyStreams => Self::Malformed,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    dropped: [u64; REASONS.len()],
    pub(super) received: u64,
    sent: Sent,
}

impl Counts {
    pub(super) fn drop(&mut self, reason: impl Into<Drop>) {
        self.dropped[reason.into() as usize] += 1;
    }

    pub(super) fn sent(&mut self, sent: Sent) {
        self.sent.packets += sent.packets;
        self.sent.refused += sent.refused;
        self.sent.calls += sent.calls;
    }

    /// Adds everything to the metrics and begins anew.
    pub(super) fn publish(&mut self) {
        let counts = std::mem::take(self);
        metrics::LIVE_RECEIVED.add(counts.received);
        metrics::LIVE_SENT.add(counts.sent.packets);
        metrics::LIVE_SENDS.add(counts.sent.calls);
        metrics::LIVE_SEND_REFUSED.add(counts.sent.refused);
        for ((_, reason), count) in REASONS.iter().zip(counts.dropped) {
            if count > 0 {
                metrics::LIVE_DROPPED.add(reason, count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_in_its_place() {
        for (place, (reason, _)) in REASONS.iter().enumerate() {
            assert_eq!(*reason as usize, place);
        }
    }
}
