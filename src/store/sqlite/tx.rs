//! What an operation may do inside the writing transaction.

use super::{
    channel_key::{self, ChannelKey},
    ids::Ids,
};
use crate::{
    publication::{Audience, Committed, Publication, State},
    store::{Op, Result, StoreError},
};
use communiconnect_protocol::{Channel, Data, UserId};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// One operation inside a group commit. Dropped with an error, all it did is undone.
pub(crate) struct Tx<'a> {
    connection: &'a Connection,
    heads: &'a mut Heads,
    ids: &'a Ids,
    brought: Committed,
    /// Channels that this operation moved, with their heads before, to be put back when it is undone.
    moved: Vec<(Channel, Head)>,
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

/// Overwrites entries: they keep their places and say nothing to anybody (`?1`).
macro_rules! erase {
    ($condition:literal) => {
        concat!(
            "UPDATE log SET event = '', data = x'', actor = NULL, audience = ?1, subject = NULL, named = NULL WHERE ",
            $condition
        )
    };
}

impl<'a> Tx<'a> {
    pub(super) fn new(connection: &'a Connection, heads: &'a mut Heads, ids: &'a Ids) -> Self {
        Self { connection, heads, ids, brought: Committed::default(), moved: Vec::new() }
    }

    /// A new id (UUIDv7) of time `at`, greater than any given before.
    pub(crate) fn id(&self, at: i64) -> [u8; 16] {
        self.ids.next(at)
    }

    /// A statement, prepared once per connection.
    pub(crate) fn sql(&self, sql: &str) -> Result<CachedStatement<'a>> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// The connection, for queries shared with readers.
    pub(crate) fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// Writes an entry into a channel's log, to be published once it is on disk; answers its offset.
    pub(crate) fn publish(&mut self, draft: Draft<'_>) -> Result<u64> {
        let before = self.heads.get(self.connection, &draft.channel)?;
        let offset = before.head + 1;
        self.sql(
            "INSERT INTO log (channel, offset, event, data, at, actor, audience, subject, named)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            before.no,
            offset as i64,
            draft.event.as_ref(),
            draft.data.as_bytes().as_ref(),
            draft.at,
            draft.actor.as_ref().map(UserId::as_bytes),
            audience_code(draft.audience),
            draft.subject,
            draft.named,
        ])?;
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
        self.heads.get(self.connection, channel)
    }

    /// Overwrites what every log says of a thing: readers get `skip` there from now on.
    pub(crate) fn erase_subject(&mut self, subject: &[u8; 16]) -> Result<()> {
        self.sql(erase!("subject = ?2"))?.execute(params![audience_code(Audience::Nobody), subject])?;
        Ok(())
    }

    /// Overwrites what a channel's log says above one offset and up to another; how many entries were there.
    pub(super) fn erase_span(&mut self, channel: &Channel, above: u64, upto: u64) -> Result<usize> {
        let no = self.place(channel)?.no;
        let span = params![audience_code(Audience::Nobody), no, above as i64, upto as i64];
        Ok(self.sql(erase!("channel = ?2 AND offset > ?3 AND offset <= ?4"))?.execute(span)?)
    }

    /// Overwrites one entry, by its row.
    pub(super) fn erase_entry(&mut self, id: i64) -> Result<()> {
        self.sql(erase!("id = ?2"))?.execute(params![audience_code(Audience::Nobody), id])?;
        Ok(())
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
        let known: Option<([u8; 32], Vec<u8>)> = self
            .sql("SELECT digest, answer FROM ops WHERE user = ?1 AND op = ?2")?
            .query_row(params![user.as_bytes(), op.id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
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
        self.sql("INSERT INTO ops (user, op, digest, answer, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![user.as_bytes(), op.id, op.digest, bytes, at])?;
        Ok(answer)
    }

    /// Takes out up to `limit` channels that keep more than they may.
    pub(super) fn overfull(&mut self, limit: usize) -> Result<Vec<(Channel, Head)>> {
        self.heads.overfull(self.connection, limit)
    }

    /// Notes that a channel's log now begins later.
    pub(super) fn trimmed(&mut self, channel: &Channel, first: u64) {
        self.heads.trimmed(channel, first);
    }

    /// What the operation brought, or nothing when it is to be undone.
    pub(super) fn end(self, keep: bool) -> Option<Committed> {
        if keep {
            return Some(self.brought);
        }
        for (channel, before) in self.moved.into_iter().rev() {
            self.heads.advance(&channel, before);
        }
        None
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

/// Where a channel's log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) no: i64,
    pub(super) head: u64,
    pub(super) first: u64,
}

/// Heads of channels in the writer's memory: offsets are given from here, and saved once per group commit however often
/// a channel moved in it.
pub(super) struct Heads {
    known: HashMap<Channel, Head>,
    dirty: HashSet<Channel>,
    overfull: HashSet<Channel>,
    /// Whether channels that were overfull before this start have been looked for.
    knows_older: bool,
    keep_count: u64,
}

/// Channels kept in memory; beyond it all are forgotten and read again, which costs a look-up each.
const KNOWN_CHANNELS: usize = 100_000;

/// Channels that wait to be trimmed; more are found again when they next grow.
const OVERFULL_CHANNELS: usize = 10_000;

impl Heads {
    pub(super) fn new(keep_count: u64) -> Self {
        let (known, dirty, overfull) = (HashMap::new(), HashSet::new(), HashSet::new());
        Self { known, dirty, overfull, knows_older: false, keep_count }
    }

    fn get(&mut self, connection: &Connection, channel: &Channel) -> Result<Head> {
        if let Some(head) = self.known.get(channel) {
            return Ok(*head);
        }
        let key = ChannelKey::from(channel);
        let stored = connection
            .prepare_cached("SELECT no, head, first FROM channels WHERE key = ?1")?
            .query_row([&key], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
            .optional()?;
        let head = match stored {
            Some((no, head, first)) => Head { no, head: head as u64, first: first as u64 },
            None => {
                connection
                    .prepare_cached("INSERT INTO channels (key, head, first) VALUES (?1, 0, 1)")?
                    .execute([&key])?;
                // Not remembered yet: the operation may be undone, and the row with it. `advance` remembers it.
                return Ok(Head { no: connection.last_insert_rowid(), head: 0, first: 1 });
            }
        };
        self.known.insert(channel.clone(), head);
        Ok(head)
    }

    fn advance(&mut self, channel: &Channel, head: Head) {
        if head.head == 0 {
            // The row was made by the operation that is being undone.
            self.known.remove(channel);
            self.dirty.remove(channel);
            return;
        }
        if head.head + 1 - head.first.min(head.head + 1) > self.keep_count
            && self.overfull.len() < OVERFULL_CHANNELS
        {
            self.overfull.insert(channel.clone());
        }
        self.known.insert(channel.clone(), head);
        self.dirty.insert(channel.clone());
    }

    fn overfull(&mut self, connection: &Connection, limit: usize) -> Result<Vec<(Channel, Head)>> {
        if !self.knows_older {
            self.find_older(connection)?;
            self.knows_older = true;
        }
        let channels: Vec<Channel> = self.overfull.iter().take(limit).cloned().collect();
        let mut found = Vec::with_capacity(channels.len());
        for channel in channels {
            self.overfull.remove(&channel);
            let head = self.get(connection, &channel)?;
            found.push((channel, head));
        }
        Ok(found)
    }

    /// What grew too long before this start, or was allowed more by other settings: one walk over all channels.
    fn find_older(&mut self, connection: &Connection) -> Result<()> {
        let mut longer =
            connection.prepare("SELECT key FROM channels WHERE head - first + 1 > ?1 LIMIT ?2")?;
        let keep = i64::try_from(self.keep_count).unwrap_or(i64::MAX);
        let mut rows = longer.query(params![keep, OVERFULL_CHANNELS as i64])?;
        while let Some(row) = rows.next()? {
            self.overfull.extend(channel_key::channel(row.get_ref(0)?.as_blob().unwrap_or_default()));
        }
        Ok(())
    }

    fn trimmed(&mut self, channel: &Channel, first: u64) {
        if let Some(head) = self.known.get(channel).copied() {
            self.advance(channel, Head { first, ..head });
        }
    }

    /// Saves the moved heads, just before the commit.
    pub(super) fn save(&mut self, connection: &Connection) -> Result<()> {
        let mut update = connection
            .prepare_cached("UPDATE channels SET head = ?2, first = max(first, ?3) WHERE no = ?1")?;
        for channel in self.dirty.drain() {
            if let Some(head) = self.known.get(&channel) {
                update.execute(params![head.no, head.head as i64, head.first as i64])?;
            }
        }
        if self.known.len() > KNOWN_CHANNELS {
            self.known.clear();
        }
        Ok(())
    }

    /// Forgets everything: the commit failed, and the database knows better.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.dirty.clear();
    }
}
