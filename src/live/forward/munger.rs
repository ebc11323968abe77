//! Renaming packets so that a viewer sees one unbroken stream, whatever encodings and publishers it is made of.
//!
//! Owns the outgoing sequence, timestamps and picture ids of one track. A *run* is a stretch of one encoding under one
//! renaming; a new one begins at every switch, skip and return of the publisher. Within a run, what is missing from the source
//! leaves its hole; between runs there is none. Decides nothing about when to switch, and holds no packets.

use std::time::{Duration, Instant};

use super::codec::{Descriptor, Field, PictureId};
use super::packet::Packet;
use crate::live::media::MediaKind;

/// How far apart the frames of a replay are: near enough that a decoder hurries through them, far enough that it does not take
/// them for one (0.1 ms froze a browser, 0.5-2 ms played).
pub const PRESSED_STEP: Duration = Duration::from_millis(1);

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
            _ => Some(packet.timestamp.wrapping_add(self.timestamp_shift)),
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

/// Timestamps of a replay, pressed together so that it ends where live begins.
#[derive(Clone, Debug)]
pub struct Pressed {
    /// Index of the first packet.
    first: u64,
    /// Index of the first packet that keeps its own time.
    pub edge: u64,
    /// Where each frame before the edge begins, counted from `first`; none once it is too late to repeat them.
    starts: Option<Box<[u16]>>,
    edge_timestamp: u64,
    step: u64,
    planned: Instant,
}

impl Pressed {
    fn timestamp(&self, packet: &Packet) -> Option<u64> {
        let offset = packet.index.checked_sub(self.first).filter(|_| packet.arrived <= self.planned)?;
        let starts = self.starts.as_deref()?;
        let begun = starts.partition_point(|&start| u64::from(start) <= offset);
        let ahead = (starts.len() + 1).checked_sub(begun)?;
        Some(self.edge_timestamp.wrapping_sub(ahead as u64 * self.step))
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
    step: u64,
    /// The next packet's index; its low 16 bits are the sequence number.
    next: u64,
    /// Added to a source index, wrapping.
    index_shift: u64,
    newest: Option<Newest>,
    first_timestamp: u64,
    picture_id: Option<u16>,
    tl0_pic_idx: Option<u8>,
}

/// The newest packet in order that was sent.
#[derive(Clone, Copy, Debug)]
struct Newest {
    timestamp: u64,
    arrived: Instant,
}

impl Munger {
    /// A stream that begins with a sequence number made from `sequence`, below [`FIRST_SEQUENCE_BELOW`], and `timestamp`.
    pub fn new(kind: MediaKind, sequence: u16, timestamp: u32) -> Self {
        let (clock_rate, step) = match kind {
            MediaKind::Audio => (48_000, AUDIO_STEP),
            MediaKind::Video => (90_000, PRESSED_STEP),
        };
        Self {
            clock_rate,
            step: ticks(step, clock_rate),
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
        let step = self.step;
        let wished = start.timestamp.unwrap_or_else(|| self.timestamp_by_arrival(start.edge));
        let lead = (start.frames.len() as u64 + 1) * step;
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
            self.newest = Some(Newest { timestamp, arrived: packet.arrived });
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
