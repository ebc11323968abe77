//! What waits for one reader: bounded, ordered, and honest about what it gave up.
//!
//! Pure: it never waits, knows no clock and no socket. Replies and news of the connection itself go first, in a lane of
//! their own that always has room; everything of channels keeps its order in the other lane. When that one runs over its
//! budget, signals go first; then publications of the channels that wait with most bytes are cut to one `gap` each, naming
//! exactly what was not sent. States keep only the newest of a key and are bounded apart, at twice the budget: they cannot
//! be given up, and cutting publications would not help them.

use super::delivery::{Delivery, StateKey};
use bytes::Bytes;
use communiconnect_protocol::{Channel, Class, FlowPush, Format, GapPush, GapReason, encode_push, kind};
use std::{
    borrow::Borrow,
    collections::{HashMap, VecDeque},
    hash::{Hash, Hasher},
    sync::Arc,
};

/// How much may wait for one reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of pushes.
    pub bytes: usize,
    /// Number of pushes.
    pub count: usize,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It waits, or a gap covers it, or a newer state made it needless.
    Kept,
    /// It was a signal and there was no room for it.
    Thinned,
    /// States alone are beyond twice the budget: this reader cannot be served honestly, let it come back later.
    Overloaded,
}

/// A message of the urgent lane.
#[derive(Debug)]
struct Frame {
    bytes: Bytes,
    is_reply: bool,
}

/// The outbox of one session. Drive it with the pushing methods, then [`Outbox::pop`] until it is empty.
#[derive(Debug)]
pub struct Outbox {
    format: Format,
    budget: Budget,
    urgent: VecDeque<Frame>,
    lane: VecDeque<Entry>,
    /// Sequence number of the first entry of the lane: entries are found by number while the front moves on.
    first: u64,
    /// Where the waiting state of each key stands.
    states: HashMap<ByStateKey, u64>,
    load: Load,
    state_bytes: usize,
    level: u8,
    pings: usize,
}

/// What counts against the budget: publications, their skips and gaps, and signals.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    bytes: usize,
    count: usize,
}

#[derive(Debug)]
enum Entry {
    Shared(Arc<Delivery>),
    Skip(Arc<Delivery>),
    Gap(Box<GapPush>),
    Control(Box<Control>),
    /// Taken out of the middle; costs nothing and is passed over.
    Gone,
}

#[derive(Debug)]
struct Control {
    frame: Bytes,
    is_ping: bool,
}

/// Bytes charged for what is encoded only when it leaves: a skip or a gap with the longest channel name.
const SMALL_FRAME: usize = 128;

/// Entries up to which an empty lane keeps its memory: enough for quiet sessions never to allocate again.
const KEPT_ENTRIES: usize = 16;

impl Outbox {
    /// An empty outbox for messages in `format`.
    pub fn new(format: Format, budget: Budget) -> Self {
        Self {
            format,
            budget,
            urgent: VecDeque::new(),
            lane: VecDeque::new(),
            first: 0,
            states: HashMap::new(),
            load: Load::default(),
            state_bytes: 0,
            level: 0,
            pings: 0,
        }
    }

    /// A reply; goes before everything that waits. There is one at a time, so it always has room.
    pub fn push_reply(&mut self, bytes: Bytes) {
        self.urgent.push_back(Frame { bytes, is_reply: true });
    }

    /// News of the connection itself (`token.expiring`, `reconnect`); goes before everything of channels.
    pub fn push_notice(&mut self, bytes: Bytes) {
        self.urgent.push_back(Frame { bytes, is_reply: false });
    }

    /// Control in the order of the channels (`subscribed`, `unsubscribed`); always has room.
    pub fn push_control(&mut self, bytes: Bytes) {
        self.lane.push_back(Entry::Control(Box::new(Control { frame: bytes, is_ping: false })));
    }

    /// `ping`: in the order of the channels, so that its heads never run ahead of publications that wait.
    pub fn push_ping(&mut self, bytes: Bytes) {
        self.pings += 1;
        self.lane.push_back(Entry::Control(Box::new(Control { frame: bytes, is_ping: true })));
    }

    /// Whether a `ping` still waits, so that another would say nothing new.
    pub fn has_ping(&self) -> bool {
        self.pings > 0
    }

    /// Publications that will not be sent, for a reason outside of this outbox.
    pub fn push_gap(&mut self, gap: GapPush) {
        self.load.add(SMALL_FRAME);
        self.lane.push_back(Entry::Gap(Box::new(gap)));
    }

    /// A push of a channel: publication, state or signal.
    pub fn push(&mut self, delivery: &Arc<Delivery>) -> Verdict {
        match delivery.class() {
            Class::A => self.push_publication(Entry::Shared(Arc::clone(delivery))),
            Class::B => self.push_state(delivery),
            Class::C => self.push_signal(delivery),
        }
    }

    /// A publication that this reader may not see.
    pub fn push_skip(&mut self, delivery: &Arc<Delivery>) -> Verdict {
        self.push_publication(Entry::Skip(Arc::clone(delivery)))
    }

    /// Writes the next message, and whether it answers a command; none where nothing waits. Bytes are lent, not given:
    /// what many readers share is copied once, into the socket's buffer.
    pub fn pop<T>(&mut self, write: impl FnOnce(&[u8], bool) -> T) -> Option<T> {
        if let Some(frame) = self.urgent.pop_front() {
            return Some(write(&frame.bytes, frame.is_reply));
        }
        while let Some(entry) = self.lane.pop_front() {
            self.first += 1;
            self.load.remove(self.cost(&entry));
            return Some(match entry {
                Entry::Shared(delivery) => {
                    self.forget_state(&delivery);
                    write(delivery.frame(self.format), false)
                }
                Entry::Skip(delivery) => write(&delivery.skip_frame(self.format), false),
                Entry::Gap(gap) => write(&encode_push(self.format, kind::GAP, &*gap), false),
                Entry::Control(control) => {
                    self.pings -= usize::from(control.is_ping);
                    write(&control.frame, false)
                }
                Entry::Gone => continue,
            });
        }
        if self.level == 0 {
            return None;
        }
        self.level = 0;
        let recovery = self.flow("recovered: everything that waited has been sent");
        Some(write(&recovery.bytes, false))
    }

    /// Takes back everything of a channel: the reader has left it.
    pub fn purge(&mut self, channel: &Channel) {
        self.take_out(|entry| entry.channel() == Some(channel));
    }

    /// Takes back everything of a channel but its states: the reader begins anew and is told the log again, but of states
    /// only those of the channel's own object, and of each the latest has to arrive.
    pub fn purge_log(&mut self, channel: &Channel) {
        self.take_out(|entry| entry.channel() == Some(channel) && entry.class() != Some(Class::B));
    }

    /// Gives the memory of a burst back; to be called now and then, not at every rest, since the next burst needs it again.
    pub fn shed(&mut self) {
        if self.lane.is_empty() && self.lane.capacity() > KEPT_ENTRIES {
            self.lane = VecDeque::new();
            self.states = HashMap::new();
        }
    }

    /// How many pushes and replies wait.
    pub fn len(&self) -> usize {
        self.urgent.len() + self.lane.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.lane.is_empty() && self.level == 0
    }

    /// Bytes of pushes that wait.
    pub fn bytes(&self) -> usize {
        self.load.bytes + self.state_bytes
    }

    fn push_publication(&mut self, entry: Entry) -> Verdict {
        let cost = self.cost(&entry);
        self.load.add(cost);
        self.lane.push_back(entry);
        if self.is_over() {
            self.drop_signals();
        }
        if self.is_over() {
            self.cut();
        }
        Verdict::Kept
    }

    fn push_state(&mut self, delivery: &Arc<Delivery>) -> Verdict {
        let cost = delivery.frame(self.format).len();
        let key = delivery.state_key().expect("invariant: class B is a state");
        if let Some(&place) = self.states.get(&key as &dyn Keyed) {
            let entry =
                &mut self.lane[usize::try_from(place - self.first).expect("invariant: a place in the lane")];
            let Entry::Shared(waiting) = entry else { unreachable!("invariant: the index names states") };
            if waiting.version() >= delivery.version() {
                return Verdict::Kept;
            }
            let former = waiting.frame(self.format).len();
            *waiting = Arc::clone(delivery);
            self.state_bytes = self.state_bytes - former + cost;
            // The key must not keep the former version alive.
            self.states.remove(&key as &dyn Keyed);
            self.states.insert(ByStateKey(Arc::clone(delivery)), place);
            if self.is_pressed() {
                self.degrade(2);
            }
        } else {
            self.states.insert(ByStateKey(Arc::clone(delivery)), self.first + self.lane.len() as u64);
            self.lane.push_back(Entry::Shared(Arc::clone(delivery)));
            self.state_bytes += cost;
        }
        if self.state_bytes > 2 * self.budget.bytes || self.states.len() > 2 * self.budget.count {
            return Verdict::Overloaded;
        }
        Verdict::Kept
    }

    fn push_signal(&mut self, delivery: &Arc<Delivery>) -> Verdict {
        if self.is_pressed() {
            self.degrade(1);
            return Verdict::Thinned;
        }
        self.load.add(delivery.frame(self.format).len());
        self.lane.push_back(Entry::Shared(Arc::clone(delivery)));
        Verdict::Kept
    }

    /// Over the budget: something must go.
    fn is_over(&self) -> bool {
        self.load.bytes > self.budget.bytes || self.load.count > self.budget.count
    }

    /// Over half of the budget: nothing more that may be thinned.
    fn is_pressed(&self) -> bool {
        self.load.bytes > self.budget.bytes / 2 || self.load.count > self.budget.count / 2
    }

    fn drop_signals(&mut self) {
        let before = self.load.count;
        self.take_out(|entry| entry.class() == Some(Class::C));
        if self.load.count < before {
            self.degrade(1);
        }
    }

    /// Cuts the channels with most waiting bytes to a gap each, until half of the budget is free: a cut costs one pass,
    /// so it has to pay for many pushes.
    fn cut(&mut self) {
        let mut weights: HashMap<&Channel, Weight> = HashMap::new();
        for entry in &self.lane {
            if let Some((channel, from, to)) = entry.range() {
                weights.entry(channel).or_default().add(self.cost(entry), from, to);
            }
        }
        let mut heaviest: Vec<_> = weights.into_iter().filter(|(_, weight)| weight.pays()).collect();
        heaviest.sort_unstable_by_key(|(_, weight)| std::cmp::Reverse(weight.load.bytes));
        let mut freed = Load::default();
        let mut cuts = HashMap::new();
        for (channel, weight) in heaviest {
            let (bytes, count) = (self.load.bytes - freed.bytes, self.load.count - freed.count);
            if bytes <= self.budget.bytes / 2 && count <= self.budget.count / 2 {
                break;
            }
            freed.bytes += weight.load.bytes - SMALL_FRAME;
            freed.count += weight.load.count - 1;
            cuts.insert(channel.clone(), Some((weight.from, weight.to)));
        }
        if cuts.is_empty() {
            return;
        }
        for place in 0..self.lane.len() {
            let Some((channel, ..)) = self.lane[place].range() else { continue };
            let Some(cut) = cuts.get_mut(channel) else { continue };
            let entry = match cut.take() {
                Some((from, to)) => {
                    let gap = GapPush { channel: channel.clone(), from, to, reason: GapReason::Slow };
                    self.load.add(SMALL_FRAME);
                    Entry::Gap(Box::new(gap))
                }
                None => Entry::Gone,
            };
            let former = std::mem::replace(&mut self.lane[place], entry);
            self.load.remove(self.cost(&former));
        }
        self.compact();
        self.degrade(3);
    }

    /// Takes entries out of the lane.
    fn take_out(&mut self, unwanted: impl Fn(&Entry) -> bool) {
        let mut found = false;
        for place in 0..self.lane.len() {
            if !unwanted(&self.lane[place]) {
                continue;
            }
            let entry = std::mem::replace(&mut self.lane[place], Entry::Gone);
            self.load.remove(self.cost(&entry));
            if let Entry::Shared(delivery) = entry {
                self.forget_state(&delivery);
            }
            found = true;
        }
        if found {
            self.compact();
        }
    }

    /// Closes the holes and renumbers what is left.
    fn compact(&mut self) {
        self.lane.retain(|entry| !matches!(entry, Entry::Gone));
        if self.states.is_empty() {
            return;
        }
        self.states.clear();
        for (place, entry) in self.lane.iter().enumerate() {
            if let Entry::Shared(delivery) = entry
                && delivery.class() == Class::B
            {
                self.states.insert(ByStateKey(Arc::clone(delivery)), self.first + place as u64);
            }
        }
    }

    fn forget_state(&mut self, delivery: &Delivery) {
        if let Some(key) = delivery.state_key() {
            self.states.remove(&key as &dyn Keyed);
            self.state_bytes -= delivery.frame(self.format).len();
        }
    }

    fn degrade(&mut self, level: u8) {
        if level <= self.level {
            return;
        }
        self.level = level;
        let frame = self.flow(match level {
            1 => "slow reader: signals are thinned",
            2 => "slow reader: only the newest of a state is sent",
            _ => "slow reader: publications are cut to gaps",
        });
        self.urgent.push_back(frame);
    }

    fn flow(&self, reason: &str) -> Frame {
        let push = FlowPush { level: self.level, reason: reason.to_owned() };
        Frame { bytes: encode_push(self.format, kind::FLOW, &push), is_reply: false }
    }

    /// Bytes that an entry counts for; none where it has room of its own.
    fn cost(&self, entry: &Entry) -> Option<usize> {
        match entry {
            // States are bounded on their own: cutting publications could not make room for them.
            Entry::Shared(delivery) if delivery.class() == Class::B => None,
            Entry::Shared(delivery) => Some(delivery.frame(self.format).len()),
            Entry::Skip(_) | Entry::Gap(_) => Some(SMALL_FRAME),
            Entry::Control(_) | Entry::Gone => None,
        }
    }
}

impl Load {
    fn add(&mut self, cost: impl Into<Option<usize>>) {
        if let Some(bytes) = cost.into() {
            self.bytes += bytes;
            self.count += 1;
        }
    }

    fn remove(&mut self, cost: Option<usize>) {
        if let Some(bytes) = cost {
            self.bytes -= bytes;
            self.count -= 1;
        }
    }
}

/// What a channel's publications weigh in the lane, and which they are.
#[derive(Default)]
struct Weight {
    load: Load,
    from: u64,
    to: u64,
}

impl Weight {
    fn add(&mut self, cost: Option<usize>, from: u64, to: u64) {
        if self.load.count == 0 {
            self.from = from;
        }
        self.load.add(cost);
        self.to = to;
    }

    /// Whether a gap in place of them makes room.
    fn pays(&self) -> bool {
        self.load.count > 1 || self.load.bytes > SMALL_FRAME
    }
}

impl Entry {
    fn channel(&self) -> Option<&Channel> {
        match self {
            Self::Shared(delivery) | Self::Skip(delivery) => Some(delivery.channel()),
            Self::Gap(gap) => Some(&gap.channel),
            Self::Control(_) | Self::Gone => None,
        }
    }

    fn class(&self) -> Option<Class> {
        match self {
            Self::Shared(delivery) => Some(delivery.class()),
            Self::Skip(_) | Self::Gap(_) => Some(Class::A),
            Self::Control(_) | Self::Gone => None,
        }
    }

    /// The offsets that the entry speaks of.
    fn range(&self) -> Option<(&Channel, u64, u64)> {
        match self {
            Self::Shared(delivery) | Self::Skip(delivery) => {
                delivery.offset().map(|offset| (delivery.channel(), offset, offset))
            }
            Self::Gap(gap) => Some((&gap.channel, gap.from, gap.to)),
            Self::Control(_) | Self::Gone => None,
        }
    }
}

/// A waiting state, found by its identity without copying it.
#[derive(Debug)]
struct ByStateKey(Arc<Delivery>);

trait Keyed {
    fn state_key(&self) -> StateKey<'_>;
}

impl Keyed for ByStateKey {
    fn state_key(&self) -> StateKey<'_> {
        self.0.state_key().expect("invariant: only states are indexed")
    }
}

impl Keyed for StateKey<'_> {
    fn state_key(&self) -> StateKey<'_> {
        *self
    }
}

impl Hash for dyn Keyed + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.state_key().hash(state);
    }
}

impl PartialEq for dyn Keyed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.state_key() == other.state_key()
    }
}

impl Eq for dyn Keyed + '_ {}

impl Hash for ByStateKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.state_key().hash(state);
    }
}

impl PartialEq for ByStateKey {
    fn eq(&self, other: &Self) -> bool {
        self.state_key() == other.state_key()
    }
}

impl Eq for ByStateKey {}

impl<'a> Borrow<dyn Keyed + 'a> for ByStateKey {
    fn borrow(&self) -> &(dyn Keyed + 'a) {
        self
    }
}

#[cfg(test)]
mod tests;
