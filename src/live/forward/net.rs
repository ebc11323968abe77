//! What the stories of the packet path are made of: a network in virtual time, a camera in front of it and a decoder behind.
//!
//! The network loses, repeats, delays and reorders by a seed; the camera sends VP8 pictures that say in their last bytes which
//! they are; the decoder shows what a real one could show and nothing else. No real time passes.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::codec::{self, Descriptor, PictureId};
use super::packet::{Rtp, Unwrapper};
use crate::live::media::Codec;

/// How a network treats packets. Chances are 0-1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions {
    /// Chance that a packet is lost.
    pub(crate) loss: f64,
    /// Chance that a packet comes twice.
    pub(crate) duplicate: f64,
    /// Chance that a packet takes `detour` longer, so that later ones overtake it.
    pub(crate) reorder: f64,
    /// How much longer a reordered packet takes.
    pub(crate) detour: Duration,
    /// The way of a packet.
    pub(crate) delay: Duration,
    /// At most this much is added to the way, by chance; order is kept.
    pub(crate) jitter: Duration,
}

/// One direction of a network in virtual time.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) conditions: Conditions,
    pub(crate) lost: u64,
    rng: StdRng,
    under_way: BTreeMap<(Instant, u64), Vec<u8>>,
    sent: u64,
    last_arrival: Option<Instant>,
}

impl Network {
    pub(crate) fn new(seed: u64, conditions: Conditions) -> Self {
        Self {
            conditions,
            lost: 0,
            rng: StdRng::seed_from_u64(seed),
            under_way: BTreeMap::new(),
            sent: 0,
            last_arrival: None,
        }
    }

    /// Puts a datagram on its way.
    pub(crate) fn send(&mut self, now: Instant, datagram: Vec<u8>) {
        let Conditions { loss, duplicate, reorder, detour, delay, jitter } = self.conditions;
        if self.rng.random_bool(loss) {
            self.lost += 1;
            return;
        }
        let copies = if self.rng.random_bool(duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let in_order =
                (now + delay + jitter.mul_f64(self.rng.random())).max(self.last_arrival.unwrap_or(now));
            self.last_arrival = Some(in_order);
            let arrival = if self.rng.random_bool(reorder) { in_order + detour } else { in_order };
            self.sent += 1;
            self.under_way.insert((arrival, self.sent), datagram.clone());
        }
    }

    /// The next datagram that has arrived by `now`.
    pub(crate) fn receive(&mut self, now: Instant) -> Option<(Instant, Vec<u8>)> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        let at = entry.key().0;
        Some((at, entry.remove()))
    }
}

/// The fields of an RTP packet to be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) payload_type: u8,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    /// One-byte extensions: id and value.
    pub(crate) extensions: Vec<(u8, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
    /// Bytes of padding.
    pub(crate) padding: u8,
}

impl Draft {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let has = |condition: bool, bit: u8| if condition { bit } else { 0 };
        let mut out = vec![
            0x80 | has(self.padding > 0, 0x20) | has(!self.extensions.is_empty(), 0x10),
            has(self.marker, 0x80) | self.payload_type,
        ];
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        if !self.extensions.is_empty() {
            let mut block = Vec::new();
            for (id, value) in &self.extensions {
                block.push(id << 4 | (value.len() - 1) as u8);
                block.extend(value);
            }
            block.resize(block.len().next_multiple_of(4), 0);
            out.extend([0xbe, 0xde]);
            out.extend((block.len() as u16 / 4).to_be_bytes());
            out.extend(block);
        }
        out.extend(&self.payload);
        out.extend(std::iter::repeat_n(0, usize::from(self.padding.saturating_sub(1))));
        out.extend((self.padding > 0).then_some(self.padding));
        out
    }
}

/// A publisher of VP8 pictures that remembers what it sent, for repeats.
#[derive(Debug)]
pub(crate) struct Camera {
    pub(crate) payload_type: u8,
    pub(crate) ssrc: u32,
    /// The payload type and SSRC of retransmissions.
    pub(crate) rtx: Option<(u8, u32)>,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) picture_id: u16,
    /// The number of the next picture.
    pub(crate) frame: u32,
    pub(crate) size: (u16, u16),
    pub(crate) key_frame_bytes: usize,
    pub(crate) frame_bytes: usize,
    /// Put on every packet.
    pub(crate) extensions: Vec<(u8, Vec<u8>)>,
    pub(crate) rtx_sequence: u16,
    pub(crate) tl0: u8,
    pub(crate) sent: HashMap<u16, Draft>,
}

impl Camera {
    /// A camera of 320x180, with key frames of 6,000 bytes and other pictures of 2,500.
    pub(crate) fn new(ssrc: u32, payload_type: u8) -> Self {
        Self {
            payload_type,
            ssrc,
            rtx: None,
            sequence: 65_500,
            timestamp: u32::MAX - 90_000,
            picture_id: 0x7ff0,
            frame: 0,
            size: (320, 180),
            key_frame_bytes: 6_000,
            frame_bytes: 2_500,
            extensions: Vec::new(),
            rtx_sequence: 77,
            tl0: 250,
            sent: HashMap::new(),
        }
    }

    /// The packets of the next picture, 33 ms after the one before.
    pub(crate) fn picture(&mut self, is_key: bool) -> Vec<Draft> {
        let bytes = if is_key { self.key_frame_bytes } else { self.frame_bytes };
        let parts = bytes.div_ceil(1_100).max(1);
        let packets = (0..parts).map(|part| self.part(is_key, part, parts)).collect::<Vec<_>>();
        self.timestamp = self.timestamp.wrapping_add(3_000);
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.tl0 = self.tl0.wrapping_add(1);
        self.frame += 1;
        packets
    }

    fn part(&mut self, is_key: bool, part: usize, parts: usize) -> Draft {
        let mut payload = vec![if part == 0 { 0x90 } else { 0x80 }, 0xe0];
        payload.extend((0x8000 | self.picture_id).to_be_bytes());
        payload.extend([self.tl0, 0x00]);
        if part == 0 {
            payload.push(if is_key { 0x10 } else { 0x11 });
            if is_key {
                payload.extend([0x00, 0x00, 0x9d, 0x01, 0x2a]);
                payload.extend(self.size.0.to_le_bytes());
                payload.extend(self.size.1.to_le_bytes());
            }
        }
        let bytes = if is_key { self.key_frame_bytes } else { self.frame_bytes };
        payload.resize((bytes / parts).max(payload.len()), 0x55);
        payload.extend(self.frame.to_be_bytes());
        payload.extend((part as u16).to_be_bytes());
        payload.extend((parts as u16).to_be_bytes());
        self.draft(payload, part + 1 == parts)
    }

    /// The next packet, remembered for repeats.
    pub(crate) fn draft(&mut self, payload: Vec<u8>, marker: bool) -> Draft {
        let draft = Draft {
            payload_type: self.payload_type,
            ssrc: self.ssrc,
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker,
            extensions: self.extensions.clone(),
            payload,
            padding: 0,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.sent.insert(draft.sequence, draft.clone());
        draft
    }

    /// A bandwidth probe: a packet of padding alone, which is never repeated.
    pub(crate) fn probe(&mut self) -> Draft {
        let draft = Draft { padding: 200, ..self.draft(Vec::new(), false) };
        self.sent.remove(&draft.sequence);
        draft
    }

    /// The answer to a NACK: as a retransmission (RFC 4588) where there is a stream for them, else the packet as it was.
    pub(crate) fn repeat(&mut self, sequence: u16) -> Option<Draft> {
        let mut draft = self.sent.get(&sequence)?.clone();
        if let Some((payload_type, ssrc)) = self.rtx {
            (draft.payload_type, draft.ssrc) = (payload_type, ssrc);
            draft.payload.splice(0..0, sequence.to_be_bytes());
            draft.sequence = self.rtx_sequence;
            self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        }
        Some(draft)
    }
}

/// A picture that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The camera's number of it.
    pub(crate) frame: u32,
    /// Its RTP timestamp, unwrapped.
    pub(crate) timestamp: u64,
    /// Whether it is a key frame.
    pub(crate) is_key: bool,
}

/// A decoder of one stream of a [`Camera`]: shows a picture only if all of it came, and all that it is built on was shown.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    pub(crate) shown: Vec<Shown>,
    /// What no sender may do: a picture whose parts do not fit together, a sequence number used twice for different bytes.
    pub(crate) faults: Vec<String>,
    sequences: Unwrapper<16>,
    timestamps: Unwrapper<32>,
    waiting: BTreeMap<u64, Part>,
    /// The sequence number and picture id that must follow the last picture shown.
    next: Option<(u64, Option<PictureId>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    timestamp: u64,
    marker: bool,
    payload: Vec<u8>,
}

impl Decoder {
    /// Takes a plain RTP packet of the stream, and shows what can be shown.
    pub(crate) fn take(&mut self, packet: &[u8]) {
        let rtp = match Rtp::parse(packet) {
            Ok(rtp) => rtp,
            Err(error) => return self.faults.push(format!("{error}: {packet:02x?}")),
        };
        let timestamp = self.timestamps.unwrap(u64::from(rtp.timestamp));
        let index = self.sequences.unwrap(u64::from(rtp.sequence));
        self.place(index, Part { timestamp, marker: rtp.marker, payload: rtp.payload.to_vec() });
    }

    /// Takes a packet that was unwrapped already.
    pub(crate) fn take_packet(&mut self, packet: &super::packet::Packet) {
        let part =
            Part { timestamp: packet.timestamp, marker: packet.marker, payload: packet.payload.to_vec() };
        self.place(packet.index, part);
    }

    /// Takes the place of a packet that was padding alone.
    pub(crate) fn take_padding(&mut self, index: u64) {
        self.place(index, Part { timestamp: 0, marker: false, payload: Vec::new() });
    }

    fn place(&mut self, index: u64, part: Part) {
        if self.next.is_some_and(|(next, _)| index < next) {
            return;
        }
        if let Some(known) = self.waiting.insert(index, part.clone())
            && known != part
        {
            self.faults.push(format!("{index} was sent with two contents"));
        }
        self.show();
    }

    fn show(&mut self) {
        while let Some((start, end)) = self.complete() {
            let first = &self.waiting[&start];
            let info =
                codec::describe(Codec::Vp8, &first.payload, first.marker).expect("it begins a picture");
            let Descriptor::Vp8(vp8) = info.descriptor else { unreachable!() };
            let timestamp = first.timestamp;
            let trailers = (start..=end).map(|at| self.trailer(at)).collect::<Vec<_>>();
            let frame = trailers[0].0;
            let fits = trailers.iter().enumerate().all(|(at, &(number, part, parts))| {
                number == frame && usize::from(part) == at && usize::from(parts) == trailers.len()
            });
            if !fits || (start..=end).any(|at| self.waiting[&at].timestamp != timestamp) {
                self.faults.push(format!("picture {frame} is made of {trailers:?}"));
            }
            // Over a hole of the source, picture ids jump as well.
            let is_padding = |at| self.waiting.get(&at).is_some_and(|part: &Part| part.payload.is_empty());
            if let Some((next, Some(before))) = self.next
                && (next..start).all(is_padding)
                && let Some(now) = vp8.picture_id
                && now.value != (before.value + 1) & 0x7fff
            {
                self.faults.push(format!("picture id {} after {}", now.value, before.value));
            }
            self.shown.push(Shown { frame, timestamp, is_key: info.begins_key_frame });
            self.next = Some((end + 1, vp8.picture_id));
            self.waiting = self.waiting.split_off(&(end + 1));
        }
    }

    /// The next picture that can be shown: the one that follows, else a whole key frame further on.
    fn complete(&self) -> Option<(u64, u64)> {
        let following = self.next.map(|(next, _)| next).and_then(|next| {
            let start =
                (next..).find(|at| self.waiting.get(at).is_none_or(|part| !part.payload.is_empty()))?;
            self.end_of(start).map(|end| (start, end))
        });
        // What is missing may still come; a decoder gives up on it after a while.
        if following.is_some() || (self.next.is_some() && self.waiting.len() < PATIENCE) {
            return following;
        }
        let mut starts = self.waiting.iter().filter(|(_, part)| {
            codec::describe(Codec::Vp8, &part.payload, part.marker).is_ok_and(|info| info.begins_key_frame)
        });
        starts.find_map(|(&start, _)| self.end_of(start).map(|end| (start, end)))
    }

    fn end_of(&self, start: u64) -> Option<u64> {
        let first = self.waiting.get(&start)?;
        let begins =
            codec::describe(Codec::Vp8, &first.payload, first.marker).is_ok_and(|info| info.begins_frame);
        if !begins {
            return None;
        }
        (start..)
            .map_while(|at| self.waiting.get(&at).map(|part| (at, part)))
            .find(|(_, part)| part.marker)
            .map(|(at, _)| at)
    }

    fn trailer(&self, at: u64) -> (u32, u16, u16) {
        let payload = &self.waiting[&at].payload;
        let trailer = payload.last_chunk::<8>().expect("a camera's packet has a trailer");
        let number = |at: usize| u16::from_be_bytes([trailer[at], trailer[at + 1]]);
        (u32::from(number(0)) << 16 | u32::from(number(2)), number(4), number(6))
    }
}

/// Packets that a decoder keeps behind a hole before it skips to a key frame: about half a second.
const PATIENCE: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(conditions: Conditions, seed: u64) -> (Decoder, u64) {
        let start = Instant::now();
        let (mut network, mut camera, mut decoder) =
            (Network::new(seed, conditions), Camera::new(1, 96), Decoder::default());
        for frame in 0..300u32 {
            let now = start + Duration::from_millis(33) * frame;
            for draft in camera.picture(frame % 30 == 0) {
                network.send(now, draft.bytes());
            }
            while let Some((_, datagram)) = network.receive(now) {
                decoder.take(&datagram);
            }
        }
        while let Some((_, datagram)) = network.receive(start + Duration::from_secs(60)) {
            decoder.take(&datagram);
        }
        (decoder, network.lost)
    }

    #[test]
    fn a_network_that_only_delays_repeats_and_reorders_shows_every_picture() {
        let conditions = Conditions {
            duplicate: 0.1,
            reorder: 0.1,
            detour: Duration::from_millis(40),
            delay: Duration::from_millis(30),
            jitter: Duration::from_millis(10),
            ..Conditions::default()
        };
        let (decoder, lost) = run(conditions, 7);
        assert_eq!((decoder.shown.len(), lost), (300, 0));
        assert_eq!(decoder.faults, Vec::<String>::new());
    }

    #[test]
    fn a_lost_packet_stops_the_decoder_until_the_next_key_frame() {
        let (decoder, lost) = run(Conditions { loss: 0.01, ..Conditions::default() }, 8);
        assert!(
            lost > 0 && decoder.shown.len() < 300 && decoder.shown.len() > 100,
            "{lost} {}",
            decoder.shown.len()
        );
        for pair in decoder.shown.windows(2) {
            assert!(pair[1].frame == pair[0].frame + 1 || pair[1].is_key, "{pair:?}");
        }
    }
}
