//! A picture at once for who comes late: what lies between the last key frame and now, played in a hurry.
//!
//! Owns the decision whether to replay or to wait for a key frame, and the plan of a replay: which frames it has and where live
//! begins. Sends nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::munger::MAX_PRESSED_FRAMES;
use super::packet::Packet;
use super::ring::{KeyFrameMark, Ring, Slot};
use super::source::AnswersKeyFrames;

/// Bytes up to which a replay is always worth its cost.
pub const REPLAY_BYTES: usize = 1_500_000;

/// Bytes up to which a group of pictures is replayed where its publisher sends no key frames when asked.
pub const LONG_REPLAY_BYTES: usize = 16 << 20;

/// How long a publisher who answers is waited for before its long group of pictures is replayed after all.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// A replay goes out in bursts, so far apart.
pub const BURST_EVERY: Duration = Duration::from_millis(2);

/// Packets of a burst: 115 Mbit/s, the pace that browsers were seen to take.
pub const BURST: usize = 24;

/// Packets of a burst of a long replay: 40 Mbit/s.
pub const LONG_BURST: usize = 8;

/// A hole younger than this may still be filled.
const MAY_BE_FILLED: Duration = Duration::from_secs(1);

/// How a viewer gets its first picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From this key frame, in bursts of so many packets.
    From(KeyFrameMark, usize),
    /// From this key frame, which has just come.
    Fresh(KeyFrameMark),
    /// From the next key frame.
    Wait,
}

/// Whether a viewer may be sent a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// Whenever one is of use.
    #[default]
    Free,
    /// Once its turn has come: one that would begin is asked for instead, and its sound waits for the answer.
    OnAsking,
    /// It was asked for, and its turn has not come: sound goes on, and a key frame will do as well.
    Deferred,
    /// It was asked for, and may begin with the next poll.
    Granted,
    /// No: the address is not confirmed.
    Never,
}

/// What the decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Since when a picture is waited for.
    pub since: Instant,
    /// The time.
    pub now: Instant,
    /// Whether this viewer may be sent a replay, now or later.
    pub is_allowed: bool,
    /// Whether the publisher sends key frames when asked.
    pub answers: AnswersKeyFrames,
}

/// Decides from what the ring holds.
pub fn choose(ring: &Ring, asked: Asked) -> Way {
    let Some(mark) = ring.newest_key_frame() else { return Way::Wait };
    let bytes = ring.bytes_since(mark.index);
    let is_fresh = mark.arrived >= asked.since;
    let is_patient = asked.answers == AnswersKeyFrames::Yes
        && asked.now.saturating_duration_since(asked.since) < ANSWER_PATIENCE;
    match bytes {
        _ if is_fresh => Way::Fresh(mark),
        _ if !asked.is_allowed => Way::Wait,
        0..=REPLAY_BYTES => Way::From(mark, BURST),
        0..=LONG_REPLAY_BYTES if !is_patient => Way::From(mark, LONG_BURST),
        _ => Way::Wait,
    }
}

/// The frames from a key frame to the live edge.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first packet.
    pub first: Arc<Packet>,
    /// The first packet that is not pressed together with those before it.
    pub edge: Arc<Packet>,
    /// Where each frame before the edge begins, counted in packets from the first.
    pub frames: Vec<u16>,
    /// How long sending what lies before the edge takes.
    pub lasts: Duration,
}

/// Plans a replay from `from` on, in bursts of so many packets. None where its first packet is gone, or it has more frames than
/// are worth it.
///
/// Live begins with the newest frame, or before the first hole that may still be filled: what comes late there needs a time of
/// its own.
pub fn plan(ring: &Ring, from: u64, burst: usize, now: Instant) -> Option<Plan> {
    let first = ring.get(from)?;
    let mut frames = Vec::new();
    let mut edge = first;
    let mut has_hole = false;
    for index in from..ring.head() {
        let packet = match ring.slot(index) {
            Slot::Packet(packet) => packet,
            Slot::Missing => {
                has_hole = true;
                continue;
            }
            Slot::Padding => continue,
            Slot::Evicted | Slot::NotYet => break,
        };
        if has_hole && now.saturating_duration_since(packet.arrived) < MAY_BE_FILLED {
            break;
        }
        has_hole = false;
        if frames.is_empty() || packet.timestamp != edge.timestamp {
            frames.push(u16::try_from(index - from).ok()?);
            edge = packet;
        }
        if frames.len() > MAX_PRESSED_FRAMES {
            return None;
        }
    }
    frames.pop();
    frames.shrink_to_fit();
    let bursts = (edge.index - from) / burst.max(1) as u64;
    let lasts = BURST_EVERY.saturating_mul(u32::try_from(bursts).unwrap_or(u32::MAX));
    Some(Plan { first: Arc::clone(first), edge: Arc::clone(edge), frames, lasts })
}
