//! What two people would no longer hear of each other once a follow has ended or a block begun.
//!
//! The list and the person's own log say the same before and after: rows go or shrink, log entries are overwritten, and
//! what is left of a notification whose entries were is told anew.

use super::{
    coalesced::{Counted, Reacted, drop_person},
    forget::forget,
    row::{NOTIFICATION_COLUMNS, NotificationRow, notification_columns},
};
use crate::store::sql::db::{OptionalExtension, params};
use crate::store::{
    HeardFacts, Judge, Relation, Result,
    sql::{Tx, channel_key::ChannelKey, facts::sight, people::relation},
};
use communiconnect_protocol::{Channel, Data, NotificationId, NotificationKind, PostId, UserId, event};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// Takes out of the owner's notifications, listed and logged, what they would not be told now: of posts that they no
/// longer see, and of what `other` did. Walks through the owner's list and log, which are bounded.
pub(in crate::store::sql) fn forget_unheard(
    tx: &mut Tx<'_>,
    owner: UserId,
    other: UserId,
    hears: Judge<HeardFacts>,
) -> Result<()> {
    let actor = relation(tx.connection(), Some(other), owner)?;
    let is_heard = hears(&HeardFacts { post: None, actor, named: true });
    let mut ear = Ear { owner, other, is_heard, hears, posts: HashMap::new() };
    ear.shrink_list(tx)?;
    let overwritten = ear.overwrite_log(tx)?;
    tell_anew(tx, owner, &overwritten)
}

/// One person's notifications, judged against another person.
struct Ear {
    owner: UserId,
    other: UserId,
    /// Whether the owner hears at all of what the other does under their name.
    is_heard: bool,
    hears: Judge<HeardFacts>,
    /// Which posts the owner sees.
    posts: HashMap<PostId, bool>,
}

impl Ear {
    fn sees(&mut self, tx: &Tx<'_>, post: PostId) -> Result<bool> {
        if let Some(sees) = self.posts.get(&post) {
            return Ok(*sees);
        }
        let sight = sight(tx.connection(), self.owner, post)?;
        let nobody = Relation::default();
        let sees = sight.is_some_and(|sight| {
            (self.hears)(&HeardFacts { post: Some(sight), actor: nobody, named: false })
        });
        self.posts.insert(post, sees);
        Ok(sees)
    }

    fn shrink_list(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let rows: Vec<(NotificationRow, i64)> = tx
            .sql(concat!("SELECT ", notification_columns!(), ", no FROM notifications WHERE user = ?1"))?
            .query_map([self.owner.as_bytes()], |row| {
                Ok((NotificationRow::at(row)?, row.get(NOTIFICATION_COLUMNS)?))
            })?;
        for (row, no) in rows {
            let is_seen =
                row.kind == NotificationKind::Follow || self.sees(tx, PostId::from_bytes(row.thing))?;
            let is_coalesced =
                matches!(row.kind, NotificationKind::PostReaction | NotificationKind::CommentReaction);
            if !is_seen || !self.is_heard && !is_coalesced && row.actors.contains(&self.other) {
                forget(
                    tx,
                    "DELETE FROM notifications WHERE no = ?1 RETURNING user, read_at IS NULL AND count > 0",
                    [no],
                )?;
            } else if !self.is_heard && is_coalesced {
                self.drop_other(tx, &row)?;
            }
        }
        Ok(())
    }

    /// The other's reaction stays, and is counted for the owner no longer.
    fn drop_other(&self, tx: &mut Tx<'_>, row: &NotificationRow) -> Result<()> {
        let (owner, person) = (self.owner, self.other);
        let NotificationRow { kind, thing, part, created_at: at, .. } = *row;
        let reacted = Reacted { owner, kind, thing, part, person, at };
        let target = reacted.target();
        let key = [&target, person.as_bytes()];
        let counted = tx
            .sql("SELECT told FROM reactions WHERE target = ?1 AND user = ?2")?
            .query_row(key, |row| row.get(0).map(Counted::from_column))
            .optional()?;
        let Some(counted) = counted.filter(|counted| *counted != Counted::NOWHERE) else { return Ok(()) };
        tx.sql("UPDATE reactions SET told = 0 WHERE target = ?1 AND user = ?2")?.execute(key)?;
        drop_person(tx, &reacted, counted)
    }

    /// Overwrites entries that tell of what is unheard now; of which notifications they were.
    fn overwrite_log(&mut self, tx: &mut Tx<'_>) -> Result<HashSet<NotificationId>> {
        let unheard = self.unheard_entries(tx)?;
        for (entry, _) in &unheard {
            tx.erase_entry(*entry)?;
        }
        Ok(unheard.into_iter().map(|(_, notification)| notification).collect())
    }

    /// Rows of the log, with which notification each tells of.
    fn unheard_entries(&mut self, tx: &mut Tx<'_>) -> Result<Vec<(i64, NotificationId)>> {
        let mut unheard = Vec::new();
        for (row, told) in entries(tx, self.owner)? {
            let names_other = told.actors.iter().any(|actor| actor.id == self.other);
            let is_seen = match told.post_id {
                Some(post) => self.sees(tx, post)?,
                None => true,
            };
            if !is_seen || !self.is_heard && names_other {
                unheard.push((row, told.id));
            }
        }
        Ok(unheard)
    }
}

/// Rows of a person's own log that tell of a notification. Read one after the other: the whole log holds megabytes.
fn entries(tx: &mut Tx<'_>, owner: UserId) -> Result<Vec<(i64, Told)>> {
    let own = ChannelKey::from(&Channel::User(owner));
    let mut entries = Vec::new();
    tx.log_rows(
        "SELECT log.id, data FROM channels JOIN log ON channel = no
         WHERE key = ?1 AND event = ?2 AND audience = 0",
    )?
    .for_each(params![own, event::NOTIFICATION], |row| {
        if let Ok(Entry { notification }) = Data::from_stored(row.get::<Vec<u8>>(1)?).read::<Entry>() {
            entries.push((row.get(0)?, notification));
        }
        Ok(true)
    })?;
    Ok(entries)
}

/// Of an entry, what is judged here.
#[derive(Deserialize)]
struct Entry {
    notification: Told,
}

#[derive(Deserialize)]
struct Told {
    id: NotificationId,
    actors: Vec<Named>,
    post_id: Option<PostId>,
}

#[derive(Deserialize)]
struct Named {
    id: UserId,
}

/// What is left of these notifications is published with the next flush: who comes back to the log finds it there.
fn tell_anew(tx: &mut Tx<'_>, owner: UserId, overwritten: &HashSet<NotificationId>) -> Result<()> {
    if overwritten.is_empty() {
        return Ok(());
    }
    let left: Vec<(i64, NotificationId)> = tx
        .sql("SELECT no, id FROM notifications WHERE user = ?1 AND count > 0")?
        .query_map([owner.as_bytes()], |row| Ok((row.get(0)?, NotificationId::from_bytes(row.get(1)?))))?;
    for (no, id) in left {
        if overwritten.contains(&id) {
            tx.sql("UPDATE notifications SET dirty = 1 WHERE no = ?1")?.execute([no])?;
        }
    }
    Ok(())
}
