//! Publishers behind all kinds of networks, in virtual time; what arrives is judged as a decoder would.

mod coming_and_going;
mod feedback;
mod hostile;
mod repairs;
mod streams;

use std::collections::{HashMap, HashSet};

use rtc_rtcp::extended_report::{
    DLRRReport, DLRRReportBlock, ExtendedReport, ReceiverReferenceTimeReportBlock,
};
use rtc_rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc_shared::marshal::Marshal;

use super::*;
use crate::live::forward::net::{Camera, Conditions, Decoder, Draft, Network, Shown};
use crate::live::forward::publisher_rtcp::MOST_COMPOUND;
use crate::live::forward::ring::Slot;
use crate::live::media::{Codec, ExtensionIds, Feedback, PayloadCodec};

const LOCAL: u32 = 0x5eed;
const VIDEO: u32 = 0x1001;
const RTX: u32 = 0x1002;
const AUDIO: u32 = 0x2001;
const MID_ID: u8 = 4;
const RID_ID: u8 = 10;
const RRID_ID: u8 = 11;
const TRANSPORT_ID: u8 = 3;

/// VP8 with everything that Chromium negotiates, its SSRCs announced.
fn video() -> ReceivedMedia {
    ReceivedMedia {
        kind: MediaKind::Video,
        mid: "v".into(),
        codec: PayloadCodec { codec: Codec::Vp8, payload_type: 96, rtx: Some(97) },
        extensions: ExtensionIds {
            mid: Some(MID_ID),
            rid: Some(RID_ID),
            repaired_rid: Some(RRID_ID),
            transport_cc: Some(TRANSPORT_ID),
            ..ExtensionIds::default()
        },
        feedback: Feedback { nack: true, pli: true, fir: true, transport_cc: true, remb: true },
        rids: Vec::new(),
        ssrcs: vec![(VIDEO, Some(RTX))],
    }
}

fn audio() -> ReceivedMedia {
    ReceivedMedia {
        kind: MediaKind::Audio,
        mid: "a".into(),
        codec: PayloadCodec { codec: Codec::Opus, payload_type: 111, rtx: None },
        extensions: ExtensionIds { mid: Some(MID_ID), ..ExtensionIds::default() },
        feedback: Feedback::default(),
        rids: Vec::new(),
        ssrcs: vec![(AUDIO, None)],
    }
}

fn camera() -> Camera {
    Camera { rtx: Some((97, RTX)), ..Camera::new(VIDEO, 96) }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Everything that the server told a publisher, with when it arrived there.
#[derive(Debug, Default)]
struct Heard {
    nacks: Vec<(Duration, u32, u16)>,
    key_frame_requests: Vec<(Duration, u32)>,
    full_intra: Vec<u8>,
    reports: Vec<(Duration, ReceptionReport)>,
    transport: Vec<(Duration, TransportLayerCc)>,
    estimates: Vec<(Duration, f32)>,
}

/// How a publisher behaves.
#[derive(Clone, Copy, Debug)]
struct Habits {
    /// A key frame every so many pictures; none by itself after the first at 0.
    key_frame_every: u32,
    answers_key_frame_requests: bool,
    answers_nacks: bool,
    echoes_reference_times: bool,
}

const CHROMIUM: Habits = Habits {
    key_frame_every: 0,
    answers_key_frame_requests: true,
    answers_nacks: true,
    echoes_reference_times: true,
};

/// A publisher with cameras, a network each way, the ingress, and a decoder for each encoding.
struct Stage {
    start: Instant,
    now: Instant,
    up: Network,
    down: Network,
    cameras: Vec<Camera>,
    habits: Habits,
    wants_key_frame: Vec<bool>,
    key_frame_bytes: usize,
    all_bytes: usize,
    transport_sequence: Option<u16>,
    slot: Arc<SourceSlot>,
    ingress: Ingress,
    decoders: HashMap<EncodingId, (Decoder, HashSet<u64>)>,
    heard: Heard,
}

impl Stage {
    fn new(media: Vec<ReceivedMedia>, cameras: Vec<Camera>, conditions: Conditions) -> Self {
        let start = Instant::now();
        let slot = Arc::new(SourceSlot::new());
        let back = Conditions { delay: conditions.delay, ..Conditions::default() };
        Self {
            start,
            now: start,
            up: Network::new(11, conditions),
            down: Network::new(12, back),
            wants_key_frame: vec![true; cameras.len()],
            cameras,
            habits: CHROMIUM,
            key_frame_bytes: 0,
            all_bytes: 0,
            transport_sequence: None,
            ingress: Ingress::new(media, IngressLimits::default(), slot.clone(), LOCAL, start),
            slot,
            decoders: HashMap::new(),
            heard: Heard::default(),
        }
    }

    /// Lets time pass, a picture of each camera every 33 ms.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            if self.elapsed().as_millis().is_multiple_of(33) {
                self.film();
            }
            self.turn();
            self.now += millis(1);
        }
    }

    /// Lets time pass without pictures.
    fn rest(&mut self, time: Duration) {
        for _ in 0..time.as_millis() {
            self.turn();
            self.now += millis(1);
        }
    }

    fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    fn film(&mut self) {
        for at in 0..self.cameras.len() {
            let camera = &mut self.cameras[at];
            let every = self.habits.key_frame_every;
            let is_key = std::mem::take(&mut self.wants_key_frame[at])
                || (every > 0 && camera.frame.is_multiple_of(every));
            let drafts = camera.picture(is_key);
            let bytes = drafts.iter().map(|draft| draft.payload.len()).sum::<usize>();
            self.all_bytes += bytes;
            self.key_frame_bytes += if is_key { bytes } else { 0 };
            for draft in drafts {
                self.send(draft);
            }
        }
    }

    fn send(&mut self, mut draft: Draft) {
        if let Some(sequence) = &mut self.transport_sequence {
            draft.extensions.push((TRANSPORT_ID, sequence.to_be_bytes().to_vec()));
            *sequence = sequence.wrapping_add(1);
        }
        self.up.send(self.now, draft.bytes());
    }

    fn send_rtcp(&mut self, message: &impl Marshal) {
        self.up.send(self.now, message.marshal().unwrap().to_vec());
    }

    /// One moment: what arrived is taken, what is due is told.
    fn turn(&mut self) {
        while let Some((_, datagram)) = self.up.receive(self.now) {
            if (200..208).contains(&datagram[1]) {
                self.ingress.on_rtcp(self.now, &datagram).unwrap();
            } else if let Ok(accepted) = self.ingress.on_rtp(self.now, &datagram)
                && accepted.is_new()
            {
                self.show(accepted.encoding);
            }
        }
        let mut compound = Vec::new();
        while self.ingress.poll_rtcp(self.now, &mut compound) {
            assert!(compound.len() <= MOST_COMPOUND, "{} bytes do not fit a datagram", compound.len());
            self.down.send(self.now, std::mem::take(&mut compound));
        }
        assert!(compound.is_empty());
        let next = self.ingress.poll_timeout(self.now);
        assert!(next.is_none_or(|next| next > self.now), "what is due was done: {next:?} at {:?}", self.now);
        while let Some((_, compound)) = self.down.receive(self.now) {
            self.hear(&compound);
        }
    }

    fn show(&mut self, id: EncodingId) {
        let source = self.slot.load();
        let encoding = source.encodings().find(|encoding| encoding.id == id).expect("it is published");
        if encoding.kind() == MediaKind::Audio {
            return;
        }
        let (decoder, seen) = self.decoders.entry(id).or_default();
        let ring = encoding.ring.read();
        for index in ring.head().saturating_sub(400).max(ring.oldest())..ring.head() {
            if seen.contains(&index) {
                continue;
            }
            match ring.slot(index) {
                Slot::Packet(packet) => decoder.take_packet(packet),
                Slot::Padding => decoder.take_padding(index),
                _ => continue,
            }
            seen.insert(index);
        }
    }

    fn hear(&mut self, compound: &[u8]) {
        let at = self.now - self.start;
        let parts = rtc_rtcp::packet::unmarshal(&mut &compound[..]).expect("a compound that others can read");
        assert!(parts[0].as_any().is::<ReceiverReport>(), "a compound begins with a report");
        for part in parts {
            let part = part.as_any();
            if let Some(report) = part.downcast_ref::<ReceiverReport>() {
                self.heard.reports.extend(report.reports.iter().map(|report| (at, report.clone())));
            } else if let Some(nack) = part.downcast_ref::<TransportLayerNack>() {
                for sequence in nack.nacks.iter().flat_map(|pair| pair.packet_list()) {
                    self.heard.nacks.push((at, nack.media_ssrc, sequence));
                    self.repeat(nack.media_ssrc, sequence);
                }
            } else if let Some(loss) = part.downcast_ref::<PictureLossIndication>() {
                self.key_frame_wanted(loss.media_ssrc);
            } else if let Some(intra) = part.downcast_ref::<FullIntraRequest>() {
                self.heard.full_intra.push(intra.fir[0].sequence_number);
                self.key_frame_wanted(intra.fir[0].ssrc);
            } else if let Some(feedback) = part.downcast_ref::<TransportLayerCc>() {
                self.heard.transport.push((at, feedback.clone()));
            } else if let Some(estimate) = part.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
                self.heard.estimates.push((at, estimate.bitrate));
            } else if let Some(report) = part.downcast_ref::<ExtendedReport>() {
                self.echo(report);
            }
        }
    }

    fn repeat(&mut self, ssrc: u32, sequence: u16) {
        let camera =
            self.cameras.iter_mut().find(|camera| camera.ssrc == ssrc).expect("a stream that is sent");
        if self.habits.answers_nacks
            && let Some(draft) = camera.repeat(sequence)
        {
            self.send(draft);
        }
    }

    fn key_frame_wanted(&mut self, ssrc: u32) {
        self.heard.key_frame_requests.push((self.elapsed(), ssrc));
        let at = self.cameras.iter().position(|camera| camera.ssrc == ssrc).expect("a stream that is sent");
        self.wants_key_frame[at] |= self.habits.answers_key_frame_requests;
    }

    fn echo(&mut self, report: &ExtendedReport) {
        let block = report.reports[0].as_any().downcast_ref::<ReceiverReferenceTimeReportBlock>().unwrap();
        if self.habits.echoes_reference_times {
            let echo =
                DLRRReport { ssrc: report.sender_ssrc, last_rr: (block.ntp_timestamp >> 16) as u32, dlrr: 0 };
            let reports: Vec<Box<dyn rtc_rtcp::Packet>> =
                vec![Box::new(DLRRReportBlock { reports: vec![echo] })];
            self.send_rtcp(&ExtendedReport { sender_ssrc: VIDEO, reports });
        }
    }

    fn source(&self) -> Arc<Source> {
        self.slot.load()
    }

    /// The pictures that could be shown of an encoding; no decoder may have found a fault.
    fn shown(&self, encoding: &Encoding) -> &[Shown] {
        let (decoder, _) = &self.decoders[&encoding.id];
        assert_eq!(decoder.faults, Vec::<String>::new());
        &decoder.shown
    }

    fn shown_of_only(&self) -> &[Shown] {
        let source = self.source();
        assert_eq!(source.video.len(), 1);
        self.shown(&source.video[0])
    }

    fn missing(&self) -> usize {
        let source = self.source();
        let ring = source.video[0].ring.read();
        (ring.oldest()..ring.head()).filter(|&index| matches!(ring.slot(index), Slot::Missing)).count()
    }

    fn figures(&mut self) -> IngressFigures {
        self.ingress.figures(self.now)
    }
}
