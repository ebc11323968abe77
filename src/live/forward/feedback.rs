//! How well one stream arrives (RFC 3550 §6.4, A.3, A.8), and how much the server would take of a publisher (REMB).
//!
//! Owns the sums. What is sent of them and when is decided by `ingress`.

use std::time::{Duration, Instant};

use rtc_rtcp::reception_report::ReceptionReport;

/// What arrived of one stream.
#[derive(Debug)]
pub struct Reception {
    clock_rate: u32,
    began: Instant,
    first: Option<u64>,
    highest: u64,
    received: u64,
    /// As they were at the last report.
    expected_before: u64,
    received_before: u64,
    fraction: f32,
    jitter: f64,
    last: Option<(Instant, u64)>,
    sender_report: Option<(u32, Instant)>,
}

impl Reception {
    /// For a stream whose clock ticks `clock_rate` times in a second.
    pub fn new(clock_rate: u32, now: Instant) -> Self {
        Self {
            clock_rate,
            began: now,
            first: None,
            highest: 0,
            received: 0,
            expected_before: 0,
            received_before: 0,
            fraction: 0.0,
            jitter: 0.0,
            last: None,
            sender_report: None,
        }
    }

    /// A packet came for the first time; `timestamp` is unwrapped.
    pub fn on_packet(&mut self, now: Instant, index: u64, timestamp: u64) {
        self.received += 1;
        let first = *self.first.get_or_insert(index);
        self.first = Some(first.min(index));
        if index <= self.highest && self.received > 1 {
            return;
        }
        self.highest = index;
        // The packets of one picture share its timestamp, so only the first of them says something about the way.
        if let Some((before, told)) = self.last
            && told != timestamp
        {
            let ticks = now.saturating_duration_since(before).as_secs_f64() * f64::from(self.clock_rate);
            let difference = (ticks - timestamp.wrapping_sub(told).cast_signed() as f64).abs();
            // A pause or a new clock is no jitter.
            if difference < f64::from(self.clock_rate) * 5.0 {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
        if self.last.is_none_or(|(_, told)| told != timestamp) {
            self.last = Some((now, timestamp));
        }
    }

    /// The sender began its numbers anew and `index` is the first: what lies between was never sent.
    pub fn on_restart(&mut self, index: u64) {
        self.first = self.first.map(|first| first + index.saturating_sub(self.highest + 1));
        self.last = None;
    }

    /// A sender report with this NTP time came.
    pub fn on_sender_report(&mut self, now: Instant, ntp: u64) {
        self.sender_report = Some(((ntp >> 16) as u32, now));
    }

    /// The report block about this stream, which begins a new interval.
    pub fn report(&mut self, now: Instant, ssrc: u32) -> ReceptionReport {
        let expected = self.expected();
        let in_interval = expected.saturating_sub(self.expected_before);
        let lost = in_interval.saturating_sub(self.received.saturating_sub(self.received_before));
        (self.expected_before, self.received_before) = (expected, self.received);
        self.fraction = if in_interval == 0 { 0.0 } else { lost as f32 / in_interval as f32 };
        let (last_sender_report, since) = self
            .sender_report
            .map_or((0, Duration::ZERO), |(middle, at)| (middle, now.saturating_duration_since(at)));
        ReceptionReport {
            ssrc,
            fraction_lost: (self.fraction * 256.0).min(255.0) as u8,
            // 24 bits, signed.
            total_lost: self.lost().min(0x7f_ffff) as u32,
            // The number of wraps begins with 0, ours with 1.
            last_sequence_number: (self.highest as u32).wrapping_sub(1 << 16),
            jitter: self.jitter as u32,
            last_sender_report,
            delay: (since.as_secs_f64() * 65_536.0) as u32,
        }
    }

    fn expected(&self) -> u64 {
        self.first.map_or(0, |first| (self.highest + 1).saturating_sub(first))
    }

    /// Packets that never came so far, not counting on repairs by retransmission streams.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Packets that came, without repairs by retransmission streams.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Share of packets lost in the interval before the last report, 0-1.
    pub fn fraction_lost(&self) -> f32 {
        self.fraction
    }

    /// Interarrival jitter.
    pub fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter / f64::from(self.clock_rate.max(1)))
    }

    /// Since when the stream is received.
    pub fn began(&self) -> Instant {
        self.began
    }
}

/// What the server would take of a publisher whose congestion control knows no transport-wide feedback
/// (draft-alvestrand-rmcat-remb-03): more than comes while little is lost, less while much is.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverEstimate {
    most: u64,
}

impl ReceiverEstimate {
    /// Never asks for more than `most` bits a second.
    pub fn new(most: u64) -> Self {
        Self { most: most.max(LEAST_RATE) }
    }

    /// Bits a second to be told, `received` having come in the last one.
    pub fn rate(&self, received: u64, fraction_lost: f32) -> u64 {
        let rate = if fraction_lost > 0.1 {
            (received as f64 * (1.0 - 0.5 * f64::from(fraction_lost))) as u64
        } else {
            received + received / 2 + HEADROOM
        };
        rate.clamp(LEAST_RATE, self.most)
    }
}

/// A publisher pushed below this sends nothing that is worth watching.
const LEAST_RATE: u64 = 150_000;
/// What a quiet publisher may begin with.
const HEADROOM: u64 = 500_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_its_share_are_those_of_the_interval() {
        let start = Instant::now();
        let mut reception = Reception::new(90_000, start);
        for index in (65_536..65_636).filter(|index| index % 10 != 3) {
            reception.on_packet(start, index, 0);
        }
        let report = reception.report(start, 7);
        assert_eq!((report.ssrc, report.total_lost, report.fraction_lost), (7, 10, 25));
        assert_eq!(report.last_sequence_number, 99, "no wrap so far");
        for index in 65_636..65_736 {
            reception.on_packet(start, index, 0);
        }
        let report = reception.report(start, 7);
        assert_eq!((report.total_lost, report.fraction_lost), (10, 0));
        assert_eq!(reception.report(start, 7).fraction_lost, 0, "nothing was expected");
    }

    #[test]
    fn late_packets_and_what_came_before_the_first_are_no_loss() {
        let start = Instant::now();
        let mut reception = Reception::new(90_000, start);
        for index in [65_537, 65_540, 65_538, 65_536, 65_539] {
            reception.on_packet(start, index, 0);
        }
        assert_eq!((reception.lost(), reception.received()), (0, 5));
        reception.on_restart(80_000);
        reception.on_packet(start, 80_000, 0);
        assert_eq!(reception.lost(), 0, "numbers that were passed over were never sent");
    }

    #[test]
    fn jitter_is_that_of_pictures_and_a_sender_report_is_answered_with_its_age() {
        let start = Instant::now();
        let mut reception = Reception::new(90_000, start);
        for picture in 0..1_000u64 {
            // Every other picture 10 ms late, each in three packets.
            let at = start + Duration::from_millis(picture * 40 + picture % 2 * 10);
            for part in 0..3 {
                reception.on_packet(at, 70_000 + picture * 3 + part, picture * 3_600);
            }
        }
        let jitter = reception.jitter().as_secs_f64() * 1_000.0;
        assert!((9.9..10.1).contains(&jitter), "{jitter} ms");
        reception.on_sender_report(start, 0x0123_4567_89ab_cdef);
        let report = reception.report(start + Duration::from_millis(1_500), 1);
        assert_eq!((report.last_sender_report, report.delay), (0x4567_89ab, 98_304));
    }

    #[test]
    fn the_estimate_leaves_room_until_much_is_lost() {
        let estimate = ReceiverEstimate::new(12_000_000);
        assert_eq!(estimate.rate(0, 0.0), 500_000);
        assert_eq!(estimate.rate(2_000_000, 0.05), 3_500_000);
        assert_eq!(estimate.rate(2_000_000, 0.25), 1_750_000);
        assert_eq!(estimate.rate(50_000_000, 0.0), 12_000_000);
        assert_eq!(estimate.rate(10_000, 0.9), 150_000);
    }
}
