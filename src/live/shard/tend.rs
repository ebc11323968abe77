//! Once a second: who is still there, how everybody does, and who has gone.

use super::{
    GOODBYE, Shard,
    event::{Layer, MediaEvent, PeerEnd, PeerFigures, PeerId, PeerWarning, PublisherFigures, ViewerFigures},
    peer::{Media, Peer, Verdict},
};
use crate::{
    live::{
        forward::{egress::EgressFigures, ingress::IngressFigures, memory, source::Source},
        media::MediaKind,
    },
    metrics,
};

impl Shard {
    /// Liveness, limits, figures.
    pub(super) fn tend(&mut self) {
        if self.place == 0 {
            for peer in self.common.peers.expire(self.now) {
                metrics::LIVE_ENDED.add("timeout", 1);
                self.outbox.tell(MediaEvent::Closed { peer, reason: PeerEnd::Timeout });
            }
            metrics::LIVE_PEERS.set(self.common.peers.len() as f64);
            let held = memory::bound(&self.common.relays.rings(), self.common.settings.ring_bytes);
            metrics::LIVE_RING_BYTES.set(held.bytes as f64);
            metrics::LIVE_RINGS_SHRUNK.set(held.shrunk as f64);
        }
        let mut figures = Vec::with_capacity(self.peers.len());
        for place in self.by_id.values().copied().collect::<Vec<_>>() {
            self.tend_peer(place, &mut figures);
        }
        if !figures.is_empty() {
            self.outbox.tell(MediaEvent::Figures(figures));
        }
        self.counts.publish();
    }

    fn tend_peer(&mut self, place: usize, figures: &mut Vec<(PeerId, PeerFigures)>) {
        let (now, settings) = (self.now, &self.common.settings);
        let peer = &mut self.peers[place];
        if let Some((since, _)) = peer.ending {
            if now.saturating_duration_since(since) >= GOODBYE {
                self.end(place, PeerEnd::Closed);
            }
            return;
        }
        let silence = now.saturating_duration_since(peer.heard);
        if silence >= settings.silence {
            return self.say_goodbye(place, PeerEnd::Timeout);
        }
        let id = peer.id;
        match &mut peer.media {
            Media::Agreed(_) => {}
            Media::Viewer(viewer) => {
                let is_present = silence < settings.absent_after;
                if viewer.is_present != is_present {
                    viewer.is_present = is_present;
                    self.outbox.tell(MediaEvent::Attending { peer: id, present: is_present });
                }
                let source = peer.relay.source().load();
                figures.push((id, PeerFigures::Viewer(viewer_figures(&viewer.egress.figures(), &source))));
            }
            Media::Publisher(publisher) => {
                let heard = publisher.ingress.figures(now);
                let told = publisher_figures(&heard);
                let limit = settings.publisher_bitrate;
                let verdict = publisher.meter.judge(now, told.bitrate, limit, settings.bitrate_patience);
                if told.has_b_frames && !std::mem::replace(&mut publisher.told_of_b_frames, true) {
                    self.outbox.tell(MediaEvent::Warning { peer: id, warning: PeerWarning::BFrames });
                }
                let bitrate = told.bitrate;
                figures.push((id, PeerFigures::Publisher(told)));
                match verdict {
                    Verdict::Fine => {}
                    Verdict::Warn => {
                        let warning = PeerWarning::Bitrate { bitrate, limit };
                        self.outbox.tell(MediaEvent::Warning { peer: id, warning });
                    }
                    Verdict::Close => self.say_goodbye(place, PeerEnd::Bitrate),
                }
            }
        }
    }

    /// Nothing more is sent to the peer but a goodbye, and then it is gone.
    pub(super) fn say_goodbye(&mut self, place: usize, reason: PeerEnd) {
        let peer = &mut self.peers[place];
        if peer.ending.is_some() {
            return;
        }
        peer.ending = Some((self.now, reason));
        self.common.handshakes.close(peer.id);
        self.send_bye(place);
        self.leave_audience(place);
    }

    /// The peer is gone. `reason` counts unless a goodbye to it had another.
    pub(super) fn end(&mut self, place: usize, reason: PeerEnd) {
        self.leave_audience(place);
        for (tuple, via) in std::mem::take(&mut self.peers[place].tuples) {
            self.route(place, tuple, via, false);
        }
        let peer: Peer = self.peers.remove(place);
        self.by_id.remove(&peer.id);
        self.common.peers.remove(peer.id);
        let reason = peer.ending.map_or(reason, |(_, reason)| reason);
        metrics::LIVE_ENDED.add(label(reason), 1);
        self.outbox.tell(MediaEvent::Closed { peer: peer.id, reason });
    }

    fn leave_audience(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        let Media::Viewer(_) = peer.media else { return };
        self.replays.leave(peer.id);
        let relay = peer.relay.id();
        let Some(audience) = self.audiences.get_mut(&relay) else { return };
        let Some(at) = audience.viewers.iter().position(|viewer| *viewer == place) else { return };
        audience.viewers.swap_remove(at);
        peer.relay.remove_viewer(self.place);
        if audience.viewers.is_empty() {
            self.audiences.remove(&relay);
        }
    }
}

fn viewer_figures(figures: &EgressFigures, source: &Source) -> ViewerFigures {
    let place = |id| source.video.iter().position(|encoding| encoding.id == id);
    ViewerFigures {
        bitrate: figures.bitrate,
        loss: figures.loss as f32,
        rtt: figures.round_trip,
        layer: figures.layer.and_then(place),
        freezes: u64::from(figures.pauses) + u64::from(figures.skips),
        packets: figures.packets,
        retransmits: figures.repeats,
    }
}

fn publisher_figures(figures: &IngressFigures) -> PublisherFigures {
    let video = figures.encodings.iter().filter(|encoding| encoding.kind == MediaKind::Video);
    let mut layers: Vec<_> = video
        .map(|encoding| Layer {
            rid: encoding.rid.clone(),
            width: encoding.size.map_or(0, |size| size.width),
            height: encoding.size.map_or(0, |size| size.height),
            fps: encoding.fps.round() as u32,
            bitrate: encoding.bitrate,
        })
        .collect();
    layers.sort_by_key(|layer| (layer.height, layer.bitrate));
    PublisherFigures {
        bitrate: figures.bitrate,
        loss: figures.loss,
        jitter: figures.jitter,
        rtt: figures.round_trip,
        layers,
        nacks: figures.nacks,
        key_frame_requests: figures.key_frame_requests,
        has_b_frames: figures.has_b_frames,
    }
}

fn label(reason: PeerEnd) -> &'static str {
    match reason {
        PeerEnd::Timeout => "timeout",
        PeerEnd::ClosedByPeer => "closed_by_peer",
        PeerEnd::Closed => "closed",
        PeerEnd::DtlsFailed => "dtls_failed",
        PeerEnd::Bitrate => "bitrate",
        PeerEnd::Renegotiate => "renegotiate",
        PeerEnd::Error => "error",
    }
}
