//! Renaming packets so that a viewer sees one unbroken stream, whatever encodings and publishers it is made of.
//!
//! Owns the outgoing sequence, timestamps and picture ids of one track. A *run* is a stretch of one encoding under one
//! renaming; a new one begins at every switch, skip and return of the publisher. Within a run, what is missing from the source
//! leaves its hole; between runs there is none. Decides nothing about when to switch, and holds no packets.

use std::time::{Duration, Instant};

use super::codec::{Descriptor, Field, PictureId};
use super::packet::Packet;
use crate::live::media::MediaKind;

/// How far apart the frames of a replay are at least: near enough that a decoder hurries through them, far enough that it does
/// not take them for one (0.1 ms froze a browser, 0.5-2 ms played).
pub const PRESSED_STEP: Duration = Duration::from_millis(1);

/// What comes while a replay is being sent is pressed to a sixteenth of its time, until it is told as late as it is sent.
const PRESSED_SINCE: i64 = 16;

/// How far apart the runs of a sound are at least: its usual packet, or decoders take the next for a repeat.
const AUDIO_STEP: Duration = Duration::from_millis(20);

/// Most frames of one replay: 17 s at 60 a second. Two bytes are kept for each while it may be repeated.
pub const MAX_PRESSED_FRAMES: usize = 1_024;

/// First sequence numbers lie below this, so that a receiver which loses the first packets does not miss a wrap: it would
/// never decrypt again (RFC 3711 3.3.1).
pub const FIRST_SEQUENCE_BELOW: u16 = 1 << 15;

/// How the packets of one run are renamed. The same packet is always renamed the same way, so that it can be repeated.
#[derive(Clone, Debug)]
pub struct Run {
    /// Added to a source timestamp, wrapping.
    pub timestamp_shift: u64,
    picture_shift: u16,
    tl0_shift: u8,
    /// The frames before the live edge, where the run began with a replay.
    pub pressed: Option<Pressed>,
}

impl Run {
    /// The outgoing timestamp of a packet of this run, counted on past every wrap. None for a packet that came into the replay
    /// after it was planned: its frame has no place in it.
    pub fn timestamp(&self, packet: &Packet) -> Option<u64> {
        match &self.pressed {
            Some(pressed) if packet.index < pressed.edge => pressed.timestamp(packet),
            Some(pressed) => Some(pressed.after(packet.timestamp.wrapping_add(self.timestamp_shift))),
            None => Some(packet.timestamp.wrapping_add(self.timestamp_shift)),
        }
    }

    /// Makes picture id and TL0PICIDX in a copied payload continue those of the run before; their widths stay.
    pub fn patch(&self, descriptor: &Descriptor, payload: &mut [u8]) {
        let (picture, tl0) = counters(descriptor);
        if let Some(id) = picture {
            let [high, low] = self.picture_id(id).to_be_bytes();
            let at = usize::from(id.offset);
            match payload.get_mut(at..) {
                Some([first, second, ..]) if id.is_wide => (*first, *second) = (high | 0x80, low),
                Some([only, ..]) if !id.is_wide => *only = low,
                _ => {}
            }
        }
        if let Some(field) = tl0
            && let Some(byte) = payload.get_mut(usize::from(field.offset))
        {
            *byte = field.value.wrapping_add(self.tl0_shift);
        }
    }

    fn picture_id(&self, id: PictureId) -> u16 {
        id.value.wrapping_add(self.picture_shift) & if id.is_wide { 0x7fff } else { 0x7f }
    }
}

/// Timestamps of a replay, pressed together so that its last frame is told for the moment at which it is sent.
///
/// A receiver learns from the first frames how much real time passes between two timestamps, and plays by that for seconds on:
/// a replay that takes longer to send than its timestamps say is played on too slowly, and one that ends late stays late. So
/// the frames of a replay are as far apart as their sending at least; what comes meanwhile follows more densely than it came,
/// up to a sixteenth of the replay's length ahead of its own time; and from where both agree every frame keeps its own.
#[derive(Clone, Debug)]
pub struct Pressed {
    /// Index of the first packet.
    first: u64,
    /// Index of the first packet that keeps its own time.
    pub edge: u64,
    /// Where each frame before the edge begins, counted from `first`; none once it is too late to repeat them.
    starts: Option<Box<[u16]>>,
    /// What the packet at the edge would be told for, had it not waited for the replay.
    edge_timestamp: u64,
    /// Ticks that sending the replay takes.
    lasts: u64,
    step: u64,
    planned: Instant,
}

impl Pressed {
    fn timestamp(&self, packet: &Packet) -> Option<u64> {
        let offset = packet.index.checked_sub(self.first).filter(|_| packet.arrived <= self.planned)?;
        let starts = self.starts.as_deref()?;
        let begun = starts.partition_point(|&start| u64::from(start) <= offset);
        let ahead = (starts.len() + 1).checked_sub(begun)?;
        Some(self.edge_timestamp.wrapping_add(self.lasts).wrapping_sub(ahead as u64 * self.step))
    }

    /// What a packet from the edge on is told for, whose own time on the viewer's timeline is this.
    fn after(&self, own: u64) -> u64 {
        let since = own.wrapping_sub(self.edge_timestamp).cast_signed();
        let pressed = self.lasts.cast_signed() + since / PRESSED_SINCE;
        self.edge_timestamp.wrapping_add_signed(since.max(pressed))
    }

    /// When what has this timestamp would have come, had it not been pressed.
    fn shown_at(&self, timestamp: u64, clock_rate: u32) -> Instant {
        let since = timestamp.wrapping_sub(self.edge_timestamp).cast_signed().max(0).cast_unsigned();
        self.planned + Duration::from_nanos(since.saturating_mul(1_000_000_000) / u64::from(clock_rate))
    }

    /// Gives the memory back; the replay's packets cannot be written again.
    pub fn forget(&mut self) {
        self.starts = None;
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.starts.as_deref().map_or(0, size_of_val)
    }
}

/// Where a run begins.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// Its first packet, which begins a key frame where there are key frames.
    pub first: &'a Packet,
    /// The packet at which live begins: `first`, unless a replay leads up to it.
    pub edge: &'a Packet,
    /// Where each frame from `first` to before `edge` begins, counted in packets from `first`.
    pub frames: Vec<u16>,
    /// How long sending these frames takes.
    pub lasts: Duration,
    /// What the viewer's timeline shows at `edge`, where something is known better than the arrival of packets.
    pub timestamp: Option<u64>,
    /// The time.
    pub now: Instant,
}

/// Names the packets of one outgoing stream.
#[derive(Clone, Debug)]
pub struct Munger {
    clock_rate: u32,
    /// Least distance between two runs, and between the frames of a replay, in ticks.
    least_step: u64,
    /// The next packet's index; its low 16 bits are the sequence number.
    next: u64,
    /// Added to a source index, wrapping.
    index_shift: u64,
    newest: Option<Newest>,
    first_timestamp: u64,
    picture_id: Option<u16>,
    tl0_pic_idx: Option<u8>,
}

/// The newest packet in order that was sent, and when it came; one of a replay came long before the time that it is told for.
#[derive(Clone, Copy, Debug)]
struct Newest {
    timestamp: u64,
    arrived: Instant,
}

impl Munger {
    /// A stream that begins with a sequence number made from `sequence`, below [`FIRST_SEQUENCE_BELOW`], and `timestamp`.
    pub fn new(kind: MediaKind, sequence: u16, timestamp: u32) -> Self {
        let (clock_rate, least_step) = match kind {
            MediaKind::Audio => (48_000, AUDIO_STEP),
            MediaKind::Video => (90_000, PRESSED_STEP),
        };
        Self {
            clock_rate,
            least_step: ticks(least_step, clock_rate),
            next: u64::from(sequence % FIRST_SEQUENCE_BELOW),
            index_shift: 0,
            newest: None,
            // A whole turn above zero, so that a replay before it needs no negative time.
            first_timestamp: (1 << 32) + u64::from(timestamp),
            picture_id: None,
            tl0_pic_idx: None,
        }
    }

    /// The index that the next packet in order gets.
    pub fn next_index(&self) -> u64 {
        self.next
    }

    /// The newest outgoing timestamp, counted on past every wrap; none before the first packet.
    pub fn newest_timestamp(&self) -> Option<u64> {
        self.newest.map(|newest| newest.timestamp)
    }

    /// What the timeline shows for a packet by its arrival alone.
    pub fn timestamp_by_arrival(&self, packet: &Packet) -> u64 {
        let Some(newest) = self.newest else { return self.first_timestamp };
        let passed = packet.arrived.saturating_duration_since(newest.arrived);
        newest.timestamp.wrapping_add(ticks(passed, self.clock_rate))
    }

    /// Begins a run: its first packet follows the newest one sent in sequence, timestamp and picture id.
    pub fn begin(&mut self, start: Start<'_>) -> Run {
        let wished = start.timestamp.unwrap_or_else(|| self.timestamp_by_arrival(start.edge));
        let frames = start.frames.len() as u64;
        let lasts = if frames == 0 { 0 } else { ticks(start.lasts, self.clock_rate) };
        let step = lasts.checked_div(frames).map_or(self.least_step, |step| step.max(self.least_step));
        let lead = ((frames + 1) * step).saturating_sub(lasts);
        let edge_timestamp =
            self.newest.map_or(wished, |newest| wished.max(newest.timestamp.wrapping_add(lead)));

        let (picture, tl0) = counters(&start.first.frame.descriptor);
        self.index_shift = self.next.wrapping_sub(start.first.index);
        Run {
            timestamp_shift: edge_timestamp.wrapping_sub(start.edge.timestamp),
            picture_shift: match (self.picture_id, picture) {
                (Some(newest), Some(first)) => newest.wrapping_add(1).wrapping_sub(first.value),
                _ => 0,
            },
            tl0_shift: match (self.tl0_pic_idx, tl0) {
                (Some(newest), Some(first)) => newest.wrapping_add(1).wrapping_sub(first.value),
                _ => 0,
            },
            pressed: (!start.frames.is_empty()).then(|| Pressed {
                first: start.first.index,
                edge: start.edge.index,
                starts: Some(start.frames.into()),
                edge_timestamp,
                lasts,
                step,
                planned: start.now,
            }),
        }
    }

    /// The outgoing index of a packet of the current run.
    pub fn index(&self, source: u64) -> u64 {
        source.wrapping_add(self.index_shift)
    }

    /// Notes that a packet of the current run was sent in order.
    pub fn sent(&mut self, run: &Run, packet: &Packet, timestamp: u64) {
        self.next = self.index(packet.index) + 1;
        if self.newest.is_none_or(|newest| newest.timestamp != timestamp) {
            let pressed = run.pressed.as_ref().filter(|pressed| packet.index < pressed.edge);
            let arrived =
                pressed.map_or(packet.arrived, |pressed| pressed.shown_at(timestamp, self.clock_rate));
            self.newest = Some(Newest { timestamp, arrived });
            let (picture, tl0) = counters(&packet.frame.descriptor);
            self.picture_id = picture.map(|id| run.picture_id(id)).or(self.picture_id);
            self.tl0_pic_idx = tl0.map(|field| field.value.wrapping_add(run.tl0_shift)).or(self.tl0_pic_idx);
        }
    }

    /// The packet with this index of the source is dropped by choice: what follows it moves up, so that there is no hole.
    pub fn skip(&mut self) {
        self.index_shift = self.index_shift.wrapping_sub(1);
    }

    /// Takes an index for a packet that does not come from the source.
    pub fn insert(&mut self) -> u64 {
        let index = self.next;
        self.next += 1;
        self.index_shift = self.index_shift.wrapping_add(1);
        index
    }
}

/// Ticks of a media clock in a time.
pub fn ticks(time: Duration, clock_rate: u32) -> u64 {
    let ticks = time.as_nanos() * u128::from(clock_rate) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// Picture id and TL0PICIDX of a payload.
fn counters(descriptor: &Descriptor) -> (Option<PictureId>, Option<Field>) {
    match descriptor {
        Descriptor::Vp8(vp8) => (vp8.picture_id, vp8.tl0_pic_idx),
        Descriptor::Vp9(vp9) => (vp9.picture_id, vp9.tl0_pic_idx),
        Descriptor::None | Descriptor::H264(_) | Descriptor::Av1 => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::live::forward::codec::{self, FrameInfo};
    use crate::live::media::Codec;

    fn packet(codec: Codec, index: u64, timestamp: u64, payload: &[u8]) -> Packet {
        Packet {
            index,
            timestamp,
            arrived: Instant::now(),
            marker: true,
            payload: Bytes::copy_from_slice(payload),
            frame: codec::describe(codec, payload, true).unwrap_or_else(|_| FrameInfo::default()),
            audio_level: None,
            orientation: None,
        }
    }

    /// Sends `payloads` as one run, 3,000 ticks apart; returns what a viewer gets: index, timestamp, payload.
    fn run(munger: &mut Munger, codec: Codec, first: u64, payloads: &[Vec<u8>]) -> Vec<(u64, u64, Vec<u8>)> {
        let packets =
            (first..).zip(payloads).map(|(index, payload)| packet(codec, index, 3_000 * index, payload));
        let packets: Vec<_> = packets.collect();
        let run = munger.begin(Start {
            first: &packets[0],
            edge: &packets[0],
            frames: Vec::new(),
            lasts: Duration::ZERO,
            timestamp: None,
            now: Instant::now(),
        });
        let sent = packets.iter().map(|packet| {
            let timestamp = run.timestamp(packet).unwrap();
            let mut payload = packet.payload.to_vec();
            run.patch(&packet.frame.descriptor, &mut payload);
            let index = munger.index(packet.index);
            munger.sent(&run, packet, timestamp);
            (index, timestamp, payload)
        });
        sent.collect()
    }

    /// A VP8 picture with a picture id of 7 bits and a TL0PICIDX.
    fn vp8_narrow(picture: u8, tl0: u8) -> Vec<u8> {
        vec![0x90, 0xc0, picture, tl0, 0x11, 0, 0]
    }

    /// A VP9 picture (not flexible, one layer) with a picture id of 15 bits and a TL0PICIDX.
    fn vp9_wide(picture: u16, tl0: u8) -> Vec<u8> {
        let [high, low] = picture.to_be_bytes();
        vec![0xac, high | 0x80, low, 0x00, tl0, 0x82, 0, 0]
    }

    #[test]
    fn narrow_picture_ids_stay_narrow_and_go_on_over_a_switch() {
        let mut munger = Munger::new(MediaKind::Video, 7, 0);
        let before = run(
            &mut munger,
            Codec::Vp8,
            100,
            &[vp8_narrow(126, 254), vp8_narrow(127, 255), vp8_narrow(0, 0)],
        );
        assert_eq!(before[2].2, vp8_narrow(0, 0), "the first run is sent as it is");
        let after = run(&mut munger, Codec::Vp8, 9_000, &[vp8_narrow(90, 17), vp8_narrow(91, 18)]);
        assert_eq!(after[0].2, vp8_narrow(1, 1));
        assert_eq!(after[1].2, vp8_narrow(2, 2));
        assert_eq!(after[0].0, before[2].0 + 1, "there is no hole between the runs");
        assert!(after[0].1 > before[2].1, "and time goes on");
    }

    #[test]
    fn wide_picture_ids_wrap_at_fifteen_bits() {
        let profile = Codec::Vp9 { profile: 0 };
        let mut munger = Munger::new(MediaKind::Video, 7, 0);
        let before = run(&mut munger, profile, 100, &[vp9_wide(0x7ffe, 9), vp9_wide(0x7fff, 10)]);
        assert_eq!(before[1].2, vp9_wide(0x7fff, 10));
        let after = run(&mut munger, profile, 50, &[vp9_wide(5, 200), vp9_wide(6, 201)]);
        assert_eq!(after[0].2, vp9_wide(0, 11));
        assert_eq!(after[1].2, vp9_wide(1, 12));
    }

    #[test]
    fn the_first_sequence_number_lies_in_the_lower_half() {
        for sequence in [0, 1, 0x7fff, 0x8000, 0xffff] {
            assert!(Munger::new(MediaKind::Video, sequence, 0).next_index() < 1 << 15);
        }
    }

    #[test]
    fn sound_that_begins_anew_is_a_packet_further_on() {
        let mut munger = Munger::new(MediaKind::Audio, 7, 0);
        let before = run(&mut munger, Codec::Opus, 100, &[vec![1; 10]]);
        let after = run(&mut munger, Codec::Opus, 900, &[vec![1; 10]]);
        assert!(after[0].1 - before[0].1 >= 960);
    }

    #[test]
    fn dropping_closes_up_and_inserting_makes_room() {
        let mut munger = Munger::new(MediaKind::Video, 0, 0);
        run(&mut munger, Codec::Vp8, 100, &[vp8_narrow(1, 1)]);
        munger.skip();
        assert_eq!(munger.index(102), munger.next_index(), "101 was dropped by choice");
        let padding = munger.insert();
        assert_eq!(munger.index(102), padding + 1);
        assert_eq!(munger.next_index(), padding + 1);
    }
}
