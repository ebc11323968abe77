//! One connection's place in the hub: who it is, what waits for it, and how to wake its socket.

use super::{
    channel::{ChannelEntry, Opening, Settled, gap_push},
    control::Doubts,
    delivery::Delivery,
    outbox::{Budget, Outbox, Verdict},
    people::PersonEntry,
    registry::Registry,
};
use crate::auth::Identity;
use bytes::Bytes;
use communiconnect_protocol::{
    Channel, CloseCode, Format, GapReason, SessionId, UnsubscribeReason, UnsubscribedPush, UserId,
    encode_push, kind,
};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

/// A session as the hub and the handlers see it; the socket's driver holds one too. Nothing here waits.
#[derive(Debug)]
pub struct SessionHandle {
    id: SessionId,
    format: Format,
    registry: Arc<Registry>,
    hold_limit: usize,
    held: AtomicUsize,
    user: OnceLock<UserId>,
    client: OnceLock<IpAddr>,
    waker: AtomicWaker,
    doubts: Doubts,
    shared: Mutex<Shared>,
}

#[derive(Debug)]
struct Shared {
    identity: Arc<Identity>,
    person: Option<Arc<PersonEntry>>,
    outbox: Outbox,
    /// People whose publications are skipped for this reader.
    blocked: HashSet<UserId>,
    /// Changes of `blocked` that came while it was being read.
    block_changes: Vec<(UserId, bool)>,
    /// How many read it at the moment.
    block_reads: usize,
    subscriptions: Vec<Subscription>,
    /// Subscriptions that open when the next reply is queued.
    openings: Vec<(Subscription, Opening)>,
    closing: Option<Closing>,
    /// An operator's reason for it.
    last_words: Option<Arc<str>>,
    /// The driver was woken and has not come to rest since: it need not be woken again.
    is_awake: bool,
    has_left: bool,
}

/// A channel that a session listens to.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) entry: Arc<ChannelEntry>,
    pub(super) slot: usize,
    /// The head that the last `ping` told of.
    pinged: u64,
}

impl Subscription {
    /// Whether both are the same one, and not another to the same channel.
    fn is(&self, other: &Self) -> bool {
        self.slot == other.slot && Arc::ptr_eq(&self.entry, &other.entry)
    }
}

/// A wish to close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// With which code.
    pub code: CloseCode,
    /// After how many milliseconds.
    pub after_ms: u64,
}

impl SessionHandle {
    pub(super) fn new(
        id: SessionId,
        format: Format,
        registry: &Arc<Registry>,
        budget: Budget,
        hold_limit: usize,
    ) -> Self {
        Self {
            id,
            format,
            registry: Arc::clone(registry),
            hold_limit,
            held: AtomicUsize::new(0),
            user: OnceLock::new(),
            client: OnceLock::new(),
            waker: AtomicWaker::new(),
            doubts: Doubts::default(),
            shared: Mutex::new(Shared {
                identity: Arc::new(Identity::Guest),
                person: None,
                outbox: Outbox::new(format, budget),
                blocked: HashSet::new(),
                block_changes: Vec::new(),
                block_reads: 0,
                subscriptions: Vec::new(),
                openings: Vec::new(),
                closing: None,
                last_words: None,
                is_awake: true,
                has_left: false,
            }),
        }
    }

    /// Which session.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// How its messages are encoded.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Who is connected; a guest until `connect` has said otherwise.
    pub fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.shared.lock().identity)
    }

    /// The person who is connected; none for a guest.
    pub fn user_id(&self) -> Option<UserId> {
        self.user.get().copied()
    }

    pub(super) fn doubts(&self) -> &Doubts {
        &self.doubts
    }

    /// Notes which address the connection came from; the first call counts.
    pub fn comes_from(&self, client: IpAddr) {
        let _ = self.client.set(client);
    }

    /// Which address the connection came from, where that is known.
    pub fn client(&self) -> Option<IpAddr> {
        self.client.get().copied()
    }

    /// Queues the answer to a command, and lets subscriptions begin that it speaks of.
    pub fn reply(&self, bytes: Bytes) {
        let openings = self.push_reply(bytes);
        self.open(openings);
    }

    /// Lets subscriptions begin whose answer goes another way than the outbox: before everything that is taken from it.
    pub fn begin(&self) {
        let openings = std::mem::take(&mut self.shared.lock().openings);
        self.open(openings);
    }

    fn open(&self, openings: Vec<(Subscription, Opening)>) {
        for (Subscription { entry, slot, .. }, opening) in openings {
            match entry.open(slot, self, opening) {
                Settled::Stands => {}
                Settled::Ended(reason) => drop(self.end(entry.channel(), reason)),
                // It ended while it began anew, and the push that said so may have left before this reply.
                Settled::Gone => self.tell_ended(entry.channel(), UnsubscribeReason::Forbidden),
            }
        }
    }

    /// Queues the refusal of a command: subscriptions that it had begun come to nothing.
    pub fn refuse(&self, bytes: Bytes) {
        for (subscription, _) in self.push_reply(bytes) {
            self.take_back(&subscription);
        }
    }

    fn push_reply(&self, bytes: Bytes) -> Vec<(Subscription, Opening)> {
        let (openings, wakes) = {
            let mut shared = self.shared.lock();
            shared.outbox.push_reply(bytes);
            (std::mem::take(&mut shared.openings), shared.wake())
        };
        self.wake_if(wakes);
        openings
    }

    /// Queues news of the connection itself, before everything of channels.
    pub fn notice(&self, bytes: Bytes) {
        self.with(|shared| shared.outbox.push_notice(bytes));
    }

    /// Queues what concerns this session alone, in the order of everything else that it is told; it always has room, since
    /// there is little of it: a few for each of its peers.
    pub fn message(&self, bytes: Bytes) {
        self.with(|shared| shared.outbox.push_control(bytes));
    }

    /// Queues a `ping` with the heads that moved since the last, unless one still waits. `encode` is given them.
    pub fn ping(&self, encode: impl FnOnce(Vec<(String, u64)>) -> Bytes) {
        let subscriptions = {
            let mut shared = self.shared.lock();
            shared.outbox.shed();
            if shared.outbox.has_ping() {
                return;
            }
            shared.subscriptions.clone()
        };
        let heads: Vec<_> = subscriptions
            .iter()
            .filter_map(|subscription| {
                let head = subscription.entry.head().filter(|head| *head > subscription.pinged)?;
                Some((subscription.entry.channel(), head))
            })
            .collect();
        let told = heads.iter().map(|(channel, head)| (channel.to_string(), *head)).collect();
        let bytes = encode(told);
        self.with(|shared| {
            for (channel, head) in heads {
                if let Some(subscription) = shared.subscription(channel) {
                    subscription.pinged = head;
                }
            }
            shared.outbox.push_ping(bytes);
        });
    }

    /// Asks the driver to close the connection; the first code that comes counts, but a sooner moment does too.
    pub fn close(&self, closing: Closing) {
        self.with(|shared| {
            let sooner = shared.closing.is_none_or(|other| closing.after_ms < other.after_ms);
            if sooner {
                shared.closing = Some(closing);
            }
        });
        // Even a driver that waits for its socket to take something must hear of this.
        self.waker.wake();
    }

    /// The same with a reason to tell in place of the code's own.
    pub(super) fn close_saying(&self, closing: Closing, words: Option<Arc<str>>) {
        self.shared.lock().last_words = words;
        self.close(closing);
    }

    /// What to tell a peer who is closed with this code: what an operator said, where that is why.
    pub fn last_words(&self, code: CloseCode) -> Option<Arc<str>> {
        let shared = self.shared.lock();
        let is_why = shared.closing.is_some_and(|closing| closing.code == code);
        shared.last_words.clone().filter(|_| is_why)
    }

    /// What the driver was asked for; it must ask again after every wake.
    pub fn closing(&self) -> Option<Closing> {
        self.shared.lock().closing
    }

    /// For the driver: writes messages of `bytes` together, a little more where the last is long, each with whether it
    /// answers a command. True where nothing more waits: then the waker is called when there is more to do.
    pub fn take(&self, waker: &Waker, bytes: usize, mut write: impl FnMut(&[u8], bool)) -> bool {
        self.waker.register(waker);
        let mut shared = self.shared.lock();
        let mut taken = 0;
        while taken < bytes {
            let written = shared.outbox.pop(|message, is_reply| {
                write(message, is_reply);
                message.len()
            });
            let Some(length) = written else {
                shared.is_awake = false;
                return true;
            };
            taken += length;
        }
        false
    }

    /// Takes one command from the rate of the person, whose sessions share it. `now` in milliseconds of a steady clock.
    pub fn take_command(&self, now: u64, per_second: u32) -> Result<(), u64> {
        let person = self.shared.lock().person.clone();
        person.map_or(Ok(()), |person| person.take_command(now, per_second))
    }

    /// Bytes that wait in the outbox.
    pub fn waiting_bytes(&self) -> usize {
        self.shared.lock().outbox.bytes()
    }

    /// Names of the channels that the session listens to.
    pub fn channels(&self) -> Vec<Channel> {
        let shared = self.shared.lock();
        shared.subscriptions.iter().map(|subscription| subscription.entry.channel().clone()).collect()
    }

    pub(super) fn write(&self, script: impl FnOnce(&mut Pen<'_>)) {
        self.with(|shared| script(&mut Pen { shared }));
    }

    /// Notes who it is; gives the person back where the session has ended or belongs to somebody already.
    pub(super) fn identify(
        &self,
        identity: Identity,
        person: Option<Arc<PersonEntry>>,
    ) -> Option<Arc<PersonEntry>> {
        let mut shared = self.shared.lock();
        if shared.has_left || (person.is_some() && shared.person.is_some()) {
            return person;
        }
        if let Some(user) = identity.user_id() {
            let _ = self.user.set(user);
        }
        shared.identity = Arc::new(identity);
        if person.is_some() {
            shared.person = person;
        }
        None
    }

    /// From now on changes of the blocked are remembered, until [`SessionHandle::set_blocked`] or
    /// [`SessionHandle::keep_blocked`].
    pub(super) fn begin_blocked(&self) {
        self.shared.lock().block_reads += 1;
    }

    /// Takes what was read, and what changed meanwhile.
    pub(super) fn set_blocked(&self, people: Vec<UserId>) {
        let mut shared = self.shared.lock();
        let mut blocked: HashSet<_> = people.into_iter().collect();
        for (other, on) in &shared.block_changes {
            if *on {
                blocked.insert(*other)
            } else {
                blocked.remove(other)
            };
        }
        blocked.shrink_to_fit();
        shared.blocked = blocked;
        shared.end_block_read();
    }

    /// It could not be read: what is known stays.
    pub(super) fn keep_blocked(&self) {
        self.shared.lock().end_block_read();
    }

    pub(super) fn change_blocked(&self, other: UserId, on: bool) {
        let mut shared = self.shared.lock();
        if shared.block_reads > 0 {
            shared.block_changes.push((other, on));
        }
        if on {
            shared.blocked.insert(other);
        } else {
            shared.blocked.remove(&other);
        }
    }

    pub(super) fn blocked(&self) -> HashSet<UserId> {
        self.shared.lock().blocked.clone()
    }

    pub(super) fn subscription(&self, channel: &Channel) -> Option<Subscription> {
        self.shared.lock().subscription(channel).cloned()
    }

    pub(super) fn subscription_count(&self) -> usize {
        self.shared.lock().subscriptions.len()
    }

    /// Notes a subscription; false where the session has left meanwhile and the channel must forget it again.
    pub(super) fn note(&self, entry: &Arc<ChannelEntry>, slot: usize) -> bool {
        let mut shared = self.shared.lock();
        if !shared.has_left {
            shared.subscriptions.push(Subscription { entry: Arc::clone(entry), slot, pinged: 0 });
        }
        !shared.has_left
    }

    /// Ends a subscription in silence, and takes back what waits of it; false where there is none.
    pub(super) fn forget(&self, channel: &Channel) -> bool {
        let Some(subscription) = self.subscription(channel) else { return false };
        self.close_off(&subscription, |outbox| outbox.purge(channel))
    }

    /// Ends a subscription and then touches what waits of it: in this order, so that nothing is pushed behind the end.
    /// False where somebody else has ended it meanwhile.
    fn close_off(&self, subscription: &Subscription, last: impl FnOnce(&mut Outbox)) -> bool {
        let was_listening = subscription.entry.remove(subscription.slot, self);
        let mut is_last = false;
        self.with(|shared| {
            shared.take_out(subscription);
            // It may have begun anew already: then what waits is the new one's.
            is_last = was_listening && shared.subscription(subscription.entry.channel()).is_none();
            if is_last {
                last(&mut shared.outbox);
            }
        });
        self.registry.retire(&subscription.entry);
        is_last
    }

    /// The subscription opens when the answer to the running command is queued.
    pub(super) fn open_with_reply(&self, subscription: Subscription, opening: Opening) {
        let mut shared = self.shared.lock();
        // One command may name a channel twice: what it says last counts.
        shared.openings.retain(|(other, _)| !Arc::ptr_eq(&other.entry, &subscription.entry));
        shared.openings.push((subscription, opening));
    }

    /// A subscription that began comes to nothing: what was before goes on.
    pub(super) fn take_back(&self, subscription: &Subscription) {
        let Subscription { entry, slot, .. } = subscription;
        match entry.take_back(*slot, self) {
            Settled::Stands => {}
            Settled::Ended(reason) => drop(self.end(entry.channel(), reason)),
            Settled::Gone => {
                self.shared.lock().take_out(subscription);
                self.registry.retire(entry);
            }
        }
    }

    /// Tells that a subscription ended, and ends it; false where there is none.
    pub(super) fn end(&self, channel: &Channel, reason: UnsubscribeReason) -> bool {
        let Some(subscription) = self.subscription(channel) else { return false };
        let told = self.ended(channel, reason);
        self.close_off(&subscription, |outbox| {
            // The publication that says that it was deleted waits, and is the last that the channel has to say.
            if reason != UnsubscribeReason::Deleted {
                outbox.purge(channel);
            }
            outbox.push_control(told);
        })
    }

    fn tell_ended(&self, channel: &Channel, reason: UnsubscribeReason) {
        let told = self.ended(channel, reason);
        self.with(|shared| shared.outbox.push_control(told));
    }

    fn ended(&self, channel: &Channel, reason: UnsubscribeReason) -> Bytes {
        let push = UnsubscribedPush { channel: channel.clone(), reason };
        encode_push(self.format, kind::UNSUBSCRIBED, &push)
    }

    /// The connection has ended: what it listened to.
    pub(super) fn leave(&self) -> (Vec<Subscription>, Option<Arc<PersonEntry>>) {
        let mut shared = self.shared.lock();
        shared.has_left = true;
        shared.openings.clear();
        (std::mem::take(&mut shared.subscriptions), shared.person.take())
    }

    /// Makes room for `bytes` that are held back; false where there is none.
    pub(super) fn hold_bytes(&self, bytes: usize) -> bool {
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= self.hold_limit;
        if !fits {
            self.release_bytes(bytes);
        }
        fits
    }

    pub(super) fn release_bytes(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn with(&self, change: impl FnOnce(&mut Shared)) {
        let wakes = {
            let mut shared = self.shared.lock();
            change(&mut shared);
            shared.wake()
        };
        self.wake_if(wakes);
    }

    fn wake_if(&self, wakes: bool) {
        if wakes {
            self.waker.wake();
        }
    }
}

impl Shared {
    fn subscription(&mut self, channel: &Channel) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.entry.channel() == channel)
    }

    fn end_block_read(&mut self) {
        self.block_reads = self.block_reads.saturating_sub(1);
        if self.block_reads == 0 {
            self.block_changes = Vec::new();
        }
    }

    fn take_out(&mut self, subscription: &Subscription) {
        self.subscriptions.retain(|known| !known.is(subscription));
    }

    /// Whether the driver must be woken.
    fn wake(&mut self) -> bool {
        !std::mem::replace(&mut self.is_awake, true)
    }
}

/// Writes into the outbox of a session that is locked, so that many pushes cost one lock and one wake.
pub(super) struct Pen<'a> {
    shared: &'a mut Shared,
}

impl Pen<'_> {
    /// A push of a channel, or `skip` where this reader may not see it; a state, which has no place in the log, is left
    /// out then.
    pub(super) fn push(&mut self, delivery: &Arc<Delivery>) {
        let blocked = &self.shared.blocked;
        let is_blocked =
            !blocked.is_empty() && delivery.actor().is_some_and(|actor| blocked.contains(&actor));
        if is_blocked && delivery.offset().is_none() {
            return;
        }
        let outbox = &mut self.shared.outbox;
        let verdict = if is_blocked || !delivery.is_for_readers() {
            outbox.push_skip(delivery)
        } else {
            outbox.push(delivery)
        };
        if verdict == Verdict::Overloaded {
            self.shared.closing.get_or_insert(Closing { code: CloseCode::Overloaded, after_ms: 0 });
        }
    }

    /// Takes back what waits of a channel, but for its states.
    pub(super) fn purge_log(&mut self, channel: &Channel) {
        self.shared.outbox.purge_log(channel);
    }

    /// Offsets that will not be sent.
    pub(super) fn gap(&mut self, channel: &Channel, from: u64, to: u64, reason: GapReason) {
        self.shared.outbox.push_gap(gap_push(channel, from, to, reason));
    }
}
