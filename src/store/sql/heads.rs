//! Where the channel logs stand, in the writer's memory.

use super::{
    channel_key::{self, ChannelKey},
    db::{self, Connection, OptionalExtension, Row},
};
use crate::store::Result;
use communiconnect_protocol::Channel;
use std::collections::{HashMap, HashSet};

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

    pub(super) fn get(&mut self, connection: &Connection, channel: &Channel) -> db::Result<Head> {
        if let Some(head) = self.known.get(channel) {
            return Ok(*head);
        }
        let key = ChannelKey::from(channel);
        let stored = connection
            .prepare_cached("SELECT no, head, first FROM channels WHERE key = ?1")?
            .query_row([&key], |row| Ok((row.get(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?)))
            .optional()?;
        let head = match stored {
            Some((no, head, first)) => Head { no, head: head as u64, first: first as u64 },
            None => {
                let no = connection
                    .prepare_cached("INSERT INTO channels (key, head, first) VALUES (?1, 0, 1) RETURNING no")?
                    .query_row([&key], |row| row.get(0))?;
                // Not remembered yet: the operation may be undone, and the row with it. `advance` remembers it.
                return Ok(Head { no, head: 0, first: 1 });
            }
        };
        // Without an entry yet, it may be the row that an operation which is undone has made a moment ago.
        if head.head > 0 {
            self.known.insert(channel.clone(), head);
        }
        Ok(head)
    }

    pub(super) fn knows(&self, channel: &Channel) -> bool {
        self.known.contains_key(channel)
    }

    /// Reads heads of many channels at once, and makes the channels that are not there: outside any operation, so that their
    /// rows stay whatever becomes of those that follow.
    pub(super) fn read(&mut self, connection: &Connection, channels: HashSet<Channel>) -> db::Result<()> {
        let unknown: Vec<Channel> =
            channels.into_iter().filter(|channel| !self.known.contains_key(channel)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let Connection::Postgres(session) = connection else {
            for channel in unknown {
                let head = self.get(connection, &channel)?;
                self.known.insert(channel, head);
            }
            return Ok(());
        };
        let mut by_key: HashMap<Vec<u8>, Channel> =
            unknown.into_iter().map(|channel| (ChannelKey::from(&channel).into_bytes(), channel)).collect();
        let keys: Vec<&[u8]> = by_key.keys().map(Vec::as_slice).collect();
        session.bulk(
            "INSERT INTO channels (key, head, first) SELECT key, 0, 1 FROM unnest(?1::bytea[]) AS new (key)
             ON CONFLICT DO NOTHING",
            &[&keys],
        )?;
        let found = session
            .many("SELECT key, no, head, first FROM channels WHERE key = ANY(?1::bytea[])", &[&keys])?;
        for row in &found {
            let row = Row::Postgres(row);
            let head =
                Head { no: row.get(1)?, head: row.get::<i64>(2)? as u64, first: row.get::<i64>(3)? as u64 };
            if let Some(channel) = by_key.remove(row.bytes(0)?) {
                self.known.insert(channel, head);
            }
        }
        Ok(())
    }

    pub(super) fn advance(&mut self, channel: &Channel, head: Head) {
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

    pub(super) fn overfull(&mut self, connection: &Connection, limit: usize) -> Result<Vec<(Channel, Head)>> {
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
        let keep = i64::try_from(self.keep_count).unwrap_or(i64::MAX);
        connection
            .prepare_cached("SELECT key FROM channels WHERE head - first + 1 > ?1 LIMIT ?2")?
            .for_each([keep, OVERFULL_CHANNELS as i64], |row| {
                self.overfull.extend(channel_key::channel(row.bytes(0)?));
                Ok(true)
            })?;
        Ok(())
    }

    /// Answers where the channel stood before.
    pub(super) fn trimmed(&mut self, channel: &Channel, first: u64) -> Option<Head> {
        let before = self.known.get(channel).copied()?;
        self.advance(channel, Head { first, ..before });
        Some(before)
    }

    /// Saves the moved heads, just before the commit.
    pub(super) fn save(&mut self, connection: &Connection) -> Result<()> {
        let moved: Vec<Head> =
            self.dirty.drain().filter_map(|channel| self.known.get(&channel).copied()).collect();
        match connection {
            Connection::Sqlite(_) => {
                let mut update = connection.prepare_cached(
                    "UPDATE channels SET head = ?2, first = CASE WHEN first < ?3 THEN ?3 ELSE first END WHERE no = ?1",
                )?;
                for head in moved {
                    update.execute([head.no, head.head as i64, head.first as i64])?;
                }
            }
            Connection::Postgres(session) => session.save_heads(&moved)?,
        }
        if self.known.len() > KNOWN_CHANNELS {
            self.known.clear();
        }
        Ok(())
    }

    /// Forgets everything: the commit failed, or another node has written; the database knows better.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.dirty.clear();
    }
}
