//! What two people would no longer hear of each other once a follow has ended or a block begun.
//!
//! The list and the person's own log say the same before and after: rows go or shrink, log entries are overwritten, and
//! what is left of a notification whose entries were is told anew. The list is short and done at once. A log is long: what
//! one piece does not reach of it is left over, and read as if it were overwritten already.

use super::{
    coalesced::{Causes, Counted, Reacted, drop_person, is_coalesced},
    inbox::{self, Change},
    row::{NOTIFICATION_COLUMNS, NotificationRow, notification_columns},
};
use crate::store::sql::db::{Connection, OptionalExtension, Spelled, params};
use crate::{
    publication::{Audience, Publication},
    store::{
        HeardFacts, Judge, Relation, Result, Sight,
        sql::{
            Tx,
            columns::word,
            leftovers::{Rest, Swept, leave, sweep_of},
            people::relation,
        },
    },
};
use communiconnect_protocol::{
    Channel, Data, NotificationId, NotificationKind, PostId, UserId, Visibility, event,
};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// Offsets of a log that one piece looks through: rows of a narrow index, of which it reads few.
const SPAN: u64 = 10_000;

/// Takes out of the owner's notifications, listed and logged, what they would not be told now: of posts of `other` that
/// they no longer see, and of what `other` did.
pub(in crate::store::sql) fn forget_unheard(
    tx: &mut Tx<'_>,
    owner: UserId,
    other: UserId,
    hears: Judge<HeardFacts>,
) -> Result<()> {
    let author = relation(tx.connection(), Some(owner), other)?;
    let actor = relation(tx.connection(), Some(other), owner)?;
    let verdict = Verdict::judge(author, actor, hears);
    if verdict == Verdict::ALL_HEARD {
        return Ok(());
    }
    shrink_list(tx, owner, other, verdict)?;
    let upto = tx.place(&Channel::User(owner))?.head;
    leave(tx, Rest::Unheard(Unheard { upto, verdict }), owner.as_bytes(), other.as_bytes())?;
    sweep_of(tx, owner.as_bytes())?;
    Ok(())
}

/// Which kinds of things of another a person does not hear of, judged when that began: what is swept later goes by the same
/// verdict, whatever becomes of the two meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sql) struct Verdict(i64);

impl Verdict {
    const ALL_HEARD: Self = Self(0);
    /// The bit that says that nothing is heard which the other did under their name.
    const DEEDS: i64 = 1;

    pub(in crate::store::sql) const fn from_column(bits: i64) -> Self {
        Self(bits)
    }

    pub(in crate::store::sql) const fn column(self) -> i64 {
        self.0
    }

    fn judge(author: Relation, actor: Relation, hears: Judge<HeardFacts>) -> Self {
        let mut bits = 0;
        if !hears(&HeardFacts { post: None, actor, named: true }) {
            bits |= Self::DEEDS;
        }
        for visibility in Visibility::ALL {
            for anonymous in [false, true] {
                let post = Sight { visibility: *visibility, anonymous, relation: author };
                let nobody = Relation::default();
                if !hears(&HeardFacts { post: Some(post), actor: nobody, named: false }) {
                    bits |= post_bit(*visibility, anonymous);
                }
            }
        }
        Self(bits)
    }

    fn hears_deeds(self) -> bool {
        self.0 & Self::DEEDS == 0
    }

    /// Whether this is a post of `author` that is unseen.
    fn hides_post(self, connection: &Connection, author: UserId, post: PostId) -> Result<bool> {
        let found = connection
            .prepare_cached("SELECT visibility, anonymous FROM posts WHERE id = ?1 AND author = ?2")?
            .query_row([post.as_bytes(), author.as_bytes()], |row| {
                Ok(post_bit(word(row, 0, Visibility::from_word)?, row.get(1)?))
            })
            .optional()?;
        Ok(found.is_some_and(|bit| self.0 & bit != 0))
    }
}

/// The bit that says that posts like this are unseen, as the column `verdict` has it; never to be given to others.
const fn post_bit(visibility: Visibility, anonymous: bool) -> i64 {
    let place = match visibility {
        Visibility::Public => 1,
        Visibility::Followers => 3,
        Visibility::Private => 5,
    };
    1 << (place + anonymous as u32)
}

/// What somebody's log still tells of another, up to an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sql) struct Unheard {
    /// The last entry that was not looked at yet.
    pub(in crate::store::sql) upto: u64,
    /// What is not heard of.
    pub(in crate::store::sql) verdict: Verdict,
}

impl Unheard {
    /// Whether an entry tells of `other` what is not heard any more.
    pub(in crate::store::sql) fn tells(
        &self,
        connection: &Connection,
        other: UserId,
        entry: &Publication,
    ) -> Result<bool> {
        let is_one = entry.offset <= self.upto
            && entry.audience == Audience::Readers
            && *entry.event == *event::NOTIFICATION;
        if !is_one {
            return Ok(false);
        }
        let Some(told) = Told::of(&entry.data) else { return Ok(false) };
        told.is_unheard(connection, other, self.verdict)
    }
}

/// Overwrites up to `limit` entries that tell of what is unheard, from the newest down.
pub(in crate::store::sql) fn sweep_unheard(
    tx: &mut Tx<'_>,
    owner: UserId,
    other: UserId,
    unheard: Unheard,
    limit: usize,
) -> Result<Swept> {
    let Unheard { upto, verdict } = unheard;
    let place = tx.place(&Channel::User(owner))?;
    let above = upto.saturating_sub(SPAN);
    let found = entries_about(tx, place.no, (above, upto), (other, limit))?;
    let mut overwritten = HashSet::new();
    for entry in &found {
        if let Some(told) = Told::of(&entry.data)
            && told.is_unheard(tx.connection(), other, verdict)?
        {
            tx.erase_entry(entry.id)?;
            overwritten.insert(told.id);
        }
    }
    tell_anew(tx, owner, &overwritten)?;
    let upto = match found.last() {
        Some(last) if found.len() == limit => last.offset.saturating_sub(1),
        _ => above,
    };
    let rest = (upto >= place.first).then_some(Rest::Unheard(Unheard { upto, verdict }));
    Ok(Swept { rows: found.len(), rest })
}

/// An entry of a log that may tell of somebody.
struct Entry {
    id: i64,
    offset: u64,
    data: Data,
}

/// Finds by the narrow index alone; read are only those that name the person, or do not say whom they name.
pub(in crate::store::sql) const ENTRIES_ABOUT: Spelled = Spelled {
    sqlite: "SELECT id, offset, data FROM log INDEXED BY log_named
     WHERE channel = ?1 AND event = 'notification' AND offset > ?2 AND offset <= ?3
         AND (named IS NULL OR instr(named, ?4) > 0)
     ORDER BY offset DESC LIMIT ?5",
    postgres: "SELECT id, offset, data FROM log
     WHERE channel = ?1 AND event = 'notification' AND offset > ?2 AND offset <= ?3
         AND (named IS NULL OR position(?4 IN named) > 0)
     ORDER BY offset DESC LIMIT ?5",
};

fn entries_about(
    tx: &mut Tx<'_>,
    channel: i64,
    (above, upto): (u64, u64),
    (person, limit): (UserId, usize),
) -> Result<Vec<Entry>> {
    let entries = tx.log_rows(ENTRIES_ABOUT.on(tx.connection()))?.query_map(
        params![channel, above as i64, upto as i64, person.as_bytes(), limit as i64],
        |row| {
            let offset = row.get::<i64>(1)?.unsigned_abs();
            Ok(Entry { id: row.get(0)?, offset, data: Data::from_stored(row.get::<Vec<u8>>(2)?) })
        },
    )?;
    Ok(entries)
}

/// Of an entry, what is judged here.
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

impl Told {
    fn of(data: &Data) -> Option<Self> {
        #[derive(Deserialize)]
        struct Event {
            notification: Told,
        }
        data.read::<Event>().ok().map(|event| event.notification)
    }

    fn is_unheard(&self, connection: &Connection, other: UserId, verdict: Verdict) -> Result<bool> {
        if !verdict.hears_deeds() && self.actors.iter().any(|actor| actor.id == other) {
            return Ok(true);
        }
        self.post_id.map_or(Ok(false), |post| verdict.hides_post(connection, other, post))
    }
}

/// Walks through the whole list, which is bounded.
fn shrink_list(tx: &mut Tx<'_>, owner: UserId, other: UserId, verdict: Verdict) -> Result<()> {
    let rows: Vec<(NotificationRow, i64)> = tx
        .sql(concat!("SELECT ", notification_columns!(), ", no FROM notifications WHERE user = ?1"))?
        .query_map([owner.as_bytes()], |row| {
            Ok((NotificationRow::at(row)?, row.get(NOTIFICATION_COLUMNS)?))
        })?;
    let mut hidden: HashMap<[u8; 16], bool> = HashMap::new();
    let mut change = Change::default();
    for (row, no) in rows {
        let is_hidden = match hidden.get(&row.thing) {
            Some(is_hidden) => *is_hidden,
            None => {
                let is_post = row.kind != NotificationKind::Follow;
                let post = PostId::from_bytes(row.thing);
                let is_hidden = is_post && verdict.hides_post(tx.connection(), other, post)?;
                hidden.insert(row.thing, is_hidden);
                is_hidden
            }
        };
        let is_coalesced = is_coalesced(row.kind);
        let is_deed = !verdict.hears_deeds();
        if is_hidden || is_deed && !is_coalesced && row.actors.contains(&other) {
            tx.sql("DELETE FROM notifications WHERE no = ?1")?.execute([no])?;
            change.kept -= 1;
            change.unread -= i64::from(row.read_at.is_none() && row.count > 0);
        } else if is_deed && is_coalesced {
            drop_other(tx, &row, other)?;
        }
    }
    inbox::shift(tx, owner, change)?;
    Ok(())
}

/// The other's reaction or share stays, and is counted for the owner no longer.
fn drop_other(tx: &mut Tx<'_>, row: &NotificationRow, other: UserId) -> Result<()> {
    let NotificationRow { user: owner, kind, thing, part, created_at: at, .. } = *row;
    let reacted = Reacted { owner, kind, thing, part, person: other, at };
    let counted = match Causes::of(kind) {
        Causes::Reactions => uncount_reaction(tx, &reacted)?,
        Causes::Shares => uncount_share(tx, &reacted)?,
        Causes::ExternalShares => uncount_external_share(tx, &reacted)?,
    };
    match counted {
        None | Some(Counted::NOWHERE) => Ok(()),
        Some(counted) => drop_person(tx, &reacted, counted),
    }
}

/// Notes that a reaction is counted nowhere; answers where it was.
fn uncount_reaction(tx: &Tx<'_>, reacted: &Reacted) -> Result<Option<Counted>> {
    let target = reacted.target();
    let key = [&target, reacted.person.as_bytes()];
    let counted = tx
        .sql("SELECT told FROM reactions WHERE target = ?1 AND user = ?2")?
        .query_row(key, |row| row.get(0).map(Counted::from_column))
        .optional()?;
    tx.sql("UPDATE reactions SET told = 0 WHERE target = ?1 AND user = ?2")?.execute(key)?;
    Ok(counted)
}

/// The same of a share.
fn uncount_share(tx: &Tx<'_>, shared: &Reacted) -> Result<Option<Counted>> {
    let (post, person, kind) = (shared.thing, shared.person.as_bytes(), shared.kind.as_str());
    let counted = tx
        .sql("SELECT told FROM shares WHERE post = ?1 AND user = ?2 AND kind = ?3")?
        .query_row(params![post, person, kind], |row| row.get(0).map(Counted::from_column))
        .optional()?;
    tx.sql("UPDATE shares SET told = 0 WHERE post = ?1 AND user = ?2 AND kind = ?3")?
        .execute(params![post, person, kind])?;
    Ok(counted)
}

/// The same of shares to other platforms, of which one at most is counted.
fn uncount_external_share(tx: &Tx<'_>, shared: &Reacted) -> Result<Option<Counted>> {
    let (post, person) = (shared.thing, shared.person.as_bytes());
    let counted = tx
        .sql("SELECT told FROM external_shares WHERE post = ?1 AND user = ?2 AND told != 0")?
        .query_row(params![post, person], |row| row.get(0).map(Counted::from_column))
        .optional()?;
    tx.sql("UPDATE external_shares SET told = 0 WHERE post = ?1 AND user = ?2")?
        .execute(params![post, person])?;
    Ok(counted)
}

/// What is left of these notifications is published with the next flush: who comes back to the log finds it there.
fn tell_anew(tx: &mut Tx<'_>, owner: UserId, overwritten: &HashSet<NotificationId>) -> Result<()> {
    if overwritten.is_empty() {
        return Ok(());
    }
    let listed: Vec<(i64, NotificationId)> = tx
        .sql("SELECT no, id FROM notifications WHERE user = ?1")?
        .query_map([owner.as_bytes()], |row| Ok((row.get(0)?, NotificationId::from_bytes(row.get(1)?))))?;
    for (no, id) in listed {
        if overwritten.contains(&id) {
            tx.sql("UPDATE notifications SET dirty = 1 WHERE no = ?1 AND count > 0")?.execute([no])?;
        }
    }
    Ok(())
}
