//! Reading what a viewer says about the packets it gets: compound RTCP (RFC 3550 6, RFC 4585) as a walk over bytes.
//!
//! Owns the formats alone. It allocates nothing, so that feedback from thousands of viewers costs little, and what is
//! cut short or unknown is passed over: a viewer cannot make it fail.

/// One thing a viewer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A reception report block (RFC 3550 6.4.1).
    Reception(Reception),
    /// A generic NACK (RFC 4585 6.2.1).
    Nack {
        /// The stream it is about.
        ssrc: u32,
        /// Its items; see [`nacked`].
        items: &'a [u8],
    },
    /// A picture loss indication or a full intra request (RFC 4585 6.3.1, RFC 5104 4.3.1).
    KeyFrameWanted {
        /// The stream it is about.
        ssrc: u32,
    },
    /// A receiver's estimate of what its way carries (draft-alvestrand-rmcat-remb).
    Estimate {
        /// Bits per second.
        bits_per_second: u64,
    },
    /// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    Transport(TransportFeedback<'a>),
    /// The viewer leaves (RFC 3550 6.6).
    Bye,
}

/// A reception report block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// The stream it is about.
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the start; negative where repeats outnumber losses.
    pub lost: i32,
    /// Highest sequence number received, with its count of wraps above.
    pub highest: u32,
    /// Jitter in ticks of the media clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report received; 0 where there was none.
    pub last_report: u32,
    /// Time since then in 1/65,536 s.
    pub since_last_report: u32,
}

/// Walks a compound packet. Ends at the first part whose header cannot be trusted.
pub fn read(compound: &[u8]) -> impl Iterator<Item = Heard<'_>> {
    parts(compound).flat_map(|part| {
        let reports = part.receptions().map(Heard::Reception);
        reports.chain(part.message())
    })
}

/// The sequence numbers that a NACK's items name.
pub fn nacked(items: &[u8]) -> impl Iterator<Item = u16> + '_ {
    items.chunks_exact(4).flat_map(|item| {
        let first = be16(item, 0);
        let also = be16(item, 2);
        let following =
            (0..16).filter(move |bit| also >> bit & 1 == 1).map(move |bit| first.wrapping_add(bit + 1));
        std::iter::once(first).chain(following)
    })
}

/// One RTCP packet of a compound.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// Count or format, 5 bits.
    count: u8,
    kind: u8,
    /// What follows the four bytes of header, padding included.
    body: &'a [u8],
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const BYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;

fn parts(mut rest: &[u8]) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        let header = rest.get(..4)?;
        let length = 4 * (usize::from(be16(header, 2)) + 1);
        if header[0] >> 6 != 2 || rest.len() < length {
            return None;
        }
        let part = Part { count: header[0] & 0x1f, kind: header[1], body: &rest[4..length] };
        rest = &rest[length..];
        Some(part)
    })
}

impl<'a> Part<'a> {
    fn receptions(self) -> impl Iterator<Item = Reception> + 'a {
        let skip = match self.kind {
            SENDER_REPORT => 24,
            RECEIVER_REPORT => 4,
            _ => usize::MAX,
        };
        let blocks = self.body.get(skip..).unwrap_or_default();
        blocks.chunks_exact(24).take(self.count.into()).map(|block| Reception {
            ssrc: be32(block, 0),
            fraction_lost: block[4],
            lost: (be32(block, 4) << 8).cast_signed() >> 8,
            highest: be32(block, 8),
            jitter: be32(block, 12),
            last_report: be32(block, 16),
            since_last_report: be32(block, 20),
        })
    }

    fn message(self) -> Option<Heard<'a>> {
        if self.kind == BYE {
            return Some(Heard::Bye);
        }
        let (head, items) = self.body.split_at_checked(8)?;
        match (self.kind, self.count) {
            (TRANSPORT_FEEDBACK, 1) => Some(Heard::Nack { ssrc: be32(head, 4), items }),
            (TRANSPORT_FEEDBACK, 15) => TransportFeedback::read(items).map(Heard::Transport),
            (PAYLOAD_FEEDBACK, 1) => Some(Heard::KeyFrameWanted { ssrc: be32(head, 4) }),
            // The media source of a FIR's header is unused (RFC 5104 4.3.1.2): the entry names the stream.
            (PAYLOAD_FEEDBACK, 4) if items.len() >= 8 => Some(Heard::KeyFrameWanted { ssrc: be32(items, 0) }),
            (PAYLOAD_FEEDBACK, 15) if items.len() >= 8 && items.starts_with(b"REMB") => {
                let exponent = u32::from(items[5] >> 2);
                let mantissa = u64::from(be32(items, 4) & 0x3_ffff);
                let bits_per_second =
                    mantissa.checked_shl(exponent).filter(|bits| bits >> exponent == mantissa);
                Some(Heard::Estimate { bits_per_second: bits_per_second.unwrap_or(u64::MAX) })
            }
            _ => None,
        }
    }
}

/// Most packets that one transport-wide feedback is read for: a message of a few bytes can claim 65,535 of them, and no
/// viewer is sent more than this between two messages.
pub const MAX_STATUSES: u16 = 2_048;

/// Which packets arrived, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportFeedback<'a> {
    /// Number of the first packet it speaks of.
    pub first: u16,
    count: u16,
    /// Multiples of 64 ms, 24 bits, signed.
    reference: i32,
    /// Chunks, then deltas.
    rest: &'a [u8],
}

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Its transport-wide number.
    pub sequence: u16,
    /// When it arrived on the viewer's clock, in units of 250 us; none where it did not.
    pub arrived: Option<i64>,
}

impl<'a> TransportFeedback<'a> {
    fn read(items: &'a [u8]) -> Option<Self> {
        let (head, rest) = items.split_at_checked(8)?;
        let count = be16(head, 2);
        let reference = be32(head, 4).cast_signed() >> 8;
        (1..=MAX_STATUSES).contains(&count).then_some(Self { first: be16(head, 0), count, reference, rest })
    }

    /// The packets in the order of their numbers. Ends early where the message does.
    pub fn fates(self) -> impl Iterator<Item = Fate> + 'a {
        let chunks = self.chunk_bytes();
        let (chunks, mut deltas) = self.rest.split_at(chunks);
        let mut clock = i64::from(self.reference) * 256;
        let symbols = chunks.chunks_exact(2).flat_map(|chunk| symbols(be16(chunk, 0)));
        let mut sequence = self.first.wrapping_sub(1);
        symbols.take(self.count.into()).map_while(move |symbol| {
            sequence = sequence.wrapping_add(1);
            let (size, delta) = match symbol {
                0 => return Some(Fate { sequence, arrived: None }),
                1 => (1, i64::from(*deltas.first()?)),
                _ => (2, i64::from(be16(deltas.get(..2)?, 0).cast_signed())),
            };
            deltas = &deltas[size..];
            clock += delta;
            Some(Fate { sequence, arrived: Some(clock) })
        })
    }

    /// How many bytes of chunks are needed to speak of every packet.
    fn chunk_bytes(self) -> usize {
        let mut covered = 0_usize;
        let mut bytes = 0;
        for chunk in self.rest.chunks_exact(2) {
            if covered >= usize::from(self.count) {
                break;
            }
            covered += chunk_length(be16(chunk, 0));
            bytes += 2;
        }
        bytes
    }
}

/// How many packets a chunk speaks of.
fn chunk_length(chunk: u16) -> usize {
    match chunk >> 14 {
        0 | 1 => usize::from(chunk & 0x1fff),
        2 => 14,
        _ => 7,
    }
}

/// The two-bit symbols of a chunk: 0 lost, 1 a small delta, 2 a large or negative one.
fn symbols(chunk: u16) -> impl Iterator<Item = u16> {
    (0..chunk_length(chunk)).map(move |at| match chunk >> 14 {
        0 | 1 => chunk >> 13 & 3,
        2 => chunk >> (13 - at) & 1,
        _ => chunk >> (12 - 2 * at) & 3,
    })
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc_rtcp::goodbye::Goodbye;
    use rtc_rtcp::packet::Packet;
    use rtc_rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
    use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
    use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
    use rtc_rtcp::receiver_report::ReceiverReport;
    use rtc_rtcp::reception_report::ReceptionReport;
    use rtc_rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};

    use super::*;

    /// A compound packet as another implementation writes it.
    fn written(packets: &[Box<dyn Packet>]) -> Vec<u8> {
        rtc_rtcp::packet::marshal(packets).unwrap().to_vec()
    }

    #[test]
    fn what_another_implementation_writes_is_understood() {
        let report = ReceptionReport {
            ssrc: 7,
            fraction_lost: 25,
            total_lost: 9,
            last_sequence_number: 0x0001_ffff,
            jitter: 3,
            last_sender_report: 0x1111_2222,
            delay: 655,
        };
        let compound = written(&[
            Box::new(ReceiverReport { ssrc: 1, reports: vec![report], ..ReceiverReport::default() }),
            Box::new(TransportLayerNack {
                sender_ssrc: 1,
                media_ssrc: 7,
                nacks: vec![NackPair { packet_id: 65_535, lost_packets: 0b101 }],
            }),
            Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc: 7 }),
            Box::new(FullIntraRequest {
                sender_ssrc: 1,
                media_ssrc: 0,
                fir: vec![FirEntry { ssrc: 8, sequence_number: 1 }],
            }),
            Box::new(ReceiverEstimatedMaximumBitrate {
                sender_ssrc: 1,
                bitrate: 2_500_000.0,
                ssrcs: vec![7],
            }),
            Box::new(Goodbye { sources: vec![1], reason: "done".into() }),
        ]);

        let heard: Vec<_> = read(&compound).collect();
        let Heard::Reception(reception) = heard[0] else { panic!("{heard:?}") };
        assert_eq!((reception.ssrc, reception.fraction_lost, reception.lost), (7, 25, 9));
        assert_eq!((reception.highest, reception.since_last_report), (0x0001_ffff, 655));
        let Heard::Nack { ssrc: 7, items } = heard[1] else { panic!("{heard:?}") };
        assert_eq!(nacked(items).collect::<Vec<_>>(), [65_535, 0, 2]);
        assert_eq!(heard[2], Heard::KeyFrameWanted { ssrc: 7 });
        assert_eq!(heard[3], Heard::KeyFrameWanted { ssrc: 8 });
        let Heard::Estimate { bits_per_second } = heard[4] else { panic!("{heard:?}") };
        assert!((2_480_000..=2_500_000).contains(&bits_per_second), "{bits_per_second}");
        assert_eq!(heard[5..], [Heard::Bye]);
    }

    #[test]
    fn a_negative_count_of_losses_keeps_its_sign() {
        let mut block = [0_u8; 32];
        block[..4].copy_from_slice(&[0x81, RECEIVER_REPORT, 0, 7]);
        block[13..16].copy_from_slice(&[0xff, 0xff, 0xfe]);
        let Some(Heard::Reception(reception)) = read(&block).next() else { panic!("no report") };
        assert_eq!(reception.lost, -2);
    }

    #[test]
    fn transport_feedback_tells_each_packets_fate() {
        // Run of two small deltas, one-bit vector (lost, arrived, lost, ...), two-bit vector (large, reserved ends).
        let mut items = Vec::new();
        items.extend(65_534_u16.to_be_bytes());
        items.extend(5_u16.to_be_bytes());
        items.extend([0xff, 0xff, 0xff, 9]);
        items.extend((1_u16 << 13 | 2).to_be_bytes());
        items.extend((0x8000_u16 | 0b01 << 12).to_be_bytes());
        items.extend([4, 8, 12, 0]);
        let feedback = TransportFeedback::read(&items).unwrap();
        let fates: Vec<_> = feedback.fates().map(|fate| (fate.sequence, fate.arrived)).collect();
        let start = -256;
        assert_eq!(
            fates,
            [
                (65_534, Some(start + 4)),
                (65_535, Some(start + 12)),
                (0, None),
                (1, Some(start + 24)),
                (2, None)
            ]
        );
    }

    #[test]
    fn a_short_message_cannot_claim_thousands_of_packets() {
        let mut items = vec![0, 0];
        items.extend((MAX_STATUSES + 1).to_be_bytes());
        items.extend([0, 0, 0, 0, 0x1f, 0xff]);
        assert_eq!(TransportFeedback::read(&items), None);
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic_and_never_say_more_than_they_hold(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            exhaust(&bytes);
        }

        #[test]
        fn well_framed_nonsense_never_panics(
            parts in prop::collection::vec((0_u8..32, prop::sample::select(vec![200_u8, 201, 202, 203, 205, 206, 207]),
                prop::collection::vec(any::<u8>(), 0..200)), 0..6)
        ) {
            let mut bytes = Vec::new();
            for (count, kind, mut body) in parts {
                body.truncate(body.len() / 4 * 4);
                bytes.extend([0x80 | count, kind]);
                bytes.extend(u16::try_from(body.len() / 4).unwrap().to_be_bytes());
                bytes.extend(body);
            }
            exhaust(&bytes);
        }
    }

    /// Walks everything that the bytes say.
    fn exhaust(bytes: &[u8]) {
        for heard in read(bytes) {
            match heard {
                Heard::Nack { items, .. } => assert!(nacked(items).count() <= items.len() / 4 * 17),
                Heard::Transport(feedback) => {
                    assert!(feedback.fates().count() <= usize::from(MAX_STATUSES));
                }
                _ => {}
            }
        }
    }
}
