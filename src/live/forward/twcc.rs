//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): when each packet of a peer arrived.
//!
//! Owns the arrivals that are still to be told and how they are written. The publisher's congestion control lives on it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::packet::Unwrapper;

/// The arrivals of one peer's packets over all its streams.
#[derive(Debug)]
pub struct TwccRecorder {
    epoch: Instant,
    sequences: Unwrapper<16>,
    /// Arrivals from `base` on, in ticks since the epoch; what is told stays a while for late packets to be put between.
    arrivals: VecDeque<Option<i64>>,
    base: u64,
    /// Below this nothing is told of any more.
    floor: u64,
    /// The first number that the next feedback tells of.
    next: u64,
    /// Arrivals that were not told yet, and the time of the first of them.
    untold: usize,
    untold_since: Option<Instant>,
    feedback_count: u8,
    symbols: Vec<u8>,
    deltas: Vec<u8>,
}

impl TwccRecorder {
    /// A recorder whose reference times count from `epoch`.
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            sequences: Unwrapper::default(),
            arrivals: VecDeque::new(),
            base: 0,
            floor: 0,
            next: 0,
            untold: 0,
            untold_since: None,
            feedback_count: 0,
            symbols: Vec::new(),
            deltas: Vec::new(),
        }
    }

    /// Notes that the packet with this transport-wide number arrived.
    pub fn record(&mut self, now: Instant, sequence: u16) {
        let index = self.sequences.unwrap(u64::from(sequence));
        let head = self.base + self.arrivals.len() as u64;
        if self.arrivals.is_empty() || index >= head + SPAN {
            // The first packet, or a jump too far to be loss.
            self.arrivals.clear();
            (self.base, self.next, self.untold) = (index, index, 0);
            self.floor = index.saturating_sub(MOST_DISORDER);
        }
        if index < self.floor {
            return;
        }
        while index < self.base {
            self.arrivals.push_front(None);
            self.base -= 1;
        }
        let at = (index - self.base) as usize;
        while self.arrivals.len() <= at {
            self.arrivals.push_back(None);
        }
        if self.arrivals[at].is_some() {
            return;
        }
        self.arrivals[at] =
            Some((now.saturating_duration_since(self.epoch).as_micros() / TICK_MICROS) as i64);
        // A packet that was told of as missing is told of again.
        self.next = self.next.min(index);
        self.untold += 1;
        self.untold_since.get_or_insert(now);
        while self.arrivals.len() as u64 > SPAN {
            self.arrivals.pop_front();
            self.base += 1;
            self.floor = self.base;
            self.next = self.next.max(self.base);
        }
    }

    /// When feedback is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let wait = if self.untold >= MANY { LEAST_INTERVAL } else { MOST_INTERVAL };
        self.untold_since.map(|since| since + wait)
    }

    /// Appends one feedback message, if one is due; another may be due at once after it.
    pub fn poll(&mut self, now: Instant, ssrcs: Ssrcs, out: &mut Vec<u8>) -> bool {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return false;
        }
        self.write(ssrcs, out);
        if self.next >= self.base + self.arrivals.len() as u64 {
            (self.untold, self.untold_since) = (0, None);
            self.forget(now);
        }
        true
    }

    fn write(&mut self, ssrcs: Ssrcs, out: &mut Vec<u8>) {
        self.symbols.clear();
        self.deltas.clear();
        let first = self.next;
        let mut reference = 0;
        let mut last_tick = None;
        let mut symbols_told = 0;
        for arrival in self.arrivals.range((first - self.base) as usize..) {
            let Some(tick) = *arrival else {
                self.symbols.push(MISSING);
                continue;
            };
            let before = last_tick.unwrap_or_else(|| {
                reference = tick / TICKS_PER_REFERENCE;
                reference * TICKS_PER_REFERENCE
            });
            let delta = tick - before;
            if let Ok(small) = u8::try_from(delta) {
                self.symbols.push(SMALL);
                self.deltas.push(small);
            } else if let Ok(large) = i16::try_from(delta) {
                self.symbols.push(LARGE);
                self.deltas.extend(large.to_be_bytes());
            } else {
                // Too far from the packet before: it begins the next message.
                break;
            }
            last_tick = Some(tick);
            symbols_told = self.symbols.len();
            if self.deltas.len() + symbols_told / 3 >= MOST_BYTES {
                break;
            }
        }
        // What is missing behind the last arrival may still come.
        self.symbols.truncate(symbols_told);
        self.next = first + symbols_told as u64;

        let start = out.len();
        out.extend([0x8f, 205, 0, 0]);
        out.extend(ssrcs.sender.to_be_bytes());
        out.extend(ssrcs.media.to_be_bytes());
        out.extend((first as u16).to_be_bytes());
        out.extend((symbols_told as u16).to_be_bytes());
        out.extend(&(reference as u32).to_be_bytes()[1..]);
        out.push(self.feedback_count);
        self.feedback_count = self.feedback_count.wrapping_add(1);
        write_chunks(&self.symbols, out);
        out.extend(&self.deltas);
        let padding = (out.len() - start).next_multiple_of(4) - (out.len() - start);
        if padding > 0 {
            out[start] |= 0x20;
            out.extend([0; 3].iter().take(padding - 1));
            out.push(padding as u8);
        }
        let words = ((out.len() - start) / 4 - 1) as u16;
        out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }

    /// Forgets what was told and is too old for a late packet to come before it.
    fn forget(&mut self, now: Instant) {
        let oldest = now.checked_sub(REMEMBERED).unwrap_or(self.epoch).saturating_duration_since(self.epoch);
        let oldest = (oldest.as_micros() / TICK_MICROS) as i64;
        while self.base < self.next && self.arrivals.front().is_some_and(|at| at.is_none_or(|at| at < oldest))
        {
            self.arrivals.pop_front();
            self.base += 1;
            self.floor = self.base;
        }
    }
}

/// Whom a feedback message is from and about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrcs {
    /// The one who sends it.
    pub sender: u32,
    /// A stream that it is about.
    pub media: u32,
}

/// Writes the statuses of packets as runs of one status, or vectors of fourteen one-bit or seven two-bit ones.
fn write_chunks(mut symbols: &[u8], out: &mut Vec<u8>) {
    while let Some(&first) = symbols.first() {
        let run = symbols.iter().take(MOST_IN_RUN).take_while(|&&symbol| symbol == first).count();
        let small = symbols.iter().take(14).take_while(|&&symbol| symbol != LARGE).count();
        let (chunk, told) = if run >= 14 || run == symbols.len() || (small < 14 && run >= 7) {
            (u16::from(first) << 13 | run as u16, run)
        } else if small == symbols.len().min(14) {
            (
                symbols[..small]
                    .iter()
                    .zip((0..14).rev())
                    .fold(0x8000, |chunk, (&bit, at)| chunk | u16::from(bit) << at),
                small,
            )
        } else {
            let told = symbols.len().min(7);
            let pairs = symbols[..told].iter().zip((0..7).rev());
            (pairs.fold(0xc000, |chunk, (&pair, at)| chunk | u16::from(pair) << (2 * at)), told)
        };
        out.extend(chunk.to_be_bytes());
        symbols = &symbols[told..];
    }
}

const MISSING: u8 = 0;
const SMALL: u8 = 1;
const LARGE: u8 = 2;
const MOST_IN_RUN: usize = 0x1fff;
/// Arrival times are told in steps of 250 us, reference times in steps of 64 ms.
const TICK_MICROS: u128 = 250;
const TICKS_PER_REFERENCE: i64 = 256;
/// Feedback comes at most this long after a packet, and not much more often than the lower bound.
const MOST_INTERVAL: Duration = Duration::from_millis(100);
const LEAST_INTERVAL: Duration = Duration::from_millis(50);
/// From so many untold arrivals on (6 Mbit/s) feedback comes as often as it may.
const MANY: usize = 32;
/// Numbers that are kept: six seconds of 12 Mbit/s, and the widest gap that counts as loss.
const SPAN: u64 = 8_192;
/// Packets that may have been sent before the first one that came.
const MOST_DISORDER: u64 = 64;
/// Bytes of one message at most, so that it fits a datagram beside other feedback.
pub const MOST_MESSAGE: usize = 800;
/// Deltas and statuses of one message: what they come to in bytes stays below [`MOST_MESSAGE`].
const MOST_BYTES: usize = 700;
/// A packet later than this is not told of any more.
const REMEMBERED: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
        PacketStatusChunk, SymbolTypeTcc, TransportLayerCc,
    };
    use rtc_shared::marshal::Unmarshal;

    use super::*;

    const SSRCS: Ssrcs = Ssrcs { sender: 1, media: 2 };

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// Every message that is due, read by another's hand.
    fn messages(recorder: &mut TwccRecorder, now: Instant) -> Vec<TransportLayerCc> {
        let mut messages = Vec::new();
        loop {
            let mut out = Vec::new();
            if !recorder.poll(now, SSRCS, &mut out) {
                return messages;
            }
            assert!(out.len() % 4 == 0 && out.len() <= MOST_MESSAGE, "{} bytes", out.len());
            messages
                .push(TransportLayerCc::unmarshal(&mut &out[..]).expect("a message that others can read"));
        }
    }

    /// What a message tells: numbers and arrivals in steps of 250 us since reference time 0.
    fn told(message: &TransportLayerCc) -> Vec<(u16, Option<i64>)> {
        let symbols = message.packet_chunks.iter().flat_map(|chunk| match chunk {
            PacketStatusChunk::RunLengthChunk(run) => {
                vec![run.packet_status_symbol; usize::from(run.run_length)]
            }
            PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.clone(),
        });
        let mut deltas = message.recv_deltas.iter();
        let mut tick = i64::from(message.reference_time) * 256;
        symbols
            .take(usize::from(message.packet_status_count))
            .enumerate()
            .map(|(at, symbol)| {
                let number = message.base_sequence_number.wrapping_add(at as u16);
                (
                    number,
                    (symbol != SymbolTypeTcc::PacketNotReceived).then(|| {
                        tick += deltas.next().expect("a delta for each arrival").delta / 250;
                        tick
                    }),
                )
            })
            .collect()
    }

    #[test]
    fn arrivals_are_told_with_losses_between_them() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::new(start);
        for (sequence, millis) in [(65_534, 130), (65_535, 131), (1, 140), (2, 139), (4, 210)] {
            recorder.record(at(start, millis), sequence);
        }
        assert!(messages(&mut recorder, at(start, 229)).is_empty(), "not before a tenth of a second");
        let all = messages(&mut recorder, at(start, 230));
        assert_eq!(all.len(), 1);
        let ticks = |millis: i64| Some(millis * 4);
        let expected = [
            (65_534, ticks(130)),
            (65_535, ticks(131)),
            (0, None),
            (1, ticks(140)),
            (2, ticks(139)),
            (3, None),
            (4, ticks(210)),
        ];
        assert_eq!(told(&all[0]), expected);
        assert_eq!((all[0].fb_pkt_count, all[0].reference_time, all[0].media_ssrc), (0, 2, 2));
        assert_eq!(recorder.poll_timeout(), None);
    }

    #[test]
    fn a_late_packet_is_told_of_after_it_was_told_missing() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::new(start);
        for sequence in [10, 12] {
            recorder.record(at(start, 1), sequence);
        }
        messages(&mut recorder, at(start, 101));
        recorder.record(at(start, 120), 11);
        recorder.record(at(start, 121), 13);
        let all = messages(&mut recorder, at(start, 220));
        assert_eq!(told(&all[0]), [(11, Some(480)), (12, Some(4)), (13, Some(484))]);
        assert_eq!(all[0].fb_pkt_count, 1);
    }

    #[test]
    fn much_traffic_is_told_of_twice_as_often() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::new(start);
        for sequence in 0..40 {
            recorder.record(at(start, 1), sequence);
        }
        assert_eq!(recorder.poll_timeout(), Some(at(start, 51)));
    }

    #[test]
    fn the_reference_time_wraps_after_twelve_days() {
        let start = Instant::now();
        // 2^24 steps of 64 ms.
        let wrap = 16_777_216 * 64;
        let mut recorder = TwccRecorder::new(start);
        recorder.record(at(start, wrap - 64), 1);
        recorder.record(at(start, wrap + 64), 2);
        let all = messages(&mut recorder, at(start, wrap + 200));
        assert_eq!(all[0].reference_time, 0xff_ffff);
        assert_eq!(
            told(&all[0]).iter().map(|(_, tick)| tick.unwrap() / 256).collect::<Vec<_>>(),
            [0xff_ffff, 0x100_0001]
        );
        recorder.record(at(start, wrap + 300), 3);
        assert_eq!(messages(&mut recorder, at(start, wrap + 400))[0].reference_time, 4);
    }

    #[test]
    fn a_pause_too_long_for_one_message_begins_another() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::new(start);
        recorder.record(at(start, 0), 1);
        recorder.record(at(start, 9_000), 3);
        let all = messages(&mut recorder, at(start, 9_100));
        assert_eq!(
            all.iter().map(told).collect::<Vec<_>>(),
            [vec![(1, Some(0))], vec![(2, None), (3, Some(36_000))]]
        );
    }

    #[test]
    fn a_jump_is_no_loss_of_thousands() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::new(start);
        recorder.record(at(start, 0), 1);
        recorder.record(at(start, 1), 20_000);
        let all = messages(&mut recorder, at(start, 200));
        assert_eq!(all.iter().map(told).collect::<Vec<_>>(), [vec![(20_000, Some(4))]]);
    }

    proptest! {
        /// Whatever is lost, overtaken or repeated: each arrival is told once or more, with its time to 250 us, and nothing else.
        #[test]
        fn every_arrival_is_told_of(
            first in any::<u16>(),
            steps in proptest::collection::vec((0u64..60, 0u16..4, 0u16..12), 1..400),
        ) {
            let start = Instant::now();
            let mut recorder = TwccRecorder::new(start);
            let (mut millis, mut sequence) = (0, first);
            let mut arrived = std::collections::BTreeMap::new();
            let mut heard = std::collections::BTreeMap::new();
            for (wait, ahead, back) in steps {
                millis += wait / 10;
                sequence = sequence.wrapping_add(ahead);
                let this = if back > 9 { sequence.wrapping_sub(back) } else { sequence };
                // What comes before the first packet of all is not told of.
                if this.wrapping_sub(first) < 0x8000 {
                    recorder.record(at(start, millis), this);
                    arrived.entry(this).or_insert(millis as i64 * 4);
                }
                for message in messages(&mut recorder, at(start, millis)) {
                    heard.extend(told(&message).into_iter().filter_map(|(number, tick)| Some((number, tick?))));
                }
            }
            for message in messages(&mut recorder, at(start, millis + 200)) {
                heard.extend(told(&message).into_iter().filter_map(|(number, tick)| Some((number, tick?))));
            }
            prop_assert_eq!(heard, arrived);
        }
    }
}
