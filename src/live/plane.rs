//! The media plane as the service sees it: offers in, answers and events out.
//!
//! Owns the handle to the shards and the signalling of peers. It knows peers and relays; lives, users and rights are the
//! service's.

mod addresses;
#[cfg(test)]
mod tests;

pub use super::shard::{
    Layer, LayerCause, MediaEvent, PeerEnd, PeerFigures, PeerId, PeerWarning, PlaneSettings,
    PublisherFigures, Relay, ViewerFigures,
};

use super::{
    forward::egress::Wish,
    media::MediaKind,
    rtc::{
        dtls::Identity,
        handshakes::Handshakes,
        ice::{Ice, IceCredentials},
        sdp::{self, Fragment, LocalSide, Offer, OfferError, SourceCodecs, Terms},
    },
    shard::{
        Closing, Common, Found, Handle, Newcomer, Order, Parts, Peers, Refused, Relays, Shard, Signalling,
        Waiting,
    },
};
use addresses::Addresses;
use parking_lot::Mutex;
use rand::Rng;
use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};
use thiserror::Error;
use tokio::sync::mpsc;

/// Events that may wait for the service; what is more waits in the shards.
const EVENTS: usize = 1024;

/// The media plane. Clones share it. It runs on threads of its own and outlives the runtime that asks it.
#[derive(Clone)]
pub struct MediaPlane {
    inner: Arc<Inner>,
}

struct Inner {
    common: Arc<Common>,
    identity: Arc<Identity>,
    shards: Arc<[Handle]>,
    addresses: Addresses,
    threads: Mutex<Vec<JoinHandle<()>>>,
    next_peer: AtomicU64,
    is_stopped: AtomicBool,
    port: u16,
}

/// A peer that was answered. It has [`PlaneSettings::silence`] to come, else it is [`MediaEvent::Closed`].
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its id, for everything that follows.
    pub peer: PeerId,
    /// The answer, SDP.
    pub answer: String,
    /// This side's credentials: what an ETag is made of (RFC 9725, section 4.3.1). Not for logs.
    pub ice: IceCredentials,
    /// What was agreed on, in the offer's order.
    pub kinds: Vec<MediaKind>,
}

/// Why an offer was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrepareError {
    /// The offer itself; [`OfferError::code`] says how a client is told.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// Too many peers of the same client address were prepared and have not connected. `rate_limited`.
    #[error("too many unfinished connections from this address; wait until some have connected or given up")]
    HalfOpen,
    /// [`PlaneSettings::peers`] are there. `unavailable`.
    #[error("this node has as many media peers as it may; try again later")]
    Full,
    /// The plane has stopped. `unavailable`.
    #[error("media has stopped on this node")]
    Stopped,
}

/// Why ICE was not restarted. The peer goes on as before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestartError {
    /// The peer has ended. `not_found`.
    #[error("there is no such peer any more")]
    NoSuchPeer,
    /// The offer cannot restart it.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The fragment has no new credentials.
    #[error("the fragment restarts nothing: it has no new credentials")]
    NotARestart,
}

/// ICE was restarted.
#[derive(Clone, Debug)]
pub struct Restarted {
    /// What to answer: SDP to an offer, a fragment to a fragment.
    pub answer: String,
    /// This side's new credentials.
    pub ice: IceCredentials,
}

impl MediaPlane {
    /// Binds the port and starts the threads. The events of all peers come by the receiver; see [`MediaEvent`].
    ///
    /// # Errors
    /// Where the address cannot be bound, or the system starts no threads.
    pub fn open(settings: PlaneSettings) -> io::Result<(Self, mpsc::Receiver<MediaEvent>)> {
        let count = settings.shard_count();
        let sockets = super::shard::bind(settings.udp, count)?;
        let first = sockets.first().expect("there is a shard at least");
        let (port, has_ipv6) = (first.port(), first.has_ipv6());
        let identity = Arc::new(Identity::generate().map_err(io::Error::other)?);
        let (handshakes, thread) = Handshakes::start(identity.clone())?;
        let addresses = Addresses::new(&settings, port, has_ipv6);
        let common = Arc::new(Common {
            peers: Peers::new(&settings),
            settings,
            handshakes,
            relays: Relays::default(),
        });
        let (events, receiver) = mpsc::channel(EVENTS);
        let (mut handles, mut parts) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (poll, waker) = super::shard::poll()?;
            let (orders, inbox) = crossbeam_channel::unbounded();
            handles.push(Handle::new(orders, waker));
            parts.push((poll, inbox));
        }
        let shards: Arc<[Handle]> = handles.into();
        let mut threads = vec![thread];
        for (place, (sockets, (poll, inbox))) in sockets.into_iter().zip(parts).enumerate() {
            let (common, shards, events) = (common.clone(), shards.clone(), events.clone());
            let shard = Shard::new(Parts { place, common, shards, inbox, poll, sockets, events })?;
            threads.push(thread::Builder::new().name(format!("live-shard-{place}")).spawn(|| shard.run())?);
        }
        let inner = Inner {
            common,
            identity,
            shards,
            addresses,
            threads: Mutex::new(threads),
            next_peer: AtomicU64::new(1),
            is_stopped: AtomicBool::new(false),
            port,
        };
        Ok((Self { inner: Arc::new(inner) }, receiver))
    }

    /// The UDP port that media comes to.
    pub fn port(&self) -> u16 {
        self.inner.port
    }

    /// A relay for a live: where its publisher and its viewers meet. Keep it for the live's whole life.
    pub fn new_source(&self) -> Arc<Relay> {
        self.inner.common.relays.make(self.inner.shards.len())
    }

    /// Answers somebody who wants to send, coming from `client`. Where the relay has a publisher already, the newer one's
    /// first packet takes its place; close the older one.
    ///
    /// # Errors
    /// [`PrepareError`]; nothing is left behind then.
    pub fn publish(&self, relay: &Arc<Relay>, offer: &str, client: IpAddr) -> Result<Prepared, PrepareError> {
        let terms = Terms::Publish { max_bitrate: self.inner.common.settings.publisher_bitrate };
        self.prepare(relay, offer, &terms, client)
    }

    /// Answers somebody who wants to watch, coming from `client`. What the relay's source sends, or sent last, says
    /// which codecs are needed.
    ///
    /// # Errors
    /// [`PrepareError`]; nothing is left behind then.
    pub fn watch(&self, relay: &Arc<Relay>, offer: &str, client: IpAddr) -> Result<Prepared, PrepareError> {
        let source = relay.source().load();
        let source = SourceCodecs {
            audio: source.audio.as_ref().map(|encoding| encoding.codec),
            video: source.video.first().map(|encoding| encoding.codec),
        };
        let cname = token::<16>();
        let terms = Terms::Watch { source, cname: &cname, ssrcs: rand::rng().random() };
        self.prepare(relay, offer, &terms, client)
    }

    fn prepare(
        &self,
        relay: &Arc<Relay>,
        offer: &str,
        terms: &Terms<'_>,
        client: IpAddr,
    ) -> Result<Prepared, PrepareError> {
        if self.inner.is_stopped.load(Ordering::Acquire) {
            return Err(PrepareError::Stopped);
        }
        let offer = Offer::parse(offer)?;
        let ice = credentials();
        let session_id = rand::rng().random::<u64>() >> 1;
        let candidates = self.inner.addresses.candidates();
        let local = self.inner.side(&ice, &candidates, (session_id, 1));
        let (negotiated, answer) = sdp::answer(&offer, terms, &local)?;
        let id = PeerId(self.inner.next_peer.fetch_add(1, Ordering::Relaxed));
        let kinds = negotiated.kinds();
        let agent = Ice::new(ice.clone(), negotiated.ice.clone());
        let waiting = Waiting { id, ice: agent, negotiated: negotiated.clone(), relay: relay.clone() };
        let signalling = Signalling { negotiated, session_id, session_version: 1 };
        let newcomer = Newcomer { waiting, signalling, ufrag: ice.ufrag.clone(), client };
        let expires = Instant::now() + self.inner.common.settings.silence;
        self.inner.common.peers.add(newcomer, expires).map_err(|refused| match refused {
            Refused::HalfOpen => PrepareError::HalfOpen,
            Refused::Full => PrepareError::Full,
        })?;
        Ok(Prepared { peer: id, answer, ice, kinds })
    }

    /// Takes a candidate of the peer's, or its last. A lite agent needs none of them: the peer's checks tell where it is.
    ///
    /// # Errors
    /// [`RestartError::NoSuchPeer`] where it has ended.
    pub fn trickle(&self, peer: PeerId) -> Result<(), RestartError> {
        if self.inner.common.peers.contains(peer) { Ok(()) } else { Err(RestartError::NoSuchPeer) }
    }

    /// Restarts ICE by an offer; media goes on over the old address until the new one is nominated.
    ///
    /// # Errors
    /// [`RestartError`]; the peer goes on as before.
    pub fn restart(&self, peer: PeerId, offer: &str) -> Result<Restarted, RestartError> {
        let offer = Offer::parse(offer)?;
        self.restart_with(peer, |signalling, local| {
            Ok(sdp::answer_restart(&offer, &mut signalling.negotiated, local)?)
        })
    }

    /// Restarts ICE by a fragment (WHIP and WHEP's PATCH) with new credentials.
    ///
    /// # Errors
    /// [`RestartError`]; the peer goes on as before.
    pub fn restart_by_fragment(&self, peer: PeerId, fragment: &Fragment) -> Result<Restarted, RestartError> {
        self.restart_with(peer, |signalling, local| {
            let remote = fragment.restarts(&signalling.negotiated.ice).ok_or(RestartError::NotARestart)?;
            signalling.negotiated.ice = remote.clone();
            Ok(sdp::restart_fragment(&signalling.negotiated, local))
        })
    }

    fn restart_with(
        &self,
        peer: PeerId,
        answer: impl FnOnce(&mut Signalling, &LocalSide<'_>) -> Result<String, RestartError>,
    ) -> Result<Restarted, RestartError> {
        let ice = credentials();
        let candidates = self.inner.addresses.candidates();
        let result = self.inner.common.peers.restart(peer, &ice, |signalling, found| {
            let version = signalling.session_version + 1;
            let local = self.inner.side(&ice, &candidates, (signalling.session_id, version));
            let answer = answer(signalling, &local)?;
            signalling.session_version = version;
            let remote = signalling.negotiated.ice.clone();
            match found {
                // A former restart's user name leads to the peer a little longer than it is valid.
                Found::Waiting(agent) => drop(agent.restart(ice.clone(), remote)),
                Found::On(shard) => {
                    self.inner.shards[shard].order(Order::Restart { peer, local: ice.clone(), remote });
                }
            }
            Ok::<_, RestartError>(answer)
        });
        let answer = result.ok_or(RestartError::NoSuchPeer)??;
        Ok(Restarted { answer, ice })
    }

    /// A viewer wishes for a quality. Nothing happens where it has ended.
    pub fn wish(&self, peer: PeerId, wish: Wish) {
        if let Some(shard) = self.inner.common.peers.shard_of(peer) {
            self.inner.shards[shard].order(Order::Wish(peer, wish));
        }
    }

    /// Says goodbye to a peer and sends it nothing more. [`MediaEvent::Closed`] follows; nothing happens where it has ended.
    pub fn close(&self, peer: PeerId) {
        match self.inner.common.peers.close(peer) {
            Some(Closing::On(shard)) => self.inner.shards[shard].order(Order::Close(peer)),
            Some(Closing::Done) => self.inner.tell_closed(peer),
            None => {}
        }
    }

    /// Says goodbye to everybody and ends the threads; waits for them, a second or so. Offers are refused from here on.
    pub fn stop(&self) {
        self.inner.is_stopped.store(true, Ordering::Release);
        for peer in self.inner.common.peers.drain_waiting() {
            self.inner.tell_closed(peer);
        }
        for shard in self.inner.shards.iter() {
            shard.order(Order::Stop);
        }
        // The first is the handshakes' own, which ends with the last handle to it: ours goes with the plane.
        for thread in self.inner.threads.lock().drain(..).skip(1) {
            if thread.join().is_err() {
                tracing::error!("a media thread had ended by a panic");
            }
        }
    }
}

impl Inner {
    fn side<'a>(
        &'a self,
        ice: &'a IceCredentials,
        candidates: &'a [sdp::Candidate],
        (session_id, session_version): (u64, u64),
    ) -> LocalSide<'a> {
        LocalSide { ice, fingerprint: self.identity.fingerprint(), candidates, session_id, session_version }
    }

    fn tell_closed(&self, peer: PeerId) {
        let event = MediaEvent::Closed { peer, reason: PeerEnd::Closed };
        self.shards[0].order(Order::Tell(event));
    }
}

/// Random ice-chars: 6 bits each.
fn token<const N: usize>() -> String {
    const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let random: [u8; N] = rand::rng().random();
    random.iter().map(|byte| char::from(ICE_CHARS[usize::from(byte % 64)])).collect()
}

/// RFC 8445 asks for 24 bits of user name and 128 of password; the user name leads to the peer, so it has 60.
fn credentials() -> IceCredentials {
    IceCredentials { ufrag: token::<10>(), pwd: token::<24>() }
}
