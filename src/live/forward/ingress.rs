//! The receiving side of one publisher: plain RTP and RTCP in, rings filled, feedback out.
//!
//! Drive it like this: every RTP packet goes to [`Ingress::on_rtp`], every RTCP packet to [`Ingress::on_rtcp`]. After a batch of
//! them, when [`Ingress::poll_timeout`] says so, and when a viewer wishes for a key frame, call [`Ingress::poll_rtcp`] until it
//! says that there is no more, and send what it wrote. Figures can be read at any time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::codec::FrameSize;
use super::dropped::{Dropped, DroppedCounts, MOST_STREAMS};
use super::feedback::ReceiverEstimate;
use super::nack::{self, Lists, MOST_TRIES, NackList};
use super::packet::Rtp;
use super::publisher_rtcp::{self, NotRtcp, Said, Writer};
use super::ring::RingLimits;
use super::session_clock::SessionClock;
use super::source::{AnswersKeyFrames, Encoding, EncodingId, Source, SourceSlot};
use super::streams::{Found, Name, Role, Streams};
use super::track::{Outcome, Track, TrackCounts};
use super::twcc::{self, Ssrcs, TwccRecorder};
use crate::live::media::{MediaKind, ReceivedMedia};

/// Bounds of what one publisher may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngressLimits {
    /// The ring of each video encoding.
    pub video: RingLimits,
    /// The ring of its audio.
    pub audio: RingLimits,
    /// Bits a second that a publisher is told it may send, where it asks (REMB).
    pub most_bitrate: u64,
    /// Time that sound flows without any video packet, though video was negotiated, until it is shown alone: a camera that
    /// is only slow to start has sent by then.
    pub sound_alone: Duration,
}

impl Default for IngressLimits {
    fn default() -> Self {
        Self {
            video: RingLimits::VIDEO,
            audio: RingLimits::AUDIO,
            most_bitrate: 12_000_000,
            sound_alone: SOUND_ALONE,
        }
    }
}

/// The receiving side of one publisher's session.
#[derive(Debug)]
pub struct Ingress {
    limits: IngressLimits,
    slot: Arc<SourceSlot>,
    generation: u64,
    local_ssrc: u32,
    began: Instant,
    streams: Streams,
    tracks: Vec<Track>,
    transport: Option<TwccRecorder>,
    estimate: Option<ReceiverEstimate>,
    clock: SessionClock,
    echoed_round_trip: Option<Duration>,
    repair_round_trip: Option<Duration>,
    next_report: Option<Instant>,
    last_rtp: Option<Instant>,
    sound_began: Option<Instant>,
    last_ssrc: u32,
    lists: Lists,
    dropped: DroppedCounts,
}

/// A packet that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The encoding that it belongs to.
    pub encoding: EncodingId,
    /// What became of it.
    pub outcome: Outcome,
}

impl Accepted {
    /// Whether viewers have something new to fetch.
    pub fn is_new(&self) -> bool {
        matches!(self.outcome, Outcome::New | Outcome::NewKeyFrame)
    }
}

impl Ingress {
    /// For what was negotiated with a publisher whose session begins. What it sends takes the place of its predecessor's in
    /// `slot` with the first packet. `local_ssrc` names the server in its feedback.
    pub fn new(
        media: Vec<ReceivedMedia>,
        limits: IngressLimits,
        slot: Arc<SourceSlot>,
        local_ssrc: u32,
        now: Instant,
    ) -> Self {
        let has_transport = media
            .iter()
            .any(|section| section.feedback.transport_cc && section.extensions.transport_cc.is_some());
        let has_remb = media.iter().any(|section| section.feedback.remb);
        Self {
            limits,
            generation: slot.next_generation(),
            slot,
            local_ssrc,
            began: now,
            streams: Streams::new(media),
            tracks: Vec::new(),
            transport: has_transport.then(|| TwccRecorder::new(now)),
            estimate: (has_remb && !has_transport).then(|| ReceiverEstimate::new(limits.most_bitrate)),
            clock: SessionClock::default(),
            echoed_round_trip: None,
            repair_round_trip: None,
            next_report: None,
            last_rtp: None,
            sound_began: None,
            last_ssrc: 0,
            lists: Lists::default(),
            dropped: DroppedCounts::default(),
        }
    }

    /// Takes a decrypted RTP packet.
    ///
    /// # Errors
    ///
    /// [`Dropped`] says why it is not taken; it is counted.
    pub fn on_rtp(&mut self, now: Instant, packet: &[u8]) -> Result<Accepted, Dropped> {
        self.take(now, packet).inspect_err(|&reason| self.dropped.count(reason))
    }

    /// Takes a decrypted RTCP packet, compound or not.
    ///
    /// # Errors
    ///
    /// [`NotRtcp`] if nothing in it can be read; it is counted.
    pub fn on_rtcp(&mut self, now: Instant, compound: &[u8]) -> Result<(), NotRtcp> {
        let said = publisher_rtcp::read(compound).inspect_err(|_| self.dropped.malformed += 1)?;
        for said in said {
            match said {
                Said::SenderReport { ssrc, ntp, timestamp } => {
                    if let Some(Role::Media(track)) = self.streams.role(ssrc) {
                        let at = self.clock.time_of(now, ntp);
                        self.tracks[track].reception.on_sender_report(now, ntp);
                        self.tracks[track].on_sender_report(at, timestamp);
                    }
                }
                Said::Echo { ssrc, reference, held } if ssrc == self.local_ssrc && reference != 0 => {
                    let units = ((self.ntp(now) >> 16) as u32).wrapping_sub(reference).wrapping_sub(held);
                    let trip = Duration::from_micros((u64::from(units) * 1_000_000) >> 16);
                    // A negative trip wraps to hours.
                    if trip < MOST_ROUND_TRIP {
                        self.echoed_round_trip = Some(trip);
                    }
                }
                Said::Echo { .. } => {}
                Said::Bye(ssrcs) => {
                    for track in self.tracks.iter_mut().filter(|track| ssrcs.contains(&track.ssrc)) {
                        track.has_ended = true;
                    }
                }
            }
        }
        Ok(())
    }

    /// Collects viewers' wishes for key frames. [`Ingress::poll_rtcp`] does so too.
    pub fn request_key_frames(&mut self) {
        for track in &mut self.tracks {
            if track.encoding.take_key_frame_wanted() && track.encoding.kind() == MediaKind::Video {
                track.key_frames.want();
            }
        }
    }

    /// Appends one compound RTCP packet of at most [`publisher_rtcp::MOST_COMPOUND`] bytes to `out`, if anything is due. Call it again after it did.
    pub fn poll_rtcp(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        self.request_key_frames();
        let report_is_due = self.next_report.is_some_and(|due| due <= now);
        if !report_is_due && self.poll_timeout(now).is_none_or(|due| due > now) {
            return false;
        }
        let mut reports = Vec::new();
        if report_is_due {
            self.next_report = Some(now + REPORT_INTERVAL);
            reports.extend(self.tracks.iter_mut().filter(|track| !track.has_ended).map(|track| {
                track.refresh(now);
                track.reception.report(now, track.ssrc)
            }));
        }
        let begin = out.len();
        let ntp = self.ntp(now);
        let mut writer = Writer::begin(out, self.local_ssrc, reports);
        let empty = writer.out().len();
        if report_is_due {
            writer.reference_time(ntp);
            self.write_estimate(now, &mut writer);
        }
        // What is given up here may be a reason to ask for a key frame.
        self.write_nacks(now, &mut writer);
        self.write_key_frame_requests(now, &mut writer);
        if let Some(transport) = &mut self.transport
            && writer.has_room(twcc::MOST_MESSAGE)
        {
            let ssrcs = Ssrcs { sender: self.local_ssrc, media: self.last_ssrc };
            transport.poll(now, ssrcs, writer.out());
        }
        if out.len() == empty && !report_is_due {
            out.truncate(begin);
            return false;
        }
        true
    }

    /// When [`Ingress::poll_rtcp`] has something to do; nothing before the first packet.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let tracks = self.tracks.iter().flat_map(|track| {
            let nack = track.nack.poll_timeout();
            let key_frame =
                self.asks_for_key_frames(track.section).then(|| track.key_frames.poll_timeout(now)).flatten();
            [nack, key_frame]
        });
        let transport = self.transport.as_ref().and_then(TwccRecorder::poll_timeout);
        tracks.chain([self.next_report, transport]).flatten().min()
    }
}

/// What can be read of it.
impl Ingress {
    /// Which publisher session of its live this is.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When the last RTP packet of a negotiated stream came: after two seconds without any the stream is interrupted.
    pub fn last_rtp(&self) -> Option<Instant> {
        self.last_rtp
    }

    /// Whether viewers can see or hear something: a key frame has come; or anything where no video was negotiated; or sound
    /// for a while where video was, and does not come.
    pub fn has_started(&self) -> bool {
        let expects_video = self.streams.sections().iter().any(|section| section.kind == MediaKind::Video);
        if expects_video {
            self.tracks.iter().any(Track::has_key_frame) || self.is_sound_alone()
        } else {
            !self.tracks.is_empty()
        }
    }

    fn is_sound_alone(&self) -> bool {
        // Probes for bandwidth are no picture.
        let has_picture = |track: &Track| track.is_video() && track.counts().packets > 0;
        let heard = self.tracks.iter().filter(|track| !track.is_video()).map(|track| track.last_packet).max();
        let flowed = self.sound_began.zip(heard).map(|(began, last)| last.saturating_duration_since(began));
        flowed.is_some_and(|flowed| flowed >= self.limits.sound_alone) && !self.tracks.iter().any(has_picture)
    }

    /// Whether the publisher said of all its streams that they end (BYE).
    pub fn has_left(&self) -> bool {
        !self.tracks.is_empty() && self.tracks.iter().all(|track| track.has_ended)
    }

    /// How well the publisher arrives, as of `now`.
    pub fn figures(&mut self, now: Instant) -> IngressFigures {
        let encodings = self.tracks.iter_mut().map(|track| TrackFigures::of(track, now)).collect::<Vec<_>>();
        let lossiest = encodings.iter().map(|track| track.loss).fold(0.0, f32::max);
        let best = encodings
            .iter()
            .filter(|track| track.kind == MediaKind::Video)
            .max_by_key(|track| (track.bitrate > 0, track.size.map_or(0, FrameSize::pixels)));
        IngressFigures {
            bitrate: encodings.iter().map(|track| track.bitrate).sum(),
            loss: lossiest,
            jitter: encodings.iter().map(|track| track.jitter).max().unwrap_or_default(),
            round_trip: self.echoed_round_trip.or(self.repair_round_trip),
            fps: best.map_or(0.0, |track| track.fps),
            size: best.and_then(|track| track.size),
            nacks: encodings.iter().map(|track| track.counts.nacks).sum(),
            key_frame_requests: encodings.iter().map(|track| track.key_frame_requests).sum(),
            has_b_frames: encodings.iter().any(|track| track.counts.has_b_frames),
            dropped: self.dropped,
            encodings,
        }
    }
}

/// How well a publisher arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct IngressFigures {
    /// Bits of payload in the last second, retransmissions of what was there left out.
    pub bitrate: u64,
    /// Share of packets lost on the way in the last second, before repairs, 0-1; of the stream that loses most.
    pub loss: f32,
    /// Interarrival jitter of the stream where it is largest.
    pub jitter: Duration,
    /// The round trip, where the publisher echoes reference times or repeats packets.
    pub round_trip: Option<Duration>,
    /// Pictures in the last second, of the best video encoding.
    pub fps: f32,
    /// Their size.
    pub size: Option<FrameSize>,
    /// Packets asked for again, repeats counted.
    pub nacks: u64,
    /// Key frames asked for.
    pub key_frame_requests: u64,
    /// Pictures refer to later ones, which browsers do not play.
    pub has_b_frames: bool,
    /// Packets that were not taken.
    pub dropped: DroppedCounts,
    /// Each encoding.
    pub encodings: Vec<TrackFigures>,
}

/// How well one encoding arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackFigures {
    /// Which encoding.
    pub encoding: EncodingId,
    /// Which kind.
    pub kind: MediaKind,
    /// Its simulcast stream.
    pub rid: Option<String>,
    /// Bits of payload in the last second.
    pub bitrate: u64,
    /// Pictures (for audio: packets) in the last second.
    pub fps: f32,
    /// The size of its newest key frame.
    pub size: Option<FrameSize>,
    /// Share of packets lost on the way in the last second, before repairs, 0-1.
    pub loss: f32,
    /// Packets lost on the way so far, before repairs.
    pub lost: u64,
    /// Interarrival jitter.
    pub jitter: Duration,
    /// Key frames asked for.
    pub key_frame_requests: u64,
    /// Whether it sends key frames when asked.
    pub answers_key_frames: AnswersKeyFrames,
    /// What came so far.
    pub counts: TrackCounts,
}

impl TrackFigures {
    fn of(track: &mut Track, now: Instant) -> Self {
        track.refresh(now);
        Self {
            encoding: track.encoding.id,
            kind: track.encoding.kind(),
            rid: track.encoding.rid.clone(),
            bitrate: track.bitrate(now),
            fps: track.encoding.fps(),
            size: track.encoding.size(),
            loss: track.reception.fraction_lost(),
            lost: track.reception.lost(),
            jitter: track.reception.jitter(),
            key_frame_requests: track.key_frames.count(),
            answers_key_frames: track.encoding.answers_key_frames(),
            counts: track.counts(),
        }
    }
}

impl Ingress {
    fn take(&mut self, now: Instant, packet: &[u8]) -> Result<Accepted, Dropped> {
        let rtp = Rtp::parse(packet)?;
        let values = rtp.extensions(self.streams.extensions());
        // It arrived, whatever becomes of it.
        if let (Some(transport), Some(sequence)) = (&mut self.transport, values.transport_cc) {
            transport.record(now, sequence);
        }
        let role = match self.streams.find(&rtp, &values)? {
            Found::Known(role) => role,
            Found::New(name, taken) => Role::Media(self.begin_track(now, rtp.ssrc, name, taken)?),
        };
        self.last_ssrc = rtp.ssrc;
        self.last_rtp = Some(now);
        let (Role::Media(number) | Role::Repairs(number)) = role;
        let track = &mut self.tracks[number];
        let size_before = track.encoding.size();
        let outcome = match role {
            Role::Media(_) => track.on_media(now, &rtp, &values)?,
            Role::Repairs(_) => {
                let (outcome, round_trip) = track.on_repair(now, &rtp, &values)?;
                if let Some(trip) = round_trip.filter(|trip| *trip < MOST_ROUND_TRIP) {
                    let smooth = |known: Duration| if trip < known { trip } else { (known * 7 + trip) / 8 };
                    self.repair_round_trip = Some(self.repair_round_trip.map_or(trip, smooth));
                }
                outcome
            }
        };
        let encoding = track.encoding.id;
        if track.encoding.size() != size_before {
            self.publish();
        }
        Ok(Accepted { encoding, outcome })
    }

    /// Begins a track with the stream `ssrc`, in the place of one with the same name that ended or fell silent.
    fn begin_track(
        &mut self,
        now: Instant,
        ssrc: u32,
        name: Name,
        taken: Option<usize>,
    ) -> Result<usize, Dropped> {
        if let Some(old) = taken.map(|number| &self.tracks[number])
            && !old.has_ended
            && now.saturating_duration_since(old.last_packet) < SILENCE
        {
            return Err(Dropped::StreamTaken);
        }
        let number = taken.unwrap_or(self.tracks.len());
        if number >= MOST_STREAMS {
            return Err(Dropped::TooManyStreams);
        }
        let section = &self.streams.sections()[name.section];
        let limits = match section.kind {
            MediaKind::Audio => self.limits.audio,
            MediaKind::Video => self.limits.video,
        };
        let encoding = Arc::new(Encoding::new(section.codec.codec, name.rid.clone(), limits));
        if section.kind == MediaKind::Video && !self.asks_for_key_frames(name.section) {
            encoding.set_answers_key_frames(AnswersKeyFrames::No);
        }
        let nack = NackList::new(if section.feedback.nack { MOST_TRIES } else { 0 });
        if section.kind == MediaKind::Audio {
            self.sound_began.get_or_insert(now);
        }
        let track = Track::new(name.section, ssrc, encoding, nack, now);
        self.streams.begin(ssrc, name, number)?;
        if number == self.tracks.len() {
            self.tracks.push(track);
        } else {
            self.tracks[number] = track;
        }
        // A report soon lets the publisher stop repeating which stream is which.
        let soon = now + FIRST_REPORT;
        self.next_report = Some(self.next_report.map_or(soon, |due| due.min(soon)));
        self.publish();
        Ok(number)
    }

    /// Shows viewers what is there now, lowest quality first.
    fn publish(&self) {
        let of_kind = |kind| {
            self.tracks.iter().map(|track| &track.encoding).filter(move |encoding| encoding.kind() == kind)
        };
        let mut video = of_kind(MediaKind::Video).cloned().collect::<Vec<_>>();
        video.sort_by_key(|encoding| encoding.size().map_or(0, FrameSize::pixels));
        let audio = of_kind(MediaKind::Audio).next().cloned();
        self.slot.store(Arc::new(Source { generation: self.generation, audio, video }));
    }

    fn write_nacks(&mut self, now: Instant, writer: &mut Writer<'_>) {
        let round_trip = self.echoed_round_trip.or(self.repair_round_trip).unwrap_or(ASSUMED_ROUND_TRIP);
        for track in &mut self.tracks {
            if !writer.has_room(NACK_HEADER + MOST_NACKS * 4) {
                break;
            }
            track.poll_nack(now, round_trip, MOST_NACKS, &mut self.lists);
            if !self.lists.asked.is_empty() {
                writer.nack(track.ssrc, &nack::pairs(&self.lists.asked));
            }
        }
    }

    fn write_key_frame_requests(&mut self, now: Instant, writer: &mut Writer<'_>) {
        for track in &mut self.tracks {
            let feedback = self.streams.sections()[track.section].feedback;
            if !(feedback.pli || feedback.fir) {
                continue;
            }
            if writer.has_room(KEY_FRAME_REQUEST) && track.poll_key_frame(now) {
                if feedback.pli {
                    writer.picture_loss(track.ssrc);
                } else {
                    writer.full_intra(track.ssrc, track.key_frames.count() as u8);
                }
            }
        }
    }

    fn write_estimate(&mut self, now: Instant, writer: &mut Writer<'_>) {
        let Some(estimate) = self.estimate else { return };
        let received = self.tracks.iter_mut().map(|track| track.bitrate(now)).sum();
        let loss = self.tracks.iter().map(|track| track.reception.fraction_lost()).fold(0.0, f32::max);
        let ssrcs = self.tracks.iter().map(|track| track.ssrc).collect();
        writer.estimate(estimate.rate(received, loss), ssrcs);
    }

    fn asks_for_key_frames(&self, section: usize) -> bool {
        let feedback = self.streams.sections()[section].feedback;
        feedback.pli || feedback.fir
    }

    /// A clock for reference times, of which only differences matter (32.32 fixed point; never 0, which means none).
    fn ntp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began) + Duration::from_secs(1);
        (since.as_secs() << 32) + (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000
    }
}

/// Cameras of browsers deliver within a second or two of being let in.
const SOUND_ALONE: Duration = Duration::from_secs(3);
/// Receiver reports leave so often, the first of a stream sooner.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const FIRST_REPORT: Duration = Duration::from_millis(200);
/// A stream silent for so long may be replaced by another of its name; before, two that claim one name cannot take turns.
const SILENCE: Duration = Duration::from_secs(1);
/// Until one was measured.
const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(100);
/// What is longer is no round trip but a mistake.
const MOST_ROUND_TRIP: Duration = Duration::from_secs(10);
/// Packets asked for of one stream in one message; the rest follows in the next compound.
const MOST_NACKS: usize = 24;
/// Bytes of a NACK before its items, and of the longer of the two key-frame requests.
const NACK_HEADER: usize = 12;
const KEY_FRAME_REQUEST: usize = 20;

#[cfg(test)]
mod tests;
