//! Why a packet of a publisher is not taken, and how often that happened.

use super::codec::Malformed;
use super::packet::NotRtp;

/// Why an RTP packet is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// It is no RTP packet.
    #[error(transparent)]
    NotRtp(#[from] NotRtp),
    /// Nothing says which negotiated stream it belongs to.
    #[error("the stream was not negotiated: no a=ssrc, MID or RID names it")]
    UnknownStream,
    /// Its payload type is not the one that was answered.
    #[error("the payload type was not negotiated for this stream")]
    PayloadType,
    /// As many streams are known as one publisher may have.
    #[error("the publisher has more than {MOST_STREAMS} streams")]
    TooManyStreams,
    /// Another stream of the same name is flowing.
    #[error("another stream of the same name is flowing")]
    StreamTaken,
    /// Its payload does not fit the codec.
    #[error(transparent)]
    Payload(#[from] Malformed),
    /// It is older than what is kept.
    #[error("the packet is older than what is kept")]
    TooOld,
    /// A retransmission of a stream that has not begun.
    #[error("the packet repeats a stream that has not begun")]
    NothingToRepair,
}

/// Streams of one publisher, retransmissions counted: four qualities and sound, each with retransmissions, with room for a change.
pub const MOST_STREAMS: usize = 16;

/// Packets that were not taken, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DroppedCounts {
    /// [`Dropped::NotRtp`], [`Dropped::Payload`].
    pub malformed: u64,
    /// [`Dropped::UnknownStream`], [`Dropped::PayloadType`], [`Dropped::TooManyStreams`], [`Dropped::StreamTaken`],
    /// [`Dropped::NothingToRepair`].
    pub unknown: u64,
    /// [`Dropped::TooOld`].
    pub too_old: u64,
}

impl DroppedCounts {
    /// Counts one.
    pub fn count(&mut self, reason: Dropped) {
        *match reason {
            Dropped::NotRtp(_) | Dropped::Payload(_) => &mut self.malformed,
            Dropped::UnknownStream
            | Dropped::PayloadType
            | Dropped::TooManyStreams
            | Dropped::StreamTaken
            | Dropped::NothingToRepair => &mut self.unknown,
            Dropped::TooOld => &mut self.too_old,
        } += 1;
    }
}
