//! The packets of one encoding, in order, as far back as somebody may need them.
//!
//! One writer, many readers. Owns the bounds (packets, bytes, time), which packets are missing, and where decoding can start.
//! Serves live pull, answers to NACK and late joiners from one store. Knows no stream and no viewer.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::codec::{Descriptor, FrameSize};
use super::packet::Packet;

/// How much a ring keeps. What is over any one bound goes, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingLimits {
    /// Sequence numbers from the oldest to the newest packet, holes counted.
    pub packets: usize,
    /// Bytes of payload.
    pub bytes: usize,
    /// Time from the oldest packet to the newest.
    pub age: Duration,
    /// Time that a packet is kept once a newer key frame made it useless to late joiners.
    pub behind: Duration,
}

impl RingLimits {
    /// For video: a group of pictures of 20 s and 16 MiB can be replayed to a late joiner; 16,384 packets are 16 MiB of 1 KiB.
    /// What lies before the last key frame serves repeats and slow viewers alone, who are skipped ahead after half a second.
    pub const VIDEO: Self = Self {
        packets: 16_384,
        bytes: 16 << 20,
        age: Duration::from_secs(22),
        behind: Duration::from_secs(3),
    };
    /// For audio: as long as the video that it accompanies; 2,200 packets are 22 s of 10 ms each, at up to 256 kbit/s.
    pub const AUDIO: Self = Self {
        packets: 2_200,
        bytes: 704 << 10,
        age: Duration::from_secs(22),
        behind: Duration::from_secs(22),
    };
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was missing, or is the newest: stored.
    New,
    /// It was there already.
    Duplicate,
    /// Its place is no longer kept.
    TooOld,
}

/// What a ring knows about an index.
#[derive(Clone, Copy, Debug)]
pub enum Slot<'a> {
    /// The packet.
    Packet(&'a Arc<Packet>),
    /// Sent and received, but without payload (a bandwidth probe): not a hole.
    Padding,
    /// Not come, so far.
    Missing,
    /// No longer kept.
    Evicted,
    /// Newer than everything that came.
    NotYet,
}

/// Where decoding can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFrameMark {
    /// The first packet that a decoder needs (for H264 the one with the parameter sets).
    pub index: u64,
    /// The picture's timestamp, unwrapped.
    pub timestamp: u64,
    /// When that first packet arrived.
    pub arrived: Instant,
    /// The picture's size, where it is known.
    pub size: Option<FrameSize>,
}

/// The packets of one encoding.
#[derive(Debug)]
pub struct Ring {
    limits: RingLimits,
    /// Bytes that may be kept, where that is less than the limits allow.
    allowance: usize,
    slots: VecDeque<Stored>,
    /// The index of the first slot.
    base: u64,
    /// Below this nothing is taken any more: it was there, or could have been, and was evicted.
    floor: u64,
    key_frames: VecDeque<KeyFrameMark>,
    bytes: usize,
    /// Bytes ever stored.
    total: u64,
    newest_arrival: Option<Instant>,
    /// Parameter sets were seen in the stream, so a key frame without them is not a start.
    in_band_parameters: bool,
}

#[derive(Debug)]
struct Stored {
    content: Content,
    /// Bytes ever stored when this slot came to be.
    total_before: u64,
}

#[derive(Debug)]
enum Content {
    Missing,
    Padding,
    Packet(Arc<Packet>),
}

impl Ring {
    /// An empty ring.
    pub fn new(limits: RingLimits) -> Self {
        Self {
            limits,
            allowance: usize::MAX,
            slots: VecDeque::new(),
            base: 0,
            floor: 0,
            key_frames: VecDeque::new(),
            bytes: 0,
            total: 0,
            newest_arrival: None,
            in_band_parameters: false,
        }
    }

    /// Stores a packet in its place, evicting what is over the limits.
    pub fn push(&mut self, mut packet: Packet) -> Pushed {
        let (index, arrived, size) = (packet.index, packet.arrived, packet.payload.len());
        if let Some(pushed) = self.make_place(index) {
            return pushed;
        }
        if matches!(packet.frame.descriptor, Descriptor::H264(_) | Descriptor::Av1) {
            self.find_frame_start(&mut packet);
        }
        let at = (index - self.base) as usize;
        self.slots[at].content = Content::Packet(Arc::new(packet));
        self.bytes += size;
        self.total += size as u64;
        self.newest_arrival = Some(self.newest_arrival.map_or(arrived, |newest| newest.max(arrived)));
        self.mark_key_frame(index);
        self.evict();
        Pushed::New
    }

    /// Notes that a packet without payload was received: its place is no hole.
    pub fn push_padding(&mut self, index: u64) -> Pushed {
        if let Some(pushed) = self.make_place(index) {
            return pushed;
        }
        let at = (index - self.base) as usize;
        self.slots[at].content = Content::Padding;
        self.evict();
        Pushed::New
    }

    /// The packet with this index, if it came and is still kept.
    pub fn get(&self, index: u64) -> Option<&Arc<Packet>> {
        match self.slot(index) {
            Slot::Packet(packet) => Some(packet),
            _ => None,
        }
    }

    /// What is known about an index.
    pub fn slot(&self, index: u64) -> Slot<'_> {
        if index >= self.head() {
            return Slot::NotYet;
        }
        let Some(at) = index.checked_sub(self.base) else { return Slot::Evicted };
        match &self.slots[at as usize].content {
            Content::Missing => Slot::Missing,
            Content::Padding => Slot::Padding,
            Content::Packet(packet) => Slot::Packet(packet),
        }
    }

    /// One above the newest index; where the next packet is expected.
    pub fn head(&self) -> u64 {
        self.base + self.slots.len() as u64
    }

    /// The oldest index that is kept; the head while nothing is.
    pub fn oldest(&self) -> u64 {
        self.base
    }

    /// The newest place where decoding can start.
    pub fn newest_key_frame(&self) -> Option<KeyFrameMark> {
        self.key_frames.back().copied()
    }

    /// Every kept place where decoding can start, oldest first.
    pub fn key_frames(&self) -> impl DoubleEndedIterator<Item = KeyFrameMark> + '_ {
        self.key_frames.iter().copied()
    }

    /// The packets with an index in `range` that are there, in order; holes are left out.
    pub fn packets(&self, range: Range<u64>) -> impl DoubleEndedIterator<Item = &Arc<Packet>> + '_ {
        let from = range.start.clamp(self.base, self.head()) - self.base;
        let to = range.end.clamp(self.base + from, self.head()) - self.base;
        self.slots.range(from as usize..to as usize).filter_map(|stored| match &stored.content {
            Content::Packet(packet) => Some(packet),
            _ => None,
        })
    }

    /// Bytes of payload that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of payload from `index` to the head, in constant time. Packets before it that came late are counted in, so it is
    /// a few packets too high where there was loss: good for a budget.
    pub fn bytes_since(&self, index: u64) -> usize {
        if index >= self.head() {
            return 0;
        }
        let at = index.saturating_sub(self.base) as usize;
        ((self.total - self.slots[at].total_before) as usize).min(self.bytes)
    }

    /// Bytes of payload that it may keep, where its own limits allow more; `usize::MAX` unless something was said.
    pub fn allowance(&self) -> usize {
        self.allowance
    }

    /// Lets it keep at most so many bytes of payload, whatever its own limits allow; evicts what is over that.
    pub fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
        self.evict();
        // Moving what is left costs more than it frees, unless much went.
        if self.slots.capacity() > 4 * self.slots.len().max(64) {
            self.slots.shrink_to(2 * self.slots.len());
        }
    }
}

impl Ring {
    /// Makes `index` a missing slot, or says why it is not to be filled.
    fn make_place(&mut self, index: u64) -> Option<Pushed> {
        if index < self.floor {
            return Some(Pushed::TooOld);
        }
        if self.slots.is_empty() {
            self.base = index;
        }
        let span = self.limits.packets.max(1) as u64;
        if index < self.base {
            if self.head() - index > span {
                return Some(Pushed::TooOld);
            }
            while self.base > index {
                self.slots.push_front(Stored { content: Content::Missing, total_before: 0 });
                self.base -= 1;
            }
            return None;
        }
        if index > self.head() + WIDEST_HOLE {
            // Nothing joins it to what is kept: the sender began elsewhere, or was away for long.
            self.clear();
            self.base = index;
            self.floor = index;
        }
        while self.head() <= index {
            self.slots.push_back(Stored { content: Content::Missing, total_before: self.total });
        }
        match self.slots[(index - self.base) as usize].content {
            Content::Missing => None,
            Content::Padding | Content::Packet(_) => Some(Pushed::Duplicate),
        }
    }

    fn clear(&mut self) {
        self.slots.clear();
        self.key_frames.clear();
        self.bytes = 0;
    }

    /// Codecs that do not say where a picture begins are told by the packet before.
    fn find_frame_start(&self, packet: &mut Packet) {
        if let Some(before) = packet.index.checked_sub(1).and_then(|index| self.get(index)) {
            packet.frame.begins_frame = before.timestamp != packet.timestamp;
        }
    }

    /// Marks the start of decoding that the packet just stored at `index` is, or completes.
    fn mark_key_frame(&mut self, index: u64) {
        let Some(packet) = self.get(index) else { return };
        let start = match packet.frame.descriptor {
            Descriptor::H264(units) => {
                let (has_sps, idr) = (units.has_sps, self.idr_at_or_after(index, packet.timestamp));
                self.in_band_parameters |= has_sps;
                idr.and_then(|idr| self.h264_start(idr))
            }
            _ => packet.frame.begins_key_frame.then_some(index),
        };
        let Some(start) = start.and_then(|index| self.get(index)) else { return };
        let mark = KeyFrameMark {
            index: start.index,
            timestamp: start.timestamp,
            arrived: start.arrived,
            size: start.frame.size,
        };
        let place = self.key_frames.partition_point(|known| known.index < mark.index);
        if self.key_frames.get(place).is_none_or(|known| known.timestamp != mark.timestamp) {
            self.key_frames.insert(place, mark);
        }
    }

    /// The IDR slice that belongs to the access unit around `index`, looked for in the packet and shortly after it.
    fn idr_at_or_after(&self, index: u64, timestamp: u64) -> Option<u64> {
        let Descriptor::H264(units) = self.get(index)?.frame.descriptor else { return None };
        if units.has_idr {
            return Some(index);
        }
        (index + 1..index + ACCESS_UNIT_HEADERS)
            .map_while(|next| self.get(next))
            .take_while(|packet| packet.timestamp == timestamp)
            .find(|packet| matches!(packet.frame.descriptor, Descriptor::H264(units) if units.has_idr))
            .map(|packet| packet.index)
    }

    /// Where the access unit of an IDR slice can be decoded from: its parameter sets, all packets between being there.
    fn h264_start(&self, idr: u64) -> Option<u64> {
        let timestamp = self.get(idr)?.timestamp;
        let mut first = idr;
        for index in (idr.saturating_sub(ACCESS_UNIT_HEADERS)..=idr).rev() {
            match self.slot(index) {
                Slot::Packet(packet) if packet.timestamp == timestamp => {
                    first = index;
                    if matches!(packet.frame.descriptor, Descriptor::H264(units) if units.has_sps) {
                        return Some(index);
                    }
                }
                Slot::Padding => {}
                _ => break,
            }
        }
        (!self.in_band_parameters).then_some(first)
    }

    fn evict(&mut self) {
        while let Some(front) = self.slots.front() {
            let over = match &front.content {
                Content::Packet(packet) => self.is_over(packet),
                // A hole at the old end is waited for only as long as there is room.
                Content::Missing | Content::Padding => {
                    self.slots.len() > self.limits.packets || self.floor == self.base
                }
            };
            if !over {
                break;
            }
            if let Some(Stored { content: Content::Packet(packet), .. }) = self.slots.pop_front() {
                self.bytes -= packet.payload.len();
            }
            self.base += 1;
            self.floor = self.base;
            while self.key_frames.front().is_some_and(|mark| mark.index < self.base) {
                self.key_frames.pop_front();
            }
        }
    }

    fn is_over(&self, oldest: &Packet) -> bool {
        let age = self
            .newest_arrival
            .map_or(Duration::ZERO, |newest| newest.saturating_duration_since(oldest.arrived));
        let is_behind = self.newest_key_frame().is_some_and(|mark| oldest.index < mark.index);
        // The newest packet stays whatever its size.
        self.slots.len() > 1
            && (self.slots.len() > self.limits.packets
                || self.bytes > self.limits.bytes.min(self.allowance)
                || age > self.limits.age
                || (is_behind && age > self.limits.behind))
    }
}

/// A hole wider than this is never filled: two seconds of 12 Mbit/s.
const WIDEST_HOLE: u64 = 3_000;
/// Packets that may stand between the parameter sets of an access unit and its first slice.
const ACCESS_UNIT_HEADERS: u64 = 32;

#[cfg(test)]
mod tests;
