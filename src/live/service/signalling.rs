//! Peers: publishing, watching, and what is commanded of a peer afterwards.

use super::*;
use crate::live::{audience::Person, forward::egress::Wish, plane::RestartError, registry::PeerEntry};
use communiconnect_protocol::{MaxHeight, PeerId, RtcLayerReply};
use rand::Rng;
use std::{fmt, time::Instant};

/// Who sends.
#[derive(Clone)]
pub enum Sender {
    /// Its owner, by a token or a socket.
    Owner(Actor, LiveId),
    /// An encoder with a key, at the address of a live.
    Key(String, LiveId),
    /// An encoder with a key, at `/v1/whip`: it feeds the running live of its person, or starts one.
    AnyKey(String),
}

/// Without keys: who logs a sender must not let others in.
impl fmt::Debug for Sender {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(actor, live) => write!(out, "Owner({}, {live})", actor.user),
            Self::Key(_, live) => write!(out, "Key(***, {live})"),
            Self::AnyKey(_) => out.write_str("AnyKey(***)"),
        }
    }
}

/// Who watches.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// As a reader.
    pub reader: Reader,
    /// The session of a socket; none over HTTP.
    pub session: Option<SessionId>,
}

/// ICE was restarted.
#[derive(Clone, Debug)]
pub struct Restarted {
    /// SDP to an offer, a fragment to a fragment.
    pub answer: String,
    /// The new ETag, without quotes.
    pub etag: String,
}

impl LiveService {
    /// Answers an offer to send.
    ///
    /// # Errors
    /// `unauthenticated` for a key that opens nothing, `not_found`, `forbidden` for another's, `too_large` and `bad_request`
    /// offers, `conflict` (ended; taken over a moment ago; a lasting key that rests; no defaults), `invalid` for what is not
    /// supported, `unavailable` limits, on a node that is drained and for lives of another.
    pub async fn publish(&self, sender: Sender, offered: Offered) -> Result<Answered, ErrorBody> {
        let (owner, live) = match sender {
            Sender::Owner(actor, live) => (actor, live),
            Sender::Key(key, live) => (self.owner_by_key(&key, live).await?, live),
            Sender::AnyKey(key) => self.live_by_key(&key, &offered).await?,
        };
        let view = self.view(owner.into(), live).await?;
        state_after_offer(policy::publish_live(&view.facts), &offered)?;
        let handle = self.running(&view)?;
        self.unless_draining()?;
        handle.ask(|answer| Ask::Publish(offered, PeerOwner::User(owner.user), answer)).await
    }

    /// Answers an offer to watch; implies a join.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for who was banned, `too_large` and `bad_request` offers, `conflict` before the first picture
    /// (with a time to ask again) and after the end, `invalid` for what is not supported, `unavailable` limits, on a node that
    /// is drained and for lives of another.
    pub async fn watch(&self, viewer: Viewer, live: LiveId, offered: Offered) -> Result<Answered, ErrorBody> {
        let asked = Instant::now();
        let view = self.view(viewer.reader, live).await?;
        state_after_offer(policy::watch_live(&view.facts), &offered)?;
        let (person, owner) = match (viewer.reader.user, viewer.session) {
            (Some(user), _) => (Person::User(user), PeerOwner::User(user)),
            (None, Some(session)) => (Person::Guest(session), PeerOwner::Session(session)),
            (None, None) => (Person::Nameless(PeerId::NOTHING), PeerOwner::Holder),
        };
        let who = Watcher { person, owner, session: viewer.session, asked };
        let handle = self.running(&view)?;
        self.unless_draining()?;
        handle.ask(|answer| Ask::Watch(offered, who, answer)).await
    }

    /// Whether a live is for followers alone, so that a client without a token is told to bring one rather than that there
    /// is nothing. Private ones do not exist for anybody else.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn is_for_followers(&self, live: LiveId) -> Result<bool, ErrorBody> {
        let reader = Reader { user: None, role: communiconnect_protocol::Role::User };
        let found = self.parts.stores.lives.get(reader, WhichLive::Id(live)).await?;
        Ok(found.is_some_and(|view| view.live.visibility == Visibility::Followers))
    }

    /// A peer for who commands it; for others it does not exist.
    ///
    /// # Errors
    /// `not_found`.
    pub fn peer(&self, id: PeerId, by: PeerOwner) -> Result<Arc<PeerEntry>, ErrorBody> {
        let found = self.parts.registry.peer(id).filter(|peer| peer.owner == by);
        found.ok_or_else(|| policy::not_found("peer"))
    }

    /// The peer of a session resource of WHIP or WHEP, by its secret. One that belongs to a person is commanded with their
    /// token or key as well: compare [`PeerEntry::owner`].
    pub fn peer_by_secret(&self, secret: &str) -> Option<Arc<PeerEntry>> {
        self.parts.registry.peer_by_secret(secret)
    }

    /// Takes a candidate, or that there are no more: a lite agent learns addresses from checks alone.
    ///
    /// # Errors
    /// `not_found` where the peer has ended.
    pub fn trickle(&self, peer: &PeerEntry) -> Result<(), ErrorBody> {
        self.parts.plane.trickle(peer.media).map_err(not_restarted)
    }

    /// Restarts ICE by an offer.
    ///
    /// # Errors
    /// `not_found`, `bad_request` and `invalid` offers.
    pub fn restart(&self, peer: &PeerEntry, sdp: &str) -> Result<Restarted, ErrorBody> {
        let restarted = self.parts.plane.restart(peer.media, sdp).map_err(not_restarted)?;
        peer.set_etag(restarted.ice.ufrag.clone());
        Ok(Restarted { answer: restarted.answer, etag: restarted.ice.ufrag })
    }

    /// Wishes for a quality; what is sent follows by the message `rtc.layers`.
    pub fn wish(&self, peer: &PeerEntry, max_height: MaxHeight) -> RtcLayerReply {
        let wish = match max_height {
            MaxHeight::Auto => Wish::Auto,
            MaxHeight::Lines(lines) => Wish::MaxHeight(lines),
        };
        self.parts.plane.wish(peer.media, wish);
        let (layers, current) = peer.layers();
        RtcLayerReply { layers, current }
    }

    /// Closes a peer at its owner's wish; whether it was there. A publisher that is closed so has said good-bye: its lasting
    /// key may begin another live at once.
    pub async fn close(&self, peer: &PeerEntry) -> bool {
        let Some(handle) = self.parts.registry.live(peer.live) else { return false };
        handle.ask(|answer| Ask::Close(peer.id, answer)).await.unwrap_or(false)
    }

    /// Whether a key opens anything at all.
    pub(super) async fn knows_key(&self, key: &str) -> Result<(), ErrorBody> {
        match keys::shown(key).ok_or_else(no_such_key)? {
            Shown::OfLive(live) => self.owner_by_live_key(key, live).await.map(drop),
            Shown::Lasting(hash) => {
                let owner = self.parts.stores.live_keys.open(hash, now_ms()).await?;
                owner.map(drop).ok_or_else(no_such_key)
            }
        }
    }

    /// Whose key this is, at the address of a live.
    pub(super) async fn owner_by_key(&self, key: &str, live: LiveId) -> Result<Actor, ErrorBody> {
        let shown = keys::shown(key).ok_or_else(no_such_key)?;
        match shown {
            Shown::OfLive(of) => {
                let owner = self.owner_by_live_key(key, of).await?;
                if of == live { Ok(owner) } else { Err(not_yours()) }
            }
            Shown::Lasting(hash) => {
                let owner = self.parts.stores.live_keys.open(hash, now_ms()).await?;
                let owner = owner.ok_or_else(no_such_key)?;
                let view = self.view(owner.into(), live).await?;
                policy::read_live(&view.facts)?;
                if view.facts.post.relation.is_self { Ok(owner) } else { Err(not_yours()) }
            }
        }
    }

    /// The owner of the live whose own key this is; a dead key opens nothing.
    async fn owner_by_live_key(&self, key: &str, live: LiveId) -> Result<Actor, ErrorBody> {
        let nobody = Reader { user: None, role: communiconnect_protocol::Role::User };
        let found = self.parts.stores.lives.get(nobody, WhichLive::Id(live)).await?;
        let view = found.ok_or_else(no_such_key)?;
        let is_alive = view.live.state != LiveState::Ended;
        if !is_alive || !self.parts.mint.opens(key, live, view.generation) {
            return Err(no_such_key());
        }
        Ok(Actor { user: view.live.owner.id, role: view.live.owner.role })
    }

    /// The live that a key feeds, begun where none runs.
    async fn live_by_key(&self, key: &str, offered: &Offered) -> Result<(Actor, LiveId), ErrorBody> {
        let shown = keys::shown(key).ok_or_else(no_such_key)?;
        let hash = match shown {
            Shown::OfLive(live) => return Ok((self.owner_by_live_key(key, live).await?, live)),
            Shown::Lasting(hash) => hash,
        };
        let at = now_ms();
        let stores = &self.parts.stores;
        let owner = stores.live_keys.open(hash, at).await?.ok_or_else(no_such_key)?;
        if let Running::Carried(live) = self.running_of(owner).await? {
            return Ok((owner, live));
        }
        // Nothing is begun for an offer that cannot be read, nor where everybody is sent away.
        readable(offered)?;
        self.unless_draining()?;
        let last = stores.live_keys.last_end(owner.user).await?;
        if let Some(ms) = last.and_then(|last| key_rests(&last, at)) {
            let message = "the last live was ended a moment ago: stop the encoder, or wait";
            return Err(ErrorBody::new(Code::Conflict, message).retry_after(ms));
        }
        let view = self.begin_by_defaults(owner, stores.live_keys.defaults(owner.user).await?, at).await?;
        Ok((owner, view.live.id))
    }

    async fn begin_by_defaults(
        &self,
        owner: Actor,
        defaults: LiveDefaults,
        at: i64,
    ) -> Result<LiveView, ErrorBody> {
        let LiveDefaults { title: Some(title), community_id: Some(community_id), visibility } = defaults
        else {
            let message = "this key starts a live once `live.defaults` has set its title and community";
            return Err(ErrorBody::new(Code::Conflict, message));
        };
        let body = LiveStart {
            op: format!("whip-{:032x}", rand::rng().random::<u128>()),
            title,
            community_id,
            visibility: visibility.unwrap_or(Visibility::Public),
            description: None,
        };
        let op = op_of("live.start", &body.op, &body)?;
        let new = self.draft(&body, at)?;
        Ok(self.begin(owner, op, new).await?.0)
    }
}

/// Who a session's watcher is.
pub(super) fn person_of(reader: Reader, session: SessionId) -> Person {
    reader.user.map_or(Person::Guest(session), Person::User)
}

/// A verdict on the live's state counts only after the offer was found to be readable; any other comes first.
fn state_after_offer(verdict: policy::Verdict, offered: &Offered) -> Result<(), ErrorBody> {
    match verdict {
        Err(refusal) if refusal.code != Code::Conflict => Err(refusal),
        verdict => {
            readable(offered)?;
            verdict
        }
    }
}

fn readable(offered: &Offered) -> Result<(), ErrorBody> {
    match Offer::parse(&offered.sdp) {
        Err(error @ (OfferError::TooLarge(_) | OfferError::Malformed(_))) => {
            Err(ErrorBody { field: Some("sdp".into()), ..ErrorBody::new(error.code(), error.to_string()) })
        }
        // What is not supported comes after the live's state.
        Err(OfferError::Unsupported(_)) | Ok(_) => Ok(()),
    }
}

pub(super) fn not_restarted(error: RestartError) -> ErrorBody {
    match error {
        RestartError::NoSuchPeer => policy::not_found("peer"),
        RestartError::Offer(error) => {
            ErrorBody { field: Some("sdp".into()), ..ErrorBody::new(error.code(), error.to_string()) }
        }
        RestartError::NotARestart => ErrorBody::invalid("sdp", error.to_string()),
    }
}

fn no_such_key() -> ErrorBody {
    ErrorBody::new(
        Code::Unauthenticated,
        "this key opens no live: it is unknown, was replaced, or its live is over",
    )
}

fn not_yours() -> ErrorBody {
    ErrorBody::new(Code::Forbidden, "this key opens another live")
}
