//! One thread of the media plane: a batch in, opened, stored; viewers pull, seal and send in runs.
//!
//! # How it runs
//!
//! Each round receives what waits, hands media to publishers' rings, then serves every peer that is due: because its
//! source moved, because it said something, or because its time has come. Serving appends all that a viewer is owed to one
//! buffer, seals it there, and sends it as few runs. No lock is held meanwhile, and a shard waits for nothing but its sockets.
//!
//! A peer is owned by the shard at which its first authentic datagram arrived. Packets are never passed between shards:
//! rings are readable by all, and a shard is only told that a ring has grown. Datagrams of a peer that arrive elsewhere,
//! because it moved, are handed to the owner.

mod count;
mod event;
mod order;
mod outbox;
mod peer;
mod registry;
mod relay;
mod serve;
mod settings;
mod socket;
mod tend;
mod timers;

pub use event::{
    Layer, LayerCause, MediaEvent, PeerEnd, PeerFigures, PeerId, PeerWarning, PublisherFigures, ViewerFigures,
};
pub use relay::Relay;
pub use settings::PlaneSettings;

pub(super) use order::{Handle, Order};
pub(super) use registry::{Closing, Found, Newcomer, Peers, Refused, Signalling, Waiting};
pub(super) use relay::Relays;
pub(super) use socket::{Sockets, bind};

use super::{
    forward::{
        outgoing::Outgoing,
        ration::{REPLAY_SHARE, Ration},
    },
    rtc::{
        handshakes::{Handshakes, Report},
        ice::{IceAction, MAX_RESPONSE, Tuple},
        mux::{self, Packet},
    },
};
use count::{Counts, Drop};
use crossbeam_channel::Receiver;
use mio::{Events, Poll, Token, Waker};
use outbox::Outbox;
use peer::{Media, Peer};
use registry::{Arrival, Claim};
use relay::RelayId;
use slab::Slab;
use socket::ReceiveBuffers;
use std::{
    collections::HashMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use timers::Timers;
use tokio::sync::mpsc;

/// Batches received in one round, so that sending is never starved: 256 datagrams, or as many runs of joined ones.
const BATCHES: usize = 8;

/// Figures, liveness and metrics.
const SECOND: Duration = Duration::from_secs(1);

/// How long a round waits for the rest of a frame when many watch: longer runs cost less for each packet, and nobody
/// sees 2 ms.
const COLLECT: Duration = Duration::from_millis(2);

/// Viewers on one shard from which collecting pays.
const COLLECT_FROM: usize = 32;

/// Once its goodbye was asked for, a peer is given up after this even if the handshakes' thread does not answer.
const GOODBYE: Duration = Duration::from_secs(1);

/// What all shards of a plane share.
pub(super) struct Common {
    pub(super) settings: PlaneSettings,
    pub(super) peers: Peers,
    pub(super) handshakes: Handshakes<PeerId, Handle>,
    pub(super) relays: Relays,
}

/// The waker's token: behind those of the sockets.
const WAKE: Token = Token(usize::MAX);

/// A poll with its waker, made before the shard so that others can reach it from the start.
pub(super) fn poll() -> io::Result<(Poll, Waker)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    Ok((poll, waker))
}

/// Where datagrams from an address go.
#[derive(Clone, Copy, Debug)]
enum Route {
    /// To a peer here.
    Here(usize),
    /// To a peer of another shard.
    On(PeerId, usize),
}

/// Who watches a relay here.
struct Audience {
    relay: Arc<Relay>,
    viewers: Vec<usize>,
    /// The publisher is in the middle of a frame: viewers are served when it is complete, or then.
    held_until: Option<Instant>,
}

/// One shard. Made, then [run](Shard::run) on a thread of its own.
pub(super) struct Shard {
    place: usize,
    common: Arc<Common>,
    shards: Arc<[Handle]>,
    inbox: Receiver<Order>,
    poll: Poll,
    sockets: Sockets,
    peers: Slab<Peer>,
    by_id: HashMap<PeerId, usize>,
    routes: HashMap<Tuple, Route>,
    audiences: HashMap<RelayId, Audience>,
    timers: Timers,
    due: Vec<usize>,
    out: Outgoing,
    rtcp: Vec<u8>,
    outbox: Outbox,
    has_backlog: bool,
    replays: Ration<PeerId>,
    counts: Counts,
    next_second: Instant,
    now: Instant,
    is_stopping: bool,
}

/// What a shard is made of.
pub(super) struct Parts {
    pub(super) place: usize,
    pub(super) common: Arc<Common>,
    pub(super) shards: Arc<[Handle]>,
    pub(super) inbox: Receiver<Order>,
    pub(super) poll: Poll,
    pub(super) sockets: Sockets,
    pub(super) events: mpsc::Sender<MediaEvent>,
}

impl Shard {
    pub(super) fn new(mut parts: Parts) -> io::Result<Self> {
        parts.sockets.register(parts.poll.registry())?;
        let now = Instant::now();
        let own_part = parts.common.settings.egress_bitrate / parts.shards.len().max(1) as u64;
        let replays = Ration::new(own_part * REPLAY_SHARE / 100, now);
        Ok(Self {
            place: parts.place,
            common: parts.common,
            shards: parts.shards,
            inbox: parts.inbox,
            poll: parts.poll,
            sockets: parts.sockets,
            peers: Slab::new(),
            by_id: HashMap::new(),
            routes: HashMap::new(),
            audiences: HashMap::new(),
            timers: Timers::default(),
            due: Vec::new(),
            out: Outgoing::new(0),
            rtcp: Vec::new(),
            outbox: Outbox::new(parts.events),
            has_backlog: false,
            replays,
            counts: Counts::default(),
            next_second: now + SECOND,
            now,
            is_stopping: false,
        })
    }

    /// Runs until it is told to stop and everybody has been said goodbye to.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(8);
        let mut buffers = ReceiveBuffers::new();
        while !(self.is_stopping && self.peers.is_empty()) {
            if let Err(error) = self.poll.poll(&mut events, self.patience())
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a media thread cannot wait for its sockets and ends");
                break;
            }
            for event in &events {
                self.sockets.set_readable(event.token());
            }
            self.round(&mut buffers);
        }
        self.counts.publish();
        self.outbox.finish();
    }

    /// How long there is nothing to do.
    fn patience(&self) -> Option<Duration> {
        if self.sockets.is_readable() || !self.inbox.is_empty() {
            return Some(Duration::ZERO);
        }
        let held = self.audiences.values().filter_map(|audience| audience.held_until).min();
        let due = [Some(self.next_second), self.timers.next(), held].into_iter().flatten().min();
        let due = due.expect("there is always a next second").saturating_duration_since(Instant::now());
        // What the service has not fetched is offered again soon.
        Some(if self.has_backlog { due.min(Duration::from_millis(10)) } else { due })
    }

    fn round(&mut self, buffers: &mut ReceiveBuffers) {
        self.now = Instant::now();
        while let Ok(order) = self.inbox.try_recv() {
            self.take(order);
        }
        for _ in 0..BATCHES {
            if !self.sockets.is_readable() {
                break;
            }
            self.receive(buffers);
        }
        while let Some((place, entry)) = self.timers.pop(self.now) {
            if self.peers.get_mut(place).is_some_and(|peer| peer.alarm.rings(entry)) {
                self.mark_due(place);
            }
        }
        self.release_held();
        self.serve_due();
        if self.now >= self.next_second {
            self.next_second = self.now + SECOND;
            self.tend();
        }
        self.has_backlog = self.outbox.flush();
    }

    fn receive(&mut self, buffers: &mut ReceiveBuffers) {
        for socket in 0..self.sockets.len() {
            self.sockets.receive(socket, buffers);
            buffers.each(|tuple, datagram| {
                self.counts.received += 1;
                if let Err(reason) = self.on_datagram(tuple, datagram) {
                    self.counts.drop(reason);
                }
            });
        }
    }

    fn on_datagram(&mut self, tuple: Tuple, datagram: &mut [u8]) -> Result<(), Drop> {
        let packet = mux::packet(datagram).ok_or(Drop::Garbage)?;
        match (packet, self.routes.get(&tuple).copied()) {
            (Packet::Stun, route) => self.on_stun(tuple, route, datagram),
            (_, Some(Route::Here(place))) => self.on_packet(place, tuple, packet, datagram),
            (_, Some(Route::On(peer, shard))) => self.hand_over(peer, shard, tuple, datagram),
            (_, None) => Err(Drop::Stranger),
        }
    }

    fn on_stun(&mut self, tuple: Tuple, route: Option<Route>, datagram: &[u8]) -> Result<(), Drop> {
        // The user name decides, for one socket of a client may serve one peer after the other.
        let arrival = Arrival { at: self.now, tuple, via: self.place };
        let mut response = [0; MAX_RESPONSE];
        match self.common.peers.claim(arrival, datagram, &mut response) {
            Claim::Nobody(Some(len)) => {
                self.send(tuple, &response[..len]);
                Err(Drop::Forged)
            }
            Claim::Nobody(None) => match route {
                // An answer to a request of ours has no user name.
                Some(Route::Here(place)) => self.on_check(place, arrival, datagram),
                Some(Route::On(peer, shard)) => self.hand_over(peer, shard, tuple, datagram),
                None => Err(Drop::Stranger),
            },
            Claim::On(peer, shard) if shard == self.place => {
                let place = *self.by_id.get(&peer).ok_or(Drop::Stranger)?;
                self.on_check(place, arrival, datagram)
            }
            Claim::On(peer, shard) => self.hand_over(peer, shard, tuple, datagram),
            Claim::Mine(waiting, action) => {
                let id = waiting.id;
                let place = self.peers.insert(Peer::new(*waiting, self.now));
                self.by_id.insert(id, place);
                self.after_check(place, arrival, action, &response);
                let handshake = &mut self.peers[place].handshake;
                let trusted = std::mem::take(&mut handshake.trusted);
                let own = self.shards[self.place].clone();
                self.common.handshakes.begin(id, handshake.role, trusted, own);
                Ok(())
            }
        }
    }

    fn hand_over(&mut self, peer: PeerId, shard: usize, tuple: Tuple, datagram: &[u8]) -> Result<(), Drop> {
        if self.shards[shard].datagram(peer, tuple, self.place, datagram) { Ok(()) } else { Err(Drop::Busy) }
    }

    /// A STUN datagram of a peer here.
    fn on_check(&mut self, place: usize, arrival: Arrival, datagram: &[u8]) -> Result<(), Drop> {
        let mut response = [0; MAX_RESPONSE];
        let action = self.peers[place].ice.on_stun(self.now, arrival.tuple, datagram, &mut response);
        self.after_check(place, arrival, action, &response);
        if action.authenticated || action.confirmed { Ok(()) } else { Err(Drop::Forged) }
    }

    fn after_check(
        &mut self,
        place: usize,
        arrival: Arrival,
        action: IceAction,
        response: &[u8; MAX_RESPONSE],
    ) {
        let Arrival { tuple, via, .. } = arrival;
        if let Some(len) = action.response {
            self.send(tuple, &response[..len]);
        }
        if action.admitted {
            self.peers[place].tuples.push((tuple, via));
            self.route(place, tuple, via, true);
        }
        if let Some(old) = action.forgotten {
            let tuples = &mut self.peers[place].tuples;
            if let Some(at) = tuples.iter().position(|(tuple, _)| *tuple == old) {
                let (_, via) = tuples.swap_remove(at);
                self.route(place, old, via, false);
            }
        }
        let peer = &mut self.peers[place];
        if action.retired {
            self.common.peers.retire(peer.id);
        }
        if action.authenticated {
            peer.heard = self.now;
        }
        if action.moved_to.is_some() {
            peer.confirmation.on_move();
        }
        if action.moved_to.is_some() || action.confirmed {
            self.on_address(place);
        } else {
            self.challenge(place);
        }
    }

    /// Asks a peer that is sent media to show that it arrives, where that is not known.
    fn challenge(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        if peer.is_open()
            && let Some((tuple, request)) = peer.ice.challenge(self.now, rand::random())
        {
            self.send(tuple, &request);
        }
    }

    /// Leads datagrams from an address to a peer here, or no more.
    fn route(&mut self, place: usize, tuple: Tuple, via: usize, leads_here: bool) {
        let id = self.peers[place].id;
        if via != self.place {
            let to = leads_here.then_some((id, self.place));
            self.shards[via].order(Order::Route(tuple, to));
        } else if leads_here {
            self.routes.insert(tuple, Route::Here(place));
        } else if matches!(self.routes.get(&tuple), Some(Route::Here(known)) if *known == place) {
            self.routes.remove(&tuple);
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Moved(relay) => {
                relay.on_told(self.place);
                self.on_moved(relay.id());
            }
            Order::Handshake(peer, report) => {
                if let Some(&place) = self.by_id.get(&peer) {
                    self.on_report(place, report);
                }
            }
            Order::Datagram { peer, tuple, via, mut datagram } => {
                self.shards[self.place].took_datagram();
                if let Err(reason) = self.on_handed(peer, tuple, via, &mut datagram) {
                    self.counts.drop(reason);
                }
            }
            Order::Route(tuple, Some((peer, shard))) => {
                self.routes.insert(tuple, Route::On(peer, shard));
            }
            Order::Route(tuple, None) => {
                if matches!(self.routes.get(&tuple), Some(Route::On(..))) {
                    self.routes.remove(&tuple);
                }
            }
            Order::Restart { peer, local, remote } => {
                if let Some(&place) = self.by_id.get(&peer)
                    && let Some(ufrag) = self.peers[place].ice.restart(local, remote)
                {
                    self.common.peers.void(peer, &ufrag);
                }
            }
            Order::Wish(peer, wish) => {
                if let Some(&place) = self.by_id.get(&peer)
                    && let Media::Viewer(viewer) = &mut self.peers[place].media
                {
                    viewer.egress.wish(wish);
                    self.mark_due(place);
                }
            }
            Order::Close(peer) => {
                if let Some(&place) = self.by_id.get(&peer) {
                    self.say_goodbye(place, PeerEnd::Closed);
                }
            }
            Order::Tell(event) => self.outbox.tell(event),
            Order::Stop => {
                self.is_stopping = true;
                for place in self.by_id.values().copied().collect::<Vec<_>>() {
                    self.say_goodbye(place, PeerEnd::Closed);
                }
            }
        }
    }

    fn on_handed(&mut self, peer: PeerId, tuple: Tuple, via: usize, datagram: &mut [u8]) -> Result<(), Drop> {
        let place = *self.by_id.get(&peer).ok_or(Drop::Stranger)?;
        match mux::packet(datagram).ok_or(Drop::Garbage)? {
            Packet::Stun => self.on_check(place, Arrival { at: self.now, tuple, via }, datagram),
            packet if self.peers[place].ice.knows(tuple) => self.on_packet(place, tuple, packet, datagram),
            _ => Err(Drop::Stranger),
        }
    }

    fn on_report(&mut self, place: usize, report: Report) {
        match report {
            Report::Send(datagram) => self.send_to_peer(place, &datagram),
            Report::Established { keys, flight } => {
                self.on_keys(place, &keys);
                for datagram in flight {
                    self.send_to_peer(place, &datagram);
                }
            }
            Report::Failed(error) => {
                tracing::debug!(peer = %self.peers[place].id, %error, "a handshake failed");
                self.end(place, PeerEnd::DtlsFailed);
            }
            Report::ClosedByPeer => self.end(place, PeerEnd::ClosedByPeer),
            Report::Closed => self.end(place, PeerEnd::Closed),
        }
    }

    fn send_to_peer(&mut self, place: usize, datagram: &[u8]) {
        if let Some(tuple) = self.peers[place].ice.send_to(self.now) {
            self.send(tuple, datagram);
        }
    }

    fn send(&mut self, tuple: Tuple, datagram: &[u8]) {
        let sent = self.sockets.send(tuple, datagram);
        self.counts.sent(sent);
    }

    fn mark_due(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        if !peer.is_due {
            peer.is_due = true;
            self.due.push(place);
        }
    }
}
