//! What this node carries: lives by id, peers by every name they have.
//!
//! Owns nothing of their state: a live is a task with a mailbox (`onair`), a peer is an entry that leads to it.

use super::{
    notices::Streams,
    onair::Handle,
    plane::{Layer as MediaLayer, PeerId as MediaPeer},
};
use communiconnect_protocol::{Layer, LiveId, PeerId, RtcCloseReason, SessionId, UserId};
use dashmap::DashMap;
use rand::Rng;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};
use tokio::sync::watch;

/// Who commands a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerOwner {
    /// A person, from any session or by HTTP.
    User(UserId),
    /// A guest, from the session.
    Session(SessionId),
    /// Whoever knows its secret address (WHEP without a token).
    Holder,
}

/// Which way a peer's media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerRole {
    /// To the server.
    Publisher,
    /// From the server.
    Viewer,
}

/// A token or a key, as a session remembers what it was made with: by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential([u8; 32]);

impl Credential {
    /// Of what was shown.
    pub fn of(shown: &str) -> Self {
        Self(Sha256::digest(shown).into())
    }
}

/// What the resource of a session over HTTP must know of its making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What it was made with: this commands it also after it has run out or was replaced.
    pub by: Option<Credential>,
    /// Index of the answer's video section, if it has one.
    pub video: Option<usize>,
}

impl Resource {
    /// Of a session that was just answered.
    pub fn of(by: Option<Credential>, answer: &str) -> Self {
        let mut sections = answer.lines().filter(|line| line.starts_with("m="));
        Self { by, video: sections.position(|line| line.starts_with("m=video")) }
    }
}

/// One peer, as signalling knows it.
pub struct PeerEntry {
    /// Its id for clients.
    pub id: PeerId,
    /// Of which live.
    pub live: LiveId,
    /// Which way its media goes.
    pub role: PeerRole,
    /// Who commands it.
    pub owner: PeerOwner,
    /// 128 random bits that name its resource over HTTP: whoever knows them may, where nobody owns it.
    pub secret: String,
    pub(super) media: MediaPeer,
    state: watch::Sender<PeerState>,
    resource: OnceLock<Resource>,
    streams: Streams,
}

/// Without its secrets: who logs a peer must not let others in.
impl fmt::Debug for PeerEntry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PeerEntry({}, {:?} of {})", self.id, self.role, self.live)
    }
}

/// What changes about a peer.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerState {
    etag: String,
    pub(super) layers: Vec<Layer>,
    current: Option<String>,
    /// Why it is closed, once it is.
    pub(super) closing: Option<RtcCloseReason>,
}

impl PeerEntry {
    /// The ETag of its present ICE session (RFC 9725, section 4.3.1), without quotes.
    pub fn etag(&self) -> String {
        self.state.borrow().etag.clone()
    }

    /// What its source sends, the smallest first, and the one that it gets.
    pub fn layers(&self) -> (Vec<Layer>, Option<String>) {
        let state = self.state.borrow();
        (state.layers.clone(), state.current.clone())
    }

    /// Notes what its resource over HTTP must know; the first time counts.
    pub fn set_resource(&self, resource: Resource) {
        // It is set once, before its address is told to anybody.
        let _ = self.resource.set(resource);
    }

    /// What its resource over HTTP must know, if it has one.
    pub fn resource(&self) -> Option<Resource> {
        self.resource.get().copied()
    }

    /// The event streams of its player.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    pub(super) fn changes(&self) -> watch::Receiver<PeerState> {
        self.state.subscribe()
    }

    pub(super) fn set_etag(&self, etag: String) {
        self.state.send_modify(|state| state.etag = etag);
    }

    pub(super) fn set_layers(&self, layers: Vec<Layer>, current: Option<String>) {
        self.state.send_modify(|state| (state.layers, state.current) = (layers, current));
    }

    /// Whether this is the first who closes it; notes why.
    pub(super) fn begin_closing(&self, reason: RtcCloseReason) -> bool {
        self.state.send_if_modified(|state| {
            let is_first = state.closing.is_none();
            state.closing.get_or_insert(reason);
            is_first
        })
    }
}

/// A peer to be entered.
#[derive(Debug)]
pub(super) struct NewPeer {
    pub(super) id: PeerId,
    pub(super) media: MediaPeer,
    pub(super) live: LiveId,
    pub(super) role: PeerRole,
    pub(super) owner: PeerOwner,
    pub(super) etag: String,
}

/// Lives and peers of this node. The media plane bounds how many peers there are, `live.lives` how many lives.
#[derive(Default)]
pub(super) struct Registry {
    lives: DashMap<LiveId, Handle>,
    peers: DashMap<PeerId, Arc<PeerEntry>>,
    by_media: DashMap<MediaPeer, Arc<PeerEntry>>,
    by_secret: DashMap<String, Arc<PeerEntry>>,
    /// Which lives a session has joined, so that its end need not be told to all of them.
    joined: DashMap<SessionId, Vec<LiveId>>,
}

/// Lives that one session is remembered to have joined; beyond it the oldest are forgotten, and their audiences let the
/// session go when the live ends.
const JOINED: usize = 64;

impl Registry {
    pub(super) fn live(&self, id: LiveId) -> Option<Handle> {
        self.lives.get(&id).map(|handle| handle.clone())
    }

    pub(super) fn lives(&self) -> Vec<Handle> {
        self.lives.iter().map(|handle| handle.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lives.len()
    }

    /// Enters a live unless it is there; answers the one that is.
    pub(super) fn enter(&self, id: LiveId, make: impl FnOnce() -> Handle) -> Handle {
        self.lives.entry(id).or_insert_with(make).clone()
    }

    pub(super) fn forget_live(&self, id: LiveId) {
        self.lives.remove(&id);
    }

    pub(super) fn note_join(&self, session: SessionId, live: LiveId) {
        let mut joined = self.joined.entry(session).or_default();
        if !joined.contains(&live) {
            joined.push(live);
        }
        if joined.len() > JOINED {
            joined.remove(0);
        }
    }

    pub(super) fn has_joined(&self, session: SessionId) -> bool {
        self.joined.contains_key(&session)
    }

    pub(super) fn take_joined(&self, session: SessionId) -> Vec<LiveId> {
        self.joined.remove(&session).map(|(_, lives)| lives).unwrap_or_default()
    }

    pub(super) fn enter_peer(&self, new: NewPeer) -> Arc<PeerEntry> {
        let secret: u128 = rand::rng().random();
        let entry = Arc::new(PeerEntry {
            id: new.id,
            live: new.live,
            role: new.role,
            owner: new.owner,
            secret: format!("{secret:032x}"),
            media: new.media,
            state: watch::Sender::new(PeerState { etag: new.etag, ..PeerState::default() }),
            resource: OnceLock::new(),
            streams: Streams::default(),
        });
        self.peers.insert(entry.id, entry.clone());
        self.by_secret.insert(entry.secret.clone(), entry.clone());
        // Last: from here on the plane's events find it.
        self.by_media.insert(entry.media, entry.clone());
        entry
    }

    pub(super) fn forget_peer(&self, entry: &PeerEntry) {
        self.peers.remove(&entry.id);
        self.by_secret.remove(&entry.secret);
        self.by_media.remove(&entry.media);
    }

    pub(super) fn peer(&self, id: PeerId) -> Option<Arc<PeerEntry>> {
        self.peers.get(&id).map(|entry| entry.clone())
    }

    pub(super) fn peer_by_media(&self, media: MediaPeer) -> Option<Arc<PeerEntry>> {
        self.by_media.get(&media).map(|entry| entry.clone())
    }

    pub(super) fn peer_by_secret(&self, secret: &str) -> Option<Arc<PeerEntry>> {
        self.by_secret.get(secret).map(|entry| entry.clone())
    }

    /// Sorts what came of many peers by their lives.
    pub(super) fn by_live<T>(&self, items: Vec<(MediaPeer, T)>) -> HashMap<LiveId, Vec<(Arc<PeerEntry>, T)>> {
        let mut sorted: HashMap<LiveId, Vec<_>> = HashMap::new();
        for (media, item) in items {
            if let Some(entry) = self.peer_by_media(media) {
                sorted.entry(entry.live).or_default().push((entry, item));
            }
        }
        sorted
    }
}

/// A layer as clients see it.
pub(super) fn layer(layer: &MediaLayer) -> Layer {
    Layer {
        rid: layer.rid.clone().unwrap_or_default(),
        width: layer.width,
        height: layer.height,
        fps: layer.fps,
        bitrate: layer.bitrate,
    }
}
