//! A world for a hub: a log that can be trimmed and cut off, rights set by hand, readers that check what they read.

use crate::{
    auth::{Identity, Person},
    broker::{Broadcast, Deliver},
    hub::{Access, Caller, Hub, HubParts, HubSettings, SessionHandle},
    publication::{Audience, Publication},
    store::{
        self, Reader, StoreError,
        log::{Entry, Log, LogPage, PageSize, Range},
    },
    tasks::Tasks,
};
use communiconnect_protocol::{
    Channel, Code, Data, ErrorBody, Format, GapRange, LogItem, Position, Role, StateItem, SubscribeOutcome,
    Subscribed, User, UserId, encode_ok,
};
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Waker,
};

pub(crate) const EPOCH: &str = "e1";

/// The channel logs, in memory.
#[derive(Default)]
pub(crate) struct MemoryLog {
    channels: Mutex<HashMap<Channel, Vec<Publication>>>,
    first: Mutex<HashMap<Channel, u64>>,
    pub(crate) is_down: AtomicBool,
    /// Reads wait for ever.
    pub(crate) is_stuck: AtomicBool,
    /// Pages read so far.
    pub(crate) reads: AtomicUsize,
}

impl MemoryLog {
    /// Forgets everything below `first`.
    pub(crate) fn trim_to(&self, channel: &Channel, first: u64) {
        self.first.lock().insert(channel.clone(), first);
    }
}

#[async_trait::async_trait]
impl Log for MemoryLog {
    async fn page(&self, channel: &Channel, range: Range, size: PageSize) -> store::Result<LogPage> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("the test says so".into()));
        }
        if self.is_stuck.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        // Whoever reads may be overtaken here.
        tokio::task::yield_now().await;
        let (kept, head, first) = {
            let channels = self.channels.lock();
            let all = channels.get(channel).cloned().unwrap_or_default();
            let first = self.first.lock().get(channel).copied().unwrap_or(1);
            let head = all.len() as u64;
            let kept: Vec<_> = all.into_iter().filter(|publication| publication.offset >= first).collect();
            (kept, head, first)
        };
        tokio::task::yield_now().await;
        let mut asked: Vec<_> = match range {
            Range::After(after) => kept.into_iter().filter(|item| item.offset > after).collect(),
            Range::Before(before) => kept.into_iter().rev().filter(|item| item.offset < before).collect(),
        };
        let mut bytes = 0;
        let fits = asked.iter().take(size.items).take_while(|item| {
            bytes += item.data.as_bytes().len();
            bytes <= size.bytes
        });
        let count = fits.count().max(1).min(asked.len());
        let more = asked.len() > count;
        asked.truncate(count);
        Ok(LogPage { epoch: EPOCH.into(), head, first, publications: asked, more })
    }

    async fn heads(&self, channels: Vec<Channel>) -> store::Result<Vec<u64>> {
        let known = self.channels.lock();
        Ok(channels.iter().map(|channel| known.get(channel).map_or(0, |all| all.len() as u64)).collect())
    }

    async fn append(&self, _entry: Entry) -> store::Result<u64> {
        unreachable!("tests write through the world")
    }

    async fn trim(&self, _now: i64) -> store::Result<usize> {
        Ok(0)
    }

    async fn probe(&self, _now: i64) -> store::Result<()> {
        Ok(())
    }
}

/// Rights set by hand: everything is allowed that was not forbidden.
#[derive(Default)]
pub(crate) struct Rights {
    forbidden: Mutex<HashSet<(Option<UserId>, Channel)>>,
    pub(crate) blocked: Mutex<HashMap<UserId, Vec<UserId>>>,
    pub(crate) unnamed: Mutex<Option<UserId>>,
    pub(crate) states: Mutex<Vec<StateItem>>,
    pub(crate) is_down: AtomicBool,
    /// How often a right was asked for.
    pub(crate) asked: AtomicUsize,
}

impl Rights {
    pub(crate) fn forbid(&self, user: Option<UserId>, channel: &Channel) {
        self.forbidden.lock().insert((user, channel.clone()));
    }
}

#[async_trait::async_trait]
impl Access for Rights {
    async fn may_read(&self, reader: &Reader, channel: &Channel) -> Result<(), ErrorBody> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        if self.is_down.load(Ordering::Relaxed) {
            return Err(ErrorBody::new(Code::Unavailable, "the test says so"));
        }
        if self.forbidden.lock().contains(&(reader.user, channel.clone())) {
            return Err(ErrorBody::new(Code::NotFound, "no such thing"));
        }
        Ok(())
    }

    async fn states(&self, _reader: &Reader, _channel: &Channel) -> Result<Vec<StateItem>, ErrorBody> {
        Ok(self.states.lock().clone())
    }

    async fn blocked_with(&self, user: UserId) -> Result<Vec<UserId>, ErrorBody> {
        tokio::task::yield_now().await;
        Ok(self.blocked.lock().get(&user).cloned().unwrap_or_default())
    }

    async fn unnamed_in(&self, _channel: &Channel) -> Result<Option<UserId>, ErrorBody> {
        Ok(*self.unnamed.lock())
    }
}

/// A hub with all that it asks.
pub(crate) struct World {
    pub(crate) hub: Arc<Hub>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) rights: Arc<Rights>,
    pub(crate) tasks: Tasks,
}

impl World {
    pub(crate) fn new(settings: HubSettings) -> Self {
        let (log, rights, tasks) =
            (Arc::new(MemoryLog::default()), Arc::new(Rights::default()), Tasks::default());
        let settings = HubSettings { test_channels: true, ..settings };
        let parts = HubParts { settings, access: rights.clone(), log: log.clone(), tasks: tasks.clone() };
        Self { hub: Hub::new(parts), log, rights, tasks }
    }

    /// Another node on the same store.
    pub(crate) fn beside(&self) -> Self {
        let (log, rights, tasks) = (self.log.clone(), self.rights.clone(), Tasks::default());
        let settings = self.hub.settings().clone();
        let parts = HubParts { settings, access: rights.clone(), log: log.clone(), tasks: tasks.clone() };
        Self { hub: Hub::new(parts), log, rights, tasks }
    }

    /// A connected session of `identity`.
    pub(crate) async fn connect(&self, identity: Identity) -> Client {
        let handle = self.hub.open(Format::Json);
        self.hub.admit(&handle, identity).expect("admitted");
        let outcomes = self.hub.greet(&handle, BTreeMap::new()).await.expect("greeted");
        let mut client = Client { handle, hub: Arc::clone(&self.hub), seen: Seen::default() };
        client.handle.reply(encode_ok(Format::Json, 1, &()));
        for outcome in outcomes.into_values() {
            if let SubscribeOutcome::Subscribed(subscribed) = outcome {
                client.seen.begin(&subscribed);
            }
        }
        client
    }

    pub(crate) async fn guest(&self) -> Client {
        self.connect(Identity::Guest).await
    }

    /// Writes to the log alone, as a commit whose publication is still on its way.
    pub(crate) fn write(&self, channel: &Channel, make: impl FnOnce(u64) -> Publication) -> Publication {
        let mut channels = self.log.channels.lock();
        let all = channels.entry(channel.clone()).or_default();
        let publication = make(all.len() as u64 + 1);
        all.push(publication.clone());
        publication
    }

    pub(crate) fn deliver(&self, publications: impl IntoIterator<Item = Publication>) {
        self.hub.deliver(publications.into_iter().map(Broadcast::Publication).collect());
    }

    /// Writes and delivers.
    pub(crate) fn publish(&self, channel: &Channel) {
        let publication = self.write(channel, |offset| plain(channel, offset));
        self.deliver([publication]);
    }
}

pub(crate) fn plain(channel: &Channel, offset: u64) -> Publication {
    Publication {
        channel: channel.clone(),
        offset,
        event: "e".into(),
        data: Data::of(&offset),
        at: 0,
        actor: None,
        audience: Audience::Readers,
    }
}

pub(crate) fn test_channel(name: &str) -> Channel {
    format!("test:{name}").parse().expect("a test channel")
}

pub(crate) fn person(name: &str) -> Identity {
    let id = UserId::new(1_700_000_000_000);
    let user = User {
        id,
        username: name.into(),
        name: name.into(),
        photo: None,
        bio: String::new(),
        role: Role::User,
        my: None,
    };
    Identity::Person(Box::new(Person {
        user,
        role: Role::User,
        expires_at: None,
        login: Some(format!("login-{name}")),
    }))
}

/// A client that believes nothing: every offset it is told of must follow the last.
pub(crate) struct Client {
    pub(crate) handle: Arc<SessionHandle>,
    hub: Arc<Hub>,
    pub(crate) seen: Seen,
}

/// What a client has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Last offset by channel.
    pub(crate) offsets: BTreeMap<String, u64>,
    /// Offsets told as not sent, or as not for this reader.
    pub(crate) gaps: Vec<(u64, u64, String)>,
    pub(crate) skips: Vec<u64>,
    pub(crate) ended: Vec<(String, String)>,
    /// Versions of states that were pushed.
    pub(crate) states: Vec<u64>,
    /// Types of everything else.
    pub(crate) others: Vec<String>,
}

impl Seen {
    pub(crate) fn begin(&mut self, subscribed: &Subscribed) {
        let channel = subscribed.channel.to_string();
        match subscribed.recovered {
            communiconnect_protocol::Recovered::New | communiconnect_protocol::Recovered::Reset => {
                self.offsets.insert(channel, subscribed.offset);
            }
            _ => {
                if let Some(GapRange { from, to }) = subscribed.gap {
                    self.gaps.push((from, to, "reply".into()));
                    self.advance(&channel, from, to);
                }
                self.page(&channel, &subscribed.publications);
            }
        }
    }

    pub(crate) fn page(&mut self, channel: &str, items: &[LogItem]) {
        for item in items {
            if matches!(item, LogItem::Skip { .. }) {
                self.skips.push(item.offset());
            }
            self.advance(channel, item.offset(), item.offset());
        }
    }

    fn advance(&mut self, channel: &str, from: u64, to: u64) {
        let last = self.offsets.get_mut(channel).unwrap_or_else(|| panic!("{channel} was not subscribed to"));
        assert_eq!(from, *last + 1, "{channel}: a hole, or something twice");
        *last = to;
    }

    fn push(&mut self, kind: &str, body: &Value) {
        let channel = body["channel"].as_str().unwrap_or_default();
        let number = |name: &str| body[name].as_u64().expect("a number");
        match kind {
            "publication" => self.advance(channel, number("offset"), number("offset")),
            "skip" => {
                self.skips.push(number("offset"));
                self.advance(channel, number("offset"), number("offset"));
            }
            "gap" => {
                let reason = body["reason"].as_str().unwrap_or_default().to_owned();
                self.gaps.push((number("from"), number("to"), reason));
                self.advance(channel, number("from"), number("to"));
            }
            "unsubscribed" => {
                self.offsets.remove(channel);
                self.ended.push((channel.to_owned(), body["reason"].as_str().unwrap_or_default().to_owned()));
            }
            "state" => self.states.push(number("version")),
            other => self.others.push(other.to_owned()),
        }
    }
}

impl Client {
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            identity: (*self.handle.identity()).clone(),
            session: Some(Arc::clone(&self.handle)),
            format: self.handle.format(),
        }
    }

    /// Subscribes and reads the reply, as a driver and a client would.
    pub(crate) async fn subscribe(
        &mut self,
        channel: &Channel,
        from: Option<u64>,
    ) -> Result<Subscribed, ErrorBody> {
        let position = from.map(|offset| Position { epoch: EPOCH.into(), offset });
        let subscribed = self.ask(channel, position).await?;
        if let Some(offset) = from {
            self.seen.offsets.insert(channel.to_string(), offset);
        }
        self.seen.begin(&subscribed);
        Ok(subscribed)
    }

    /// Subscribes; the reply is queued, and what it says is not believed yet.
    pub(crate) async fn ask(
        &self,
        channel: &Channel,
        from: Option<Position>,
    ) -> Result<Subscribed, ErrorBody> {
        let (epoch, offset) = from.map(|from| (from.epoch, from.offset)).unzip();
        let command = communiconnect_protocol::Subscribe { channel: channel.to_string(), epoch, offset };
        let subscribed = self.hub.subscribe(&self.caller(), command).await;
        let bytes = encode_ok(Format::Json, 1, &());
        if subscribed.is_ok() {
            self.handle.reply(bytes)
        } else {
            self.handle.refuse(bytes)
        }
        subscribed
    }

    /// Pages on to the head, as a client does that was told `more`.
    pub(crate) async fn catch_up(&mut self, channel: &Channel) -> usize {
        let mut pages = 0;
        loop {
            let name = channel.to_string();
            let after = self.seen.offsets.get(&name).copied();
            let command =
                communiconnect_protocol::History { channel: name.clone(), after, before: None, limit: None };
            let page = self.hub.history(&self.caller(), command).await.expect("a page");
            self.handle.reply(encode_ok(Format::Json, 1, &()));
            self.seen.page(&name, &page.publications);
            pages += 1;
            if !page.more {
                return pages;
            }
        }
    }

    /// Reads everything that waits.
    pub(crate) fn read(&mut self) -> &mut Seen {
        let mut messages = Vec::new();
        while !self.handle.take(Waker::noop(), usize::MAX, |message, is_reply| {
            let (_, kind, body): (u64, String, Value) = serde_json::from_slice(message).expect("a message");
            messages.extend((!is_reply).then_some((kind, body)));
        }) {}
        for (kind, body) in messages {
            self.seen.push(&kind, &body);
        }
        &mut self.seen
    }

    /// The last offset that it has seen of a channel, after reading everything that waits.
    pub(crate) fn at(&mut self, channel: &Channel) -> Option<u64> {
        self.read().offsets.get(&channel.to_string()).copied()
    }
}
