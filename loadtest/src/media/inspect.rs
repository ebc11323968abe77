//! What one viewer got, judged: sequence, content, whole frames, and how late they were.
//!
//! Pure: packets and the time go in, figures come out.

use super::{
    marker::Marker,
    picture::DESCRIPTOR,
    rtp::{Header, Unwrapper},
};
use std::{collections::BTreeMap, time::Duration};

/// A hole that is not filled by then stays one.
const GIVE_UP: Duration = Duration::from_secs(2);

/// A hole this old is asked for again: shorter gaps are packets that overtook each other.
const ASK_AFTER: Duration = Duration::from_millis(20);

/// Holes that are watched at a time; a viewer with more is too far behind to be repaired.
const MOST_HOLES: usize = 4_096;

/// Frames under assembly at a time.
const MOST_FRAMES: usize = 512;

/// A frame that comes this soon after it was sent is at the live edge.
const LIVE: Duration = Duration::from_millis(100);

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets of video, each once.
    pub packets: u64,
    /// That never came.
    pub lost: u64,
    /// That came again in the stream itself, which nothing explains.
    pub repeated: u64,
    /// Retransmissions of what was there already: a relay may send a stream's first packet twice, since nobody can miss it.
    pub spare: u64,
    /// After a later one.
    pub reordered: u64,
    /// Whose content is not what was sent.
    pub altered: u64,
    /// Frames that came whole.
    pub frames: u64,
    /// Frames between the first and the last whole one that did not.
    pub broken_frames: u64,
    /// Frames that a newcomer was spared: a newer key frame came before it had caught up, and it went on from there.
    pub spared_frames: u64,
}

/// When a viewer had what, since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// The first key frame, whole.
    pub key_frame: Option<Duration>,
    /// The first frame after it at the live edge.
    pub live: Option<Duration>,
}

/// The judge of one stream.
#[derive(Debug, Default)]
pub struct Inspector {
    unwrapper: Unwrapper,
    highest: Option<u64>,
    holes: BTreeMap<u64, Hole>,
    assembly: BTreeMap<u32, u16>,
    first_whole: Option<u32>,
    last_whole: Option<u32>,
    counts: Counts,
    moments: Moments,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    since: Duration,
    asked: Option<Duration>,
}

/// In which stream a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The media itself.
    First,
    /// The stream of retransmissions (RFC 4588).
    Retransmission,
}

/// A frame that has just become whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Since it was sent.
    pub delay: Duration,
}

impl Inspector {
    /// A packet of the stream, retransmissions already under their first number.
    pub fn packet(&mut self, way: Way, header: &Header, payload: &[u8], now: Duration) -> Option<Whole> {
        if payload.is_empty() {
            self.place(header.sequence, now);
            return None;
        }
        if !self.place(header.sequence, now) {
            match way {
                Way::First => self.counts.repeated += 1,
                Way::Retransmission => self.counts.spare += 1,
            }
            return None;
        }
        self.counts.packets += 1;
        let Some(marker) = Marker::read(payload, DESCRIPTOR) else {
            self.counts.altered += 1;
            return None;
        };
        self.assemble(&marker, now)
    }

    /// Sequence numbers to ask for again; those that are given up are counted as lost.
    pub fn missing(&mut self, now: Duration, round_trip: Duration) -> Vec<u16> {
        let before = self.holes.len();
        self.holes.retain(|_, hole| now.saturating_sub(hole.since) < GIVE_UP);
        self.counts.lost += (before - self.holes.len()) as u64;
        let mut again = Vec::new();
        for (sequence, hole) in &mut self.holes {
            let waited = hole.asked.map_or(now.saturating_sub(hole.since) >= ASK_AFTER, |asked| {
                now.saturating_sub(asked) >= round_trip.max(ASK_AFTER)
            });
            if waited {
                hole.asked = Some(now);
                again.push(*sequence as u16);
            }
        }
        again
    }

    /// The highest number so far, as a receiver report has it.
    pub fn highest(&self) -> u32 {
        self.highest.unwrap_or(0) as u32
    }

    /// What was counted; holes that are still open count as lost once the run is over.
    pub fn close(mut self) -> (Counts, Moments) {
        self.counts.lost += self.holes.len() as u64;
        if let (Some(first), Some(last)) = (self.first_whole, self.last_whole) {
            self.counts.broken_frames =
                u64::from(last - first + 1).saturating_sub(self.counts.frames + self.counts.spared_frames);
        }
        (self.counts, self.moments)
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// When it had what, so far.
    pub fn moments(&self) -> Moments {
        self.moments
    }

    /// Whether the number is new.
    fn place(&mut self, sequence: u16, now: Duration) -> bool {
        let whole = self.unwrapper.unwrap(sequence);
        let Some(highest) = self.highest else {
            self.highest = Some(whole);
            return true;
        };
        if whole > highest {
            let hole = Hole { since: now, asked: None };
            let from = (highest + 1).max(whole.saturating_sub(MOST_HOLES as u64));
            self.counts.lost += from - (highest + 1);
            self.holes.extend((from..whole).map(|missing| (missing, hole)));
            while self.holes.len() > MOST_HOLES {
                self.holes.pop_first();
                self.counts.lost += 1;
            }
            self.highest = Some(whole);
            return true;
        }
        let filled = self.holes.remove(&whole);
        if filled.is_some() {
            self.counts.reordered += 1;
        }
        filled.is_some()
    }

    fn assemble(&mut self, marker: &Marker, now: Duration) -> Option<Whole> {
        let parts = self.assembly.entry(marker.frame).or_default();
        *parts += 1;
        let is_whole = *parts == marker.parts;
        if !is_whole {
            if self.assembly.len() > MOST_FRAMES {
                self.assembly.pop_first();
            }
            return None;
        }
        self.assembly.remove(&marker.frame);
        if self.moments.key_frame.is_none() && !marker.key {
            return None;
        }
        let delay = now.saturating_sub(marker.sent);
        if let Some(last) = self.last_whole.filter(|_| marker.key && self.moments.live.is_none()) {
            self.counts.spared_frames += u64::from(marker.frame.saturating_sub(last + 1));
        }
        self.moments.key_frame.get_or_insert(now);
        if delay < LIVE {
            self.moments.live.get_or_insert(now);
        }
        self.counts.frames += 1;
        self.first_whole.get_or_insert(marker.frame);
        self.last_whole = self.last_whole.max(Some(marker.frame));
        Some(Whole { delay })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            picture::{Picture, Settings},
            sizes::Model,
        },
        *,
    };

    const TICK: Duration = Duration::from_millis(33);

    fn stream(frames: u32) -> Vec<(Header, Vec<u8>)> {
        let mut picture = Picture::new(Settings {
            bitrate: 1_000_000,
            frames_per_second: 30,
            key_interval: Duration::from_secs(2),
            sizes: Model::Chromium,
            seed: 3,
        });
        let mut packets = Vec::new();
        for number in 0..frames {
            let mut frame = picture.next_frame();
            while let Some((payload, _)) = frame.next_packet(TICK * number) {
                let sequence = 65_500_u16.wrapping_add(packets.len() as u16);
                packets.push((
                    Header { marker: false, payload_type: 96, sequence, timestamp: 0, ssrc: 1 },
                    payload,
                ));
            }
        }
        packets
    }

    #[test]
    fn a_clean_stream_is_whole() {
        let mut inspector = Inspector::default();
        let packets = stream(90);
        for (header, payload) in &packets {
            inspector.packet(Way::First, header, payload, Duration::from_secs(3));
        }
        let (counts, moments) = inspector.close();
        assert_eq!(counts, Counts { packets: packets.len() as u64, frames: 90, ..Counts::default() });
        assert_eq!(moments.key_frame, Some(Duration::from_secs(3)));
    }

    #[test]
    fn loss_repetition_reordering_and_alteration_are_told_apart() {
        let mut inspector = Inspector::default();
        let mut packets = stream(90);
        let spare = packets[20].clone();
        packets.remove(60);
        packets.swap(10, 11);
        let again = packets[20].clone();
        packets.insert(25, again);
        packets[70].1[9] ^= 1;
        for (header, payload) in &packets {
            inspector.packet(Way::First, header, payload, Duration::ZERO);
        }
        inspector.packet(Way::Retransmission, &spare.0, &spare.1, Duration::ZERO);
        let (counts, _) = inspector.close();
        assert_eq!((counts.lost, counts.repeated, counts.reordered, counts.altered), (1, 1, 1, 1));
        assert_eq!(counts.spare, 1, "a retransmission of what is there is no fault");
        assert_eq!(counts.broken_frames, 2, "the one with the hole and the altered one");
    }

    #[test]
    fn what_a_newcomer_is_spared_before_the_live_edge_is_not_broken() {
        let packets = stream(90);
        let first_of = |frame: u32| {
            let is_of = |(_, payload): &&(Header, Vec<u8>)| {
                Marker::read(payload, DESCRIPTOR).is_some_and(|marker| marker.frame < frame)
            };
            packets.iter().filter(is_of).count()
        };
        let broken_of = |skipped: std::ops::Range<u32>, late: Duration| {
            let mut inspector = Inspector::default();
            let kept = packets[..first_of(skipped.start)].iter().chain(&packets[first_of(skipped.end)..]);
            for (place, (header, payload)) in kept.enumerate() {
                let sequence = packets[0].0.sequence.wrapping_add(place as u16);
                let header = Header { sequence, ..*header };
                let sent = Marker::read(payload, DESCRIPTOR).expect("all are marked").sent;
                inspector.packet(Way::First, &header, payload, sent + late);
            }
            let (counts, _) = inspector.close();
            (counts.broken_frames, counts.spared_frames)
        };
        let (behind, at_the_edge) = (LIVE * 2, Duration::ZERO);
        assert_eq!(broken_of(40..60, behind), (0, 20), "frame 60 is a key frame");
        assert_eq!(broken_of(40..50, behind), (10, 0), "nothing can be decoded from frame 50 on");
        assert_eq!(broken_of(40..60, at_the_edge), (20, 0), "who is at the edge already misses them");
    }

    #[test]
    fn a_hole_is_asked_for_again_until_it_is_given_up() {
        let mut inspector = Inspector::default();
        let packets = stream(2);
        for (header, payload) in [&packets[0], &packets[2]] {
            inspector.packet(Way::First, header, payload, Duration::ZERO);
        }
        let at = Duration::from_millis;
        assert!(inspector.missing(at(5), at(10)).is_empty(), "it may only be late");
        assert_eq!(inspector.missing(at(25), at(10)), [packets[1].0.sequence]);
        assert!(inspector.missing(at(30), at(10)).is_empty(), "asked just now");
        assert_eq!(inspector.missing(at(50), at(10)), [packets[1].0.sequence]);
        assert!(inspector.missing(at(2_100), at(10)).is_empty());
        assert_eq!(inspector.counts().lost, 1);
    }
}
