//! One encoding as it is received: from a publisher's packets to the ring, and what they say about it.
//!
//! Owns what is known of one stream: its counters unwrapped, what it misses, how it arrives, when a key frame is due. Writes the
//! encoding's ring. Which packets are its own is decided by `ingress`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::codec::{self, Descriptor};
use super::dropped::Dropped;
use super::feedback::Reception;
use super::keyframes::KeyFrameRequests;
use super::meter::RateMeter;
use super::nack::{Arrival, Lists, NackList};
use super::packet::{ExtensionValues, Packet, Rtp, Slab, Unwrapper};
use super::ring::{KeyFrameMark, Pushed, Ring};
use super::source::{Encoding, SenderClock};
use crate::live::media::MediaKind;

/// One encoding as it is received.
#[derive(Debug)]
pub struct Track {
    /// Which of the negotiated sections it belongs to.
    pub section: usize,
    /// Its SSRC.
    pub ssrc: u32,
    /// What viewers see of it.
    pub encoding: Arc<Encoding>,
    /// What it misses.
    pub nack: NackList,
    /// How it arrives.
    pub reception: Reception,
    /// Key frames that are wished for.
    pub key_frames: KeyFrameRequests,
    /// When its last packet came.
    pub last_packet: Instant,
    /// The publisher said that it ends.
    pub has_ended: bool,
    sequences: Unwrapper<16>,
    timestamps: Unwrapper<32>,
    slab: Slab,
    bytes: RateMeter,
    frames: RateMeter,
    rates_set: Instant,
    newest_timestamp: Option<u64>,
    key_frame: Option<KeyFrameMark>,
    /// The number after a packet that was far out of the row: if it comes next, the sender began anew.
    stray: Option<u16>,
    counts: TrackCounts,
}

/// What came of one encoding so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackCounts {
    /// Packets stored.
    pub packets: u64,
    /// Bytes of payload stored.
    pub bytes: u64,
    /// Packets that came as padding alone.
    pub padding: u64,
    /// Packets that came a second time.
    pub duplicates: u64,
    /// Packets that were missing and came after all, asked for or late.
    pub repaired: u64,
    /// Packets that were asked for, repeats counted.
    pub nacks: u64,
    /// Packets that were given up.
    pub given_up: u64,
    /// Whether pictures refer to later ones, which browsers do not play (H264 B slices).
    pub has_b_frames: bool,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored: the ring has something new.
    New,
    /// Stored, and decoding can start with it or shortly before it.
    NewKeyFrame,
    /// It was there already.
    Duplicate,
    /// It had no payload: a bandwidth probe.
    Padding,
}

impl Track {
    /// A track whose first packet is about to come.
    pub fn new(section: usize, ssrc: u32, encoding: Arc<Encoding>, nack: NackList, now: Instant) -> Self {
        let mut track = Self {
            section,
            ssrc,
            nack,
            reception: Reception::new(encoding.codec.clock_rate(), now),
            key_frames: KeyFrameRequests::new(now),
            last_packet: now,
            has_ended: false,
            sequences: Unwrapper::default(),
            timestamps: Unwrapper::default(),
            slab: Slab::default(),
            bytes: RateMeter::new(now),
            frames: RateMeter::new(now),
            rates_set: now,
            newest_timestamp: None,
            key_frame: None,
            stray: None,
            counts: TrackCounts::default(),
            encoding,
        };
        if track.is_video() {
            // A stream that does not begin with a key frame lost it, or was entered midway.
            track.key_frames.want_from(now + FIRST_KEY_FRAME);
        }
        track
    }

    /// A packet of the stream itself.
    ///
    /// # Errors
    ///
    /// [`Dropped`] says why it is not taken.
    pub fn on_media(
        &mut self,
        now: Instant,
        rtp: &Rtp<'_>,
        values: &ExtensionValues<'_>,
    ) -> Result<Outcome, Dropped> {
        let index = self.index_of(rtp.sequence)?;
        self.last_packet = now;
        self.has_ended = false;
        let arrival = self.nack.on_packet(now, index);
        if arrival == Arrival::AfterBreak && self.is_video() {
            self.key_frames.want_from(now + FIRST_KEY_FRAME);
        }
        if matches!(arrival, Arrival::Repair(_)) {
            self.counts.repaired += 1;
        }
        let timestamp = self.timestamps.unwrap(u64::from(rtp.timestamp));
        if rtp.payload.is_empty() {
            if self.encoding.ring.write().push_padding(index) == Pushed::New {
                self.reception.on_packet(now, index, timestamp);
                self.counts.padding += 1;
            }
            return Ok(Outcome::Padding);
        }
        let outcome = self.store(now, (index, timestamp), rtp, values);
        if !matches!(outcome, Ok(Outcome::Duplicate) | Err(Dropped::TooOld)) {
            self.reception.on_packet(now, index, timestamp);
        }
        outcome
    }

    /// A packet of the stream's retransmissions (RFC 4588 §4): behind its header, the number of the packet that it repeats. The
    /// second value is a round trip, if it shows one.
    ///
    /// # Errors
    ///
    /// [`Dropped`] says why it is not taken.
    pub fn on_repair(
        &mut self,
        now: Instant,
        rtp: &Rtp<'_>,
        values: &ExtensionValues<'_>,
    ) -> Result<(Outcome, Option<Duration>), Dropped> {
        let Some((original, payload)) =
            rtp.payload.split_first_chunk::<2>().filter(|(_, payload)| !payload.is_empty())
        else {
            self.counts.padding += 1;
            return Ok((Outcome::Padding, None));
        };
        if self.sequences.newest().is_none() {
            return Err(Dropped::NothingToRepair);
        }
        let sequence = u16::from_be_bytes(*original);
        let index = self.sequences.peek(u64::from(sequence));
        if Some(index) > self.sequences.newest() {
            // A repeat of what never came would move the head of the stream.
            return Err(Dropped::NothingToRepair);
        }
        let mut round_trip = None;
        if let Arrival::Repair(trip) = self.nack.on_packet(now, index) {
            round_trip = trip;
            self.counts.repaired += 1;
        }
        let timestamp = self.timestamps.peek(u64::from(rtp.timestamp));
        let mut rtp = *rtp;
        rtp.payload = payload;
        self.store(now, (index, timestamp), &rtp, values).map(|outcome| (outcome, round_trip))
    }

    /// A sender report: the server's time of one of the stream's timestamps.
    pub fn on_sender_report(&mut self, at: Instant, timestamp: u32) {
        if self.newest_timestamp.is_some() {
            let timestamp = self.timestamps.peek(u64::from(timestamp));
            self.set_clock(at, timestamp, true);
        }
    }

    /// Puts what is to be asked for now into `lists`, at most `room` numbers. What is given up takes its place in the stream's
    /// story: a picture that lost a part is of no use, nor is what follows it, until a key frame.
    pub fn poll_nack(&mut self, now: Instant, round_trip: Duration, room: usize, lists: &mut Lists) {
        lists.asked.clear();
        lists.given_up.clear();
        self.nack.poll(now, round_trip, room, lists);
        self.counts.nacks += lists.asked.len() as u64;
        self.counts.given_up += lists.given_up.len() as u64;
        if self.is_video() && !lists.given_up.is_empty() {
            let ring = self.encoding.ring.read();
            let healed = ring.newest_key_frame().map_or(0, |mark| mark.index);
            if lists.given_up.iter().any(|&index| index > healed && !lies_between_pictures(&ring, index)) {
                self.key_frames.want();
            }
        }
    }

    /// Whether a key frame is to be asked for now.
    pub fn poll_key_frame(&mut self, now: Instant) -> bool {
        let is_due = self.key_frames.poll(now);
        self.encoding.set_answers_key_frames(self.key_frames.answers());
        is_due
    }

    /// Brings the encoding's figures up to date, if they are a while old.
    pub fn refresh(&mut self, now: Instant) {
        if now.saturating_duration_since(self.rates_set) < REFRESH {
            return;
        }
        self.rates_set = now;
        let bitrate = self.bytes.per_second(now).saturating_mul(8);
        let frames = self.frames.per_second(now).saturating_mul(100);
        self.encoding
            .set_rates(bitrate.try_into().unwrap_or(u32::MAX), frames.try_into().unwrap_or(u32::MAX));
    }

    /// Bits of payload in the last second.
    pub fn bitrate(&mut self, now: Instant) -> u64 {
        self.bytes.per_second(now).saturating_mul(8)
    }

    /// Whether decoding could start somewhere so far.
    pub fn has_key_frame(&self) -> bool {
        self.key_frame.is_some()
    }

    /// What came so far.
    pub fn counts(&self) -> TrackCounts {
        self.counts
    }

    /// Whether it is a picture.
    pub fn is_video(&self) -> bool {
        self.encoding.kind() == MediaKind::Video
    }

    /// The place of a sequence number. One far behind the newest is a straggler, unless the next one follows it: then the
    /// sender began anew (RFC 3550 A.1) and its packets go on behind what is there.
    fn index_of(&mut self, sequence: u16) -> Result<u64, Dropped> {
        let value = u64::from(sequence);
        let is_stray =
            self.sequences.newest().is_some_and(|newest| self.sequences.peek(value) + MOST_DISORDER < newest);
        if !is_stray {
            self.stray = None;
            return Ok(self.sequences.unwrap(value));
        }
        if self.stray.replace(sequence.wrapping_add(1)) != Some(sequence) {
            return Err(Dropped::TooOld);
        }
        self.stray = None;
        let index = self.sequences.restart(value);
        self.reception.on_restart(index);
        self.nack.restart();
        if self.is_video() {
            self.key_frames.want();
        }
        Ok(index)
    }

    fn store(
        &mut self,
        now: Instant,
        (index, timestamp): (u64, u64),
        rtp: &Rtp<'_>,
        values: &ExtensionValues<'_>,
    ) -> Result<Outcome, Dropped> {
        let frame = codec::describe(self.encoding.codec, rtp.payload, rtp.marker)?;
        let packet = Packet {
            index,
            timestamp,
            arrived: now,
            marker: rtp.marker,
            payload: self.slab.copy(rtp.payload),
            frame,
            audio_level: values.audio_level,
            orientation: values.orientation,
        };
        let (pushed, key_frame) = {
            let mut ring = self.encoding.ring.write();
            (ring.push(packet), ring.newest_key_frame())
        };
        match pushed {
            Pushed::New => {}
            Pushed::Duplicate => {
                self.counts.duplicates += 1;
                return Ok(Outcome::Duplicate);
            }
            Pushed::TooOld => return Err(Dropped::TooOld),
        }
        self.counts.packets += 1;
        self.counts.bytes += rtp.payload.len() as u64;
        self.counts.has_b_frames |= matches!(frame.descriptor, Descriptor::H264(units) if units.has_b_slice);
        self.bytes.add(now, rtp.payload.len() as u64);
        self.key_frames.on_bytes(rtp.payload.len());
        if self.newest_timestamp.is_none_or(|newest| timestamp > newest) {
            if self.newest_timestamp.is_none() {
                self.set_clock(now, timestamp, false);
            }
            self.newest_timestamp = Some(timestamp);
            self.frames.add(now, 1);
        }
        let begins = key_frame.filter(|mark| self.key_frame.is_none_or(|known| mark.index > known.index));
        if let Some(mark) = begins {
            self.key_frame = Some(mark);
            self.key_frames.on_key_frame(now);
            if let Some(size) = mark.size {
                self.encoding.set_size(size);
            }
        }
        if self.key_frame.is_some_and(|mark| mark.timestamp == timestamp) {
            self.key_frames.on_key_frame_bytes(rtp.payload.len());
        }
        self.refresh(now);
        Ok(if begins.is_some() { Outcome::NewKeyFrame } else { Outcome::New })
    }

    fn set_clock(&self, at: Instant, timestamp: u64, is_reported: bool) {
        let clock_rate = self.encoding.codec.clock_rate();
        self.encoding.set_clock(SenderClock { timestamp, at, clock_rate, is_reported });
    }
}

/// Whether what is missing at `index` was no part of a picture, as far as can be told: a probe between two pictures whose ids
/// follow each other.
fn lies_between_pictures(ring: &Ring, index: u64) -> bool {
    let before = ring.packets(index.saturating_sub(LOOK_AROUND)..index).next_back();
    let after = ring.packets(index + 1..index + LOOK_AROUND).next();
    let (Some(before), Some(after)) = (before, after) else { return false };
    let (id_before, id_after) = match (before.frame.descriptor, after.frame.descriptor) {
        (Descriptor::Vp8(before), Descriptor::Vp8(after)) => (before.picture_id, after.picture_id),
        (Descriptor::Vp9(before), Descriptor::Vp9(after)) => (before.picture_id, after.picture_id),
        _ => return false,
    };
    let (Some(id_before), Some(id_after)) = (id_before, id_after) else { return false };
    let bits = if id_after.is_wide { 0x7fff } else { 0x7f };
    before.frame.ends_frame && after.frame.begins_frame && id_after.value == (id_before.value + 1) & bits
}

/// A stream that shows no key frame within this is asked for one.
const FIRST_KEY_FRAME: Duration = Duration::from_millis(150);
/// A packet this far behind the newest is no longer one that was overtaken or asked for again: two seconds of 12 Mbit/s.
const MOST_DISORDER: u64 = 3_000;
/// Figures of an encoding are brought up to date so often.
const REFRESH: Duration = Duration::from_millis(250);
/// Packets around a hole in which its neighbours are looked for.
const LOOK_AROUND: u64 = 64;
