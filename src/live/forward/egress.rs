//! Everything that one viewer is sent: its picture and its sound, out of a live's rings, as plain RTP and RTCP.
//!
//! # How to drive it
//!
//! Call [`Egress::poll`] when a ring that it reads has grown, after [`Egress::on_rtcp`], and when [`Egress::poll_timeout`] has
//! come; then [`Egress::poll_rtcp`] until it says no, and [`Egress::poll_event`] until it is empty. What `poll` appended must
//! be sealed and sent in that order, each packet once. No call blocks, and none but the first allocates in normal running.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::audio::Audio;
use super::downtrack::{Beginning, Budget, DownTrack, Pulled};
use super::estimate::{Estimate, Totals};
use super::outgoing::Outgoing;
use super::pacer::Pacer;
use super::report::{self, SenderReport, ServerClock};
use super::source::{Encoding, EncodingId, Source, SourceSlot};
use super::video::{Scene, Video};
use super::viewer_rtcp::{self, Heard, Reception, nacked};
use super::wire::{Transport, Wire};
use crate::live::media::{MediaKind, SentMedia};

pub use super::replay::Permission;
pub use super::selector::{Cause, Wish};

/// Packets of one poll, so that one viewer does not keep its shard from the others; more are due at once.
const POLL_PACKETS: usize = 64;

/// Sender reports are so far apart. They also carry the question of which the answer is the round trip.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Until a round trip was measured, a repeat is not repeated within this time.
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// The least of it: what arrives out of order is asked for at once, and again.
const LEAST_ROUND_TRIP: Duration = Duration::from_millis(10);

/// The share of what a congested way carries that repeats may take: an eighth.
const REPEATS_WHEN_CONGESTED: u64 = 8;

/// A probe is sent in steps of this.
const PROBE_STEP: Duration = Duration::from_millis(10);

/// Packets of one step of a probe at most.
const PROBE_PACKETS: usize = 16;

/// The ceiling while a viewer's address is not confirmed, in bits per second: its sound gets through, and a victim of a forged
/// address little.
pub const UNCONFIRMED_RATE: u64 = 100_000;

/// Who a viewer is to the packet path.
#[derive(Clone, Debug)]
pub struct ViewerIdentity {
    /// One canonical name for both of its streams (RFC 3550 6.5.1), by which a receiver plays them together.
    pub cname: String,
    /// Where sequence numbers and timestamps begin comes from this; random.
    pub seed: u64,
    /// The server's clock.
    pub clock: ServerClock,
}

/// What a viewer is to be told.
#[derive(Clone, Debug, PartialEq)]
pub enum EgressEvent {
    /// Another layer is shown, or the layers are others.
    Layers {
        /// What there is, the lowest first.
        layers: Vec<LayerInfo>,
        /// Which is shown; none while video pauses for want of bandwidth.
        current: Option<usize>,
        /// Why.
        cause: Cause,
    },
    /// There is no place in the ring where decoding could start: the picture comes with the next key frame.
    WaitingForKeyFrame,
    /// The publisher came back with a codec that was not negotiated with this viewer.
    Renegotiate,
}

/// A layer as a viewer is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerInfo {
    /// Which encoding.
    pub id: EncodingId,
    /// Its simulcast stream id.
    pub rid: Option<String>,
    /// Pixels across; 0 while unknown.
    pub width: u32,
    /// Pixels down; 0 while unknown.
    pub height: u32,
    /// Frames per second.
    pub fps: f32,
    /// Bits per second.
    pub bitrate: u32,
}

impl LayerInfo {
    pub(super) fn of(encoding: &Encoding) -> Self {
        let (width, height) = encoding.size().map_or((0, 0), |size| (size.width, size.height));
        let rid = encoding.rid.clone();
        Self { id: encoding.id, rid, width, height, fps: encoding.fps(), bitrate: encoding.bitrate() }
    }
}

/// Events that wait to be fetched. The oldest go when nobody fetches them.
#[derive(Debug, Default)]
pub struct Events(VecDeque<EgressEvent>);

/// More events than ever wait in good order.
const MAX_EVENTS: usize = 16;

impl Events {
    pub(super) fn push(&mut self, event: EgressEvent) {
        if self.0.len() == MAX_EVENTS {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }
}

/// How a viewer is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EgressFigures {
    /// Bits per second sent in the last second or so, everything included but RTCP.
    pub bitrate: u64,
    /// Share of packets that the viewer lost lately, 0-1.
    pub loss: f64,
    /// Round trip, where it is known.
    pub round_trip: Option<Duration>,
    /// The encoding that is shown.
    pub layer: Option<EncodingId>,
    /// How often video paused for want of bandwidth.
    pub pauses: u32,
    /// How often video skipped to a key frame.
    pub skips: u32,
    /// Media packets sent.
    pub packets: u64,
    /// Bytes of media sent.
    pub bytes: u64,
    /// Packets repeated.
    pub repeats: u64,
}

/// Everything that one viewer is sent.
#[derive(Debug)]
pub struct Egress {
    audio: Option<Audio>,
    video: Option<Video>,
    slot: Arc<SourceSlot>,
    source: Arc<Source>,
    transport: Transport,
    estimate: Estimate,
    pacer: Pacer,
    repeat_pacer: Pacer,
    permission: Permission,
    /// Bytes of the replay that the last poll would have begun.
    wanted_replay: Option<usize>,
    cname: Box<str>,
    clock: ServerClock,
    report_due: Instant,
    reported_edge: Option<Instant>,
    probing: Option<Probing>,
    rate: Rate,
    events: Events,
    /// More is due at once.
    has_more: bool,
    polled: Instant,
}

/// A probe under way.
#[derive(Clone, Copy, Debug)]
struct Probing {
    began: Instant,
    bytes_before: u64,
    next: Instant,
}

/// The rate of the last second.
#[derive(Clone, Copy, Debug)]
struct Rate {
    since: Instant,
    sent_before: u64,
    bits_per_second: u64,
}

impl Egress {
    /// A viewer who negotiated `media` and watches what is published in `slot`.
    ///
    /// Sections of a kind that comes twice are left out: a viewer has one sound and one picture.
    pub fn new(media: Vec<SentMedia>, identity: ViewerIdentity, slot: Arc<SourceSlot>, now: Instant) -> Self {
        let mut random = StdRng::seed_from_u64(identity.seed);
        let (mut audio, mut video) = (None, None);
        for section in media {
            let beginning = Beginning {
                sequence: random.random(),
                timestamp: random.random(),
                rtx_sequence: random.random(),
            };
            match section.kind {
                MediaKind::Audio => audio = audio.or(Some(Audio::new(DownTrack::new(section, beginning)))),
                MediaKind::Video => {
                    video = video.or(Some(Video::new(DownTrack::new(section, beginning), now)))
                }
            }
        }
        Self {
            audio,
            video,
            source: Arc::default(),
            slot,
            transport: Transport::new(now),
            estimate: Estimate::new(now),
            pacer: Pacer::new(now),
            repeat_pacer: Pacer::new(now),
            permission: Permission::Free,
            wanted_replay: None,
            cname: identity.cname.into(),
            clock: identity.clock,
            report_due: now + REPORT_EVERY,
            reported_edge: None,
            probing: None,
            rate: Rate { since: now, sent_before: 0, bits_per_second: 0 },
            events: Events::default(),
            has_more: false,
            polled: now,
        }
    }

    /// Appends the packets that are due, in the order in which they are to leave.
    pub fn poll(&mut self, now: Instant, out: &mut Outgoing) {
        self.polled = now;
        self.wanted_replay = None;
        if !self.slot.holds(&self.source) {
            self.source = self.slot.load();
        }
        let mut budget = Budget { packets: POLL_PACKETS, bytes: self.pacer.allowance(now) };
        let allowed = budget.bytes;
        let mut wire = Wire { now, out, transport: &mut self.transport };
        let mut scene = Scene {
            source: &self.source,
            estimate: &mut self.estimate,
            permission: self.permission,
            wanted: &mut self.wanted_replay,
            is_limited: self.pacer.is_limited(),
            events: &mut self.events,
        };
        if let Some(video) = &mut self.video {
            video.decide(&mut scene, now);
        }
        // Sound first: it is small, and under a ceiling it is what gets through.
        let mut pulled = [Pulled::Everything; 2];
        if let Some(audio) = &mut self.audio {
            let is_asking = self.permission == Permission::OnAsking && scene.wanted.is_some();
            let is_held = is_asking || self.video.as_ref().is_some_and(Video::is_in_replay);
            pulled[0] = audio.poll(&mut scene, is_held, &mut budget, &mut wire);
        }
        let round_trip = scene.estimate.round_trip().unwrap_or(ROUND_TRIP).max(LEAST_ROUND_TRIP);
        // On a congested way repeats displace what they are to complete: most are left to be asked for again.
        self.repeat_pacer
            .set_rate(scene.estimate.congested_rate(now).map(|rate| rate / REPEATS_WHEN_CONGESTED), now);
        let allowed_repeats = budget.bytes.min(self.repeat_pacer.allowance(now));
        let mut repeats = Budget { bytes: allowed_repeats, ..budget };
        let audio = self.audio.iter_mut().map(|audio| &mut audio.track);
        for track in audio.chain(self.video.iter_mut().map(|video| &mut video.track)) {
            track.send_repeats(round_trip, &mut repeats, &mut wire);
            if repeats.bytes <= 0 && self.repeat_pacer.is_limited() {
                track.drop_repeats();
            }
        }
        self.repeat_pacer.spend(allowed_repeats - repeats.bytes);
        budget = Budget { packets: repeats.packets, bytes: budget.bytes - (allowed_repeats - repeats.bytes) };
        if let Some(video) = &mut self.video {
            let was_held = video.is_in_replay();
            pulled[1] = video.send(&mut scene, &mut budget, &mut wire);
            // Sound joins in with the poll in which the picture comes to the live edge.
            if let Some(audio) = self.audio.as_mut().filter(|_| was_held && !video.is_in_replay()) {
                pulled[0] = audio.poll(&mut scene, false, &mut budget, &mut wire);
            }
        }
        if self.permission == Permission::Granted {
            self.permission = Permission::OnAsking;
        }
        self.probe(now, &mut budget, out);
        self.pacer.spend(allowed - budget.bytes);
        self.has_more = pulled.contains(&Pulled::Part) || self.tracks().any(DownTrack::has_repeats);
        self.measure(now);
        let edge = self.video.as_ref().and_then(Video::caught_up);
        if edge != self.reported_edge {
            self.reported_edge = edge;
            self.report_due = now;
        }
    }

    /// Appends what one compound RTCP packet says and returns true, or returns false where nothing is due.
    pub fn poll_rtcp(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        // While the picture hurries there is no time to speak of; both streams are reported together at its end.
        if now < self.report_due || self.video.as_ref().is_some_and(Video::is_in_replay) {
            return false;
        }
        self.report_due = now + REPORT_EVERY;
        for track in self.tracks_mut() {
            track.forget(now);
        }
        let (reports, count) = self.reports(now);
        report::write_reports(&reports[..count], &self.cname, out);
        count > 0
    }

    /// Appends the last word: reports and BYE for every stream.
    pub fn goodbye(&self, now: Instant, out: &mut Vec<u8>) {
        let (reports, count) = self.reports(now);
        if count > 0 {
            report::write_reports(&reports[..count], &self.cname, out);
            let streams = [reports[0].ssrc, reports[1].ssrc];
            report::write_bye(&streams[..count], out);
        }
    }

    /// The viewer says something: one compound RTCP packet. What is malformed is passed over.
    pub fn on_rtcp(&mut self, now: Instant, compound: &[u8]) {
        for heard in viewer_rtcp::read(compound) {
            match heard {
                Heard::Reception(reception) => self.on_reception(&reception, now),
                Heard::Nack { ssrc, items } => {
                    let track = self.tracks_mut().find(|track| track.ssrc() == ssrc);
                    self.has_more |= track.is_some_and(|track| track.want_repeats(nacked(items)));
                }
                Heard::KeyFrameWanted { ssrc } => {
                    if let Some(video) = self.video.as_mut().filter(|video| video.track.ssrc() == ssrc) {
                        video.on_key_frame_wanted(&self.source, self.permission, now);
                    }
                }
                Heard::Estimate { bits_per_second } => self.estimate.on_remb(bits_per_second, now),
                Heard::Transport(feedback) => {
                    self.estimate.on_transport(feedback, &self.transport.times, now)
                }
                Heard::Bye => self.estimate.on_sign_of_life(now),
            }
        }
    }

    /// When to poll again although no packet and no RTCP came.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let more = self.has_more.then(|| self.pacer.ready_at().unwrap_or(self.polled));
        let video = self.video.as_ref().and_then(Video::timeout);
        let audio = self.audio.as_ref().and_then(|audio| audio.track.hole_timeout());
        let probe = self.probing.map(|probing| probing.next);
        let report = (!self.is_in_replay()).then_some(self.report_due);
        [more, video, audio, probe, report].into_iter().flatten().min()
    }

    /// The viewer asks for another quality.
    pub fn wish(&mut self, wish: Wish) {
        if let Some(video) = &mut self.video {
            video.selector().wish(wish);
            video.judge_soon();
            self.has_more = true;
        }
    }

    /// What the viewer is to be told next.
    pub fn poll_event(&mut self) -> Option<EgressEvent> {
        self.events.0.pop_front()
    }

    /// Sets or lifts a ceiling on everything that is sent, in bits per second; see [`UNCONFIRMED_RATE`].
    pub fn set_rate_cap(&mut self, bits_per_second: Option<u64>, now: Instant) {
        self.pacer.set_rate(bits_per_second, now);
    }

    /// Says whether replays may be sent: not to an address that is not confirmed, nor beyond a shard's share.
    pub fn permit_replays(&mut self, permission: Permission) {
        self.permission = permission;
    }

    /// Bytes of the replay that the last poll would have begun, had it not to be [asked for](Permission::OnAsking). Answer
    /// by [`Self::permit_replays`] and poll again.
    pub fn wanted_replay(&self) -> Option<usize> {
        self.wanted_replay
    }

    /// Whether the poll of this moment has begun a picture, as one that was [granted](Permission::Granted) does unless it
    /// cannot be replayed.
    pub fn has_begun(&self, now: Instant) -> bool {
        self.video.as_ref().is_some_and(|video| video.begun() == Some(now))
    }

    /// Whether the viewer was sent a whole picture so far.
    pub fn has_sent_picture(&self) -> bool {
        self.video.as_ref().is_some_and(|video| video.track.figures().frames > 0)
    }

    /// Whether the viewer is being sent a replay now.
    pub fn is_in_replay(&self) -> bool {
        self.video.as_ref().is_some_and(Video::is_in_replay)
    }

    /// How the viewer is doing.
    pub fn figures(&self) -> EgressFigures {
        let (pauses, skips) = self.video.as_ref().map_or((0, 0), Video::interruptions);
        let mut figures = EgressFigures {
            bitrate: self.rate.bits_per_second,
            loss: self.estimate.loss(),
            round_trip: self.estimate.round_trip(),
            layer: self.video.as_ref().and_then(Video::shown).map(|encoding| encoding.id),
            pauses,
            skips,
            ..EgressFigures::default()
        };
        for stream in self.tracks().map(DownTrack::figures) {
            figures.packets += stream.packets;
            figures.bytes += stream.octets;
            figures.repeats += stream.repeats;
        }
        figures
    }

    /// Bytes of memory that this viewer takes here.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.cname.len()
            + self.transport.times.heap_bytes()
            + self.events.0.capacity() * size_of::<EgressEvent>()
            + self.audio.as_ref().map_or(0, |audio| audio.track.heap_bytes())
            + self.video.as_ref().map_or(0, Video::heap_bytes)
    }

    fn tracks(&self) -> impl Iterator<Item = &DownTrack> {
        let audio = self.audio.iter().map(|audio| &audio.track);
        audio.chain(self.video.iter().map(|video| &video.track))
    }

    fn tracks_mut(&mut self) -> impl Iterator<Item = &mut DownTrack> {
        let audio = self.audio.iter_mut().map(|audio| &mut audio.track);
        audio.chain(self.video.iter_mut().map(|video| &mut video.track))
    }

    fn reports(&self, now: Instant) -> ([SenderReport; 2], usize) {
        let ntp = self.clock.ntp(now);
        let nothing = SenderReport { ssrc: 0, ntp, timestamp: 0, packets: 0, octets: 0 };
        let (mut reports, mut count) = ([nothing; 2], 0);
        for report in self.tracks().filter_map(|track| track.sender_report(now, ntp)) {
            reports[count] = report;
            count += 1;
        }
        (reports, count)
    }

    fn on_reception(&mut self, reception: &Reception, now: Instant) {
        if let Some(round_trip) = self.clock.round_trip(now, reception) {
            self.estimate.on_round_trip(round_trip);
        }
        // The way is judged by its heaviest stream.
        let judged = self.video.as_ref().map(|video| &video.track);
        let judged = judged.or(self.audio.as_ref().map(|audio| &audio.track));
        match judged.filter(|track| track.ssrc() == reception.ssrc) {
            Some(track) => {
                let totals = Totals {
                    packets: self.transport.packets,
                    bytes: self.transport.bytes,
                    stream_packets: track.figures().packets,
                };
                self.estimate.on_reception(*reception, totals, now);
            }
            None => self.estimate.on_sign_of_life(now),
        }
    }

    /// Sends what a probe still lacks.
    fn probe(&mut self, now: Instant, budget: &mut Budget, out: &mut Outgoing) {
        let Some((video, probe)) =
            self.video.as_mut().and_then(|video| video.probe().map(|probe| (video, probe)))
        else {
            self.probing = None;
            return;
        };
        let bytes = self.transport.bytes;
        let began = |probing: &Probing| probing.began == probe.began;
        let mut probing = self.probing.filter(began).unwrap_or(Probing {
            began: probe.began,
            bytes_before: bytes,
            next: now,
        });
        if probing.next <= now {
            probing.next = now + PROBE_STEP;
            let passed = now.saturating_duration_since(probe.began).as_millis() as u64;
            let wanted = probe.rate * passed / 8_000;
            let mut wire = Wire { now, out, transport: &mut self.transport };
            for _ in 0..PROBE_PACKETS.min(budget.packets) {
                if wire.transport.bytes - probing.bytes_before >= wanted {
                    break;
                }
                let size = video.track.probe(&mut wire);
                if size == 0 {
                    break;
                }
                budget.packets -= 1;
                budget.bytes -= size as i64;
            }
        }
        self.probing = Some(probing);
    }

    fn measure(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.rate.since);
        if passed >= Duration::from_secs(1) {
            let bits = (self.transport.bytes - self.rate.sent_before) * 8;
            self.rate = Rate {
                since: now,
                sent_before: self.transport.bytes,
                bits_per_second: bits * 1_000 / passed.as_millis().max(1) as u64,
            };
        }
    }
}
