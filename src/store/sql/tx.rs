//! What an operation may do inside the writing transaction.

use super::{
    ahead::{Ahead, Felt, Inbox, Since, Written},
    bulk, chat,
    days::DayRow,
    db::{Connection, OptionalExtension, Statement, params},
    facts::{self, PostRow},
    heads::{Head, Heads},
    ids::Ids,
    later::{ChatNew, CommentNew, Later, LogRow, Mark, NotificationNew, OpRow},
    lives,
    notifications::{Change, Counted, Standing},
    posts::{self, Move},
    user_row,
};
use crate::{
    publication::{Audience, Committed, Publication, State},
    store::{Actor, Op, Reader, Result, StoreError},
};
use communiconnect_protocol::{Channel, ChatMessageId, Data, LiveId, PostCounts, PostId, User, UserId};
use serde::{Serialize, de::DeserializeOwned};
use std::{cell::Cell, sync::Arc};

/// One operation inside a group commit. Dropped with an error, all it did is undone.
pub(crate) struct Tx<'a> {
    connection: &'a Connection,
    heads: &'a mut Heads,
    ids: &'a Ids,
    later: &'a mut Later,
    ahead: &'a mut Ahead,
    /// How far what was read ahead had changed when this operation began.
    since: Since,
    /// Whether it has spoken to the database: only then is there something to undo there.
    is_begun: Cell<bool>,
    /// What was to be written later when this operation began.
    before: Mark,
    brought: Committed,
    /// Channels that this operation moved, with their heads before, to be put back when it is undone.
    moved: Vec<(Channel, Head)>,
}

/// What the writer remembers from one operation to the next.
pub(super) struct Memory {
    pub(super) heads: Heads,
    pub(super) ids: Ids,
    pub(super) later: Later,
    pub(super) ahead: Ahead,
}

/// A publication before it has its place.
pub(crate) struct Draft<'a> {
    pub(crate) channel: Channel,
    pub(crate) event: &'a Arc<str>,
    pub(crate) data: Data,
    pub(crate) at: i64,
    /// Who did it; none where nobody is named.
    pub(crate) actor: Option<UserId>,
    pub(crate) audience: Audience,
    /// The thing whose deletion overwrites this entry.
    pub(crate) subject: Option<[u8; 16]>,
    /// Of a notification: whom it names, and whose post it is about, as ids one after the other.
    pub(crate) named: Option<Vec<u8>>,
}

/// Overwrites entries: they keep their places and say nothing (`?2`) to anybody (`?1`).
macro_rules! erase {
    ($condition:literal) => {
        concat!(
            "UPDATE log SET event = '', data = ?2, actor = NULL, audience = ?1, subject = NULL, named = NULL WHERE ",
            $condition
        )
    };
}

/// The data of an overwritten entry, and whom it speaks to.
const NOTHING: &[u8] = &[];
const NOBODY: i64 = audience_code(Audience::Nobody);

impl<'a> Tx<'a> {
    pub(super) fn new(connection: &'a Connection, memory: &'a mut Memory) -> Self {
        let Memory { heads, ids, later, ahead } = memory;
        let (before, since) = (later.mark(), ahead.now());
        let (brought, moved) = (Committed::default(), Vec::new());
        let is_begun = Cell::new(false);
        Self { connection, heads, ids, later, before, ahead, since, is_begun, brought, moved }
    }

    /// A new id (UUIDv7) of time `at`, greater than any given before.
    pub(crate) fn id(&self, at: i64) -> [u8; 16] {
        self.ids.next(at)
    }

    /// A statement, prepared once per connection.
    pub(crate) fn sql(&self, sql: &str) -> Result<Statement<'a>> {
        self.begin()?;
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// The connection, for queries shared with readers.
    pub(crate) fn connection(&self) -> &'a Connection {
        // Where this fails, so does whatever is asked next.
        let _ = self.begin();
        self.connection
    }

    /// Sets the mark that the operation can be undone to.
    fn begin(&self) -> Result<()> {
        if !self.is_begun.replace(true) {
            self.connection.mark("SAVEPOINT operation")?;
        }
        Ok(())
    }

    /// A post as rules and routes see it.
    pub(super) fn post(&self, reader: &Reader, id: PostId) -> Result<PostRow> {
        match self.ahead.post(reader.user, id) {
            Some(post) => Ok(post.clone()),
            None => facts::post(self.connection(), reader, id),
        }
    }

    /// One person, without `my`.
    pub(super) fn user(&self, id: UserId) -> Result<Option<User>> {
        match self.ahead.user(id) {
            Some(user) => Ok(Some(user.clone())),
            None => user_row::user(self.connection(), id),
        }
    }

    /// Moves the counts of a post that were read ahead.
    pub(super) fn shift_ahead(&mut self, post: PostId, by: Move) -> Option<PostCounts> {
        self.ahead.shift(post, by)
    }

    /// Notes what happened to a post on a day.
    pub(super) fn day(&mut self, row: DayRow) {
        self.later.day(row);
    }

    /// Counts of one post.
    pub(super) fn counts(&self, post: PostId) -> Result<PostCounts> {
        match self.ahead.counts(post) {
            Some(counts) => Ok(counts.clone()),
            None => posts::of(self.connection(), post),
        }
    }

    /// What somebody feels about a post, where that was read ahead.
    pub(super) fn felt_ahead(&self, post: PostId, person: UserId) -> Option<Felt> {
        self.ahead.felt(post, person)
    }

    /// Of how many people it was read ahead what they feel about a post.
    pub(super) fn felt_ahead_count(&self, post: PostId) -> usize {
        self.ahead.felt_count(post)
    }

    /// Those whose reactions to a post a notification counts, as far as they were read ahead.
    pub(super) fn counted_ahead(&self, post: PostId, by: Counted) -> impl Iterator<Item = UserId> {
        self.ahead.counted(post, by)
    }

    /// Changes what somebody feels about a post; false where it was not read ahead.
    pub(super) fn feel_ahead(&mut self, post: PostId, person: UserId, felt: Felt) -> bool {
        self.ahead.feel(post, person, felt)
    }

    /// The notification of reactions to a post, where it was looked for ahead.
    pub(super) fn standing_ahead(&self, post: PostId) -> Option<&Option<Standing>> {
        self.ahead.standing(post)
    }

    /// Changes the notification of reactions to a post; false where it was not looked for ahead.
    pub(super) fn stand_ahead(&mut self, post: PostId, standing: &Standing) -> bool {
        self.ahead.stand(post, standing)
    }

    /// An inbox that was read ahead.
    pub(super) fn inbox_ahead(&self, user: UserId) -> Option<Inbox> {
        self.ahead.inbox(user)
    }

    /// Changes an inbox that was read ahead.
    pub(super) fn change_inbox_ahead(&mut self, user: UserId, by: Change) -> Option<Inbox> {
        self.ahead.change_inbox(user, by)
    }

    /// Adds a comment.
    pub(super) fn comment(&mut self, row: CommentNew) -> Result<()> {
        if self.ahead.is_in_use() {
            self.later.comment(row);
            return Ok(());
        }
        self.begin()?;
        Ok(bulk::write_comments(self.connection, &[row])?)
    }

    /// The live that somebody writes in, as they see it.
    pub(super) fn live(&self, writer: Actor, id: LiveId) -> Result<Written> {
        match self.ahead.live(id, writer.user) {
            Some(live) => Ok(live.clone()),
            None => Ok(lives::live(self.connection(), &writer.into(), id)?.into()),
        }
    }

    /// Where a message stands, and whose it is.
    pub(super) fn message(&self, id: ChatMessageId) -> Result<Option<(LiveId, UserId)>> {
        match self.ahead.message(id) {
            Some(found) => Ok(Some(found)),
            None => chat::author(self.connection(), id),
        }
    }

    /// Adds a message of a chat.
    pub(super) fn chat(&mut self, row: ChatNew) -> Result<()> {
        if self.ahead.is_in_use() {
            self.later.chat(row);
            return Ok(());
        }
        self.begin()?;
        Ok(bulk::write_chat(self.connection, &[row])?)
    }

    /// Until when a view of a post counts for a person, where that was read ahead.
    pub(super) fn viewed_ahead(&self, post: PostId, viewer: UserId) -> Option<i64> {
        self.ahead.viewed(post, viewer)
    }

    /// Notes until when a view counts, where that was read ahead.
    pub(super) fn view_ahead(&mut self, post: PostId, viewer: UserId, until: i64) {
        self.ahead.view(post, viewer, until);
    }

    /// Adds a notification of one cause.
    pub(super) fn notification(&mut self, row: NotificationNew) -> Result<()> {
        if self.ahead.is_in_use() {
            self.later.notification(row);
            return Ok(());
        }
        self.begin()?;
        Ok(bulk::write_notifications(self.connection, &[row])?)
    }

    /// Writes an entry into a channel's log, to be published once it is on disk; answers its offset.
    pub(crate) fn publish(&mut self, draft: Draft<'_>) -> Result<u64> {
        let before = self.place(&draft.channel)?;
        let offset = before.head + 1;
        let row = LogRow {
            channel: before.no,
            offset,
            event: draft.event.clone(),
            data: draft.data.clone(),
            at: draft.at,
            actor: draft.actor,
            audience: audience_code(draft.audience),
            subject: draft.subject,
            named: draft.named,
        };
        self.later.log(row);
        self.heads.advance(&draft.channel, Head { head: offset, ..before });
        self.moved.push((draft.channel.clone(), before));
        self.brought.publications.push(Publication {
            channel: draft.channel,
            offset,
            event: draft.event.clone(),
            data: draft.data,
            at: draft.at,
            actor: draft.actor,
            audience: draft.audience,
        });
        Ok(offset)
    }

    /// Tells a changed value once it is on disk.
    pub(crate) fn state(&mut self, state: State) {
        self.brought.states.push(state);
    }

    /// Where a channel's log stands.
    pub(super) fn place(&mut self, channel: &Channel) -> Result<Head> {
        if !self.heads.knows(channel) {
            self.begin()?;
        }
        Ok(self.heads.get(self.connection, channel)?)
    }

    /// Overwrites what every log says of a thing: readers get `skip` there from now on.
    pub(crate) fn erase_subject(&mut self, subject: &[u8; 16]) -> Result<()> {
        self.log_rows(erase!("subject = ?3"))?.execute(params![NOBODY, NOTHING, subject])?;
        Ok(())
    }

    /// Overwrites what a channel's log says above one offset and up to another; how many entries were there.
    pub(super) fn erase_span(&mut self, channel: &Channel, above: u64, upto: u64) -> Result<usize> {
        let no = self.place(channel)?.no;
        let mut erase = self.log_rows(erase!("channel = ?3 AND offset > ?4 AND offset <= ?5"))?;
        Ok(erase.execute(params![NOBODY, NOTHING, no, above as i64, upto as i64])?)
    }

    /// Overwrites one entry, by its row.
    pub(super) fn erase_entry(&mut self, id: i64) -> Result<()> {
        self.log_rows(erase!("id = ?3"))?.execute(params![NOBODY, NOTHING, id])?;
        Ok(())
    }

    /// A statement that looks at the rows of logs, once all of them are there.
    pub(super) fn log_rows(&mut self, sql: &str) -> Result<Statement<'a>> {
        // What is written here of operations before this one is undone with it, and written again.
        self.begin()?;
        self.later.write(self.connection)?;
        self.sql(sql)
    }

    /// Does `work` once per person and op: a retry gets the remembered answer, another command under the same op is refused.
    pub(crate) fn once<T>(
        &mut self,
        user: UserId,
        op: &Op,
        at: i64,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let known = match (self.later.op(user, &op.id), self.ahead.op(user, &op.id)) {
            (Some(row), _) => Some((row.digest, row.answer.clone())),
            (None, Some(known)) => known.clone(),
            (None, None) => self
                .sql("SELECT digest, answer FROM ops WHERE user = ?1 AND op = ?2")?
                .query_row(params![user.as_bytes(), op.id], |row| Ok((row.get(0)?, row.get::<Vec<u8>>(1)?)))
                .optional()?,
        };
        if let Some((digest, answer)) = known {
            if digest != op.digest {
                return Err(StoreError::OpReused);
            }
            return rmp_serde::from_slice(&answer).map_err(|error| {
                StoreError::Internal(format!("a remembered answer does not read: {error}"))
            });
        }
        let answer = work(self)?;
        let bytes = rmp_serde::to_vec_named(&answer)
            .map_err(|error| StoreError::Internal(format!("an answer does not encode: {error}")))?;
        let row = OpRow { user, op: op.id.clone(), digest: op.digest, answer: bytes, at };
        self.later.op_done(row);
        Ok(answer)
    }

    /// Takes out up to `limit` channels that keep more than they may.
    pub(super) fn overfull(&mut self, limit: usize) -> Result<Vec<(Channel, Head)>> {
        self.heads.overfull(self.connection, limit)
    }

    /// Notes that a channel's log now begins later.
    pub(super) fn trimmed(&mut self, channel: &Channel, first: u64) {
        if let Some(before) = self.heads.trimmed(channel, first) {
            self.moved.push((channel.clone(), before));
        }
    }

    /// What the operation brought, or nothing when it is to be undone.
    pub(super) fn end(self, keep: bool) -> Result<Option<Committed>> {
        let is_begun = self.is_begun.get();
        if !keep {
            self.later.undo(self.before);
            self.ahead.undo(self.since);
            for (channel, before) in self.moved.into_iter().rev() {
                self.heads.advance(&channel, before);
            }
            if is_begun {
                self.connection.mark("ROLLBACK TO operation")?;
            }
        }
        if is_begun {
            self.connection.mark("RELEASE operation")?;
        }
        Ok(keep.then_some(self.brought))
    }
}

pub(super) const fn audience_code(audience: Audience) -> i64 {
    match audience {
        Audience::Readers => 0,
        Audience::Server => 1,
        Audience::Nobody => 2,
    }
}

pub(super) const fn audience_of(code: i64) -> Audience {
    match code {
        0 => Audience::Readers,
        1 => Audience::Server,
        _ => Audience::Nobody,
    }
}
