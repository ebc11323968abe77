//! The stage of the stories: cameras and a microphone, the rings, one viewer's egress, its network, its receiver.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;

use super::super::codec;
use super::super::egress::{Egress, EgressEvent, ViewerIdentity};
use super::super::net::{Camera, Conditions, Decoder, Draft, Network};
use super::super::outgoing::Outgoing;
use super::super::packet::{Packet, Rtp, Unwrapper};
use super::super::report::ServerClock;
use super::super::ring::RingLimits;
use super::super::source::{AnswersKeyFrames, Encoding, SenderClock, Source, SourceSlot};
use super::super::viewer_rtcp;
use crate::live::media::{Codec, ExtensionIds, Feedback, MediaKind, PayloadCodec, SentMedia};

pub(super) const VIDEO: u32 = 1_000;
pub(super) const VIDEO_RTX: u32 = 1_001;
pub(super) const AUDIO: u32 = 2_000;
pub(super) const VP8: PayloadCodec = PayloadCodec { codec: Codec::Vp8, payload_type: 100, rtx: Some(101) };
const TRANSPORT_ID: u8 = 4;

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Video as browsers negotiate it.
pub(super) fn video() -> SentMedia {
    SentMedia {
        kind: MediaKind::Video,
        mid: "1".into(),
        codecs: vec![VP8],
        extensions: ExtensionIds {
            mid: Some(1),
            abs_send_time: Some(3),
            transport_cc: Some(TRANSPORT_ID),
            ..ExtensionIds::default()
        },
        feedback: Feedback { nack: true, pli: true, fir: true, transport_cc: true, remb: true },
        ssrc: VIDEO,
        rtx_ssrc: Some(VIDEO_RTX),
    }
}

/// Video without retransmission streams.
pub(super) fn video_without_rtx() -> SentMedia {
    let codecs = vec![PayloadCodec { rtx: None, ..VP8 }];
    SentMedia { codecs, rtx_ssrc: None, ..video() }
}

/// Opus as browsers negotiate it.
pub(super) fn audio() -> SentMedia {
    SentMedia {
        kind: MediaKind::Audio,
        mid: "0".into(),
        codecs: vec![PayloadCodec { codec: Codec::Opus, payload_type: 111, rtx: None }],
        extensions: ExtensionIds { mid: Some(1), ..ExtensionIds::default() },
        feedback: Feedback { nack: true, ..Feedback::default() },
        ssrc: AUDIO,
        rtx_ssrc: None,
    }
}

/// A camera or microphone and the encoding that its packets end up in.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) encoding: Arc<Encoding>,
    pub(super) camera: Camera,
    /// A key frame so often by itself, in pictures.
    pub(super) every: u32,
    /// Whether it sends a key frame when asked.
    pub(super) answers: bool,
    /// Whether it sends at all.
    pub(super) is_on: bool,
    /// The way to the server.
    pub(super) network: Network,
    pub(super) interval: Duration,
    /// Pictures begun with a key frame because one was asked for.
    pub(super) answered: u32,
    next: Instant,
    sequences: Unwrapper<16>,
    timestamps: Unwrapper<32>,
}

impl Feed {
    fn new(codec: Codec, start: Instant, seed: u64) -> Self {
        let (limits, interval) = match codec.kind() {
            MediaKind::Audio => (RingLimits::AUDIO, millis(20)),
            MediaKind::Video => (RingLimits::VIDEO, Duration::from_micros(33_333)),
        };
        let encoding = Arc::new(Encoding::new(codec, None, limits));
        encoding.set_answers_key_frames(AnswersKeyFrames::Yes);
        Self {
            encoding,
            camera: Camera::new(1, 96),
            every: 30,
            answers: true,
            is_on: true,
            network: Network::new(seed, Conditions::default()),
            interval,
            answered: 0,
            next: start,
            sequences: Unwrapper::default(),
            timestamps: Unwrapper::default(),
        }
    }

    fn is_video(&self) -> bool {
        self.encoding.kind() == MediaKind::Video
    }

    /// Sends what is due and stores what has come. Returns whether something came.
    fn advance(&mut self, now: Instant) -> bool {
        while self.next <= now {
            let at = self.next;
            self.next += self.interval;
            if !self.is_on {
                self.camera.timestamp = self.camera.timestamp.wrapping_add(3_000);
                continue;
            }
            let drafts = if self.is_video() { self.picture() } else { self.sound() };
            for draft in drafts {
                self.network.send(at, draft.bytes());
            }
        }
        let mut came = false;
        while let Some((at, datagram)) = self.network.receive(now) {
            self.store(at, &datagram);
            came = true;
        }
        came
    }

    fn picture(&mut self) -> Vec<Draft> {
        let is_asked = self.encoding.take_key_frame_wanted() && self.answers;
        self.answered += u32::from(is_asked);
        let is_key = is_asked || self.camera.frame.is_multiple_of(self.every);
        self.camera.picture(is_key)
    }

    fn sound(&mut self) -> Vec<Draft> {
        let mut payload = vec![0x55; 80];
        payload.extend(self.camera.frame.to_be_bytes());
        let draft = self.camera.draft(payload, self.camera.frame == 0);
        self.camera.frame += 1;
        self.camera.timestamp = self.camera.timestamp.wrapping_add(960);
        vec![draft]
    }

    pub(super) fn store(&mut self, at: Instant, datagram: &[u8]) {
        let rtp = Rtp::parse(datagram).unwrap();
        let index = self.sequences.unwrap(rtp.sequence.into());
        let timestamp = self.timestamps.unwrap(rtp.timestamp.into());
        if rtp.payload.is_empty() {
            self.encoding.ring.write().push_padding(index);
            return;
        }
        let frame = codec::describe(self.encoding.codec, rtp.payload, rtp.marker).unwrap_or_default();
        if let Some(size) = frame.size {
            self.encoding.set_size(size);
        }
        if self.encoding.clock().is_none() {
            let clock_rate = self.encoding.codec.clock_rate();
            // By the publisher's reports: when it was taken, not when it came.
            let at = at - self.network.conditions.delay;
            self.encoding.set_clock(SenderClock { timestamp, at, clock_rate, is_reported: true });
        }
        self.encoding.ring.write().push(Packet {
            index,
            timestamp,
            arrived: at,
            marker: rtp.marker,
            payload: Bytes::copy_from_slice(rtp.payload),
            frame,
            audio_level: None,
            orientation: None,
        });
    }

    /// What it is known to send, as the ingress would measure it.
    pub(super) fn bitrate(&self) -> u32 {
        if self.is_on {
            (self.camera.frame_bytes as f64 * 8.0 / self.interval.as_secs_f64()) as u32
        } else {
            0
        }
    }
}

/// A way of limited rate with a buffer in front of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bottleneck {
    pub(super) bits_per_second: u64,
    pub(super) buffer: Duration,
}

/// A whole live with one viewer.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) slot: Arc<SourceSlot>,
    pub(super) feeds: Vec<Feed>,
    pub(super) viewer: Option<Egress>,
    pub(super) down: Network,
    pub(super) bottleneck: Option<Bottleneck>,
    /// So many packets to the viewer are lost next.
    pub(super) drop_next: usize,
    pub(super) up: Network,
    pub(super) receiver: Receiver,
    pub(super) ledger: Ledger,
    pub(super) events: Vec<(Duration, EgressEvent)>,
    busy_until: Instant,
    out: Outgoing,
    seed: u64,
}

impl Stage {
    /// A live without sources; `conditions` are those of the viewer's network in both directions.
    pub(super) fn new(seed: u64, conditions: Conditions) -> Self {
        let start = Instant::now() + Duration::from_secs(1_000);
        Self {
            start,
            now: start,
            slot: Arc::new(SourceSlot::new()),
            feeds: Vec::new(),
            viewer: None,
            down: Network::new(seed, conditions),
            bottleneck: None,
            drop_next: 0,
            up: Network::new(seed ^ 1, Conditions { loss: 0.0, duplicate: 0.0, ..conditions }),
            receiver: Receiver::default(),
            ledger: Ledger::default(),
            events: Vec::new(),
            busy_until: start,
            out: Outgoing::new(16),
            seed,
        }
    }

    /// A live with one camera, without sound.
    pub(super) fn with_camera(seed: u64, conditions: Conditions) -> Self {
        let mut stage = Self::new(seed, conditions);
        stage.add(Codec::Vp8);
        stage.publish();
        stage
    }

    /// Adds a camera or a microphone; lowest quality first.
    pub(super) fn add(&mut self, codec: Codec) -> &mut Feed {
        let seed = self.seed + 10 + self.feeds.len() as u64;
        self.feeds.push(Feed::new(codec, self.now, seed));
        self.feeds.last_mut().unwrap()
    }

    /// Publishes the feeds as a new session.
    pub(super) fn publish(&mut self) {
        let generation = self.slot.next_generation();
        self.publish_as(generation);
    }

    /// Publishes feeds that were added to the present session.
    pub(super) fn publish_more(&mut self) {
        let generation = self.slot.load().generation;
        self.publish_as(generation);
    }

    fn publish_as(&mut self, generation: u64) {
        let of = |kind| {
            self.feeds.iter().map(|feed| &feed.encoding).filter(move |encoding| encoding.kind() == kind)
        };
        let source = Source {
            generation,
            audio: of(MediaKind::Audio).next().cloned(),
            video: of(MediaKind::Video).cloned().collect(),
        };
        self.slot.store(Arc::new(source));
    }

    /// A viewer comes.
    pub(super) fn join(&mut self, media: Vec<SentMedia>) {
        let identity = ViewerIdentity {
            cname: "viewer".into(),
            seed: self.seed,
            clock: ServerClock::new(self.start, UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        };
        self.receiver.joined = Some(self.now);
        self.viewer = Some(Egress::new(media, identity, Arc::clone(&self.slot), self.now));
    }

    pub(super) fn egress(&mut self) -> &mut Egress {
        self.viewer.as_mut().unwrap()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Lets time pass, a millisecond at a time.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let mut is_due = true;
        while self.now < end {
            for feed in &mut self.feeds {
                is_due |= feed.advance(self.now);
                feed.encoding.set_rates(feed.bitrate(), 3_000);
            }
            is_due |= self.hear();
            let timeout = self.viewer.as_ref().and_then(Egress::poll_timeout);
            if is_due || timeout.is_some_and(|timeout| timeout <= self.now) {
                self.poll();
            }
            is_due = false;
            self.deliver();
            self.now += millis(1);
        }
    }

    /// Hands what the viewer said to its egress.
    fn hear(&mut self) -> bool {
        let mut heard = false;
        while let Some((_, compound)) = self.up.receive(self.now) {
            if let Some(viewer) = &mut self.viewer {
                viewer.on_rtcp(self.now, &compound);
                heard = true;
            }
        }
        heard
    }

    fn poll(&mut self) {
        let Some(viewer) = &mut self.viewer else { return };
        for _ in 0..100 {
            self.out.reset(16);
            viewer.poll(self.now, &mut self.out);
            for packet in self.out.iter() {
                self.ledger.note(self.now, packet);
                if self.drop_next > 0 {
                    self.drop_next -= 1;
                    continue;
                }
                let mut at = self.now;
                if let Some(bottleneck) = self.bottleneck {
                    let busy = self.busy_until.max(self.now);
                    if busy - self.now > bottleneck.buffer {
                        continue;
                    }
                    let bits = packet.len() as u64 * 8;
                    at = busy + Duration::from_nanos(bits * 1_000_000_000 / bottleneck.bits_per_second);
                    self.busy_until = at;
                }
                self.down.send(at, packet.to_vec());
            }
            let mut rtcp = Vec::new();
            while viewer.poll_rtcp(self.now, &mut rtcp) {}
            self.ledger.reports.extend(reports(&rtcp).map(|report| (self.now, report)));
            while let Some(event) = viewer.poll_event() {
                self.events.push((self.now - self.start, event));
            }
            if viewer.poll_timeout().is_none_or(|timeout| timeout > self.now) {
                return;
            }
        }
        panic!("seed {}: polled a hundred times at the same moment", self.seed);
    }

    fn deliver(&mut self) {
        while let Some((at, datagram)) = self.down.receive(self.now) {
            self.receiver.take(at, &datagram);
        }
        let said = self.receiver.say(self.now);
        if !said.is_empty() {
            self.up.send(self.now, said);
        }
    }

    /// What must hold in every story.
    pub(super) fn assert_clean(&self) {
        let seed = self.seed;
        assert_eq!(self.ledger.faults, Vec::<String>::new(), "seed {seed}");
        assert_eq!(self.receiver.decoder.faults, Vec::<String>::new(), "seed {seed}");
        let shown = &self.receiver.decoder.shown;
        for pair in shown.windows(2) {
            assert!(pair[1].timestamp > pair[0].timestamp, "seed {seed}: time runs backwards in {pair:?}");
        }
        assert!(
            shown.first().is_none_or(|first| first.is_key),
            "seed {seed}: began with {:?}",
            shown.first()
        );
    }
}

/// A sender report as its bytes say: SSRC, NTP, RTP timestamp.
fn reports(compound: &[u8]) -> impl Iterator<Item = (u32, u64, u32)> + '_ {
    let number = |at: usize| u32::from_be_bytes(compound[at..at + 4].try_into().unwrap());
    let starts = (0..compound.len().saturating_sub(27))
        .step_by(4)
        .filter(|&at| compound[at..at + 4] == [0x80, 200, 0, 6]);
    starts.map(move |at| {
        (number(at + 4), u64::from(number(at + 8)) << 32 | u64::from(number(at + 12)), number(at + 16))
    })
}

/// Everything that left, and what may never happen to it.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) packets: Vec<Left>,
    pub(super) reports: Vec<(Instant, (u32, u64, u32))>,
    pub(super) faults: Vec<String>,
    contents: HashMap<(u32, u64), Vec<u8>>,
    indices: HashMap<u32, Unwrapper<16>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) at: Instant,
    pub(super) ssrc: u32,
    pub(super) index: u64,
    pub(super) timestamp: u32,
    pub(super) payload_type: u8,
    pub(super) size: usize,
    pub(super) is_repeat: bool,
    /// Media with padding behind it.
    pub(super) is_padded: bool,
}

impl Ledger {
    fn note(&mut self, at: Instant, packet: &[u8]) {
        let rtp = Rtp::parse(packet).unwrap();
        let is_first = !self.indices.contains_key(&rtp.ssrc);
        if is_first && rtp.sequence >= 1 << 15 {
            self.faults.push(format!("{} begins with {}", rtp.ssrc, rtp.sequence));
        }
        if ![100, 101, 102, 111].contains(&rtp.payload_type) {
            self.faults.push(format!("payload type {} was not negotiated", rtp.payload_type));
        }
        let index = self.indices.entry(rtp.ssrc).or_default().unwrap(rtp.sequence.into());
        let known = self.contents.insert((rtp.ssrc, index), packet.to_vec());
        let is_repeat = known.is_some();
        if known.is_some_and(|known| known != packet) {
            self.faults.push(format!("{} {index} has two contents", rtp.ssrc));
        }
        self.packets.push(Left {
            at,
            ssrc: rtp.ssrc,
            index,
            timestamp: rtp.timestamp,
            payload_type: rtp.payload_type,
            size: packet.len(),
            is_repeat,
            is_padded: packet[0] & 0x20 != 0 && !rtp.payload.is_empty(),
        });
    }

    pub(super) fn of(&self, ssrc: u32) -> impl Iterator<Item = &Left> {
        self.packets.iter().filter(move |left| left.ssrc == ssrc)
    }

    /// Numbers of a stream that were never used, between its first and last.
    pub(super) fn holes(&self, ssrc: u32) -> usize {
        let indices: std::collections::BTreeSet<u64> = self.of(ssrc).map(|left| left.index).collect();
        let (Some(first), Some(last)) = (indices.first(), indices.last()) else { return 0 };
        usize::try_from(last - first + 1).unwrap() - indices.len()
    }

    /// Bits per second that left in a stretch of time.
    pub(super) fn rate(&self, from: Instant, to: Instant) -> u64 {
        let bytes: usize =
            self.packets.iter().filter(|left| (from..to).contains(&left.at)).map(|left| left.size).sum();
        (bytes as f64 * 8.0 / (to - from).as_secs_f64()) as u64
    }
}

/// What a browser does with what comes: unpacks repeats, decodes, reports, asks for what is missing.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) decoder: Decoder,
    /// When each picture could be shown.
    pub(super) shown_at: Vec<Instant>,
    /// Numbers and times of sound packets as they came.
    pub(super) sound: Vec<(Instant, u64, u32)>,
    /// What is said to the server.
    pub(super) habits: Habits,
    /// Bytes to be said once.
    pub(super) say_once: Vec<u8>,
    pub(super) joined: Option<Instant>,
    video: Missing,
    audio: Missing,
    transport: BTreeMap<u64, Instant>,
    transport_numbers: Unwrapper<16>,
    transport_said: Option<u64>,
    next_transport: Option<Instant>,
    next_report: Option<Instant>,
    reported: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub(super) nack: bool,
    pub(super) transport: bool,
    pub(super) reports: bool,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            decoder: Decoder::default(),
            shown_at: Vec::new(),
            sound: Vec::new(),
            habits: Habits { nack: true, transport: true, reports: true },
            say_once: Vec::new(),
            joined: None,
            video: Missing::default(),
            audio: Missing::default(),
            transport: BTreeMap::new(),
            transport_numbers: Unwrapper::default(),
            transport_said: None,
            next_transport: None,
            next_report: None,
            reported: (0, 0),
        }
    }
}

/// Which packets of a stream are missing.
#[derive(Debug, Default)]
struct Missing {
    numbers: Unwrapper<16>,
    first: Option<u64>,
    received: u64,
    missing: BTreeMap<u64, (Instant, u32)>,
}

impl Missing {
    fn take(&mut self, sequence: u16, now: Instant) -> u64 {
        let before = self.numbers.newest();
        let index = self.numbers.unwrap(sequence.into());
        self.first.get_or_insert(index);
        if let Some(before) = before {
            for lost in before + 1..index {
                self.missing.insert(lost, (now, 0));
            }
        }
        self.missing.remove(&index);
        self.received += 1;
        index
    }

    /// Sequence numbers to be asked for now.
    fn ask(&mut self, now: Instant) -> Vec<u16> {
        let mut wanted = Vec::new();
        self.missing.retain(|_, (_, tries)| *tries < 12);
        for (index, (due, tries)) in &mut self.missing {
            if *due <= now {
                (*due, *tries) = (now + millis(60), *tries + 1);
                wanted.push((index & 0xffff) as u16);
            }
        }
        wanted
    }
}

impl Receiver {
    fn take(&mut self, at: Instant, packet: &[u8]) {
        let rtp = Rtp::parse(packet).unwrap();
        let ids = ExtensionIds { transport_cc: Some(TRANSPORT_ID), ..ExtensionIds::default() };
        if let Some(number) = rtp.extensions(&ids).transport_cc {
            let number = self.transport_numbers.unwrap(number.into());
            self.transport.entry(number).or_insert(at);
        }
        let shown = self.decoder.shown.len();
        match rtp.ssrc {
            VIDEO => {
                self.video.take(rtp.sequence, at);
                self.decoder.take(packet);
            }
            VIDEO_RTX if !rtp.payload.is_empty() => {
                let (original, payload) = rtp.payload.split_at(2);
                let sequence = u16::from_be_bytes(original.try_into().unwrap());
                self.video.missing.remove(&self.video.numbers.peek(sequence.into()));
                let repeat = Draft {
                    payload_type: VP8.payload_type,
                    ssrc: VIDEO,
                    sequence,
                    timestamp: rtp.timestamp,
                    marker: rtp.marker,
                    payload: payload.to_vec(),
                    ..Draft::default()
                };
                self.decoder.take(&repeat.bytes());
            }
            AUDIO => {
                let index = self.audio.take(rtp.sequence, at);
                self.sound.push((at, index, rtp.timestamp));
            }
            _ => {}
        }
        self.shown_at.resize(self.shown_at.len() + self.decoder.shown.len() - shown, at);
    }

    /// The compound packet that is due, empty if none is.
    fn say(&mut self, now: Instant) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.say_once);
        if self.joined.is_none() {
            return out;
        }
        if self.habits.nack {
            out.extend(nack(VIDEO, &self.video.ask(now)));
            out.extend(nack(AUDIO, &self.audio.ask(now)));
        }
        if self.habits.transport && self.next_transport.is_none_or(|next| next <= now) {
            self.next_transport = Some(now + millis(50));
            out.extend(self.transport_feedback());
        }
        if self.habits.reports && self.next_report.is_none_or(|next| next <= now) {
            self.next_report = Some(now + Duration::from_secs(1));
            out.extend(self.report());
        }
        out
    }

    fn report(&mut self) -> Vec<u8> {
        let (Some(first), Some(newest)) = (self.video.first, self.video.numbers.newest()) else {
            return Vec::new();
        };
        let expected = newest + 1 - first;
        let (expected_before, received_before) =
            std::mem::replace(&mut self.reported, (expected, self.video.received));
        let (expected_now, received_now) =
            (expected - expected_before, self.video.received - received_before);
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8;
        let lost = (expected as i64 - self.video.received as i64).max(0) as u32;
        let mut out = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
        out.extend(VIDEO.to_be_bytes());
        out.extend((lost | u32::from(fraction) << 24).to_be_bytes());
        out.extend(((newest & 0xffff_ffff) as u32).to_be_bytes());
        out.extend([0; 12]);
        out
    }

    fn transport_feedback(&mut self) -> Vec<u8> {
        let Some((&last, _)) = self.transport.last_key_value() else { return Vec::new() };
        let first = self.transport_said.map_or(*self.transport.first_key_value().unwrap().0, |said| said + 1);
        if first > last {
            return Vec::new();
        }
        self.transport_said = Some(last);
        let origin = self.joined.unwrap();
        let mut statuses = Vec::new();
        let mut deltas = Vec::new();
        let mut clock: Option<i64> = None;
        let mut reference = 0;
        for number in first..=last {
            let Some(&at) = self.transport.get(&number) else {
                statuses.push(0_u16);
                continue;
            };
            let quarter = i64::try_from((at - origin).as_micros() / 250).unwrap();
            let before = *clock.get_or_insert_with(|| {
                reference = quarter / 256;
                quarter / 256 * 256
            });
            clock = Some(quarter);
            statuses.push(2);
            deltas.extend(i16::try_from(quarter - before).unwrap_or(i16::MAX).to_be_bytes());
        }
        let mut body = vec![0, 0, 0, 9, 0, 0, 3, 232];
        body.extend(((first & 0xffff) as u16).to_be_bytes());
        body.extend(u16::try_from(statuses.len()).unwrap().to_be_bytes());
        body.extend(&(reference as u32).to_be_bytes()[1..]);
        body.push(0);
        for chunk in statuses.chunks(7) {
            let symbols = chunk.iter().enumerate().map(|(at, symbol)| symbol << (12 - 2 * at)).sum::<u16>();
            body.extend((0xc000 | symbols).to_be_bytes());
        }
        body.extend(deltas);
        body.resize(body.len().next_multiple_of(4), 0);
        message(205, 15, &body)
    }
}

/// One RTCP packet.
pub(super) fn message(kind: u8, count: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | count, kind];
    out.extend(u16::try_from(body.len() / 4).unwrap().to_be_bytes());
    out.extend(body);
    out
}

/// A NACK for these sequence numbers; empty without any.
pub(super) fn nack(ssrc: u32, sequences: &[u16]) -> Vec<u8> {
    if sequences.is_empty() {
        return Vec::new();
    }
    let mut body = vec![0, 0, 0, 9];
    body.extend(ssrc.to_be_bytes());
    for sequence in sequences {
        body.extend(sequence.to_be_bytes());
        body.extend([0, 0]);
    }
    let out = message(205, 1, &body);
    assert_eq!(viewer_rtcp::read(&out).count(), 1);
    out
}

/// A picture loss indication.
pub(super) fn pli(ssrc: u32) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 9];
    body.extend(ssrc.to_be_bytes());
    message(206, 1, &body)
}

/// A receiver's estimate of its way.
pub(super) fn remb(bits_per_second: u32) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 9, 0, 0, 0, 0];
    body.extend(b"REMB");
    let exponent = 8;
    body.extend((1 << 24 | exponent << 18 | bits_per_second >> exponent).to_be_bytes());
    body.extend(VIDEO.to_be_bytes());
    message(206, 15, &body)
}
