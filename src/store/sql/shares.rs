//! Shares and reposts of posts.
//!
//! The index `shares_once` says that a person has one of each kind; everything else follows from whether a row was written.

use super::{
    SqlStore, Tx,
    columns::word,
    events::{Happening, POST_SHARED, tell},
    facts::{PostRow, reader_key, relation_at, relation_columns},
    notifications::{Counted, Reacted, add_person, drop_person},
    posts::{Move, shift},
    user_row::{USER_COLUMNS, user_at, user_columns},
};
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::store::{
    Actor, HeardFacts, Judge, PostFacts, Reader, Result, Rule, StoreError,
    shares::{NewShare, ShareOutcome, ShareQuery, ShareRules, ShareView, Shares, Unshare, UnshareOutcome},
};
use communiconnect_protocol::{
    Channel, CommentId, Data, NotificationKind, PostId, PostShared, Share, ShareId, ShareKind, UserId,
};

#[async_trait::async_trait]
impl Shares for SqlStore {
    async fn add(&self, actor: Actor, new: NewShare, rules: ShareRules) -> Result<ShareOutcome> {
        self.write(move |tx| add(tx, actor, new, rules)).await
    }

    async fn remove(&self, actor: Actor, gone: Unshare, rule: Rule<PostFacts>) -> Result<UnshareOutcome> {
        self.write(move |tx| remove(tx, actor, gone, rule)).await
    }

    async fn list(&self, reader: Reader, query: ShareQuery) -> Result<Vec<ShareView>> {
        self.read(move |connection| list(connection, &reader, &query)).await
    }
}

fn add(tx: &mut Tx<'_>, actor: Actor, new: NewShare, rules: ShareRules) -> Result<ShareOutcome> {
    let post = tx.post(&actor.into(), new.post_id)?;
    (rules.may)(&post.facts)?;
    let share = Share {
        id: ShareId::from_bytes(tx.id(new.at)),
        post_id: new.post_id,
        kind: new.kind,
        user: tx.user(actor.user)?.ok_or(StoreError::NotFound("user"))?,
        comment: new.comment,
        created_at: new.at,
    };
    if !write(tx, &share)? {
        let share = one(tx.connection(), actor, new.post_id, new.kind)?;
        return Ok(ShareOutcome { share, changed: false, shares: tx.counts(new.post_id)?.shares });
    }
    let event = PostShared { share };
    let happening = Happening {
        event: &POST_SHARED,
        data: Data::of(&event),
        at: new.at,
        actor: Some(actor.user),
        subject: Some(*event.share.id.as_bytes()),
    };
    tell(tx, vec![Channel::Post(new.post_id)], happening)?;
    let reposts = i64::from(new.kind == ShareKind::Repost);
    let counts = shift(tx, &post, Move { shares: 1, reposts, at: new.at, ..Move::default() })?;
    notify(tx, &post, &event.share, rules.hears)?;
    Ok(ShareOutcome { share: event.share, changed: true, shares: counts.shares })
}

/// Adds the row; false where the person has one of this kind.
fn write(tx: &Tx<'_>, share: &Share) -> Result<bool> {
    let written = tx
        .sql(
            "INSERT INTO shares (id, post, user, kind, told, created_at, comment)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6) ON CONFLICT (post, user, kind) DO NOTHING",
        )?
        .execute(params![
            share.id.as_bytes(),
            share.post_id.as_bytes(),
            share.user.id.as_bytes(),
            share.kind.as_str(),
            share.created_at,
            share.comment
        ])?;
    Ok(written > 0)
}

/// Tells the author of the post, and notes which notification counts it.
fn notify(tx: &mut Tx<'_>, post: &PostRow, share: &Share, hears: Judge<HeardFacts>) -> Result<()> {
    let heard = HeardFacts { post: Some(post.seen_by_author()), actor: post.facts.relation, named: true };
    if !hears(&heard) {
        return Ok(());
    }
    let counted = add_person(tx, &shared(&post.facts, share.kind, share.user.id, share.created_at))?;
    tx.sql("UPDATE shares SET told = ?2 WHERE id = ?1")?
        .execute(params![share.id.as_bytes(), counted.column()])?;
    Ok(())
}

fn shared(post: &PostFacts, kind: ShareKind, person: UserId, at: i64) -> Reacted {
    let kind = match kind {
        ShareKind::Share => NotificationKind::Share,
        ShareKind::Repost => NotificationKind::Repost,
    };
    let (thing, part) = (*post.id.as_bytes(), *CommentId::NOTHING.as_bytes());
    Reacted { owner: post.author, kind, thing, part, person, at }
}

fn remove(tx: &mut Tx<'_>, actor: Actor, gone: Unshare, rule: Rule<PostFacts>) -> Result<UnshareOutcome> {
    let Unshare { post_id, kind, at } = gone;
    let post = tx.post(&actor.into(), post_id)?;
    let removed: Option<([u8; 16], Counted)> = tx
        .sql("DELETE FROM shares WHERE post = ?1 AND user = ?2 AND kind = ?3 RETURNING id, told")?
        .query_row(params![post_id.as_bytes(), actor.user.as_bytes(), kind.as_str()], |row| {
            Ok((row.get(0)?, Counted::from_column(row.get(1)?)))
        })
        .optional()?;
    // What one said oneself can be taken back whether one may still read the post or not, as one can always cease to follow.
    let Some((id, counted)) = removed else {
        rule(&post.facts)?;
        return Ok(UnshareOutcome { changed: false, shares: tx.counts(post_id)?.shares });
    };
    tx.erase_subject(&id)?;
    drop_person(tx, &shared(&post.facts, kind, actor.user, at), counted)?;
    let reposts = -i64::from(kind == ShareKind::Repost);
    let counts = shift(tx, &post, Move { shares: -1, reposts, at, ..Move::default() })?;
    Ok(UnshareOutcome { changed: true, shares: counts.shares })
}

/// Removes up to `limit` shares of a post that is gone, with what its log says of them; how many went.
pub(super) fn remove_all(tx: &mut Tx<'_>, post: PostId, limit: usize) -> Result<usize> {
    let ids: Vec<[u8; 16]> = tx
        .sql("SELECT id FROM shares WHERE post = ?1 LIMIT ?2")?
        .query_map(params![post.as_bytes(), limit as i64], |row| row.get(0))?;
    for id in &ids {
        tx.erase_subject(id)?;
        tx.sql("DELETE FROM shares WHERE id = ?1")?.execute([id])?;
    }
    Ok(ids.len())
}

/// Reads shares with who shared, in the order of columns that [`share_at`] reads; `?2` is the reader.
macro_rules! select_shares {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            user_columns!(),
            ", ",
            relation_columns!("s.user"),
            ", s.id, s.post, s.kind, s.comment, s.created_at FROM shares s JOIN users u ON u.id = s.user WHERE ",
            $condition
        )
    };
}

const REST: usize = USER_COLUMNS + 2;

/// The share that a person has of a post.
fn one(connection: &Connection, actor: Actor, post: PostId, kind: ShareKind) -> Result<Share> {
    let found = connection
        .prepare_cached(select_shares!("s.post = ?1 AND s.user = ?2 AND s.kind = ?3"))?
        .query_row(params![post.as_bytes(), actor.user.as_bytes(), kind.as_str()], |row| {
            share_at(row, &actor.into())
        })
        .optional()?;
    Ok(found.ok_or(StoreError::NotFound("share"))?.share)
}

/// A page, newest first.
fn list(connection: &Connection, reader: &Reader, query: &ShareQuery) -> Result<Vec<ShareView>> {
    let before = query.before.map_or([0xff; 16], |id| *id.as_bytes());
    let found = connection
        .prepare_cached(select_shares!("s.post = ?1 AND s.id < ?3 ORDER BY s.id DESC LIMIT ?4"))?
        .query_map(
            params![query.post_id.as_bytes(), reader_key(reader), before, query.limit as i64],
            |row| share_at(row, reader),
        )?;
    Ok(found)
}

fn share_at(row: &Row<'_>, reader: &Reader) -> db::Result<ShareView> {
    let user = user_at(row, 0)?;
    let relation = relation_at(row, USER_COLUMNS, reader.user == Some(user.id))?;
    let share = Share {
        id: ShareId::from_bytes(row.get(REST)?),
        post_id: PostId::from_bytes(row.get(REST + 1)?),
        kind: word(row, REST + 2, ShareKind::from_word)?,
        user,
        comment: row.get(REST + 3)?,
        created_at: row.get(REST + 4)?,
    };
    Ok(ShareView { share, relation })
}
