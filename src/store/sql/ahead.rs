//! What operations are about to ask, read for all of them at once, and what they change of it.
//!
//! Every question to a server costs a round trip, and comments, reactions, views and messages of many people ask the same
//! few: the post or the live, who it is, what was counted, whether the author wants to hear of it. So the writer reads the answers for all of a group
//! commit in one statement, lets them run on these, and writes what they changed in one statement a table. In between
//! nothing else runs, and the turn keeps other nodes away: what is here is what the tables say.
//!
//! SQLite answers one by one, in one statement each, and is asked ahead for comments and reactions alone. There too an
//! operation that runs on answers needs no savepoint, for which SQLite would copy every page that it touches, and a post is
//! counted up once however many comments it got.

mod chats;
mod reactions;
mod views;

use super::{
    bulk,
    db::{Connection, OptionalExtension, Result, Row, params},
    facts::{self, POST_FACTS, PostRow},
    heads::Heads,
    notifications::{Change, Counted, KEPT, Standing},
    postgres::Session,
    posts::{self, Move, POST_COUNTS},
    user_row::{USER_COLUMNS, user_at},
};
use crate::store::Actor;
use chats::Chats;
use communiconnect_protocol::{Channel, ChatMessageId, LiveId, PostCounts, PostId, User, UserId};
use reactions::Reactions;
use std::collections::{HashMap, HashSet, hash_map::Entry};
use views::Views;

pub(super) use chats::Written;
pub(super) use reactions::Felt;

/// What an operation is going to ask.
#[derive(Clone, Debug)]
pub(crate) enum Wants {
    /// Of a post.
    Post(OfPost),
    /// Of the chat of a live.
    Chat(OfChat),
}

/// Somebody does something to a post.
#[derive(Clone, Debug)]
pub(crate) struct OfPost {
    pub(super) actor: Actor,
    pub(super) post: PostId,
    pub(super) act: Act,
}

/// What somebody does to a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Under the name of an operation.
    Comment(String),
    React,
    View,
}

/// Somebody writes into a chat.
#[derive(Clone, Debug)]
pub(crate) struct OfChat {
    pub(super) actor: Actor,
    pub(super) op: String,
    pub(super) live: LiveId,
    pub(super) reply_to: Option<ChatMessageId>,
}

impl Wants {
    fn of_post(&self) -> Option<&OfPost> {
        match self {
            Self::Post(wanted) => Some(wanted),
            Self::Chat(_) => None,
        }
    }

    fn of_chat(&self) -> Option<&OfChat> {
        match self {
            Self::Chat(wanted) => Some(wanted),
            Self::Post(_) => None,
        }
    }
}

impl OfPost {
    /// The name of the operation; none of one that may be done again.
    fn op(&self) -> Option<&str> {
        match &self.act {
            Act::Comment(op) => Some(op),
            Act::React | Act::View => None,
        }
    }
}

/// What a person's inbox counts, and the kinds that are not wanted, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inbox {
    pub(super) unread: i64,
    pub(super) kept: i64,
    pub(super) muted: i64,
}

/// Digest and answer of an operation that was done before.
pub(super) type Done = ([u8; 32], Vec<u8>);

/// Answers read ahead.
#[derive(Default)]
pub(super) struct Ahead {
    posts: HashMap<(PostId, UserId), PostRow>,
    users: HashMap<UserId, User>,
    /// None of one that was not done before.
    ops: HashMap<(UserId, String), Option<Done>>,
    counts: Moving<PostId, PostCounts>,
    inboxes: Moving<UserId, Inbox>,
    reactions: Reactions,
    views: Views,
    chats: Chats,
    /// How many operations run on it.
    asked: i64,
}

/// How far the changes had come at some time.
#[derive(Clone, Copy)]
pub(super) struct Since {
    counts: usize,
    inboxes: usize,
    reactions: reactions::Since,
    views: usize,
}

impl Ahead {
    /// Reads what these will ask, and the heads of the channels that they will tell it in.
    pub(super) fn read<'w>(
        &mut self,
        connection: &Connection,
        wants: impl Iterator<Item = &'w Wants> + Clone,
        heads: &mut Heads,
    ) -> Result<()> {
        self.asked = wants.clone().count() as i64;
        let (posts, chats) = (wants.clone().filter_map(Wants::of_post), wants.filter_map(Wants::of_chat));
        let channels = match connection {
            Connection::Sqlite(_) => self.read_each(connection, posts)?,
            Connection::Postgres(session) => {
                let mut channels = self.read_all(session, posts)?;
                channels.extend(self.read_chats(session, &chats.collect::<Vec<_>>())?);
                channels
            }
        };
        heads.read(connection, channels)
    }

    fn read_each<'w>(
        &mut self,
        connection: &Connection,
        wants: impl Iterator<Item = &'w OfPost>,
    ) -> Result<HashSet<Channel>> {
        let mut channels = HashSet::new();
        let mut read = connection.prepare_cached(READ_ONE)?;
        for wanted in wants {
            let (post, reader) = (wanted.post.as_bytes(), wanted.actor.user.as_bytes());
            let op = wanted.op().map(str::to_owned);
            let found = read.query_row(params![post, reader, op], |row| self.keep(row)).optional()?;
            channels.extend(found.into_iter().flatten());
        }
        Ok(channels)
    }

    fn read_all<'w>(
        &mut self,
        session: &Session,
        wants: impl Iterator<Item = &'w OfPost> + Clone,
    ) -> Result<HashSet<Channel>> {
        let (mut posts, mut readers, mut ops) = (Vec::new(), Vec::new(), Vec::new());
        for wanted in wants.clone() {
            posts.push(&wanted.post.as_bytes()[..]);
            readers.push(&wanted.actor.user.as_bytes()[..]);
            ops.push(wanted.op());
        }
        let mut channels = HashSet::new();
        if posts.is_empty() {
            return Ok(channels);
        }
        for row in session.many(READ, &[&posts, &readers, &ops])? {
            channels.extend(self.keep(&Row::Postgres(&row))?);
        }
        let Self { reactions, inboxes, views, .. } = self;
        views.read(session, wants.clone())?;
        reactions.read(session, wants, |author| inboxes.now.contains_key(&author))?;
        Ok(channels)
    }

    /// Keeps one answer; the channels that a comment there is told in.
    fn keep(&mut self, row: &Row<'_>) -> Result<[Channel; 2]> {
        let user = user_at(row, USER)?;
        let reader = Actor { user: user.id, role: user.role }.into();
        let post = facts::post_at(row, 0, &reader)?;
        let (id, author) = (post.facts.id, post.facts.author);
        self.keep_op(user.id, row, OP)?;
        self.counts.found(id, || posts::counts_at(row, COUNTS))?;
        // An inbox that these may fill has to be made room in, which is left to the tables.
        if let Some(muted) = row.get::<Option<i64>>(INBOX)?
            && let kept = row.get(INBOX + 2)?
            && kept + self.asked <= KEPT
        {
            self.inboxes.found(author, || Ok(Inbox { muted, unread: row.get(INBOX + 1)?, kept }))?;
        }
        self.posts.insert((id, user.id), post);
        self.users.insert(user.id, user);
        Ok([Channel::Post(id), Channel::User(author)])
    }

    /// Keeps the name of an operation, its digest and its answer, where there is a name.
    fn keep_op(&mut self, user: UserId, row: &Row<'_>, first: usize) -> Result<()> {
        let done = match row.get::<Option<[u8; 32]>>(first + 1)? {
            Some(digest) => Some((digest, row.get(first + 2)?)),
            None => None,
        };
        if let Some(op) = row.get(first)? {
            self.ops.insert((user, op), done);
        }
        Ok(())
    }

    pub(super) fn post(&self, reader: Option<UserId>, id: PostId) -> Option<&PostRow> {
        self.posts.get(&(id, reader?))
    }

    pub(super) fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(&id)
    }

    /// What is known of an operation; none where nothing was read of it.
    pub(super) fn op(&self, user: UserId, op: &str) -> Option<&Option<Done>> {
        if self.ops.is_empty() {
            return None;
        }
        self.ops.get(&(user, op.to_owned()))
    }

    /// Moves the counts of a post, where they were read.
    pub(super) fn shift(&mut self, post: PostId, by: Move) -> Option<PostCounts> {
        self.counts.change(post, |counts| by.apply(counts)).cloned()
    }

    /// The counts of a post as they are now, where they were read.
    pub(super) fn counts(&self, post: PostId) -> Option<&PostCounts> {
        self.counts.now.get(&post)
    }

    /// An inbox as it is now, where it was read.
    pub(super) fn inbox(&self, user: UserId) -> Option<Inbox> {
        self.inboxes.now.get(&user).copied()
    }

    /// Changes an inbox, where it was read; answers it.
    pub(super) fn change_inbox(&mut self, user: UserId, by: Change) -> Option<Inbox> {
        let change = |inbox: &mut Inbox| {
            inbox.unread += by.unread;
            inbox.kept += by.kept;
        };
        self.inboxes.change(user, change).copied()
    }

    /// What somebody feels about a post, where that was read.
    pub(super) fn felt(&self, post: PostId, person: UserId) -> Option<Felt> {
        self.reactions.felt(post, person)
    }

    /// Of how many people it was read what they feel about a post.
    pub(super) fn felt_count(&self, post: PostId) -> usize {
        self.reactions.felt_count(post)
    }

    /// Those whose reactions to a post a notification counts, as far as they were read.
    pub(super) fn counted(&self, post: PostId, by: Counted) -> impl Iterator<Item = UserId> {
        self.reactions.counted(post, by)
    }

    /// Changes what somebody feels about a post; false where it was not read.
    pub(super) fn feel(&mut self, post: PostId, person: UserId, felt: Felt) -> bool {
        self.reactions.feel(post, person, felt)
    }

    /// The notification of reactions to a post, where it was looked for.
    pub(super) fn standing(&self, post: PostId) -> Option<&Option<Standing>> {
        self.reactions.standing(post)
    }

    /// Changes the notification of reactions to a post; false where it was not looked for.
    pub(super) fn stand(&mut self, post: PostId, standing: &Standing) -> bool {
        self.reactions.stand(post, standing)
    }

    /// Until when a view of a post counts for a person, where that was read; zero of who never viewed it.
    pub(super) fn viewed(&self, post: PostId, viewer: UserId) -> Option<i64> {
        self.views.until(post, viewer)
    }

    /// Notes until when a view counts, which was read.
    pub(super) fn view(&mut self, post: PostId, viewer: UserId, until: i64) {
        self.views.set(post, viewer, until);
    }

    /// What somebody who writes into the chat of a live must know, where it was read.
    pub(super) fn live(&self, live: LiveId, reader: UserId) -> Option<&Written> {
        self.chats.live(live, reader)
    }

    /// Where a message stands and whose it is, where that was read.
    pub(super) fn message(&self, id: ChatMessageId) -> Option<(LiveId, UserId)> {
        self.chats.message(id)
    }

    /// Whether operations run on what was read ahead, and nothing else does.
    pub(super) fn is_in_use(&self) -> bool {
        self.asked > 0
    }

    pub(super) fn now(&self) -> Since {
        let (counts, inboxes) = (self.counts.before.len(), self.inboxes.before.len());
        Since { counts, inboxes, reactions: self.reactions.now(), views: self.views.now() }
    }

    /// Takes back what an operation has changed since.
    pub(super) fn undo(&mut self, since: Since) {
        self.counts.undo(since.counts);
        self.inboxes.undo(since.inboxes);
        self.reactions.undo(since.reactions);
        self.views.undo(since.views);
    }

    /// Writes what has changed, and forgets everything: other operations come now.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<()> {
        let Self { counts, inboxes, reactions, views, .. } = std::mem::take(self);
        if let Connection::Postgres(session) = connection {
            // On SQLite reactions stay in their tables.
            reactions.settle(session)?;
            views.settle(session)?;
        }
        bulk::save_counts(connection, &counts.changed().collect::<Vec<_>>())?;
        bulk::save_inboxes(connection, &inboxes.changed().collect::<Vec<_>>())
    }
}

/// Values that operations change, with what they were before.
struct Moving<K, V> {
    now: HashMap<K, V>,
    before: Vec<(K, V)>,
}

impl<K, V> Default for Moving<K, V> {
    fn default() -> Self {
        Self { now: HashMap::new(), before: Vec::new() }
    }
}

impl<K: Copy + Eq + std::hash::Hash, V: Clone> Moving<K, V> {
    fn found(&mut self, key: K, value: impl FnOnce() -> Result<V>) -> Result<()> {
        if let Entry::Vacant(place) = self.now.entry(key) {
            place.insert(value()?);
        }
        Ok(())
    }

    fn change(&mut self, key: K, change: impl FnOnce(&mut V)) -> Option<&V> {
        let value = self.now.get_mut(&key)?;
        self.before.push((key, value.clone()));
        change(value);
        Some(value)
    }

    fn undo(&mut self, to: usize) {
        while self.before.len() > to
            && let Some((key, value)) = self.before.pop()
        {
            self.now.insert(key, value);
        }
    }

    fn changed(mut self) -> impl Iterator<Item = (K, V)> {
        let changed: HashSet<K> = self.before.into_iter().map(|(key, _)| key).collect();
        changed.into_iter().filter_map(move |key| Some((key, self.now.remove(&key)?)))
    }
}

const USER: usize = POST_FACTS;
const COUNTS: usize = USER + USER_COLUMNS;
const INBOX: usize = COUNTS + POST_COUNTS;
const OP: usize = INBOX + 3;

/// Columns of an answer for an operation's reader and name.
macro_rules! answer_columns {
    ($reader:literal, $op:literal) => {
        concat!(
            facts::post_fact_columns!($reader),
            ", ",
            super::user_row::user_columns!(),
            ", ",
            posts::post_count_columns!(),
            ", i.muted, i.unread, i.kept, ",
            $op,
            ", o.digest, o.answer"
        )
    };
}

/// Per operation one row, where its post and its person are there: what rules judge and what is counted.
const READ: &str = concat!(
    "SELECT ",
    answer_columns!("asked.reader", "asked.op"),
    " FROM unnest(?1::bytea[], ?2::bytea[], ?3::text[]) AS asked (post, reader, op)
         JOIN posts p ON p.id = asked.post JOIN post_counts ON post_counts.post = p.id
         JOIN users u ON u.id = asked.reader
         LEFT JOIN inboxes i ON i.user = p.author LEFT JOIN ops o ON o.user = asked.reader AND o.op = asked.op"
);

/// The same of one operation, on SQLite.
const READ_ONE: &str = concat!(
    "SELECT ",
    answer_columns!("?2", "?3"),
    " FROM posts p JOIN post_counts ON post_counts.post = p.id JOIN users u ON u.id = ?2
         LEFT JOIN inboxes i ON i.user = p.author LEFT JOIN ops o ON o.user = ?2 AND o.op = ?3
     WHERE p.id = ?1"
);
