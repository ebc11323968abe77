//! What a viewer's way carries, judged by what arrived.
//!
//! Owns the windows in which sent and delivered are compared, from transport-wide feedback where there is any, else from
//! reception reports. Estimators by delay alone collapse under random loss, so their figure (REMB) is never believed below the
//! rate that was really delivered. Decides nothing about layers.

use std::time::{Duration, Instant};

use super::sent::SendTimes;
use super::viewer_rtcp::{Reception, TransportFeedback};

/// How long a window of transport-wide feedback is.
const WINDOW: Duration = Duration::from_millis(500);

/// How long it is where much is lost.
const SHORT_WINDOW: Duration = Duration::from_millis(150);

/// A way that carries less than this share of what is sent is congested.
const DELIVERED_AT_LEAST: f64 = 0.9;

/// A way that loses more than this share is congested.
const LOST_AT_MOST: f64 = 0.1;

/// Fewer packets than this in a window say nothing.
const FEWEST_PACKETS: u64 = 20;

/// What a viewer said last is worth nothing after this long.
const STALE: Duration = Duration::from_secs(5);

/// A viewer that fell silent for this long while it was sent media takes nothing.
const SILENT: Duration = Duration::from_secs(3);

/// How a stretch of what was sent arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// When it ended, that is when it was heard of.
    pub ended: Instant,
    /// When its first packet was sent.
    pub began: Instant,
    /// Bits per second sent.
    pub sent: f64,
    /// Bits per second that arrived.
    pub delivered: f64,
    /// Share of packets lost, 0-1.
    pub loss: f64,
}

impl Window {
    /// Whether the way carried too little.
    pub fn is_congested(&self) -> bool {
        self.delivered < DELIVERED_AT_LEAST * self.sent || self.loss > LOST_AT_MOST
    }
}

/// What has been sent so far, replays left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets of all streams.
    pub packets: u64,
    /// Bytes of all streams.
    pub bytes: u64,
    /// Packets of the stream that a report is about.
    pub stream_packets: u64,
}

/// Listens to one viewer.
#[derive(Debug)]
pub struct Estimate {
    started: Instant,
    gathered: Option<Gathered>,
    /// The last reception report and the totals when it came.
    reported: Option<Reported>,
    latest: Option<Window>,
    congested_since: Option<Instant>,
    transport_heard: Option<Instant>,
    heard: Option<Instant>,
    /// Windows that began before this say nothing: a replay was on the way.
    valid_from: Instant,
    remb: Option<(u64, Instant)>,
    round_trip: Option<Duration>,
    loss: f64,
}

/// Transport-wide feedback that makes up a window.
#[derive(Clone, Copy, Debug)]
struct Gathered {
    first_sent: Duration,
    last_sent: Duration,
    first_arrived: i64,
    last_arrived: i64,
    /// Bytes of the first packet sent and of the first that arrived: they open the spans and are not carried in them.
    first_size: u64,
    sent: u64,
    delivered: u64,
    packets: u64,
    lost: u64,
}

#[derive(Clone, Copy, Debug)]
struct Reported {
    reception: Reception,
    totals: Totals,
    at: Instant,
}

impl Estimate {
    /// Nothing heard yet.
    pub fn new(now: Instant) -> Self {
        Self {
            started: now,
            gathered: None,
            reported: None,
            latest: None,
            congested_since: None,
            transport_heard: None,
            heard: None,
            valid_from: now,
            remb: None,
            round_trip: None,
            loss: 0.0,
        }
    }

    /// Forgets what was gathered: what is sent from now on differs from what was before.
    pub fn restart(&mut self, now: Instant) {
        self.gathered = None;
        self.reported = None;
        self.latest = None;
        self.congested_since = None;
        self.valid_from = now;
    }

    /// Transport-wide feedback came.
    pub fn on_transport(&mut self, feedback: TransportFeedback<'_>, times: &SendTimes, now: Instant) {
        self.transport_heard = Some(now);
        self.heard = Some(now);
        for fate in feedback.fates() {
            let Some(sent) = times.get(fate.sequence).filter(|sent| !sent.is_replay) else { continue };
            if self.started + sent.at < self.valid_from {
                continue;
            }
            let size = u64::from(sent.size);
            match (&mut self.gathered, fate.arrived) {
                (None, None) => {}
                (None, Some(arrived)) => {
                    self.gathered = Some(Gathered {
                        first_sent: sent.at,
                        last_sent: sent.at,
                        first_arrived: arrived,
                        last_arrived: arrived,
                        first_size: size,
                        sent: size,
                        delivered: size,
                        packets: 1,
                        lost: 0,
                    });
                }
                (Some(gathered), arrived) => {
                    gathered.last_sent = gathered.last_sent.max(sent.at);
                    gathered.sent += size;
                    gathered.packets += 1;
                    match arrived {
                        Some(arrived) => {
                            gathered.delivered += size;
                            gathered.last_arrived = gathered.last_arrived.max(arrived);
                        }
                        None => gathered.lost += 1,
                    }
                }
            }
        }
        if let Some(gathered) = self.gathered.filter(Gathered::is_enough) {
            self.gathered = None;
            if let Some(window) = gathered.close(self.started, now) {
                self.close(window);
            }
        }
    }

    /// A reception report came about the stream that matters; `totals` is what has been sent until now.
    pub fn on_reception(&mut self, reception: Reception, totals: Totals, now: Instant) {
        self.heard = Some(now);
        self.loss = f64::from(reception.fraction_lost) / 256.0;
        let before = self.reported.replace(Reported { reception, totals, at: now });
        let Some(before) = before.filter(|before| before.at >= self.valid_from) else { return };
        let has_better =
            self.transport_heard.is_some_and(|heard| now.saturating_duration_since(heard) < STALE);
        let expected = u64::from(reception.highest.wrapping_sub(before.reception.highest));
        let sent = totals.stream_packets.saturating_sub(before.totals.stream_packets);
        let seconds = now.saturating_duration_since(before.at).as_secs_f64();
        if has_better || expected.max(sent) < FEWEST_PACKETS || seconds < 0.1 || expected > 1 << 16 {
            if expected.max(sent) < FEWEST_PACKETS && !has_better {
                // Too little to judge: let more come together.
                self.reported = Some(before);
            }
            return;
        }
        let lost = (reception.lost - before.reception.lost).max(0) as u64;
        let delivered_share = (expected.saturating_sub(lost)) as f64 / sent.max(1) as f64;
        let rate = totals.bytes.saturating_sub(before.totals.bytes) as f64 * 8.0 / seconds;
        self.close(Window {
            ended: now,
            began: before.at,
            sent: rate,
            delivered: rate * delivered_share.min(1.0),
            loss: lost as f64 / expected.max(1) as f64,
        });
    }

    /// A receiver's own estimate came, in bits per second.
    pub fn on_remb(&mut self, bits_per_second: u64, now: Instant) {
        self.heard = Some(now);
        self.remb = Some((bits_per_second, now));
    }

    /// Anything else came.
    pub fn on_sign_of_life(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// A round trip was measured.
    pub fn on_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = Some(self.round_trip.map_or(round_trip, |known| (known * 7 + round_trip) / 8));
    }

    /// Since when the way has been congested, without a good window between.
    pub fn congested_since(&self, now: Instant) -> Option<Instant> {
        let silent = self.heard.map(|heard| heard + SILENT).filter(|&silent| silent <= now);
        match (self.congested_since, silent) {
            (Some(congested), Some(silent)) => Some(congested.min(silent)),
            (congested, silent) => congested.or(silent),
        }
    }

    /// What a congested way carried last, in bits per second; none while it is not congested.
    pub fn congested_rate(&self, now: Instant) -> Option<u64> {
        self.congested_since(now)?;
        self.latest.map(|window| window.delivered as u64)
    }

    /// The newest window.
    pub fn latest(&self) -> Option<Window> {
        self.latest
    }

    /// What the viewer itself believes its way to carry, in bits per second, where it said so lately.
    pub fn remb(&self, now: Instant) -> Option<u64> {
        self.remb.filter(|(_, at)| now.saturating_duration_since(*at) < STALE).map(|(bits, _)| bits)
    }

    /// Whether this viewer reports what arrives in a way that shows whether a probe came through.
    pub fn shows_probes(&self, now: Instant) -> bool {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < STALE;
        self.transport_heard.is_some_and(is_recent)
            || self.latest.is_some_and(|window| is_recent(window.ended))
    }

    /// Whether anything was heard lately.
    pub fn is_heard(&self, now: Instant) -> bool {
        self.heard.is_some_and(|heard| now.saturating_duration_since(heard) < SILENT)
    }

    /// The round trip, smoothed.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Share of packets lost lately, 0-1.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    fn close(&mut self, window: Window) {
        self.loss = window.loss;
        self.latest = Some(window);
        if window.is_congested() {
            self.congested_since.get_or_insert(window.began);
        } else {
            self.congested_since = None;
        }
    }
}

impl Gathered {
    /// Whether a judgement can be made. Heavy loss is plain sooner.
    fn is_enough(&self) -> bool {
        let span = self.last_sent - self.first_sent;
        let is_heavy = self.packets >= FEWEST_PACKETS && self.lost * 5 > self.packets;
        span >= WINDOW || (span >= SHORT_WINDOW && is_heavy)
    }

    fn close(&self, started: Instant, now: Instant) -> Option<Window> {
        if self.packets < FEWEST_PACKETS {
            return None;
        }
        let seconds = (self.last_sent - self.first_sent).as_secs_f64();
        // Arrivals are told in units of 250 us. What arrives within less time than it was sent in was not held up.
        let arrival = ((self.last_arrived - self.first_arrived) as f64 * 250e-6).max(seconds);
        Some(Window {
            ended: now,
            began: started + self.first_sent,
            sent: (self.sent - self.first_size) as f64 * 8.0 / seconds,
            delivered: (self.delivered - self.first_size) as f64 * 8.0 / arrival,
            loss: self.lost as f64 / self.packets as f64,
        })
    }
}
