//! A packet as it is kept: parsed once when it comes, then only read.
//!
//! Owns reading the RTP header (RFC 3550 §5.1) and its extensions (RFC 8285), and counting on past the wraps of sequence
//! numbers and timestamps. Knows no stream: which encoding a packet belongs to is decided by `ingress`.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::codec::FrameInfo;
use crate::live::media::ExtensionIds;

/// A packet of one encoding as the ring keeps it, shared by all readers.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Its sequence number, counted on past every wrap: the low 16 bits are the publisher's number.
    pub index: u64,
    /// Its RTP timestamp, counted on past every wrap: the low 32 bits are the publisher's timestamp.
    pub timestamp: u64,
    /// When it arrived; for a repaired packet, when the repair arrived.
    pub arrived: Instant,
    /// The RTP marker: for video the last packet of a picture.
    pub marker: bool,
    /// The payload without header and padding. Never empty.
    pub payload: Bytes,
    /// What the codec's payload header says.
    pub frame: FrameInfo,
    /// The audio level extension as it came (RFC 6464): voice flag and -dBov.
    pub audio_level: Option<u8>,
    /// The video orientation extension as it came (3GPP TS 26.114): camera, flip and rotation.
    pub orientation: Option<u8>,
}

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotRtp {
    /// Shorter than the header that it announces.
    #[error("the packet ends inside its header")]
    HeaderCut,
    /// Another version than 2.
    #[error("the packet's version is not 2")]
    Version,
    /// The extension block reaches past the end of the packet.
    #[error("the header extensions reach past the end of the packet")]
    ExtensionsCut,
    /// The padding count is zero or larger than the payload.
    #[error("the padding is longer than the payload")]
    Padding,
}

/// An RTP packet, read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtp<'a> {
    /// The marker bit.
    pub marker: bool,
    /// The payload type, 0-127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in ticks of the codec's clock.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: u32,
    /// The payload without padding; empty for a bandwidth probe.
    pub payload: &'a [u8],
    extensions: Extensions<'a>,
}

impl<'a> Rtp<'a> {
    /// Reads a whole packet.
    ///
    /// # Errors
    ///
    /// [`NotRtp`] says what is wrong; a length that lies never reads past the packet.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotRtp> {
        let (fixed, mut rest) = bytes.split_first_chunk::<12>().ok_or(NotRtp::HeaderCut)?;
        if fixed[0] >> 6 != 2 {
            return Err(NotRtp::Version);
        }
        let contributing = usize::from(fixed[0] & 0x0f) * 4;
        rest = rest.get(contributing..).ok_or(NotRtp::HeaderCut)?;
        let mut extensions = Extensions::default();
        if fixed[0] & 0x10 != 0 {
            let (head, after) = rest.split_first_chunk::<4>().ok_or(NotRtp::ExtensionsCut)?;
            let length = usize::from(u16::from_be_bytes([head[2], head[3]])) * 4;
            let (block, after) = after.split_at_checked(length).ok_or(NotRtp::ExtensionsCut)?;
            extensions = Extensions { profile: u16::from_be_bytes([head[0], head[1]]), block };
            rest = after;
        }
        if fixed[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or(NotRtp::Padding)?);
            let length = rest.len().checked_sub(padding).filter(|_| padding > 0);
            rest = &rest[..length.ok_or(NotRtp::Padding)?];
        }
        Ok(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload: rest,
            extensions,
        })
    }

    /// The extension values that `ids` names; what is malformed or unknown is left out.
    pub fn extensions(&self, ids: &ExtensionIds) -> ExtensionValues<'a> {
        let mut values = ExtensionValues::default();
        for (id, value) in self.extensions {
            let id = Some(id);
            let text = || std::str::from_utf8(value).ok();
            if id == ids.transport_cc {
                values.transport_cc = value.try_into().ok().map(u16::from_be_bytes);
            } else if id == ids.mid {
                values.mid = text();
            } else if id == ids.rid {
                values.rid = text();
            } else if id == ids.repaired_rid {
                values.repaired_rid = text();
            } else if id == ids.audio_level {
                values.audio_level = value.first().copied();
            } else if id == ids.video_orientation {
                values.orientation = value.first().copied();
            }
        }
        values
    }
}

/// What a packet's header extensions say, under the ids of the peer that sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionValues<'a> {
    /// The section (RFC 9143).
    pub mid: Option<&'a str>,
    /// The simulcast stream (RFC 8852).
    pub rid: Option<&'a str>,
    /// The simulcast stream that a retransmission repairs (RFC 8852).
    pub repaired_rid: Option<&'a str>,
    /// The transport-wide sequence number.
    pub transport_cc: Option<u16>,
    /// Audio level (RFC 6464).
    pub audio_level: Option<u8>,
    /// Video orientation (3GPP TS 26.114).
    pub orientation: Option<u8>,
}

/// The block of header extensions, walked without copying.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extensions<'a> {
    profile: u16,
    block: &'a [u8],
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&first, rest) = self.block.split_first()?;
            if first == 0 {
                self.block = rest;
                continue;
            }
            let (id, length, rest) = match self.profile {
                // 15 is reserved and ends the block (RFC 8285 §4.2).
                ONE_BYTE if first >> 4 == 15 => return None,
                ONE_BYTE => (first >> 4, usize::from(first & 0x0f) + 1, rest),
                profile if profile & 0xfff0 == TWO_BYTE => {
                    let (&length, rest) = rest.split_first()?;
                    (first, usize::from(length), rest)
                }
                _ => return None,
            };
            let (value, rest) = rest.split_at_checked(length)?;
            self.block = rest;
            return Some((id, value));
        }
    }
}

const ONE_BYTE: u16 = 0xbede;
const TWO_BYTE: u16 = 0x1000;

/// Counts a wrapping number of `BITS` bits on, past every wrap.
///
/// The first number is put one whole turn above zero, so that what was sent before it and comes after it has a place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrapper<const BITS: u32> {
    newest: Option<u64>,
}

impl<const BITS: u32> Unwrapper<BITS> {
    const TURN: u64 = 1 << BITS;

    /// The number nearest to the newest one whose low bits are `value`; remembered if it is newer.
    pub fn unwrap(&mut self, value: u64) -> u64 {
        let unwrapped = self.peek(value);
        self.newest = Some(self.newest.map_or(unwrapped, |newest| newest.max(unwrapped)));
        unwrapped
    }

    /// As [`Unwrapper::unwrap`], remembering nothing.
    pub fn peek(&self, value: u64) -> u64 {
        let value = value % Self::TURN;
        let Some(newest) = self.newest else { return Self::TURN + value };
        let ahead = value.wrapping_sub(newest) % Self::TURN;
        if ahead < Self::TURN / 2 { newest + ahead } else { (newest + ahead).saturating_sub(Self::TURN) }
    }

    /// The first number above the newest one whose low bits are `value`: for a sender that began anew.
    pub fn restart(&mut self, value: u64) -> u64 {
        let value = value % Self::TURN;
        let next = self
            .newest
            .map_or(Self::TURN + value, |newest| newest + 1 + value.wrapping_sub(newest + 1) % Self::TURN);
        self.newest = Some(next);
        next
    }

    /// The newest number.
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }
}

/// Memory that payloads are copied into, one after the other: one allocation for many packets.
///
/// A slice of the receive buffer would keep all of its 64 KiB alive for one packet.
#[derive(Debug, Default)]
pub struct Slab {
    free: BytesMut,
}

impl Slab {
    /// Copies a payload; no allocation except once per [`SLAB_BYTES`].
    pub fn copy(&mut self, payload: &[u8]) -> Bytes {
        if self.free.capacity() - self.free.len() < payload.len() {
            self.free = BytesMut::with_capacity(SLAB_BYTES.max(payload.len()));
        }
        self.free.extend_from_slice(payload);
        self.free.split().freeze()
    }
}

/// Bytes of a slab: about half a second of 1 Mbit/s. A ring's memory is off by at most this at its old end.
pub const SLAB_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDS: ExtensionIds = ExtensionIds {
        mid: Some(1),
        rid: Some(2),
        repaired_rid: Some(3),
        abs_send_time: Some(4),
        transport_cc: Some(5),
        audio_level: Some(6),
        playout_delay: Some(7),
        video_orientation: Some(8),
    };

    #[test]
    fn a_packet_is_read_with_its_extensions_and_without_its_padding() {
        let mut bytes = vec![0xb1, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7];
        bytes.extend([0, 0, 0, 1]);
        bytes.extend([
            0xbe, 0xde, 0, 3, 0x10, b'v', 0x00, 0x21, b'h', b'i', 0x51, 0xab, 0xcd, 0x60, 0x85, 0xf0,
        ]);
        bytes.extend([1, 2, 3, 0, 0, 3]);
        let rtp = Rtp::parse(&bytes).unwrap();
        assert_eq!((rtp.marker, rtp.payload_type, rtp.sequence), (true, 0x60, 0x1234));
        assert_eq!((rtp.timestamp, rtp.ssrc, rtp.payload), (9, 7, &[1, 2, 3][..]));
        let values = rtp.extensions(&IDS);
        assert_eq!((values.mid, values.rid, values.transport_cc), (Some("v"), Some("hi"), Some(0xabcd)));
        assert_eq!((values.audio_level, values.orientation), (Some(0x85), None));
        assert_eq!(rtp.extensions(&ExtensionIds::default()), ExtensionValues::default());
    }

    #[test]
    fn two_byte_extensions_are_read_and_others_passed_over() {
        let mut bytes =
            vec![0x90, 0x60, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7, 0x10, 0x00, 0, 2, 1, 2, b'a', b'b', 5, 2, 0, 9];
        bytes.push(1);
        let values = Rtp::parse(&bytes).unwrap().extensions(&IDS);
        assert_eq!((values.mid, values.transport_cc), (Some("ab"), Some(9)));
        bytes[12..14].copy_from_slice(&[0x12, 0x34]);
        assert_eq!(Rtp::parse(&bytes).unwrap().extensions(&IDS), ExtensionValues::default());
    }

    #[test]
    fn lengths_that_lie_are_told_apart() {
        let header = [0x80, 0x60, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7];
        let with = |first: u8, rest: &[u8]| [&[first], &header[1..], rest].concat();
        assert_eq!(Rtp::parse(&header[..11]), Err(NotRtp::HeaderCut));
        assert_eq!(Rtp::parse(&with(0x40, &[])), Err(NotRtp::Version));
        assert_eq!(Rtp::parse(&with(0x81, &[0, 0, 0])), Err(NotRtp::HeaderCut));
        assert_eq!(Rtp::parse(&with(0x90, &[0xbe, 0xde, 0])), Err(NotRtp::ExtensionsCut));
        assert_eq!(Rtp::parse(&with(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0])), Err(NotRtp::ExtensionsCut));
        assert_eq!(Rtp::parse(&with(0xa0, &[])), Err(NotRtp::Padding));
        assert_eq!(Rtp::parse(&with(0xa0, &[1, 0])), Err(NotRtp::Padding));
        assert_eq!(Rtp::parse(&with(0xa0, &[1, 3])), Err(NotRtp::Padding));
        assert_eq!(Rtp::parse(&with(0xa0, &[1, 2])).unwrap().payload, &[] as &[u8], "a bandwidth probe");
    }

    #[test]
    fn numbers_go_on_past_the_wrap_and_leave_room_for_what_came_before() {
        let mut numbers = Unwrapper::<16>::default();
        assert_eq!(numbers.unwrap(65_535), 131_071);
        assert_eq!(numbers.unwrap(1), 131_073);
        assert_eq!(numbers.unwrap(65_534), 131_070, "a late one is put before");
        assert_eq!(numbers.newest(), Some(131_073));
        assert_eq!(numbers.restart(1), 131_072 + 65_537);
        assert_eq!(numbers.restart(2), 131_072 + 65_538);
        let mut first = Unwrapper::<16>::default();
        first.unwrap(0);
        assert_eq!(first.unwrap(65_535), 65_535, "what was sent before the first packet has a place");
    }

    #[test]
    fn payloads_share_a_slab() {
        let mut slab = Slab::default();
        let (first, second) = (slab.copy(&[1; 100]), slab.copy(&[2; 100]));
        assert_eq!(first.as_ptr().wrapping_add(100), second.as_ptr());
        let large = slab.copy(&vec![3; 2 * SLAB_BYTES]);
        assert_eq!((large.len(), &first[..], &second[..]), (2 * SLAB_BYTES, &[1; 100][..], &[2; 100][..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_packet_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(rtp) = Rtp::parse(&bytes) {
                rtp.extensions(&IDS);
            }
        }

        #[test]
        fn a_header_before_any_bytes_is_a_packet_or_not(first in any::<u8>(), rest in proptest::collection::vec(any::<u8>(), 11..100)) {
            if let Ok(rtp) = Rtp::parse(&[&[0x80 | first & 0x3f], &rest[..]].concat()) {
                prop_assert!(rtp.payload.len() <= rest.len() - 11);
                rtp.extensions(&IDS);
            }
        }

        #[test]
        fn unwrapping_finds_any_number_within_half_a_turn(start in 0u64..1 << 40, steps in proptest::collection::vec(-30_000i64..32_000, 1..50)) {
            let mut numbers = Unwrapper::<16>::default();
            let mut newest = (1 << 16) + start % (1 << 16);
            prop_assert_eq!(numbers.unwrap(start), newest);
            for step in steps {
                let number = newest.saturating_add_signed(step);
                prop_assert_eq!(numbers.unwrap(number), number);
                newest = newest.max(number);
            }
        }
    }
}
