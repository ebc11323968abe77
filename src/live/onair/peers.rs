//! The peers of one live: answering them, watching over them, letting them go.

use super::{Answer, Answered, Course, FULL_RETRY_MS, Offered, OnAir, SECOND, Watcher, full};
use crate::clock::now_ms;
use crate::live::{
    audience::{JoinSpans, Person, Tie},
    machine::{Event, Gone, NotNow},
    plane::{
        LayerCause as MediaCause, MediaEvent, PeerEnd, PeerWarning, PrepareError, Prepared, ViewerFigures,
    },
    registry::{NewPeer, PeerEntry, PeerOwner, PeerRole, layer},
};
use communiconnect_protocol::{
    Code, Data, ErrorBody, LayerCause, PeerId, RtcCloseReason, RtcClosed, RtcLayers, RtcWarning, SessionId,
    UserId, event,
};
use std::{sync::Arc, time::Instant};

/// Milliseconds after which who was cut off while they asked may ask again: the store knows it already.
const JUDGED_AGAIN_MS: u64 = 100;

/// One peer that watches.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) entry: Arc<PeerEntry>,
    pub(super) person: Person,
    session: Option<SessionId>,
    asked: Instant,
    answered: Instant,
    connected: Option<Instant>,
    first_packet: Option<Instant>,
    pub(super) figures: ViewerFigures,
    /// When the figures came: what is delivered after them is counted when it goes.
    pub(super) counted_at: Option<Instant>,
}

impl OnAir {
    pub(super) async fn publish(
        &mut self,
        offered: Offered,
        owner: PeerOwner,
        answer: Answer<Answered>,
    ) -> Course {
        let prepared = self.admit_publisher(Instant::now()).and_then(|()| {
            self.parts.plane.publish(&self.relay, &offered.sdp, offered.client).map_err(refused)
        });
        let answered = match prepared {
            Ok(prepared) => self.enter(prepared, owner, PeerRole::Publisher),
            Err(error) => {
                drop(answer.send(Err(error)));
                return Course::On;
            }
        };
        let peer = answered.peer.id;
        // Answered first: its client must not wait for the store.
        drop(answer.send(Ok(answered)));
        self.happens(Event::Arrived(peer)).await
    }

    fn admit_publisher(&self, now: Instant) -> Result<(), ErrorBody> {
        self.life.admits(now).map_err(|not_now| match not_now {
            NotNow::Ended => super::over(),
            NotNow::TakenOver { after } => {
                let message = "another encoder has just taken this live over: stop one of the two";
                let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1);
                ErrorBody::new(Code::Conflict, message).retry_after(after)
            }
        })
    }

    pub(super) fn watch(&mut self, offered: Offered, who: Watcher) -> Result<Answered, ErrorBody> {
        self.admit(who.person, who.asked)?;
        let prepared = self.parts.plane.watch(&self.relay, &offered.sdp, offered.client).map_err(refused)?;
        let media = prepared.peer;
        let answered = self.enter(prepared, who.owner, PeerRole::Viewer);
        let entry = answered.peer.clone();
        let person = match who.person {
            Person::Nameless(_) => Person::Nameless(entry.id),
            known => known,
        };
        if self.audience.join(person, Tie::Peer(entry.id), Instant::now()).is_err() {
            self.parts.registry.forget_peer(&entry);
            self.parts.plane.close(media);
            return Err(full());
        }
        let viewer = Viewer {
            entry,
            person,
            session: who.session,
            asked: who.asked,
            answered: Instant::now(),
            connected: None,
            first_packet: None,
            figures: ViewerFigures::default(),
            counted_at: None,
        };
        self.viewers.insert(viewer.entry.id, viewer);
        Ok(answered)
    }

    /// Counts a session among those who watch.
    pub(super) fn join(
        &mut self,
        person: Person,
        session: SessionId,
        asked: Instant,
    ) -> Result<(), ErrorBody> {
        self.admit(person, asked)?;
        let joined = self.audience.join(person, Tie::Session(session), Instant::now());
        joined.map(|_| ()).map_err(|_| full())
    }

    /// Refuses what may have been judged before its person was cut off; asked again, it is judged as things are then.
    fn admit(&self, person: Person, asked: Instant) -> Result<(), ErrorBody> {
        match person {
            Person::User(user) if self.cuts.came_after(user, asked) => {
                let message = "whether you may watch has just changed: ask again";
                Err(ErrorBody::new(Code::Unavailable, message).retry_after(JUDGED_AGAIN_MS))
            }
            _ => Ok(()),
        }
    }

    fn enter(&self, prepared: Prepared, owner: PeerOwner, role: PeerRole) -> Answered {
        let peer = self.parts.registry.enter_peer(NewPeer {
            id: PeerId::new(now_ms()),
            media: prepared.peer,
            live: self.id,
            role,
            owner,
            etag: prepared.ice.ufrag,
        });
        Answered { peer, sdp: prepared.answer }
    }

    /// What the media plane tells of a peer.
    pub(super) async fn media(&mut self, peer: &Arc<PeerEntry>, event: MediaEvent) -> Course {
        let id = peer.id;
        match (peer.role, event) {
            (PeerRole::Publisher, MediaEvent::Connected { .. }) => self.happens(Event::Connected(id)).await,
            (PeerRole::Publisher, MediaEvent::MediaStarted { .. }) => {
                self.happens(Event::MediaStarted(id)).await
            }
            (PeerRole::Publisher, MediaEvent::Stalled { .. }) => self.happens(Event::Stalled(id)).await,
            (PeerRole::Publisher, MediaEvent::Resumed { .. }) => self.happens(Event::Resumed(id)).await,
            (PeerRole::Viewer, MediaEvent::Connected { at, .. }) => {
                if let Some(viewer) = self.viewers.get_mut(&id) {
                    viewer.connected = Some(at);
                }
                Course::On
            }
            (PeerRole::Viewer, MediaEvent::FirstPacket { at, .. }) => {
                self.first_packet(id, at);
                Course::On
            }
            (PeerRole::Viewer, MediaEvent::FirstPicture { at, .. }) => {
                if let Some(first) = self.viewers.get(&id).and_then(|viewer| viewer.first_packet) {
                    self.audience.pictured_in(at.saturating_duration_since(first));
                }
                Course::On
            }
            (PeerRole::Viewer, MediaEvent::Attending { present, .. }) => {
                self.attends(id, present);
                Course::On
            }
            (PeerRole::Viewer, MediaEvent::Layers { layers, current, cause, .. }) => {
                let layers: Vec<_> = layers.iter().map(layer).collect();
                let current = current.and_then(|place| layers.get(place)).map(|layer| layer.rid.clone());
                peer.set_layers(layers.clone(), current.clone());
                let told = RtcLayers { peer_id: id, layers, current, cause: cause_of(cause) };
                self.parts.tell(peer.owner, event::RTC_LAYERS, Data::of(&told));
                Course::On
            }
            (_, MediaEvent::Warning { warning, .. }) => {
                let (code, text) = words_of(&warning);
                let told = RtcWarning { peer_id: id, code: code.into(), text };
                self.parts.tell(peer.owner, event::RTC_WARNING, Data::of(&told));
                Course::On
            }
            (_, MediaEvent::Closed { reason, .. }) => self.closed(peer, reason).await,
            _ => Course::On,
        }
    }

    fn attends(&mut self, peer: PeerId, present: bool) {
        let now = Instant::now();
        let Some(viewer) = self.viewers.get(&peer) else { return };
        if present {
            // It was counted before; where the room was given to another meanwhile, it watches uncounted.
            let _ = self.audience.join(viewer.person, Tie::Peer(peer), now);
        } else {
            self.audience.leave(Tie::Peer(peer), now);
        }
    }

    /// Media is sent to a viewer: so long did joining take.
    fn first_packet(&mut self, peer: PeerId, at: Instant) {
        let Some(viewer) = self.viewers.get_mut(&peer) else { return };
        viewer.first_packet = Some(at);
        let connected = viewer.connected.unwrap_or(at);
        self.audience.joined_in(JoinSpans {
            answer: viewer.answered.saturating_duration_since(viewer.asked),
            connect: connected.saturating_duration_since(viewer.answered),
            media: at.saturating_duration_since(connected),
        });
    }

    /// The plane has let a peer go.
    async fn closed(&mut self, peer: &Arc<PeerEntry>, end: PeerEnd) -> Course {
        let reason = match end {
            PeerEnd::Timeout => RtcCloseReason::Timeout,
            PeerEnd::ClosedByPeer | PeerEnd::Closed => RtcCloseReason::Closed,
            PeerEnd::Bitrate => RtcCloseReason::Bitrate,
            PeerEnd::Renegotiate => RtcCloseReason::Renegotiate,
            PeerEnd::DtlsFailed | PeerEnd::Error => RtcCloseReason::Error,
        };
        self.let_go(peer, reason);
        match peer.role {
            PeerRole::Publisher => self.happens(Event::Gone(peer.id, Gone::Lost)).await,
            PeerRole::Viewer => Course::On,
        }
    }

    /// Its owner closes a peer; whether it was there.
    pub(super) async fn close_by_owner(&mut self, peer: PeerId) -> (Course, bool) {
        let Some(entry) = self.parts.registry.peer(peer) else { return (Course::On, false) };
        self.parts.plane.close(entry.media);
        self.let_go(&entry, RtcCloseReason::Closed);
        let course = match entry.role {
            PeerRole::Publisher => self.happens(Event::Gone(peer, Gone::Left)).await,
            PeerRole::Viewer => Course::On,
        };
        (course, true)
    }

    pub(super) fn close_peer(&mut self, peer: PeerId, reason: RtcCloseReason) {
        let Some(entry) = self.parts.registry.peer(peer) else { return };
        self.parts.plane.close(entry.media);
        self.let_go(&entry, reason);
    }

    pub(super) fn close_viewers(&mut self, reason: RtcCloseReason) {
        let peers: Vec<PeerId> = self.viewers.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.close_peer(peer, reason));
    }

    /// Closes everybody: the live is no longer this node's.
    pub(super) fn close_all(&mut self, reason: RtcCloseReason) {
        self.close_viewers(reason);
        self.life.publishers().for_each(|publisher| self.close_peer(publisher, reason));
    }

    /// A person may no longer watch: ends what ties them to the live.
    pub(super) fn cut(&mut self, user: UserId, reason: RtcCloseReason, now: Instant) {
        self.cuts.note(user, now);
        for tie in self.audience.ties_of(Person::User(user)) {
            match tie {
                Tie::Peer(peer) => self.close_peer(peer, reason),
                Tie::Session(_) => drop(self.audience.leave(tie, now)),
            }
        }
    }

    /// A session leaves: it is no longer counted, and what it watches by is closed. Whether anything changed.
    pub(super) fn leave(&mut self, session: SessionId, now: Instant) -> bool {
        let left = self.audience.leave(Tie::Session(session), now);
        let theirs = |viewer: &&Viewer| viewer.session == Some(session);
        let peers: Vec<PeerId> = self.viewers.values().filter(theirs).map(|viewer| viewer.entry.id).collect();
        let closed = !peers.is_empty();
        peers.into_iter().for_each(|peer| self.close_peer(peer, RtcCloseReason::Closed));
        left || closed
    }

    /// Forgets a peer and tells its owner why; the first reason counts.
    fn let_go(&mut self, entry: &Arc<PeerEntry>, reason: RtcCloseReason) {
        if !entry.begin_closing(reason) {
            return;
        }
        self.parts.registry.forget_peer(entry);
        let now = Instant::now();
        if let Some(Viewer { figures, counted_at: Some(at), .. }) = self.viewers.remove(&entry.id)
            && figures.bitrate > 0
        {
            self.audience.delivered(entry.id, now.saturating_duration_since(at).min(SECOND), now);
        }
        self.audience.leave(Tie::Peer(entry.id), now);
        let told = RtcClosed { peer_id: entry.id, reason };
        self.parts.tell(entry.owner, event::RTC_CLOSED, Data::of(&told));
    }
}

/// Why an offer was not taken, as its client is told.
pub(in crate::live) fn refused(error: PrepareError) -> ErrorBody {
    let message = error.to_string();
    match error {
        PrepareError::Offer(error) => {
            let mut refusal = ErrorBody::new(error.code(), message);
            refusal.field = Some("sdp".into());
            refusal
        }
        PrepareError::HalfOpen | PrepareError::Full | PrepareError::Stopped => {
            ErrorBody::new(Code::Unavailable, message).retry_after(FULL_RETRY_MS)
        }
    }
}

fn cause_of(cause: MediaCause) -> LayerCause {
    match cause {
        MediaCause::Wish => LayerCause::Wish,
        MediaCause::Bandwidth => LayerCause::Bandwidth,
        MediaCause::Source => LayerCause::Source,
    }
}

fn words_of(warning: &PeerWarning) -> (&'static str, String) {
    match warning {
        PeerWarning::Bitrate { bitrate, limit } => {
            let (sent, limit) = (bitrate / 1_000, limit / 1_000);
            let text = format!(
                "You send {sent} kbit/s, more than the {limit} allowed: lower the bitrate, or you will be disconnected."
            );
            ("bitrate", text)
        }
        PeerWarning::BFrames => {
            let text = "Your encoder sends B-frames, which browsers cannot show: turn them off (bf=0, or tune zerolatency).";
            ("b_frames", text.into())
        }
        PeerWarning::WaitingForKeyFrame => {
            let text = "Waiting for the broadcaster's next key frame: the picture comes with it.";
            ("waiting_for_key_frame", text.into())
        }
    }
}
