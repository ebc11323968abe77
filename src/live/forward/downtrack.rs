//! One stream to one viewer: a cursor into a ring, the renaming of what it passes, and the answers to NACK.
//!
//! Owns what leaves under one SSRC and its retransmission SSRC. That a number never stands over two contents is kept here.
//! When to begin, switch or stop is decided by its caller.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::header::HeaderWriter;
use super::munger::{FIRST_SEQUENCE_BELOW, Munger, Start, ticks};
use super::packet::Packet;
use super::repeats::Repeats;
use super::replay::Plan;
use super::report::SenderReport;
use super::ring::{Ring, Slot};
use super::sent::{Origin, SentRun, SentStore};
use super::source::{Encoding, SenderClock};
use super::wire::{self, Rtx, Wire, Writing};
use crate::live::media::{Codec, PayloadCodec, SentMedia};

/// Holes that are filled by themselves when their packet comes late; others are when the viewer asks.
const MAX_HOLES: usize = 64;

/// How long a hole waits for its packet. Publishers are asked again for less.
const HOLE_PATIENCE: Duration = Duration::from_millis(800);

/// How far two clocks may disagree about a switch before the arrival of packets is believed instead.
const CLOCKS_DISAGREE: Duration = Duration::from_secs(2);

/// How far a pull came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Everything that is there was sent.
    Everything,
    /// The budget is used up; more is there.
    Part,
    /// The ring no longer has what would be next.
    FellBehind,
}

/// How much one pull may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Packets.
    pub packets: usize,
    /// Bytes; a packet that goes over it is the last.
    pub bytes: i64,
}

/// What was sent under one SSRC since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamFigures {
    /// Packets, repeats left out.
    pub packets: u64,
    /// Bytes of payload, repeats left out.
    pub octets: u64,
    /// Packets repeated.
    pub repeats: u64,
    /// Packets and bytes of padding.
    pub padding: u64,
    /// Frames of which the last packet was sent, repeats left out.
    pub frames: u64,
}

/// One outgoing stream.
#[derive(Debug)]
pub struct DownTrack {
    media: SentMedia,
    writer: HeaderWriter,
    payload: Option<PayloadCodec>,
    reading: Option<Reading>,
    munger: Munger,
    first_sequence: u16,
    sent: SentStore,
    holes: VecDeque<Hole>,
    repeats: Repeats,
    /// The next index of the retransmission stream.
    rtx_next: u64,
    /// A hole was given up that no key frame has healed.
    is_broken: bool,
    figures: StreamFigures,
}

/// Where the track reads.
#[derive(Debug)]
struct Reading {
    encoding: Arc<Encoding>,
    generation: u64,
    cursor: u64,
    is_between_frames: bool,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    index: u64,
    since: Instant,
}

/// Numbers that a stream begins with, from the viewer's seed.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    /// First sequence number; its top bit is ignored.
    pub sequence: u16,
    /// First timestamp.
    pub timestamp: u32,
    /// First sequence number of the retransmission stream; its top bit is ignored.
    pub rtx_sequence: u16,
}

impl DownTrack {
    /// A stream as it was negotiated, reading nothing yet.
    pub fn new(media: SentMedia, beginning: Beginning) -> Self {
        Self {
            writer: HeaderWriter::new(media.extensions, &media.mid),
            payload: None,
            reading: None,
            first_sequence: beginning.sequence % FIRST_SEQUENCE_BELOW,
            munger: Munger::new(media.kind, beginning.sequence, beginning.timestamp),
            sent: SentStore::default(),
            holes: VecDeque::new(),
            repeats: Repeats::default(),
            rtx_next: u64::from(beginning.rtx_sequence % FIRST_SEQUENCE_BELOW),
            is_broken: false,
            figures: StreamFigures::default(),
            media,
        }
    }

    /// Its SSRC.
    pub fn ssrc(&self) -> u32 {
        self.media.ssrc
    }

    /// What was sent.
    pub fn figures(&self) -> StreamFigures {
        self.figures
    }

    /// The encoding it reads.
    pub fn encoding(&self) -> Option<&Arc<Encoding>> {
        self.reading.as_ref().map(|reading| &reading.encoding)
    }

    /// The index of the packet it reads next; none while it reads nothing.
    pub fn cursor(&self) -> Option<u64> {
        self.reading.as_ref().map(|reading| reading.cursor)
    }

    /// Whether the last packet sent ended a frame, so that another encoding may follow.
    pub fn is_between_frames(&self) -> bool {
        self.reading.as_ref().is_none_or(|reading| reading.is_between_frames)
    }

    /// The negotiated payload type under which the viewer plays `codec`; none where it cannot.
    pub fn plays(&self, codec: Codec) -> Option<PayloadCodec> {
        let same = self.media.codecs.iter().find(|known| codec.plays_as(known.codec));
        // A decoder of another H264 profile mostly plays it, and one that does not is no worse off than without.
        let near = || {
            let is_h264 = |codec| matches!(codec, Codec::H264 { .. });
            self.media.codecs.iter().find(|known| is_h264(codec) && is_h264(known.codec))
        };
        same.or_else(near).copied()
    }

    /// Stops reading; what was sent can still be repeated.
    pub fn stop(&mut self) {
        self.reading = None;
        self.holes.clear();
    }

    /// Begins to send `encoding`, of the publisher session `generation`, as planned and under `payload`.
    pub fn begin(
        &mut self,
        encoding: &Arc<Encoding>,
        generation: u64,
        payload: PayloadCodec,
        begin: (Plan, Instant),
    ) {
        let (plan, now) = begin;
        let timestamp = self.timestamp_at(encoding, generation, &plan.edge);
        let run = self.munger.begin(Start {
            first: &plan.first,
            edge: &plan.edge,
            frames: plan.frames,
            lasts: plan.lasts,
            timestamp,
            now,
        });
        self.sent.begin(SentRun { encoding: Arc::downgrade(encoding), run, payload }, now);
        self.payload = Some(payload);
        self.holes.clear();
        self.is_broken = false;
        self.reading = Some(Reading {
            encoding: Arc::clone(encoding),
            generation,
            cursor: plan.first.index,
            is_between_frames: true,
        });
    }

    /// Where a packet of another encoding of the same publisher session stands on the viewer's timeline, by the publisher's
    /// clock.
    fn timestamp_at(&self, encoding: &Encoding, generation: u64, packet: &Packet) -> Option<u64> {
        let reading = self.reading.as_ref().filter(|reading| reading.generation == generation)?;
        let run = &self.sent.current()?.run;
        let by_arrival = self.munger.timestamp_by_arrival(packet);
        if reading.encoding.id == encoding.id {
            return Some(packet.timestamp.wrapping_add(run.timestamp_shift));
        }
        let (old, new) = (reading.encoding.clock()?, encoding.clock()?);
        let by_clock = timestamp_of(&old, new.time_of(packet.timestamp))?.wrapping_add(run.timestamp_shift);
        let agree = by_clock.abs_diff(by_arrival) < ticks(CLOCKS_DISAGREE, old.clock_rate);
        agree.then_some(by_clock)
    }

    /// Sends what is due from the cursor on, within the budget.
    pub fn pull(&mut self, budget: &mut Budget, wire: &mut Wire<'_>) -> Pulled {
        let (Some(reading), Some((sent, mut recorder))) = (&mut self.reading, self.sent.record()) else {
            return Pulled::Everything;
        };
        let writing = Writing { media: &self.media, writer: &self.writer, sent };
        // Copying under the lock is a few microseconds at most, and spares two counts of references per packet.
        let ring = reading.encoding.ring.read();
        loop {
            let packet = match ring.slot(reading.cursor) {
                Slot::NotYet => return Pulled::Everything,
                Slot::Evicted => return Pulled::FellBehind,
                _ if budget.packets == 0 || budget.bytes <= 0 => return Pulled::Part,
                Slot::Packet(packet) => packet,
                Slot::Padding => {
                    self.munger.skip();
                    reading.cursor += 1;
                    continue;
                }
                Slot::Missing => {
                    recorder.sent(self.munger.index(reading.cursor), reading.cursor);
                    remember(&mut self.holes, Hole { index: reading.cursor, since: wire.now });
                    reading.cursor += 1;
                    continue;
                }
            };
            let index = self.munger.index(packet.index);
            recorder.sent(index, packet.index);
            reading.cursor += 1;
            // A packet that came into the replay after its planning leaves its hole.
            let Some(timestamp) = sent.run.timestamp(packet) else { continue };
            let size = writing.media(packet, (index, timestamp), wire);
            self.munger.sent(&sent.run, packet, timestamp);
            reading.is_between_frames = packet.frame.ends_frame;
            self.figures.packets += 1;
            self.figures.frames += u64::from(packet.frame.ends_frame);
            self.figures.octets += packet.payload.len() as u64;
            self.repeats.earn(size);
            budget.packets -= 1;
            budget.bytes -= size as i64;
        }
    }

    /// Sends the rest of the frame that was begun. Says that there is more while the budget does not reach its end.
    pub fn finish_frame(&mut self, budget: &mut Budget, wire: &mut Wire<'_>) -> Pulled {
        while !self.is_between_frames() {
            if budget.packets == 0 || budget.bytes <= 0 {
                return Pulled::Part;
            }
            let mut one = Budget { packets: 1, bytes: budget.bytes };
            let pulled = self.pull(&mut one, wire);
            budget.packets -= 1 - one.packets;
            budget.bytes = one.bytes;
            if one.packets > 0 {
                return pulled;
            }
        }
        Pulled::Everything
    }

    /// Fills holes whose packets have come, and gives up those that waited too long.
    pub fn fill_holes(&mut self, wire: &mut Wire<'_>) {
        let (Some(reading), Some(sent)) = (&self.reading, self.sent.current()) else { return };
        if self.holes.is_empty() {
            return;
        }
        let writing = Writing { media: &self.media, writer: &self.writer, sent };
        let ring = reading.encoding.ring.read();
        let figures = &mut self.figures;
        let is_broken = &mut self.is_broken;
        self.holes.retain(|hole| match ring.slot(hole.index) {
            Slot::Packet(packet) => {
                let place = self.sent.hole(hole.index).zip(sent.run.timestamp(packet));
                if let Some(place) = place {
                    writing.media(packet, place, wire);
                    figures.packets += 1;
                    figures.octets += packet.payload.len() as u64;
                }
                false
            }
            Slot::Missing if wire.now.saturating_duration_since(hole.since) < HOLE_PATIENCE => true,
            Slot::Missing | Slot::Evicted => {
                *is_broken |= !is_healed(&ring, hole.index, reading.cursor);
                false
            }
            // A probe of the publisher that came late: the viewer will ask for it in vain, and its decoder needs nothing.
            Slot::Padding | Slot::NotYet => false,
        });
    }

    /// When the oldest hole is given up.
    pub fn hole_timeout(&self) -> Option<Instant> {
        self.holes.front().map(|hole| hole.since + HOLE_PATIENCE)
    }

    /// Whether a hole was given up since this was last asked, and no key frame after it was sent.
    pub fn take_broken(&mut self) -> bool {
        std::mem::take(&mut self.is_broken)
    }

    /// The age of the oldest packet that waits to be sent; zero when none waits.
    pub fn backlog(&self, now: Instant) -> Duration {
        let Some(reading) = &self.reading else { return Duration::ZERO };
        let ring = reading.encoding.ring.read();
        let waiting = ring.packets(reading.cursor..ring.head()).next();
        waiting.map_or(Duration::ZERO, |packet| now.saturating_duration_since(packet.arrived))
    }

    /// The viewer misses these packets. Those that can be are repeated by [`Self::send_repeats`]. Returns whether some wait.
    pub fn want_repeats(&mut self, sequences: impl Iterator<Item = u16>) -> bool {
        if self.media.feedback.nack {
            for sequence in sequences {
                self.repeats.want(sequence);
            }
        }
        self.has_repeats()
    }

    /// Repeats the stream's first packet unasked: a receiver that lost it does not know that there was one, and without it
    /// cannot decode what follows.
    pub fn repeat_first(&mut self) {
        if self.media.feedback.nack {
            self.repeats.want(self.first_sequence);
        }
    }

    /// Whether repeats wait to be sent.
    pub fn has_repeats(&self) -> bool {
        !self.repeats.is_empty()
    }

    /// Forgets the repeats that were wanted; what is still missed is asked for again.
    pub fn drop_repeats(&mut self) {
        self.repeats.clear();
    }

    /// Sends the repeats that were wanted, none a second time within `round_trip`.
    pub fn send_repeats(&mut self, round_trip: Duration, budget: &mut Budget, wire: &mut Wire<'_>) {
        while budget.packets > 0 && budget.bytes > 0 {
            let Some(sequence) = self.repeats.next() else { return };
            let Some((out, origin)) = self.sent.origin(sequence, self.munger.next_index()) else { continue };
            let Some(repeated) = self.repeats.allow(out, round_trip, wire) else { continue };
            if let Some(size) = self.repeat(out, origin, wire) {
                self.repeats.sent(repeated, size);
                self.figures.repeats += 1;
                budget.packets -= 1;
                budget.bytes -= size as i64;
            }
        }
    }

    /// Sends one packet that nobody asked for, to see what the way carries. Returns its bytes; 0 where none can be sent now.
    pub fn probe(&mut self, wire: &mut Wire<'_>) -> usize {
        let Some(sent) = self.sent.current() else { return 0 };
        let next = self.munger.next_index();
        let size = if self.media.rtx_ssrc.is_some() && sent.payload.rtx.is_some() {
            // A recent packet is as good as padding, and may even be missed by the viewer.
            let behind = 1 + self.figures.padding % PROBE_SPREAD;
            let sequence = (next.saturating_sub(behind) & 0xffff) as u16;
            let origin = self
                .sent
                .origin(sequence, next)
                .filter(|(_, origin)| matches!(origin, Origin::Source { .. }));
            origin.and_then(|(out, origin)| self.repeat(out, origin, wire))
        } else if self.is_between_frames()
            && let Some(timestamp) = self.munger.newest_timestamp()
        {
            let out = self.munger.insert();
            self.sent.sent_padding(out, timestamp);
            self.repeat(out, Origin::Padding { timestamp }, wire)
        } else {
            None
        };
        self.figures.padding += 1;
        size.unwrap_or(0)
    }

    /// Writes a packet that has its index already. None where it is no longer there.
    fn repeat(&mut self, out: u64, origin: Origin, wire: &mut Wire<'_>) -> Option<usize> {
        let (run, index) = match origin {
            Origin::Source { run, index } => (run, index),
            Origin::Padding { timestamp } => {
                return wire::padding(&self.media, &self.writer, (out, timestamp), wire);
            }
        };
        let sent = self.sent.run(run)?;
        let encoding = sent.encoding.upgrade()?;
        let packet = Arc::clone(encoding.ring.read().get(index)?);
        let timestamp = sent.run.timestamp(&packet)?;
        let writing = Writing { media: &self.media, writer: &self.writer, sent };
        match self.media.rtx_ssrc.zip(sent.payload.rtx) {
            Some((ssrc, payload_type)) => {
                let rtx = Rtx { ssrc, payload_type, index: self.rtx_next };
                self.rtx_next += 1;
                Some(writing.rtx(rtx, &packet, (out, timestamp), wire))
            }
            None => {
                // Sent by the viewer's wish: no longer a hole to be filled.
                self.holes.retain(|hole| self.sent.hole(hole.index) != Some(out));
                Some(writing.media(&packet, (out, timestamp), wire))
            }
        }
    }

    /// What a sender report says about this stream: the time of its source, never a pressed one, even while what came into a
    /// replay is still told a little ahead of that. None while it sends nothing or nothing is known of the source's clock.
    pub fn sender_report(&self, now: Instant, ntp: u64) -> Option<SenderReport> {
        let reading = self.reading.as_ref()?;
        let shift = self.sent.current()?.run.timestamp_shift;
        let source = timestamp_of(&reading.encoding.clock()?, now)?;
        Some(SenderReport {
            ssrc: self.media.ssrc,
            ntp,
            timestamp: (source.wrapping_add(shift) & 0xffff_ffff) as u32,
            packets: (self.figures.packets & 0xffff_ffff) as u32,
            octets: (self.figures.octets & 0xffff_ffff) as u32,
        })
    }

    /// Lets go of what can no longer be asked for.
    pub fn forget(&mut self, now: Instant) {
        let is_replayed =
            match (&self.reading, self.sent.current().and_then(|sent| sent.run.pressed.as_ref())) {
                (Some(reading), Some(pressed)) => reading.cursor >= pressed.edge,
                _ => true,
            };
        if is_replayed {
            self.sent.forget(now);
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.sent.heap_bytes()
            + self.holes.capacity() * size_of::<Hole>()
            + self.repeats.heap_bytes()
            + self.media.codecs.capacity() * size_of::<PayloadCodec>()
    }
}

/// Probing repeats the newest packets in turn.
const PROBE_SPREAD: u64 = 16;

/// Whether what was sent after `hole` began with a key frame once more.
fn is_healed(ring: &Ring, hole: u64, cursor: u64) -> bool {
    ring.key_frames().rev().any(|mark| mark.index > hole && mark.index < cursor)
}

fn remember(holes: &mut VecDeque<Hole>, hole: Hole) {
    if holes.len() == MAX_HOLES {
        holes.pop_front();
    }
    holes.push_back(hole);
}

/// What a source's clock shows at a time.
fn timestamp_of(clock: &SenderClock, at: Instant) -> Option<u64> {
    match at.checked_duration_since(clock.at) {
        Some(after) => clock.timestamp.checked_add(ticks(after, clock.clock_rate)),
        None => Some(clock.timestamp.wrapping_sub(ticks(clock.at - at, clock.clock_rate))),
    }
}
