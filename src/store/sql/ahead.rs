//! What operations are about to ask, read for all of them at once, and what they change of it.
//!
//! Every question to a server costs a round trip, and comments and reactions of many people ask the same few: the post,
//! who it is, what was counted, whether the author wants to hear of it. So the writer reads the answers for all of a group
//! commit in one statement, lets them run on these, and writes what they changed in one statement a table. In between
//! nothing else runs, and the turn keeps other nodes away: what is here is what the tables say.

mod reactions;

use super::{
    columns::REACTION_COLUMNS,
    db::{Result, Row},
    facts::{self, POST_FACTS, PostRow},
    heads::Heads,
    notifications::{Change, Counted, KEPT, Standing},
    postgres::Session,
    posts::{self, Move, POST_COUNTS},
    user_row::{USER_COLUMNS, user_at},
};
use crate::store::Actor;
use communiconnect_protocol::{Channel, PostCounts, PostId, User, UserId};
use reactions::Reactions;
use std::collections::{HashMap, HashSet, hash_map::Entry};

pub(super) use reactions::Felt;

/// What an operation is going to ask.
#[derive(Clone, Debug)]
pub(crate) struct Wants {
    pub(super) actor: Actor,
    /// The name of the operation; none of one that may be done again.
    pub(super) op: Option<String>,
    pub(super) post: PostId,
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
    is_in_use: bool,
}

/// How far the changes had come at some time.
#[derive(Clone, Copy)]
pub(super) struct Since {
    counts: usize,
    inboxes: usize,
    reactions: reactions::Since,
}

impl Ahead {
    /// Reads what these will ask, and the heads of the channels that they will tell it in.
    pub(super) fn read<'w>(
        &mut self,
        session: &Session,
        wants: impl Iterator<Item = &'w Wants> + Clone,
        heads: &mut Heads,
    ) -> Result<()> {
        self.is_in_use = true;
        let (mut posts, mut readers, mut ops) = (Vec::new(), Vec::new(), Vec::new());
        for wanted in wants.clone() {
            posts.push(&wanted.post.as_bytes()[..]);
            readers.push(&wanted.actor.user.as_bytes()[..]);
            ops.push(wanted.op.as_deref());
        }
        let mut channels = HashSet::new();
        for row in session.many(READ, &[&posts, &readers, &ops])? {
            channels.extend(self.keep(&Row::Postgres(&row))?);
        }
        let Self { reactions, inboxes, .. } = self;
        reactions.read(session, wants, |author| inboxes.now.contains_key(&author))?;
        heads.read(session, channels)
    }

    /// Keeps one answer; the channels that a comment there is told in.
    fn keep(&mut self, row: &Row<'_>) -> Result<[Channel; 2]> {
        let user = user_at(row, USER)?;
        let reader = Actor { user: user.id, role: user.role }.into();
        let post = facts::post_at(row, 0, &reader)?;
        let (id, author) = (post.facts.id, post.facts.author);
        let done = match row.get::<Option<[u8; 32]>>(OP + 1)? {
            Some(digest) => Some((digest, row.get(OP + 2)?)),
            None => None,
        };
        if let Some(op) = row.get(OP)? {
            self.ops.insert((user.id, op), done);
        }
        self.counts.found(id, || posts::counts_at(row, COUNTS))?;
        // A full inbox has to be made room in, which is left to the tables.
        if let Some(muted) = row.get::<Option<i64>>(INBOX)?
            && let kept = row.get(INBOX + 2)?
            && kept < KEPT
        {
            self.inboxes.found(author, || Ok(Inbox { muted, unread: row.get(INBOX + 1)?, kept }))?;
        }
        self.posts.insert((id, user.id), post);
        self.users.insert(user.id, user);
        Ok([Channel::Post(id), Channel::User(author)])
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

    /// Whether operations run on what was read ahead, and nothing else does.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_in_use
    }

    pub(super) fn now(&self) -> Since {
        let (counts, inboxes) = (self.counts.before.len(), self.inboxes.before.len());
        Since { counts, inboxes, reactions: self.reactions.now() }
    }

    /// Takes back what an operation has changed since.
    pub(super) fn undo(&mut self, since: Since) {
        self.counts.undo(since.counts);
        self.inboxes.undo(since.inboxes);
        self.reactions.undo(since.reactions);
    }

    /// Writes what has changed, and forgets everything: other operations come now.
    pub(super) fn settle(&mut self, session: &Session) -> Result<()> {
        let Self { counts, inboxes, reactions, .. } = std::mem::take(self);
        reactions.settle(session)?;
        let counts: Vec<_> = counts.changed().collect();
        if !counts.is_empty() {
            session.save_counts(&counts)?;
        }
        let inboxes: Vec<_> = inboxes.changed().collect();
        if !inboxes.is_empty() {
            session.save_inboxes(&inboxes)?;
        }
        Ok(())
    }
}

impl Session {
    fn save_counts(&self, counts: &[(PostId, PostCounts)]) -> Result<()> {
        let post: Vec<&[u8]> = counts.iter().map(|(post, _)| &post.as_bytes()[..]).collect();
        let column = |of: &dyn Fn(&PostCounts) -> u64| -> Vec<i64> {
            counts.iter().map(|(_, counts)| of(counts) as i64).collect()
        };
        let (version, comments) = (column(&|counts| counts.version), column(&|counts| counts.comments));
        let views = column(&|counts| counts.views);
        let [likes, love, haha, wow, sad, angry] = REACTION_COLUMNS
            .map(|kind| column(&|counts: &PostCounts| counts.reactions.get(&kind).copied().unwrap_or(0)));
        self.bulk(
            "UPDATE post_counts SET version = now.version, comments = now.comments, views = now.views,
                 likes = now.likes, love = now.love, haha = now.haha, wow = now.wow, sad = now.sad, angry = now.angry
             FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[], ?4::bigint[], ?5::bigint[], ?6::bigint[],
                         ?7::bigint[], ?8::bigint[], ?9::bigint[], ?10::bigint[])
                 AS now (post, version, comments, views, likes, love, haha, wow, sad, angry)
             WHERE post_counts.post = now.post",
            &[&post, &version, &comments, &views, &likes, &love, &haha, &wow, &sad, &angry],
        )
    }

    fn save_inboxes(&self, inboxes: &[(UserId, Inbox)]) -> Result<()> {
        let user: Vec<&[u8]> = inboxes.iter().map(|(user, _)| &user.as_bytes()[..]).collect();
        let unread: Vec<i64> = inboxes.iter().map(|(_, inbox)| inbox.unread).collect();
        let kept: Vec<i64> = inboxes.iter().map(|(_, inbox)| inbox.kept).collect();
        self.bulk(
            "UPDATE inboxes SET unread = now.unread, kept = now.kept
             FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[]) AS now (owner, unread, kept)
             WHERE inboxes.user = now.owner",
            &[&user, &unread, &kept],
        )
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

/// Per operation one row, where its post and its person are there: what rules judge and what is counted.
const READ: &str = concat!(
    "SELECT ",
    facts::post_fact_columns!("asked.reader"),
    ", ",
    super::user_row::user_columns!(),
    ", ",
    posts::post_count_columns!(),
    ", i.muted, i.unread, i.kept, asked.op, o.digest, o.answer
     FROM unnest(?1::bytea[], ?2::bytea[], ?3::text[]) AS asked (post, reader, op)
         JOIN posts p ON p.id = asked.post JOIN post_counts ON post_counts.post = p.id
         JOIN users u ON u.id = asked.reader
         LEFT JOIN inboxes i ON i.user = p.author LEFT JOIN ops o ON o.user = asked.reader AND o.op = asked.op"
);
