//! One channel on this node: who listens, how far each was told, and what waits for a missing part.
//!
//! Publications of a channel leave here in offset order without a hole, whatever the broker did. Everything happens under
//! the channel's own lock, which is never held across an await; sessions are locked inside it, never the other way round.

use super::{
    delivery::Delivery,
    flush::{Flush, Turn},
    handle::SessionHandle,
    meter::{Meter, Rates},
    presence::LastCrowd,
};
use crate::clock;
use communiconnect_protocol::{Channel, Class, GapPush, GapReason, UnsubscribeReason};
use parking_lot::Mutex;
use slab::Slab;
use std::{
    collections::{BTreeMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};
use tokio::sync::OnceCell;

/// A channel that somebody on this node listens to.
#[derive(Debug)]
pub(super) struct ChannelEntry {
    channel: Channel,
    /// Whether the broker delivers here.
    pub(super) carried: OnceCell<()>,
    /// Who was here when somebody last asked.
    pub(super) crowd: LastCrowd,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Taken out of the registry: whoever still holds it must look the channel up again.
    is_retired: bool,
    /// The last publication that went to subscribers.
    head: Option<u64>,
    subscribers: Slab<Subscriber>,
    /// How often somebody came or went.
    moves: u64,
    /// Publications that came before a missing one.
    early: BTreeMap<u64, Arc<Delivery>>,
    /// The highest offset seen; beyond `head` while a repair runs.
    known: u64,
    /// The last states that went to subscribers, each of another key, by a hash of it with their versions: nodes that change
    /// one thing overtake each other.
    latest: VecDeque<(u64, u64)>,
    /// Makes these hashes, so that nobody can choose keys that share one.
    hashing: RandomState,
    is_repairing: bool,
    /// Nothing is told until the rights of who listens were looked at again.
    is_parked: bool,
    /// Looks of [`ChannelEntry::is_due`] since a publication came.
    idle_looks: u32,
    /// What went to subscribers.
    meter: Meter,
    /// What waits so that it goes to many readers together with what comes next.
    flush: Flush,
}

#[derive(Debug)]
struct Subscriber {
    session: Arc<SessionHandle>,
    /// The last offset that the session was told of.
    upto: u64,
    hold: Option<Box<Hold>>,
}

/// What waits for a subscription to open.
#[derive(Debug, Default)]
struct Hold {
    /// What goes on if this beginning comes to nothing.
    before: Before,
    /// The reply has left and the reader pages on.
    is_paging: bool,
    publications: VecDeque<Arc<Delivery>>,
    states: Vec<Arc<Delivery>>,
    /// Publications for which there was no room.
    lost: Option<(u64, u64)>,
    bytes: usize,
    /// Ended before it was opened.
    ended: Option<UnsubscribeReason>,
}

/// What a subscription was before it began (anew).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Nothing,
    Open,
    Paging,
}

/// What became of a subscription whose beginning ended, by its reply or without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Settled {
    /// It stands.
    Stands,
    /// It was to end meanwhile: whoever settles it ends it, and says so.
    Ended(UnsubscribeReason),
    /// It is none any more.
    Gone,
}

/// How a subscription opens once its reply is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// The last offset that the reply told of.
    pub(super) upto: u64,
    /// Whether the reader has more pages to ask for first.
    pub(super) has_more: bool,
}

/// What became of deliveries of [`ChannelEntry::gather`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Gathered {
    /// They went out.
    Told(NeedsRepair),
    /// They wait: somebody has to call [`ChannelEntry::flush`] after so many milliseconds.
    FlushAfter(u64),
    /// They wait, and somebody was asked already.
    Waiting,
}

/// A missing part was noticed: somebody has to call [`ChannelEntry::repair_from`] and bring it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct NeedsRepair(pub(super) bool);

/// States kept for the moments until a subscription opens: a reader loads what it shows after that anyway.
const HELD_STATES: usize = 256;

/// States of a channel whose versions are remembered: those that change within the moment by which one node overtakes another.
const LATEST_STATES: usize = 64;

/// Publications kept while a missing one is awaited; beyond, they are read from the log as well.
const EARLY_COUNT: usize = 1_024;

/// Looks at the log's head, one a second, that a channel is due for after its last publication.
const BUSY_LOOKS: u32 = 60;
/// Every so manieth look afterwards.
const IDLE_LOOKS: u32 = 16;

impl ChannelEntry {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, carried: OnceCell::new(), crowd: LastCrowd::default(), inner: Mutex::default() }
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Adds a subscriber whose pushes are held until [`ChannelEntry::open`]; none once the entry is retired.
    pub(super) fn register(&self, session: &Arc<SessionHandle>) -> Option<usize> {
        let mut inner = self.inner.lock();
        let hold = Some(Box::default());
        let subscriber = Subscriber { session: Arc::clone(session), upto: 0, hold };
        (!inner.is_retired).then(|| inner.subscribers.insert(subscriber))
    }

    /// Holds the pushes of a subscriber again, because it begins anew; false where it is none any more.
    pub(super) fn hold(&self, slot: usize, session: &SessionHandle) -> bool {
        let mut inner = self.inner.lock();
        let Some(subscriber) = inner.of(slot, session) else { return false };
        subscriber.begin_anew();
        true
    }

    /// Lets out what was held, after what the reply told of.
    pub(super) fn open(&self, slot: usize, session: &SessionHandle, opening: Opening) -> Settled {
        let mut inner = self.inner.lock();
        let Some(subscriber) = inner.of(slot, session) else { return Settled::Gone };
        let settled = subscriber.open(&self.channel, opening);
        inner.moves += 1;
        settled
    }

    /// The beginning came to nothing: what was before goes on where it was, and a subscriber that was none is removed.
    pub(super) fn take_back(&self, slot: usize, session: &SessionHandle) -> Settled {
        let mut inner = self.inner.lock();
        let Some(subscriber) = inner.of(slot, session) else { return Settled::Gone };
        let has_more = match &subscriber.hold {
            None => return Settled::Stands,
            Some(hold) if hold.is_paging => return Settled::Stands,
            Some(hold) => match hold.before {
                Before::Nothing => {
                    subscriber.release_hold();
                    inner.subscribers.remove(slot);
                    return Settled::Gone;
                }
                Before::Open => false,
                Before::Paging => true,
            },
        };
        let opening = Opening { upto: subscriber.upto, has_more };
        subscriber.go_on(&self.channel, opening)
    }

    /// States that go out when the subscription opens, where it is held.
    pub(super) fn keep_states(&self, slot: usize, session: &SessionHandle, states: &[Arc<Delivery>]) {
        let mut inner = self.inner.lock();
        let Some(hold) = inner.of(slot, session).and_then(|subscriber| subscriber.hold.as_mut()) else {
            return;
        };
        states.iter().for_each(|state| hold.keep_state(state));
    }

    /// Whether the subscriber still pages through what it missed.
    pub(super) fn is_paging(&self, slot: usize, session: &SessionHandle) -> bool {
        let mut inner = self.inner.lock();
        inner.of(slot, session).is_some_and(|subscriber| subscriber.hold.is_some())
    }

    /// Removes a subscriber; true where it was one.
    pub(super) fn remove(&self, slot: usize, session: &SessionHandle) -> bool {
        let mut inner = self.inner.lock();
        let Some(subscriber) = inner.of(slot, session) else { return false };
        subscriber.release_hold();
        inner.subscribers.remove(slot);
        inner.moves += 1;
        true
    }

    /// Ends a subscription that is not open yet once it opens; false where it is open and can be removed at once.
    pub(super) fn end_when_open(
        &self,
        slot: usize,
        session: &SessionHandle,
        reason: UnsubscribeReason,
    ) -> bool {
        let mut inner = self.inner.lock();
        let Some(subscriber) = inner.of(slot, session) else { return false };
        match &mut subscriber.hold {
            Some(hold) if !hold.is_paging => {
                hold.ended = Some(reason);
                true
            }
            _ => false,
        }
    }

    /// Takes the entry out of use if nobody listens; afterwards it takes no more subscribers.
    pub(super) fn retire(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.is_retired |= inner.subscribers.is_empty();
        inner.is_retired
    }

    /// The last publication that went to subscribers.
    pub(super) fn head(&self) -> Option<u64> {
        self.inner.lock().head
    }

    /// How many listen.
    pub(super) fn len(&self) -> usize {
        self.inner.lock().subscribers.len()
    }

    /// How much goes to each who listens.
    pub(super) fn rates(&self) -> Rates {
        self.inner.lock().meter.rates(clock::steady_ms())
    }

    /// Everybody who listens, whether open or not.
    pub(super) fn sessions(&self) -> Vec<Arc<SessionHandle>> {
        let inner = self.inner.lock();
        inner.subscribers.iter().map(|(_, subscriber)| Arc::clone(&subscriber.session)).collect()
    }

    /// How often somebody came or went: while that stays, so does who is [present](ChannelEntry::present).
    pub(super) fn moves(&self) -> u64 {
        self.inner.lock().moves
    }

    /// Everybody whose subscription was granted.
    pub(super) fn present(&self) -> Vec<Arc<SessionHandle>> {
        let inner = self.inner.lock();
        let granted = inner.subscribers.iter().filter(|(_, subscriber)| subscriber.is_granted());
        granted.map(|(_, subscriber)| Arc::clone(&subscriber.session)).collect()
    }

    /// Like [`ChannelEntry::accept`], but what follows the last fan-out to many readers closely waits for what comes next,
    /// `longest_ms` at most, so that they share its wakes and writes.
    pub(super) fn gather(&self, mut deliveries: Vec<Arc<Delivery>>, longest_ms: u64) -> Gathered {
        let mut inner = self.inner.lock();
        inner.idle_looks = 0;
        let now = clock::steady_ms();
        match inner.flush.turn(now, &mut deliveries) {
            Turn::Now => {
                inner.tell(&self.channel, deliveries, now);
                let readers = inner.subscribers.len();
                inner.flush.spoke(now, readers, longest_ms);
                Gathered::Told(inner.begin_repair())
            }
            Turn::After(wait) => Gathered::FlushAfter(wait),
            Turn::Joined => Gathered::Waiting,
        }
    }

    /// Lets out what [`ChannelEntry::gather`] kept; nothing where it went out meanwhile.
    pub(super) fn flush(&self, longest_ms: u64) -> NeedsRepair {
        let mut inner = self.inner.lock();
        let now = clock::steady_ms();
        if inner.tell(&self.channel, Vec::new(), now) {
            let readers = inner.subscribers.len();
            inner.flush.spoke(now, readers, longest_ms);
        }
        inner.begin_repair()
    }

    /// Takes what the broker brought, and fans out what is in order. Publications that came twice are dropped.
    pub(super) fn accept(&self, deliveries: Vec<Arc<Delivery>>) -> NeedsRepair {
        let mut inner = self.inner.lock();
        inner.tell(&self.channel, deliveries, clock::steady_ms());
        inner.idle_looks = 0;
        inner.begin_repair()
    }

    /// Holds everything back until [`ChannelEntry::unpark`]: publications are kept as if a part were missing, signals and
    /// states are dropped.
    pub(super) fn park(&self) {
        let mut inner = self.inner.lock();
        // What waits came before, and states among it will not be told again.
        inner.tell(&self.channel, Vec::new(), clock::steady_ms());
        inner.is_parked = true;
    }

    /// Lets out what is in order.
    pub(super) fn unpark(&self) -> NeedsRepair {
        let mut inner = self.inner.lock();
        if !std::mem::take(&mut inner.is_parked) {
            return NeedsRepair(false);
        }
        let mut ready = Vec::new();
        inner.advance(&mut ready);
        inner.fan_out(&self.channel, &ready);
        inner.begin_repair()
    }

    /// Shows one subscriber states that were read for them.
    pub(super) fn show(&self, slot: usize, session: &SessionHandle, states: &[Arc<Delivery>]) {
        let mut inner = self.inner.lock();
        if let Some(subscriber) = inner.of(slot, session) {
            subscriber.take(&self.channel, states);
        }
    }

    /// Whether the log's head is to be looked at: at every look while publications come, now and then afterwards.
    pub(super) fn is_due(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.idle_looks = inner.idle_looks.saturating_add(1);
        inner.idle_looks <= BUSY_LOOKS || inner.idle_looks.is_multiple_of(IDLE_LOOKS)
    }

    /// The log has a newer publication than any that came: the tail was lost.
    pub(super) fn knows_of(&self, head: u64) -> NeedsRepair {
        let mut inner = self.inner.lock();
        // What waits here is not lost.
        inner.tell(&self.channel, Vec::new(), clock::steady_ms());
        let Some(mine) = inner.head.or_else(|| inner.least_told()) else { return NeedsRepair(false) };
        inner.head = Some(mine);
        inner.known = inner.known.max(head);
        inner.begin_repair()
    }

    /// After which offset the missing part begins; none once nothing is missing, which ends the repair.
    pub(super) fn repair_from(&self) -> Option<u64> {
        let mut inner = self.inner.lock();
        inner.tell(&self.channel, Vec::new(), clock::steady_ms());
        let head = inner.head.unwrap_or(0);
        let is_whole = head >= inner.known || inner.subscribers.is_empty() || inner.is_parked;
        inner.is_repairing = !is_whole;
        (!is_whole).then_some(head)
    }

    /// The log has nothing between the head and `first`: it is no longer kept.
    pub(super) fn expire_before(&self, first: u64) {
        let mut inner = self.inner.lock();
        let head = inner.head.unwrap_or(0);
        if first <= head + 1 {
            return;
        }
        let (from, to) = (head + 1, first - 1);
        for (_, subscriber) in &mut inner.subscribers {
            subscriber.lose(&self.channel, from, to, GapReason::Expired);
        }
        inner.head = Some(to);
    }
}

impl Inner {
    fn of(&mut self, slot: usize, session: &SessionHandle) -> Option<&mut Subscriber> {
        // A slot is used again after its subscriber has gone: an old holder of the number must not reach the new one.
        self.subscribers
            .get_mut(slot)
            .filter(|subscriber| std::ptr::eq(Arc::as_ptr(&subscriber.session), session))
    }

    /// Tells subscribers what waits and then these, as far as they are in order; whether there was anything.
    fn tell(&mut self, channel: &Channel, deliveries: Vec<Arc<Delivery>>, now: u64) -> bool {
        let mut all = self.flush.take();
        all.extend(deliveries);
        let mut ready = Vec::with_capacity(all.len());
        let is_any = !all.is_empty();
        for delivery in all {
            self.sort_in(delivery, &mut ready);
        }
        ready.iter().for_each(|delivery| self.meter.count(now, delivery.class()));
        self.fan_out(channel, &ready);
        is_any
    }

    fn sort_in(&mut self, delivery: Arc<Delivery>, ready: &mut Vec<Arc<Delivery>>) {
        let Some(offset) = delivery.offset() else {
            if !self.is_parked && self.is_newest(&delivery) {
                ready.push(delivery);
            }
            return;
        };
        // The first publication to come may not be the first that the subscribers miss.
        let before = offset.saturating_sub(1);
        let head = self.head.unwrap_or_else(|| self.least_told().map_or(before, |told| told.min(before)));
        self.head = Some(head);
        self.known = self.known.max(offset);
        if offset <= head {
            return;
        }
        if offset > head + 1 || self.is_parked {
            if self.early.len() < EARLY_COUNT {
                self.early.insert(offset, delivery);
            }
            return;
        }
        self.head = Some(offset);
        ready.push(delivery);
        self.advance(ready);
    }

    /// Whether no later version of this state went to subscribers; signals have none.
    fn is_newest(&mut self, delivery: &Arc<Delivery>) -> bool {
        let Some(key) = delivery.state_key() else { return true };
        let (key, version) = (self.hashing.hash_one(key), delivery.version());
        let place = self.latest.iter().rposition(|(known, _)| *known == key);
        if place.is_some_and(|place| self.latest[place].1 > version) {
            return false;
        }
        if let Some(place) = place {
            self.latest.remove(place);
        } else if self.latest.len() == LATEST_STATES {
            self.latest.pop_front();
        }
        self.latest.push_back((key, version));
        true
    }

    /// Takes what follows the head from what came early.
    fn advance(&mut self, ready: &mut Vec<Arc<Delivery>>) {
        while let Some(next) = self.early.first_entry() {
            let head = self.head.unwrap_or(0);
            match next.key().cmp(&(head + 1)) {
                std::cmp::Ordering::Less => drop(next.remove()),
                std::cmp::Ordering::Equal => {
                    self.head = Some(head + 1);
                    ready.push(next.remove());
                }
                std::cmp::Ordering::Greater => break,
            }
        }
    }

    /// Whether a part is missing that nobody brings yet; then the caller does.
    fn begin_repair(&mut self) -> NeedsRepair {
        let is_behind = !self.early.is_empty() || self.head.is_some_and(|head| head < self.known);
        let starts = is_behind && !self.is_repairing && !self.is_parked;
        self.is_repairing |= starts;
        NeedsRepair(starts)
    }

    /// Up to where every open subscription was told.
    fn least_told(&self) -> Option<u64> {
        let open = self.subscribers.iter().filter(|(_, subscriber)| subscriber.hold.is_none());
        open.map(|(_, subscriber)| subscriber.upto).min()
    }

    fn fan_out(&mut self, channel: &Channel, deliveries: &[Arc<Delivery>]) {
        if deliveries.is_empty() {
            return;
        }
        for (_, subscriber) in &mut self.subscribers {
            subscriber.take(channel, deliveries);
        }
    }
}

impl Subscriber {
    fn is_granted(&self) -> bool {
        self.hold.as_ref().is_none_or(|hold| hold.is_granted())
    }

    fn take(&mut self, channel: &Channel, deliveries: &[Arc<Delivery>]) {
        if self.hold.is_some() {
            for delivery in deliveries {
                self.keep(delivery);
            }
            return;
        }
        let upto = &mut self.upto;
        self.session.write(|pen| {
            for delivery in deliveries {
                if let Some(offset) = delivery.offset() {
                    if offset <= *upto {
                        continue;
                    }
                    if offset > *upto + 1 {
                        pen.gap(channel, *upto + 1, offset - 1, GapReason::Slow);
                    }
                    *upto = offset;
                }
                pen.push(delivery);
            }
        });
    }

    /// Holds a delivery back until the subscription opens.
    fn keep(&mut self, delivery: &Arc<Delivery>) {
        let Some(hold) = self.hold.as_mut() else { return };
        match delivery.class() {
            Class::C => {}
            Class::B if hold.is_granted() => self.session.write(|pen| pen.push(delivery)),
            Class::B => hold.keep_state(delivery),
            Class::A => {
                let Some(offset) = delivery.offset() else { return };
                let bytes = delivery.frame(self.session.format()).len();
                if self.session.hold_bytes(bytes) {
                    hold.bytes += bytes;
                    hold.publications.push_back(Arc::clone(delivery));
                } else {
                    hold.lose(offset, offset);
                    self.session.release_bytes(std::mem::take(&mut hold.bytes));
                }
            }
        }
    }

    fn lose(&mut self, channel: &Channel, from: u64, to: u64, reason: GapReason) {
        match &mut self.hold {
            Some(hold) => hold.lose(from, to),
            None if to > self.upto => {
                let from = from.max(self.upto + 1);
                self.upto = to;
                self.session.write(|pen| pen.gap(channel, from, to, reason));
            }
            None => {}
        }
    }

    fn begin_anew(&mut self) {
        // What is held stays held: it goes on as it was if this comes to nothing.
        let hold =
            self.hold.get_or_insert_with(|| Box::new(Hold { before: Before::Open, ..Hold::default() }));
        if std::mem::take(&mut hold.is_paging) {
            hold.before = Before::Paging;
        }
    }

    fn open(&mut self, channel: &Channel, opening: Opening) -> Settled {
        if self.hold.as_ref().is_some_and(|hold| !hold.is_paging && hold.before != Before::Nothing) {
            // The reply tells all of it, or more.
            self.session.write(|pen| pen.purge_log(channel));
        }
        self.go_on(channel, opening)
    }

    /// Lets out what was held, as far as the reader has no pages to ask for first.
    fn go_on(&mut self, channel: &Channel, opening: Opening) -> Settled {
        let Some(hold) = self.hold.as_mut() else { return Settled::Stands };
        if let Some(reason) = hold.ended {
            return Settled::Ended(reason);
        }
        self.upto = self.upto.max(opening.upto);
        let states = std::mem::take(&mut hold.states);
        self.session.write(|pen| states.iter().for_each(|state| pen.push(state)));
        if opening.has_more {
            hold.is_paging = true;
            return Settled::Stands;
        }
        let Some(hold) = self.hold.take() else { return Settled::Stands };
        self.session.release_bytes(hold.bytes);
        if let Some((from, to)) = hold.lost {
            self.lose(channel, from, to, GapReason::Slow);
        }
        let publications = Vec::from(hold.publications);
        self.take(channel, &publications);
        Settled::Stands
    }

    fn release_hold(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.session.release_bytes(hold.bytes);
        }
    }
}

impl Hold {
    /// Whether the reader has, or had when it began anew, the right to listen: it is present, and states go through.
    fn is_granted(&self) -> bool {
        self.is_paging || self.before != Before::Nothing
    }

    /// Everything up to `to` is given up: what was held, and what comes now.
    fn lose(&mut self, from: u64, to: u64) {
        let held = self.publications.front().and_then(|delivery| delivery.offset());
        let from = self.lost.map_or(held.unwrap_or(from), |(from, _)| from);
        self.lost = Some((from, to));
        self.publications.clear();
    }

    /// The reply brings the channel's own states, read after the subscription began; what is kept here is for others.
    fn keep_state(&mut self, state: &Arc<Delivery>) {
        self.states.retain(|held| held.state_key() != state.state_key());
        if self.states.len() < HELD_STATES {
            self.states.push(Arc::clone(state));
        }
    }
}

/// The push that names offsets which will not be sent.
pub(super) fn gap_push(channel: &Channel, from: u64, to: u64, reason: GapReason) -> GapPush {
    GapPush { channel: channel.clone(), from, to, reason }
}
