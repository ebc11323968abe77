//! From a packet of the source to the bytes on the wire: header, stamp, patched payload.
//!
//! Owns how media, retransmissions and padding are written, and what all streams of a viewer share for it. Which packet gets
//! which number is decided by its callers.

use std::time::Instant;

use super::header::{Fields, HeaderWriter, MAX_HEADER, Stamp};
use super::munger::ticks;
use super::outgoing::Outgoing;
use super::packet::Packet;
use super::sent::{SendTimes, SentPacket, SentRun};
use crate::live::media::SentMedia;

/// What every packet of one poll needs.
#[derive(Debug)]
pub struct Wire<'a> {
    /// The time.
    pub now: Instant,
    /// Where packets go.
    pub out: &'a mut Outgoing,
    /// What the viewer's streams share.
    pub transport: &'a mut Transport,
}

/// What all streams to one viewer share: transport-wide numbers and send times.
#[derive(Debug)]
pub struct Transport {
    pub(super) started: Instant,
    /// When packets left.
    pub times: SendTimes,
    /// Whether what is sent now belongs to a replay.
    pub is_replay: bool,
    /// Bytes of all packets ever sent, replays left out.
    pub bytes: u64,
    /// Packets ever sent, replays left out.
    pub packets: u64,
}

impl Transport {
    /// A session that begins at `now`.
    pub fn new(now: Instant) -> Self {
        Self { started: now, times: SendTimes::default(), is_replay: false, bytes: 0, packets: 0 }
    }

    fn stamp(&self, now: Instant) -> Stamp {
        // 6.18 fixed point; only differences matter to the receiver.
        let time = ticks(now.saturating_duration_since(self.started), 1 << 18);
        Stamp { transport_sequence: self.times.next_sequence(), abs_send_time: (time & 0xff_ffff) as u32 }
    }

    fn left(&mut self, now: Instant, size: usize, is_numbered: bool) {
        if is_numbered {
            let at = now.saturating_duration_since(self.started);
            let size = u16::try_from(size).unwrap_or(u16::MAX);
            self.times.push(SentPacket { at, size, is_replay: self.is_replay });
        }
        if !self.is_replay {
            self.bytes += size as u64;
            self.packets += 1;
        }
    }
}

/// Bytes of a padding packet: the most that its last byte can say.
const PADDING: [u8; 255] = {
    let mut padding = [0; 255];
    padding[254] = 255;
    padding
};

/// Payloads are evened to a multiple of this many bytes.
const EVEN: usize = 8;

/// Payloads beyond this stay as they are: with header, tag and the headers below it a packet must stay within 1,280 bytes,
/// which every way carries (RFC 8200 §5). An encoder that fills its packets to the brim sends them of one size anyway.
const MOST_EVENED: usize = 1_168;

/// Bytes of padding for a packet of a frame, so that the frame leaves as one run.
///
/// The kernel segments what is handed over at once into packets of one size, of which the last may be shorter. Encoders cut a
/// frame into packets that differ by a byte, the shorter ones first, so that most frames would take two system calls for each
/// viewer. This takes a third of all calls away for a quarter of a percent of bytes. The last packet of a frame, and with it
/// every sound, needs none.
fn evening(payload: usize, ends_frame: bool) -> u8 {
    let evened = payload.next_multiple_of(EVEN);
    if ends_frame || evened > MOST_EVENED { 0 } else { u8::try_from(evened - payload).unwrap_or(0) }
}

/// How packets of one run are put on the wire.
pub(super) struct Writing<'a> {
    pub(super) media: &'a SentMedia,
    pub(super) writer: &'a HeaderWriter,
    pub(super) sent: &'a SentRun,
}

/// Where a retransmission goes.
#[derive(Clone, Copy)]
pub(super) struct Rtx {
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    pub(super) index: u64,
}

impl Writing<'_> {
    /// Whether no packet is ever repeated under its own number.
    fn has_rtx(&self) -> bool {
        self.media.rtx_ssrc.is_some() && self.sent.payload.rtx.is_some()
    }

    /// Whether packets are stamped: only where no packet is ever repeated under its own number.
    fn stamp(&self, wire: &Wire<'_>) -> Option<Stamp> {
        let is_wanted =
            self.media.extensions.transport_cc.is_some() || self.media.extensions.abs_send_time.is_some();
        (is_wanted && self.has_rtx()).then(|| wire.transport.stamp(wire.now))
    }

    fn fields(&self, packet: &Packet, place: (u64, u64)) -> Fields {
        Fields {
            payload_type: self.sent.payload.payload_type,
            marker: packet.marker,
            padding: false,
            sequence: (place.0 & 0xffff) as u16,
            timestamp: (place.1 & 0xffff_ffff) as u32,
            ssrc: self.media.ssrc,
            audio_level: packet.audio_level,
            orientation: packet.orientation,
            stamp: None,
        }
    }

    /// Writes a source packet under `place`, its outgoing index and timestamp. Returns its bytes.
    pub(super) fn media(&self, packet: &Packet, place: (u64, u64), wire: &mut Wire<'_>) -> usize {
        // Receivers that know no retransmissions are small ones, of which some take padding for a part of the picture.
        let padding = if self.has_rtx() { evening(packet.payload.len(), packet.frame.ends_frame) } else { 0 };
        let fields = Fields { stamp: self.stamp(wire), padding: padding > 0, ..self.fields(packet, place) };
        let mut buffer = [0; MAX_HEADER];
        let header = self.writer.write(&fields, &mut buffer);
        let body = wire.out.push_padded(header, &packet.payload, padding);
        self.sent.run.patch(&packet.frame.descriptor, body);
        let size = header.len() + packet.payload.len() + usize::from(padding);
        self.left(size, fields.stamp, wire)
    }

    /// Writes a source packet once more, as RFC 4588 says.
    pub(super) fn rtx(&self, rtx: Rtx, packet: &Packet, place: (u64, u64), wire: &mut Wire<'_>) -> usize {
        let original = self.fields(packet, place);
        let fields = Fields {
            stamp: self.stamp(wire),
            ssrc: rtx.ssrc,
            payload_type: rtx.payload_type,
            sequence: (rtx.index & 0xffff) as u16,
            ..original
        };
        let mut buffer = [0; MAX_HEADER];
        let length = self.writer.write(&fields, &mut buffer).len();
        let mut head = [0; MAX_HEADER + 2];
        head[..length].copy_from_slice(&buffer[..length]);
        head[length..length + 2].copy_from_slice(&original.sequence.to_be_bytes());
        let body = wire.out.push(&head[..length + 2], &packet.payload);
        self.sent.run.patch(&packet.frame.descriptor, body);
        self.left(length + 2 + packet.payload.len(), fields.stamp, wire)
    }

    fn left(&self, size: usize, stamp: Option<Stamp>, wire: &mut Wire<'_>) -> usize {
        let is_numbered = stamp.is_some() && self.media.extensions.transport_cc.is_some();
        wire.transport.left(wire.now, size, is_numbered);
        size
    }
}

/// Writes a packet of padding under `place`, always with the first payload type, so that it can be repeated after a change of
/// codec. None where nothing was negotiated.
pub(super) fn padding(
    media: &SentMedia,
    writer: &HeaderWriter,
    place: (u64, u64),
    wire: &mut Wire<'_>,
) -> Option<usize> {
    let fields = Fields {
        payload_type: media.codecs.first()?.payload_type,
        padding: true,
        sequence: (place.0 & 0xffff) as u16,
        timestamp: (place.1 & 0xffff_ffff) as u32,
        ssrc: media.ssrc,
        ..Fields::default()
    };
    let mut buffer = [0; MAX_HEADER];
    let header = writer.write(&fields, &mut buffer);
    wire.out.push(header, &PADDING);
    let size = header.len() + PADDING.len();
    wire.transport.left(wire.now, size, false);
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Payloads of one frame, the last one last, as they leave.
    fn leave(payloads: &[usize]) -> Vec<usize> {
        let last = payloads.len() - 1;
        let evened = |(place, &payload)| payload + usize::from(evening(payload, place == last));
        payloads.iter().enumerate().map(evened).collect()
    }

    #[test]
    fn a_frame_that_was_cut_about_equally_leaves_as_one_run() {
        assert_eq!(leave(&[945, 946, 946, 946, 946]), [952, 952, 952, 952, 946]);
        assert_eq!(leave(&[839, 839, 840]), [840, 840, 840]);
    }

    #[test]
    fn a_lone_packet_and_the_last_of_a_frame_stay_as_they_are() {
        assert_eq!(leave(&[61]), [61]);
        assert_eq!(leave(&[960, 959]), [960, 959]);
    }

    #[test]
    fn no_packet_grows_beyond_what_every_way_carries() {
        assert_eq!(leave(&[1_167, 1_169, 1_188, 1_000]), [1_168, 1_169, 1_188, 1_000]);
        let (tag, udp, ipv6) = (16, 8, 40);
        let longest = 1_168 + MAX_HEADER + tag + udp + ipv6;
        assert_eq!(longest, 1_276, "of 1,280");
    }
}
