//! The one door to lives: for commands of sockets, for WHIP and for WHEP alike.
//!
//! Checks what was asked, judges it by `social::policy`, and hands it to the store or to the task of the live (`onair`).
//! Errors come in the contract's order: who asks, whether the thing exists for them, whether they may, then the offer's
//! size and syntax, then the live's state, then what of the offer is not supported, then limits.

use super::{
    chat::Exempt,
    ice_servers::IceServers,
    keys::{self, KeyMint, Shown, key_rests},
    leases::Leases,
    machine::Stop,
    onair::{Answered, Ask, Handle, Offered, OnAir, Right, Watcher},
    plane::{MediaEvent, MediaPlane},
    registry::{PeerOwner, Registry},
    rtc::sdp::{Offer, OfferError},
    settings::{LEASE, LiveSettings},
};
use crate::{
    broker::{Broadcast, SharedBroker},
    clock::now_ms,
    hub::{Hub, SessionEnds},
    social::{
        Act, RateLimits,
        cursor::{List, page_limit},
        feeds::{Page, fill},
        op::op_of,
        policy,
        text::Text,
    },
    store::{
        Actor, LiveFacts, Op, Reader, Stores,
        chat::{Ban, NewMessage, SlowMode},
        live_keys::DefaultsChange,
        lives::{Held, Lease, LiveEnd, LiveQuery, LiveView, NewLive, WhichLive},
    },
    tasks::Tasks,
};
use communiconnect_protocol::{
    Banned, Carrier, Changed, ChatDelete, ChatSend, ChatSent, ChatSlowMode, Code, Counted, Data, ErrorBody,
    IceServer, LiveBan, LiveBans, LiveDefaults, LiveDefaultsReply, LiveDefaultsSet, LiveId, LiveKey,
    LiveKeyInfo, LiveList, LiveReact, LiveReason, LiveReply, LiveReport, LiveReportReply, LiveStart,
    LiveStarted, LiveState, Lives, RtcCloseReason, SessionId, UserId, Visibility,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

mod abandoned;
mod chat;
mod elsewhere;
mod lives;
#[cfg(test)]
mod outage;
mod probe;
mod resources;
mod signalling;
#[cfg(test)]
mod taps;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use abandoned::end_unheld;
pub use elsewhere::Sought;
pub use resources::Watching;
pub use signalling::{Restarted, Sender, Viewer};

/// What lives are carried by.
pub struct LiveParts {
    /// Bounds and times.
    pub settings: LiveSettings,
    /// The store.
    pub stores: Stores,
    /// The secret that stream keys are made with, the same on every node of a store.
    pub secret: [u8; 32],
    /// Rate limits of people, shared with the other rules.
    pub rates: Arc<RateLimits>,
    /// Media.
    pub plane: MediaPlane,
    /// Carries states and signals.
    pub broker: SharedBroker,
    /// Tells sessions what concerns them alone.
    pub hub: Arc<Hub>,
    /// Where lives run.
    pub tasks: Tasks,
}

/// What every live on this node shares.
pub(super) struct Parts {
    pub(super) settings: LiveSettings,
    pub(super) stores: Stores,
    pub(super) plane: MediaPlane,
    pub(super) registry: Registry,
    pub(super) leases: Leases,
    pub(super) tasks: Tasks,
    mint: KeyMint,
    probes: probe::Probes,
    others: elsewhere::Others,
    rates: Arc<RateLimits>,
    broker: SharedBroker,
    hub: Arc<Hub>,
}

impl Parts {
    /// Carries a state or a signal to whoever listens; a lost one is replaced by the next.
    pub(super) async fn broadcast(&self, broadcast: Broadcast) {
        if let Err(error) = self.broker.publish(vec![broadcast]).await {
            tracing::debug!(%error, "figures of a live were not carried");
        }
    }

    /// Tells a peer's owner what concerns them alone.
    pub(super) fn tell(&self, owner: PeerOwner, event: &str, data: Data) {
        match owner {
            PeerOwner::User(user) => self.hub.message_to_user(user, event, &data),
            PeerOwner::Session(session) => self.hub.message_to_session(session, event, &data),
            PeerOwner::Holder => {}
        }
    }
}

/// The one door to lives. Clones share it.
#[derive(Clone)]
pub struct LiveService {
    parts: Arc<Parts>,
}

/// Milliseconds after which a client that was sent to another node may ask again: it may be led there then, or the live may
/// have ended.
const ELSEWHERE_MS: u64 = 5_000;

/// Between two tellings of where this node is, and two looks at whether words are lost.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl LiveService {
    /// A door to no live yet. Ends what a former run of this node has left behind, then listens to the media plane until the
    /// process stops.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    pub async fn open(parts: LiveParts, events: mpsc::Receiver<MediaEvent>) -> crate::store::Result<Self> {
        let LiveParts { settings, stores, secret, rates, plane, broker, hub, tasks } = parts;
        abandoned::end_those_of(&settings.node, &stores).await?;
        let (others, words) = elsewhere::Others::new();
        let parts = Parts {
            settings,
            stores,
            plane,
            registry: Registry::default(),
            leases: Leases::default(),
            tasks: tasks.clone(),
            mint: KeyMint::new(secret),
            probes: probe::Probes::default(),
            others,
            rates,
            broker,
            hub,
        };
        let service = Self { parts: Arc::new(parts) };
        tasks.spawn(service.clone().hear(events));
        tasks.spawn(service.clone().heed(words));
        tasks.spawn(service.clone().look_after_nodes());
        tasks.spawn(service.clone().look_at_leases());
        Ok(service)
    }

    /// Passes on what the media plane tells, in its order.
    async fn hear(self, mut events: mpsc::Receiver<MediaEvent>) {
        let registry = &self.parts.registry;
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = self.parts.tasks.stopping() => None,
            };
            let Some(event) = event else { return };
            let Some(peer) = peer_of(&event) else {
                if let MediaEvent::Figures(figures) = event {
                    for (live, figures) in registry.by_live(figures) {
                        self.tell(live, Ask::Figures(figures)).await;
                    }
                }
                continue;
            };
            if matches!(event, MediaEvent::Closed { .. }) {
                self.parts.probes.closed(peer);
            }
            if let Some(peer) = registry.peer_by_media(peer) {
                self.tell(peer.live, Ask::Media(peer.clone(), event)).await;
            }
        }
    }

    /// Says where this node is, and looks after what other nodes do while none can be heard.
    async fn look_after_nodes(self) {
        loop {
            self.tell_url();
            if self.parts.hub.is_cut_off() {
                // Words are lost then.
                self.parts.others.look();
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.parts.tasks.stopping() => return,
            }
        }
    }

    async fn tell(&self, live: LiveId, ask: Ask) {
        if let Some(handle) = self.parts.registry.live(live) {
            handle.tell(ask).await;
        }
    }

    /// The live for its reader, as its post is.
    async fn view(&self, reader: Reader, id: LiveId) -> Result<LiveView, ErrorBody> {
        let found = self.parts.stores.lives.get(reader, WhichLive::Id(id)).await?;
        found.ok_or_else(|| policy::not_found("live"))
    }

    /// The task of a live that runs.
    ///
    /// # Errors
    /// `unavailable` where another node carries it, `conflict` where none does: it has ended, or is on its way to.
    fn running(&self, view: &LiveView) -> Result<Handle, ErrorBody> {
        if let Some(handle) = self.parts.registry.live(view.live.id) {
            return Ok(handle);
        }
        self.unless_elsewhere(view)?;
        Err(ErrorBody::new(Code::Conflict, "this live has ended"))
    }

    /// # Errors
    /// `unavailable` where another node carries this live, or carried it until a moment ago.
    fn unless_elsewhere(&self, view: &LiveView) -> Result<(), ErrorBody> {
        let node = &view.lease.node;
        if view.live.state == LiveState::Ended || *node == self.parts.settings.node {
            return Ok(());
        }
        let carrier = self.carrier(view);
        let message = if carrier.silent {
            format!(
                "node {node}, which carries this live, has fallen silent: start another, or wait whether it comes back"
            )
        } else {
            format!("this live is carried by node {node}; connect there")
        };
        Err(ErrorBody::new(Code::Unavailable, message).retry_after(ELSEWHERE_MS).carried_by(carrier))
    }

    /// Whether a live runs on another node that is most likely gone.
    fn is_silent(&self, view: &LiveView) -> bool {
        let lease = &view.lease;
        view.live.state != LiveState::Ended
            && lease.node != self.parts.settings.node
            && self.parts.leases.is_silent(view.live.id, lease, Instant::now())
    }

    /// The live that a person runs. One whose node has fallen silent does not keep its owner from beginning another.
    async fn running_of(&self, owner: Actor) -> Result<Running, ErrorBody> {
        let found = self.parts.stores.lives.get(owner.into(), WhichLive::RunningOf(owner.user)).await?;
        Ok(match found {
            None => Running::None,
            Some(view) if self.is_silent(&view) => {
                Running::Silent(Held { id: view.live.id, lease: view.lease })
            }
            Some(view) => Running::Carried(view.live.id),
        })
    }

    fn lease(&self) -> Lease {
        let until = now_ms() + i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        Lease { node: self.parts.settings.node.clone(), until }
    }
}

/// The live that a person runs.
enum Running {
    None,
    Silent(Held),
    Carried(LiveId),
}

/// Which peer an event is about; none for figures of many.
fn peer_of(event: &MediaEvent) -> Option<super::plane::PeerId> {
    match event {
        MediaEvent::Connected { peer, .. }
        | MediaEvent::Closed { peer, .. }
        | MediaEvent::MediaStarted { peer }
        | MediaEvent::Stalled { peer }
        | MediaEvent::Resumed { peer }
        | MediaEvent::Attending { peer, .. }
        | MediaEvent::FirstPacket { peer, .. }
        | MediaEvent::FirstPicture { peer, .. }
        | MediaEvent::Layers { peer, .. }
        | MediaEvent::Warning { peer, .. } => Some(*peer),
        MediaEvent::Figures(_) => None,
    }
}
