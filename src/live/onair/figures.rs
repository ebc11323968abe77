//! What a live's owner sees of it second by second.

use super::{OnAir, SECOND};
use crate::{
    clock::now_ms,
    live::{
        audience::one_decimal,
        cockpit::{Upload, health},
        machine::Event,
        plane::{PeerFigures as MediaFigures, PublisherFigures},
        registry::{PeerEntry, layer},
        report::{self, UploadSecond},
    },
    publication::State,
};
use communiconnect_protocol::{
    Channel, Data, FiguresChat, FiguresReactions, LiveFigures, LiveState, PeerFigures, UploadFigures, UserId,
    event,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Peers told of, those that suffer most first.
const PEERS: usize = 50;

impl OnAir {
    /// Takes what was counted of peers in the last second.
    pub(super) fn figures(&mut self, figures: Vec<(Arc<PeerEntry>, MediaFigures)>, now: Instant) {
        for (peer, figures) in figures {
            match figures {
                MediaFigures::Publisher(figures) if self.life.publisher() == Some(peer.id) => {
                    if figures.bitrate > 0 {
                        self.life = self.life.on(Event::Receiving(peer.id), now).0;
                        if self.flows_since.is_none_or(|(sender, _)| sender != peer.id) {
                            self.flows_since = Some((peer.id, now));
                        }
                    }
                    self.upload = figures;
                }
                MediaFigures::Publisher(_) => {}
                MediaFigures::Viewer(figures) => {
                    if figures.bitrate > 0 {
                        self.audience.delivered(peer.id, SECOND, now);
                    }
                    if let Some(viewer) = self.viewers.get_mut(&peer.id) {
                        viewer.figures = figures;
                        viewer.counted_at = Some(now);
                    }
                }
            }
        }
    }

    /// Adds this second to what the report says of the upload; answers its loss in per cent.
    pub(super) fn sample_upload(&mut self, now: Instant) -> f64 {
        if self.life.state() != LiveState::Live {
            self.upload = PublisherFigures::default();
            self.flows_since = None;
        }
        let upload = self.upload(now);
        if self.life.started().is_some() {
            let (level, text) = health(&upload);
            self.totals.add(UploadSecond { bits: upload.bitrate, loss: upload.loss, level, text });
        }
        upload.loss
    }

    fn upload(&self, now: Instant) -> Upload {
        let figures = &self.upload;
        let best = figures.layers.last();
        Upload {
            bitrate: figures.bitrate,
            loss: one_decimal(f64::from(figures.loss) * 100.0),
            jitter_ms: u64::try_from(figures.jitter.as_millis()).unwrap_or(u64::MAX),
            rtt_ms: figures.rtt.map(|rtt| u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX)),
            // 0 until they were counted.
            fps: best.map(|layer| layer.fps).filter(|fps| *fps > 0),
            has_b_frames: figures.has_b_frames,
            is_flowing: self.life.state() == LiveState::Live,
            flows_for: self
                .flows_since
                .map_or(Duration::ZERO, |(_, since)| now.saturating_duration_since(since)),
        }
    }

    /// The state `live.figures`, as it is now.
    pub(super) fn told_figures(&mut self, now: Instant) -> State {
        let at = now_ms();
        let report = self.report(now);
        let (messages_per_minute, reactions_per_minute) = self.series.last_minute();
        let upload = self.upload(now);
        let (level, text) = health(&upload);
        let figures = LiveFigures {
            live_id: self.id,
            at,
            duration_ms: report.duration_ms,
            state: self.life.state(),
            viewers: report::viewers(&self.audience),
            joins: report.joins,
            leaves: report.leaves,
            watch_ms: report.watch_ms,
            join_ms: self.audience.join_phases(),
            chat: FiguresChat {
                messages: report.chat.messages,
                people: report.chat.people,
                per_minute: messages_per_minute,
            },
            reactions: FiguresReactions { counts: report.reactions, per_minute: reactions_per_minute },
            upload: UploadFigures {
                bitrate: upload.bitrate,
                loss: upload.loss,
                rtt_ms: upload.rtt_ms,
                jitter_ms: upload.jitter_ms,
                layers: self.upload.layers.iter().map(layer).collect(),
                level,
                text,
            },
            peers: self.told_peers(),
        };
        State {
            channels: vec![Channel::AnalyticsLive(self.id)],
            event: event::LIVE_FIGURES.into(),
            key: self.id.to_string(),
            version: u64::try_from(at).unwrap_or(0),
            data: Data::of(&figures),
            actor: None,
        }
    }

    fn told_peers(&self) -> Vec<PeerFigures> {
        let mut peers: Vec<PeerFigures> = self
            .viewers
            .values()
            .map(|viewer| {
                let figures = &viewer.figures;
                let (layers, current) = viewer.entry.layers();
                let layer = figures.layer.and_then(|place| layers.get(place)).map(|layer| layer.rid.clone());
                PeerFigures {
                    user_id: viewer.user(),
                    bitrate: figures.bitrate,
                    loss: one_decimal(f64::from(figures.loss) * 100.0),
                    rtt_ms: figures.rtt.map(|rtt| u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX)),
                    layer: layer.or(current),
                    freezes: figures.freezes,
                }
            })
            .collect();
        peers.sort_by(|a, b| b.loss.total_cmp(&a.loss).then(b.freezes.cmp(&a.freezes)));
        peers.truncate(PEERS);
        peers
    }
}

impl super::Viewer {
    fn user(&self) -> Option<UserId> {
        match self.person {
            crate::live::audience::Person::User(user) => Some(user),
            _ => None,
        }
    }
}
