//! The channel logs on SQLite.

use super::{
    SqlStore,
    channel_key::ChannelKey,
    chat,
    leftovers::Hidden,
    postgres::Session,
    posts::sweep,
    tx::{Draft, Tx, audience_of},
};
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::{
    publication::{Audience, Publication},
    store::{
        Result,
        log::{Entry, Log, LogPage, PageSize, Range},
    },
};
use communiconnect_protocol::{Channel, Data, UserId};
use std::{collections::HashMap, sync::Arc};

/// Rows that one call of `trim` takes away from each of its sources, so that the writer is never held up for long.
const TRIM_ROWS: usize = 1_000;

/// Channels that one call of `trim` looks at.
const TRIM_CHANNELS: usize = 50;

#[async_trait::async_trait]
impl Log for SqlStore {
    async fn page(&self, channel: &Channel, range: Range, size: PageSize) -> Result<LogPage> {
        let channel = channel.clone();
        let epoch = self.epoch.clone();
        self.read(move |connection| page(connection, &channel, range, size, epoch)).await
    }

    async fn heads(&self, channels: Vec<Channel>) -> Result<Vec<u64>> {
        self.read(move |connection| match connection {
            Connection::Sqlite(_) => channels
                .iter()
                .map(|channel| Ok(place(connection, channel)?.map_or(0, |place| place.head)))
                .collect(),
            Connection::Postgres(session) => Ok(heads_at_once(session, &channels)?),
        })
        .await
    }

    async fn append(&self, entry: Entry) -> Result<u64> {
        self.write(move |tx| {
            tx.publish(Draft {
                channel: entry.channel,
                event: &entry.event,
                data: entry.data,
                at: entry.at,
                actor: None,
                audience: Audience::Readers,
                subject: None,
                named: None,
            })
        })
        .await
    }

    async fn trim(&self, now: i64) -> Result<usize> {
        let keep = self.settings;
        self.write(move |tx| {
            let by_count = trim_by_count(tx, keep.keep_count)?;
            let by_age = trim_by_age(tx, now - keep.keep_ms)?;
            let ops = tx
                .sql("DELETE FROM ops WHERE id IN (SELECT id FROM ops ORDER BY id LIMIT ?2) AND at < ?1")?
                .execute(params![now - keep.keep_ops_ms, TRIM_ROWS as i64])?;
            let views = sweep(tx, now, TRIM_ROWS)?;
            let chat = chat::sweep(tx, now - keep.keep_ms, TRIM_ROWS)?;
            Ok(by_count + by_age + ops + views + chat)
        })
        .await
    }

    async fn probe(&self, now: i64) -> Result<()> {
        self.write(move |tx| {
            tx.sql(
                "INSERT INTO meta (name, value) VALUES ('probe', ?1)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute([now.to_string()])?;
            Ok(())
        })
        .await?;
        self.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM meta WHERE name = 'probe'")?
                .query_row(params![], |row| row.get::<String>(0))?;
            Ok(())
        })
        .await
    }
}

/// Where a channel's log stands, as the database has it.
struct Place {
    no: i64,
    head: u64,
    first: u64,
}

fn place(connection: &Connection, channel: &Channel) -> Result<Option<Place>> {
    let place = connection
        .prepare_cached("SELECT no, head, first FROM channels WHERE key = ?1")?
        .query_row([ChannelKey::from(channel)], |row| {
            Ok(Place { no: row.get(0)?, head: row.get::<i64>(1)? as u64, first: row.get::<i64>(2)? as u64 })
        })
        .optional()?;
    Ok(place)
}

/// Every question is a round trip: one for all of them.
fn heads_at_once(session: &Session, channels: &[Channel]) -> db::Result<Vec<u64>> {
    let keys: Vec<Vec<u8>> = channels.iter().map(|channel| ChannelKey::from(channel).into_bytes()).collect();
    let rows = session.many("SELECT key, head FROM channels WHERE key = ANY(?1::bytea[])", &[&keys])?;
    let mut heads = HashMap::with_capacity(rows.len());
    for row in &rows {
        let row = Row::Postgres(row);
        heads.insert(row.bytes(0)?, row.get::<i64>(1)? as u64);
    }
    Ok(keys.iter().map(|key| heads.get(key.as_slice()).copied().unwrap_or(0)).collect())
}

fn page(
    connection: &Connection,
    channel: &Channel,
    range: Range,
    size: PageSize,
    epoch: Arc<str>,
) -> Result<LogPage> {
    let Some(place) = place(connection, channel)? else {
        return Ok(LogPage { epoch, head: 0, first: 1, publications: Vec::new(), more: false });
    };
    let (sql, bound) = match range {
        Range::After(offset) => (
            "SELECT offset, event, data, at, actor, audience, subject FROM log
             WHERE channel = ?1 AND offset > ?2 AND offset >= ?4 ORDER BY offset LIMIT ?3",
            offset,
        ),
        Range::Before(offset) => (
            "SELECT offset, event, data, at, actor, audience, subject FROM log
             WHERE channel = ?1 AND offset < ?2 AND offset >= ?4 ORDER BY offset DESC LIMIT ?3",
            offset,
        ),
    };
    let hidden = Hidden::of(connection, channel)?;
    let mut publications = Vec::new();
    let mut bytes = 0;
    let mut more = false;
    let mut statement = connection.prepare_cached(sql)?;
    let bound = i64::try_from(bound).unwrap_or(i64::MAX);
    let limits = [place.no, bound, size.items as i64 + 1, place.first as i64];
    let mut subjects = Vec::new();
    statement.for_each(limits, |row| {
        let publication = publication(channel, row)?;
        bytes += publication.data.as_bytes().len() + publication.event.len();
        more = publications.len() == size.items || (bytes > size.bytes && !publications.is_empty());
        if !more {
            publications.push(publication);
            subjects.push(row.get(6)?);
        }
        Ok(!more)
    })?;
    if let Some(hidden) = &hidden {
        for (publication, subject) in publications.iter_mut().zip(subjects) {
            if hidden.hides(connection, publication, subject)? {
                silence(publication);
            }
        }
    }
    Ok(LogPage { epoch, head: place.head, first: place.first, publications, more })
}

/// As if it had been overwritten.
fn silence(publication: &mut Publication) {
    publication.event = "".into();
    publication.data = Data::from_stored(Vec::new());
    publication.actor = None;
    publication.audience = Audience::Nobody;
}

fn publication(channel: &Channel, row: &Row<'_>) -> db::Result<Publication> {
    Ok(Publication {
        channel: channel.clone(),
        offset: row.get::<i64>(0)? as u64,
        event: row.text(1)?.into(),
        data: Data::from_stored(row.get::<Vec<u8>>(2)?),
        at: row.get(3)?,
        actor: row.get::<Option<[u8; 16]>>(4)?.map(UserId::from_bytes),
        audience: audience_of(row.get(5)?),
    })
}

fn trim_by_count(tx: &mut Tx<'_>, keep_count: u64) -> Result<usize> {
    let mut removed = 0;
    for (channel, head) in tx.overfull(TRIM_CHANNELS)? {
        let wanted = head.head + 1 - keep_count.min(head.head + 1);
        let first = wanted.max(1).min(head.first + TRIM_ROWS as u64);
        removed += tx
            .sql("DELETE FROM log WHERE channel = ?1 AND offset < ?2")?
            .execute(params![head.no, first as i64])?;
        tx.trimmed(&channel, first);
    }
    Ok(removed)
}

/// Entries were appended in the order of time, so the oldest rows are those with the lowest ids.
fn trim_by_age(tx: &mut Tx<'_>, before: i64) -> Result<usize> {
    let old: Vec<(i64, i64, i64)> = tx
        .sql("SELECT id, channel, offset FROM (SELECT id, channel, offset, at FROM log ORDER BY id LIMIT ?2) AS oldest WHERE at < ?1")?
        .query_map(params![before, TRIM_ROWS as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut first_of = HashMap::new();
    for (id, channel, offset) in &old {
        tx.sql("DELETE FROM log WHERE id = ?1")?.execute([id])?;
        first_of.insert(*channel, offset + 1);
    }
    for (channel, first) in first_of {
        tx.sql("UPDATE channels SET first = ?2 WHERE no = ?1 AND first < ?2")?
            .execute(params![channel, first])?;
    }
    Ok(old.len())
}
