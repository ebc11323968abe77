//! What is asked over HTTP alone: whether one may, before an offer is read; fragments; and what a player is told.

use super::{
    signalling::{Restarted, Sender, Viewer, not_restarted},
    *,
};
use crate::live::{
    notices::Present,
    onair::Sight,
    plane::RestartError,
    registry::{PeerEntry, PeerState},
    rtc::sdp::Fragment,
};
use tokio::sync::watch;

impl LiveService {
    /// Whether somebody may send, whatever they send: of the refusals of [`Self::publish`] those that come before the
    /// offer's size and syntax.
    ///
    /// # Errors
    /// `unauthenticated`, `not_found`, `forbidden`, `unavailable`.
    pub async fn may_publish(&self, sender: &Sender) -> Result<(), ErrorBody> {
        let (owner, live) = match sender {
            Sender::Owner(actor, live) => (*actor, *live),
            Sender::Key(key, live) => (self.owner_by_key(key, *live).await?, *live),
            Sender::AnyKey(key) => return self.knows_key(key).await,
        };
        let view = self.view(owner.into(), live).await?;
        unless_of_state(policy::publish_live(&view.facts))
    }

    /// Whether somebody may watch, whatever they offer and however the live stands.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for who was banned, `unavailable`.
    pub async fn may_watch(&self, viewer: Viewer, live: LiveId) -> Result<(), ErrorBody> {
        let view = self.view(viewer.reader, live).await?;
        unless_of_state(policy::watch_live(&view.facts))
    }

    /// Takes a fragment (RFC 8840) for a peer: new credentials restart ICE, anything else is taken note of.
    ///
    /// # Errors
    /// `not_found` where the peer has ended, `invalid` credentials; ICE goes on as before.
    pub fn take_fragment(
        &self,
        peer: &PeerEntry,
        fragment: &Fragment,
    ) -> Result<Option<Restarted>, ErrorBody> {
        match self.parts.plane.restart_by_fragment(peer.media, fragment) {
            Ok(restarted) => {
                peer.set_etag(restarted.ice.ufrag.clone());
                Ok(Some(Restarted { answer: restarted.answer, etag: restarted.ice.ufrag }))
            }
            Err(RestartError::NotARestart) => self.trickle(peer).map(|()| None),
            Err(error) => Err(not_restarted(error)),
        }
    }

    /// Follows what a player is told of its live and of its session; none once the live is over.
    pub fn follow(&self, peer: &PeerEntry) -> Option<Watching> {
        let live = self.parts.registry.live(peer.live)?.sight;
        Some(Watching { live, peer: peer.changes(), begun: false })
    }
}

/// Follows a session: each time the latest, and nothing in between.
#[derive(Debug)]
pub struct Watching {
    live: watch::Receiver<Sight>,
    peer: watch::Receiver<PeerState>,
    begun: bool,
}

impl Watching {
    /// How things are at first, then whenever that has changed. What says why the session ended is the last.
    pub async fn next(&mut self) -> Present {
        let mut end = None;
        if std::mem::replace(&mut self.begun, true) {
            tokio::select! {
                // Without a sender the live is over.
                seen = self.live.changed() => end = seen.err().map(|_| RtcCloseReason::Ended),
                // The entry, which holds the sender, is held by who follows.
                _ = self.peer.changed() => {}
            }
        }
        let live = *self.live.borrow_and_update();
        let peer = self.peer.borrow_and_update();
        let is_active = live.is_active && end.is_none();
        Present { is_active, viewers: live.viewers, layers: peer.layers.clone(), end: peer.closing.or(end) }
    }
}

fn unless_of_state(verdict: policy::Verdict) -> Result<(), ErrorBody> {
    verdict.or_else(|refusal| if refusal.code == Code::Conflict { Ok(()) } else { Err(refusal) })
}
