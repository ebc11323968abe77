//! The hub itself: its parts, its sessions, and what the broker brings.

use super::{
    Access, Denied, HubSettings, Neighbour, SessionEnds, SessionHandle, Tally, Traffic,
    channel::{ChannelEntry, Gathered},
    crowds::Crowds,
    delivery::Delivery,
    handle::Closing,
    outbox::Budget,
    peers::Peers,
    people::People,
    reads::Reads,
    registry::Registry,
    resync::Wholeness,
};
use crate::{
    auth::Identity,
    broker::{Broadcast, Deliver, LinkState, SharedBroker},
    clock,
    publication::Audience,
    store::log::Log,
    tasks::Tasks,
};
use communiconnect_protocol::{
    Channel, CloseCode, Code, ErrorBody, Format, ReconnectPush, SessionId, UnsubscribeReason, encode_push,
    event, kind,
};
use dashmap::DashMap;
use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// What a hub is made of.
pub struct HubParts {
    /// Bounds and paces.
    pub settings: HubSettings,
    /// Rights and present values.
    pub access: Arc<dyn Access>,
    /// The channel logs.
    pub log: Arc<dyn Log>,
    /// Where repairs run.
    pub tasks: Tasks,
}

/// Sessions and channels of this node.
///
/// A socket's driver calls [`Hub::open`], [`Hub::admit`] and [`Hub::greet`], then [`Hub::leave`] once; handlers call the
/// commands of channels; the broker delivers.
pub struct Hub {
    pub(super) me: Weak<Self>,
    pub(super) settings: HubSettings,
    pub(super) access: Arc<dyn Access>,
    pub(super) log: Arc<dyn Log>,
    pub(super) tasks: Tasks,
    pub(super) registry: Arc<Registry>,
    sessions: DashMap<SessionId, Arc<SessionHandle>>,
    ends: OnceLock<Weak<dyn SessionEnds>>,
    pub(super) tally: OnceLock<Arc<dyn Tally>>,
    neighbour: OnceLock<Weak<dyn Neighbour>>,
    pub(super) people: People,
    pub(super) reads: Reads,
    traffic: Traffic,
    is_draining: AtomicBool,
    pub(super) whole: Wholeness,
    pub(super) peers: Peers,
    pub(super) crowds: Crowds,
}

impl Hub {
    /// A hub without anybody; give it its broker with [`Hub::attach`] before the first session.
    pub fn new(parts: HubParts) -> Arc<Self> {
        let HubParts { settings, access, log, tasks } = parts;
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            settings,
            access,
            log,
            tasks,
            registry: Arc::default(),
            sessions: DashMap::new(),
            ends: OnceLock::new(),
            tally: OnceLock::new(),
            neighbour: OnceLock::new(),
            people: People::default(),
            reads: Reads::default(),
            traffic: Traffic::default(),
            is_draining: AtomicBool::new(false),
            whole: Wholeness::default(),
            peers: Peers::default(),
            crowds: Crowds::default(),
        })
    }

    /// Names the broker that delivers here; the first call counts.
    pub fn attach(&self, broker: SharedBroker) {
        self.registry.attach(broker);
    }

    /// Names who hears of ended sessions; the first call counts. Held weakly: it knows the hub as well.
    pub fn tell_ends_to(&self, listener: Weak<dyn SessionEnds>) {
        let _ = self.ends.set(listener);
    }

    /// Names whose counts are shared with other nodes; the first call counts.
    pub fn share(&self, tally: Arc<dyn Tally>) {
        let _ = self.tally.set(tally);
    }

    /// Names who hears what its like on other nodes says; the first call counts. Held weakly: it knows the hub as well.
    pub fn tell_words_to(&self, neighbour: Weak<dyn Neighbour>) {
        let _ = self.neighbour.set(neighbour);
    }

    pub(super) fn neighbour(&self) -> Option<Arc<dyn Neighbour>> {
        self.neighbour.get().and_then(Weak::upgrade)
    }

    /// Whether there are other nodes that cannot be heard at the moment.
    pub fn is_cut_off(&self) -> bool {
        self.whole.is_away()
    }

    /// One connection of this node.
    pub fn session(&self, id: SessionId) -> Option<Arc<SessionHandle>> {
        self.sessions.get(&id).map(|session| Arc::clone(&session))
    }

    /// The hub's own housekeeping, until the process stops: the server starts it once as a task.
    pub async fn tend(self: Arc<Self>) {
        tokio::select! {
            () = self.registry.tend() => {}
            () = self.keep_whole() => {}
            () = self.keep_company() => {}
            () = self.tasks.stopping() => {}
        }
        self.leave_company();
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &HubSettings {
        &self.settings
    }

    /// How much the sockets were given.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// A place for a new connection, a guest's until [`Hub::admit`].
    pub fn open(&self, format: Format) -> Arc<SessionHandle> {
        let id = SessionId::new(clock::now_ms());
        let budget = Budget { bytes: self.settings.outbox_bytes, count: self.settings.outbox_count };
        let hold_limit = self.settings.hold_bytes;
        let session = Arc::new(SessionHandle::new(id, format, &self.registry, budget, hold_limit));
        self.sessions.insert(id, Arc::clone(&session));
        if self.is_draining() {
            // Its handshake was done before the stop, and the drain may have looked already.
            send_away(&session, 0);
        }
        session
    }

    /// Says who connects; refuses one more session of a person who has too many (4504).
    pub fn admit(&self, session: &SessionHandle, identity: Identity) -> Result<(), Denied> {
        let person = match identity.user_id() {
            None => None,
            Some(user) => match self.people.enter(user, self.settings.connections_per_user) {
                Some(person) => Some(person),
                None => return Err(too_many_sessions()),
            },
        };
        if let Some(person) = session.identify(identity, person) {
            // It has ended meanwhile, or begins twice: nobody would count it out again.
            self.people.leave(&person);
        }
        Ok(())
    }

    /// Takes another token of the same person; another person's is `forbidden` and changes nothing.
    pub fn refresh(&self, session: &SessionHandle, identity: Identity) -> Result<(), ErrorBody> {
        if identity.user_id().is_none() || identity.user_id() != session.user_id() {
            let message = "this token is of somebody else: open another connection for them";
            return Err(ErrorBody::new(Code::Forbidden, message));
        }
        session.identify(identity, None);
        Ok(())
    }

    /// The connection has ended: its subscriptions and its presence end with it. Further calls do nothing.
    pub fn leave(&self, session: &SessionHandle) {
        if self.sessions.remove(&session.id()).is_some()
            && let Some(listener) = self.ends.get().and_then(Weak::upgrade)
        {
            listener.session_ended(session.id());
        }
        let (subscriptions, person) = session.leave();
        for subscription in subscriptions {
            self.registry.remove(&subscription.entry, subscription.slot, session);
        }
        if let Some(person) = person {
            self.people.leave(&person);
        }
    }

    /// Every connection, in no order.
    pub fn sessions(&self) -> Vec<Arc<SessionHandle>> {
        self.sessions.iter().map(|session| Arc::clone(&session)).collect()
    }

    /// How many connections there are.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Every channel with a subscriber, with how many there are.
    pub fn channels(&self) -> Vec<(Channel, usize)> {
        let entries = self.registry.entries();
        entries.iter().map(|entry| (entry.channel().clone(), entry.len())).collect()
    }

    /// Sends everybody away, spread over `over`: each client is told its own slot and then closed with 4000.
    pub fn drain(&self, over: Duration) {
        self.take_no_sessions();
        let sessions = self.sessions();
        let (count, over) =
            (sessions.len().max(1) as u64, u64::try_from(over.as_millis()).unwrap_or(u64::MAX));
        for (place, session) in (0u64..).zip(&sessions) {
            send_away(session, over.saturating_mul(place) / count);
        }
    }

    /// Sends new sessions away at once, before [`Hub::drain`] does so with those that are here.
    pub fn take_no_sessions(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
    }

    /// Takes new sessions again, after [`Hub::drain`]. Whoever was told to go goes all the same.
    pub fn take_sessions(&self) {
        self.is_draining.store(false, Ordering::SeqCst);
    }

    /// Whether everybody is sent away.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    /// Ends one subscription and tells the client; nothing where there is none.
    pub(super) fn kick(&self, session: &SessionHandle, channel: &Channel, reason: UnsubscribeReason) {
        let Some(subscription) = session.subscription(channel) else { return };
        if !subscription.entry.end_when_open(subscription.slot, session, reason) {
            session.end(channel, reason);
        }
    }

    /// Takes publications of one channel, from the broker or from the log, and acts on what they say to the server.
    pub(super) fn bring(&self, entry: &Arc<ChannelEntry>, deliveries: Vec<Arc<Delivery>>) {
        let telling: Vec<_> =
            deliveries.iter().filter(|delivery| tells_the_server(delivery)).cloned().collect();
        if entry.accept(deliveries).0 {
            self.repair(entry);
        }
        for delivery in telling {
            match delivery.channel() {
                Channel::User(user) => self.act(*user, entry, &delivery),
                Channel::Post(_) | Channel::Live(_) => self.end_all(entry, UnsubscribeReason::Deleted),
                _ => {}
            }
        }
    }

    /// Takes what the broker brought for readers alone: now, or together with what follows.
    fn gather(&self, entry: &Arc<ChannelEntry>, deliveries: Vec<Arc<Delivery>>) {
        let longest_ms = self.settings.flush_ms;
        match entry.gather(deliveries, longest_ms) {
            Gathered::Told(needs_repair) => {
                if needs_repair.0 {
                    self.repair(entry);
                }
            }
            Gathered::Waiting => {}
            Gathered::FlushAfter(wait_ms) => {
                let (me, entry) = (self.me.clone(), Arc::clone(entry));
                self.tasks.spawn(async move {
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    if entry.flush(longest_ms).0
                        && let Some(hub) = me.upgrade()
                    {
                        hub.repair(&entry);
                    }
                });
            }
        }
    }

    fn end_all(&self, entry: &Arc<ChannelEntry>, reason: UnsubscribeReason) {
        for session in entry.sessions() {
            self.kick(&session, entry.channel(), reason);
        }
    }
}

impl Deliver for Hub {
    fn deliver(&self, batch: Vec<Broadcast>) {
        let mut by_channel = Grouped::default();
        for broadcast in batch {
            match broadcast {
                Broadcast::Publication(publication) => {
                    if let Some(entry) = self.registry.get(&publication.channel) {
                        by_channel.add(entry, Delivery::publication(publication));
                    }
                }
                Broadcast::State(state) => {
                    for channel in &state.channels {
                        if let Some(entry) = self.registry.get(channel) {
                            by_channel.add(entry, Delivery::state(&state, channel));
                        }
                    }
                }
                Broadcast::Memo(memo) => self.hear(&memo),
                Broadcast::Signal(signal) => {
                    if let Some(entry) = self.registry.get(&signal.channel) {
                        by_channel.add(entry, Delivery::signal(signal));
                    }
                }
            }
        }
        // A block that was committed before a post must filter that post, wherever in the batch its channel came up.
        by_channel.groups.sort_by_key(|(entry, _)| !matches!(entry.channel(), Channel::User(_)));
        for (entry, deliveries) in by_channel.groups {
            if deliveries.iter().any(|delivery| tells_the_server(delivery)) {
                self.bring(&entry, deliveries);
            } else {
                self.gather(&entry, deliveries);
            }
        }
    }

    fn heads(&self, heads: Vec<(Channel, u64)>) {
        for (channel, head) in heads {
            if let Some(entry) = self.registry.get(&channel)
                && entry.knows_of(head).0
            {
                self.repair(&entry);
            }
        }
    }

    fn link(&self, state: LinkState) {
        self.link_is(state);
    }
}

/// A batch by channel, in order of first appearance: a subscriber is locked and woken once for all of a channel.
#[derive(Default)]
struct Grouped {
    groups: Vec<(Arc<ChannelEntry>, Vec<Arc<Delivery>>)>,
    places: HashMap<*const ChannelEntry, usize>,
}

impl Grouped {
    fn add(&mut self, entry: Arc<ChannelEntry>, delivery: Arc<Delivery>) {
        let place = *self.places.entry(Arc::as_ptr(&entry)).or_insert_with(|| {
            self.groups.push((entry, Vec::new()));
            self.groups.len() - 1
        });
        self.groups[place].1.push(delivery);
    }
}

/// Tells a client its slot, and closes with 4000 when it comes.
fn send_away(session: &SessionHandle, after_ms: u64) {
    let push = ReconnectPush { code: CloseCode::Drain.number(), after_ms, url: None };
    session.notice(encode_push(session.format(), kind::RECONNECT, &push));
    session.close(Closing { code: CloseCode::Drain, after_ms });
}

/// Whether the hub itself must act on a publication.
fn tells_the_server(delivery: &Delivery) -> bool {
    match delivery.channel() {
        Channel::User(_) => delivery.audience() == Some(Audience::Server),
        Channel::Post(_) | Channel::Live(_) => delivery.event() == event::POST_DELETED,
        _ => false,
    }
}

fn too_many_sessions() -> Denied {
    let message = "too many connections of one person: close another first";
    Denied { error: ErrorBody::new(Code::LimitExceeded, message), close: CloseCode::TooManyConnections }
}
