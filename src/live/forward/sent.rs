//! What one viewer was sent: enough to repeat any recent packet and to know when it left, in a few kilobytes.
//!
//! Owns the way back from an outgoing index to the packet it stands for, and the send times that transport-wide feedback is
//! compared with. Holds no packets: those stay in the rings, and what a ring no longer has cannot be repeated.

use std::collections::VecDeque;
use std::sync::Weak;
use std::time::{Duration, Instant};

use super::munger::Run;
use super::source::Encoding;
use crate::live::media::PayloadCodec;

/// Most stretches with one renaming: 64 switches, skips and probes of the publisher reach back minutes.
const MAX_INTERVALS: usize = 64;

/// Most runs. Repeats are asked for within a second or two; nobody switches eight times in that.
const MAX_RUNS: usize = 8;

/// Packets whose send time is kept: 1 s at 5 Mbit/s, and more than feedback is ever late.
const SEND_TIMES: usize = 512;

/// How long a replay can be repeated. Its frames take two bytes each until then.
const REPLAY_REPEATABLE: Duration = Duration::from_secs(6);

/// What an outgoing index stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A packet of an encoding.
    Source {
        /// Which run; see [`SentStore::run`].
        run: u64,
        /// The packet's index in its ring.
        index: u64,
    },
    /// A packet of padding.
    Padding {
        /// Its timestamp.
        timestamp: u64,
    },
}

/// A run with what else is needed to write its packets again.
#[derive(Clone, Debug)]
pub struct SentRun {
    /// Where the packets are; gone once neither publisher nor viewer needs them.
    pub encoding: Weak<Encoding>,
    /// How they were renamed.
    pub run: Run,
    /// Under which payload type.
    pub payload: PayloadCodec,
}

/// The way back from outgoing indices of one stream.
#[derive(Debug, Default)]
pub struct SentStore {
    intervals: VecDeque<Interval>,
    runs: VecDeque<SentRun>,
    /// The number of the first run in `runs`.
    first_run: u64,
    /// When the replay among the runs was begun.
    replay_begun: Option<Instant>,
}

/// Outgoing indices `out..out + count` stand for `source` and what follows it, holes counted.
#[derive(Clone, Copy, Debug)]
struct Interval {
    out: u64,
    count: u32,
    /// [`PADDING`] or the low bits of a run's number.
    run: u32,
    /// Source index of `out`, or the padding's timestamp.
    source: u64,
}

const PADDING: u32 = u32::MAX;

/// Notes what is sent of the current run.
#[derive(Debug)]
pub struct Recorder<'a> {
    intervals: &'a mut VecDeque<Interval>,
    run: u32,
}

impl Recorder<'_> {
    /// The source packet `source` was sent as `out`, or its place was left open.
    pub fn sent(&mut self, out: u64, source: u64) {
        if let Some(last) = self.intervals.back_mut()
            && last.run == self.run
            && out.wrapping_sub(last.out) == source.wrapping_sub(last.source)
            && let Ok(count) = u32::try_from(out - last.out + 1)
        {
            last.count = count;
            return;
        }
        push(self.intervals, Interval { out, count: 1, run: self.run, source });
    }
}

impl SentStore {
    /// Begins a run; what follows belongs to it.
    pub fn begin(&mut self, sent: SentRun, now: Instant) {
        if sent.run.pressed.is_some() {
            self.forget_replays();
            self.replay_begun = Some(now);
        }
        if self.runs.len() == MAX_RUNS {
            self.runs.pop_front();
            self.first_run += 1;
        }
        self.runs.push_back(sent);
    }

    /// The current run.
    pub fn current(&self) -> Option<&SentRun> {
        self.runs.back()
    }

    /// The current run, and where to note what is sent of it.
    pub fn record(&mut self) -> Option<(&SentRun, Recorder<'_>)> {
        let run = self.current_number();
        let current = self.runs.back()?;
        Some((current, Recorder { intervals: &mut self.intervals, run }))
    }

    /// A run by its number, while it is remembered.
    pub fn run(&self, number: u64) -> Option<&SentRun> {
        self.runs.get(usize::try_from(number.checked_sub(self.first_run)?).ok()?)
    }

    /// Notes that padding was sent.
    pub fn sent_padding(&mut self, out: u64, timestamp: u64) {
        push(&mut self.intervals, Interval { out, count: 1, run: PADDING, source: timestamp });
    }

    /// What the newest index with this sequence number stands for, among those below `next`.
    pub fn origin(&self, sequence: u16, next: u64) -> Option<(u64, Origin)> {
        let newest = next.checked_sub(1)?;
        let out = newest.checked_sub(newest.wrapping_sub(u64::from(sequence)) & 0xffff)?;
        let at = self.intervals.partition_point(|interval| interval.out <= out).checked_sub(1)?;
        let interval = self.intervals[at];
        let offset = out - interval.out;
        if offset >= u64::from(interval.count) {
            return None;
        }
        if interval.run == PADDING {
            return Some((out, Origin::Padding { timestamp: interval.source }));
        }
        let run = self.first_run + u64::from(interval.run.wrapping_sub(low_bits(self.first_run)));
        self.run(run)?;
        Some((out, Origin::Source { run, index: interval.source + offset }))
    }

    /// The outgoing index that was left open for a packet of the current run.
    pub fn hole(&self, source: u64) -> Option<u64> {
        let run = self.current_number();
        let recent =
            self.intervals.iter().rev().take_while(|interval| interval.run == run || interval.run == PADDING);
        recent
            .filter(|interval| interval.run == run)
            .find(|interval| (interval.source..interval.source + u64::from(interval.count)).contains(&source))
            .map(|interval| interval.out + (source - interval.source))
    }

    /// Forgets what can no longer be asked for.
    pub fn forget(&mut self, now: Instant) {
        if self.replay_begun.is_some_and(|begun| now.saturating_duration_since(begun) > REPLAY_REPEATABLE) {
            self.forget_replays();
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let pressed: usize =
            self.runs.iter().filter_map(|sent| Some(sent.run.pressed.as_ref()?.heap_bytes())).sum();
        self.intervals.capacity() * size_of::<Interval>()
            + self.runs.capacity() * size_of::<SentRun>()
            + pressed
    }

    /// Forgets every replay: its part before the live edge cannot be repeated any more.
    fn forget_replays(&mut self) {
        self.replay_begun = None;
        for sent in &mut self.runs {
            if let Some(pressed) = &mut sent.run.pressed {
                pressed.forget();
            }
        }
    }

    fn current_number(&self) -> u32 {
        low_bits((self.first_run + self.runs.len() as u64).wrapping_sub(1))
    }
}

/// Runs are told apart by the low bits of their number, of which only a few are remembered.
fn low_bits(number: u64) -> u32 {
    (number & u64::from(u32::MAX >> 1)) as u32
}

fn push(intervals: &mut VecDeque<Interval>, interval: Interval) {
    if intervals.len() == MAX_INTERVALS {
        intervals.pop_front();
    }
    intervals.push_back(interval);
}

/// A packet that feedback may speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentPacket {
    /// When it left, from the start of the viewer's session.
    pub at: Duration,
    /// Its bytes.
    pub size: u16,
    /// Whether it belonged to a replay, which says nothing about the rate that a viewer can take.
    pub is_replay: bool,
}

/// When packets with transport-wide numbers left.
#[derive(Debug, Default)]
pub struct SendTimes {
    times: VecDeque<Left>,
    /// The number of the next packet, counted on past every wrap.
    next: u64,
}

/// A packet that left, in six bytes.
#[derive(Clone, Copy, Debug)]
struct Left {
    /// High and low half of the time, in [`TIME_UNIT`]s.
    at: [u16; 2],
    /// Bytes, and [`REPLAY_BIT`].
    size: u16,
}

/// The bit of a stored size that marks a replay; no packet is that large.
const REPLAY_BIT: u16 = 1 << 15;

/// Send times are kept in these units: 64 us, for three days.
const TIME_UNIT: u128 = 64;

impl SendTimes {
    /// The number that the next packet gets.
    pub fn next_sequence(&self) -> u16 {
        (self.next & 0xffff) as u16
    }

    /// Notes that the packet with the next number leaves.
    pub fn push(&mut self, packet: SentPacket) {
        if self.times.len() == SEND_TIMES {
            self.times.pop_front();
        }
        let at = (packet.at.as_micros() / TIME_UNIT) as u32;
        let replay = if packet.is_replay { REPLAY_BIT } else { 0 };
        let at = [(at >> 16) as u16, at as u16];
        self.times.push_back(Left { at, size: packet.size & !REPLAY_BIT | replay });
        self.next += 1;
    }

    /// The packet with this number, if it left lately.
    pub fn get(&self, sequence: u16) -> Option<SentPacket> {
        let behind = self.next.wrapping_sub(1).wrapping_sub(u64::from(sequence)) & 0xffff;
        let at = self.times.len().checked_sub(1 + usize::try_from(behind).ok()?)?;
        let Left { at: [high, low], size } = self.times[at];
        let at = u32::from(high) << 16 | u32::from(low);
        Some(SentPacket {
            at: Duration::from_micros(u64::from(at) * TIME_UNIT as u64),
            size: size & !REPLAY_BIT,
            is_replay: size & REPLAY_BIT != 0,
        })
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.times.capacity() * size_of::<Left>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::live::forward::munger::{Munger, Start};
    use crate::live::forward::packet::Packet;
    use crate::live::forward::ring::RingLimits;
    use crate::live::media::{Codec, MediaKind};

    fn packet(index: u64) -> Packet {
        Packet {
            index,
            timestamp: index * 3_000,
            arrived: Instant::now(),
            marker: true,
            payload: Bytes::from_static(&[0; 4]),
            frame: Default::default(),
            audio_level: None,
            orientation: None,
        }
    }

    fn a_run(first: u64, frames: Vec<u16>) -> SentRun {
        let first = packet(first);
        let edge = packet(first.index + frames.len() as u64);
        let start = Start {
            first: &first,
            edge: &edge,
            frames,
            lasts: Duration::ZERO,
            timestamp: None,
            now: Instant::now(),
        };
        SentRun {
            encoding: std::sync::Arc::downgrade(&std::sync::Arc::new(Encoding::new(
                Codec::Vp8,
                None,
                RingLimits::VIDEO,
            ))),
            run: Munger::new(MediaKind::Video, 0, 0).begin(start),
            payload: PayloadCodec { codec: Codec::Vp8, payload_type: 96, rtx: None },
        }
    }

    /// What happens to a stream.
    #[derive(Clone, Debug)]
    enum Step {
        Begin,
        Send(u8),
        Hole,
        Drop,
        Pad,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            1 => Just(Step::Begin),
            12 => (1_u8..40).prop_map(Step::Send),
            2 => Just(Step::Hole),
            2 => Just(Step::Drop),
            1 => Just(Step::Pad),
        ];
        prop::collection::vec(step, 1..200)
    }

    proptest! {
        #[test]
        fn the_way_back_is_right_or_forgotten_and_takes_little(steps in steps(), beginning in 0_u64..40_000) {
            let mut store = SentStore::default();
            let mut truth = HashMap::new();
            let (mut out, mut source, mut run) = (beginning, 1_000_000_u64, 0_u64);
            store.begin(a_run(source, Vec::new()), Instant::now());
            for step in steps {
                match step {
                    Step::Begin => {
                        source += 5_000;
                        run += 1;
                        store.begin(a_run(source, Vec::new()), Instant::now());
                    }
                    Step::Send(count) => for _ in 0..count {
                        store.record().unwrap().1.sent(out, source);
                        truth.insert(out, Origin::Source { run, index: source });
                        (out, source) = (out + 1, source + 1);
                    },
                    Step::Hole => {
                        store.record().unwrap().1.sent(out, source);
                        prop_assert_eq!(store.hole(source), Some(out));
                        truth.insert(out, Origin::Source { run, index: source });
                        (out, source) = (out + 1, source + 1);
                    }
                    Step::Drop => source += 1,
                    Step::Pad => {
                        store.sent_padding(out, 7);
                        truth.insert(out, Origin::Padding { timestamp: 7 });
                        out += 1;
                    }
                }
            }
            for back in 1..=(out - beginning).min(3_000) {
                let wanted = out - back;
                match store.origin((wanted & 0xffff) as u16, out) {
                    Some((found, origin)) => {
                        prop_assert_eq!(found, wanted);
                        prop_assert_eq!(Some(&origin), truth.get(&wanted));
                    }
                    None => prop_assert!(back > 40, "the newest are known"),
                }
            }
            prop_assert_eq!(store.origin((out & 0xffff) as u16, out), None, "what was never sent is not known");
            prop_assert!(store.heap_bytes() <= 4 * 1024, "{}", store.heap_bytes());
        }
    }

    #[test]
    fn everything_together_stays_below_eight_kilobytes() {
        let mut store = SentStore::default();
        let now = Instant::now();
        let longest = u16::try_from(super::super::munger::MAX_PRESSED_FRAMES).unwrap();
        for run in 0..20 {
            store.begin(a_run(run * 10_000, (0..longest).collect()), now);
            for at in 0..20 {
                store.sent_padding(run * 40 + at * 2, 0);
                store.record().unwrap().1.sent(run * 40 + at * 2 + 1, run * 10_000 + at);
            }
        }
        let mut times = SendTimes::default();
        (0..5_000).for_each(|_| times.push(SentPacket { at: Duration::ZERO, size: 1_200, is_replay: false }));
        let total = store.heap_bytes() + times.heap_bytes();
        assert!(total <= 8 * 1024, "{total}");
        store.forget(now + REPLAY_REPEATABLE + Duration::from_secs(1));
        assert!(store.heap_bytes() + times.heap_bytes() + 2_000 < total, "a replay is soon forgotten");
    }

    #[test]
    fn send_times_are_known_for_the_newest_packets_over_the_wrap() {
        let mut times = SendTimes::default();
        for number in 0..70_000_u32 {
            assert_eq!(u32::from(times.next_sequence()), number & 0xffff);
            let at = Duration::from_micros(u64::from(number) * 64);
            times.push(SentPacket { at, size: (number % 1_200) as u16, is_replay: number % 2 == 0 });
        }
        let newest = times.get(69_999_u32 as u16).unwrap();
        assert_eq!(
            (newest.at, newest.size, newest.is_replay),
            (Duration::from_micros(69_999 * 64), 399, false)
        );
        let oldest = 70_000 - SEND_TIMES as u32;
        assert!(times.get(oldest as u16).unwrap().is_replay);
        assert_eq!(times.get((oldest - 1) as u16), None);
        assert_eq!(times.get(times.next_sequence()), None);
    }
}
