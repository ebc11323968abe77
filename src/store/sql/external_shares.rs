//! Shares of posts to other platforms.
//!
//! The index `external_shares_once` says that a person has one for each platform; everything else follows from whether a row was
//! written. How many there are of each platform is counted apart, so that nobody counts rows.

use super::{
    SqlStore, Tx,
    columns::{count, word},
    facts::{PostRow, reader_key},
    notifications::{Reacted, add_person},
    posts::{Move, shift},
};
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::store::{
    Actor, HeardFacts, Judge, Reader, Result, StoreError,
    external_shares::{
        ExternalShareOutcome, ExternalSharePage, ExternalShareRules, ExternalShares, LinkWords,
        NewExternalShare,
    },
};
use communiconnect_protocol::{
    CommentId, ExternalShare, NotificationKind, Platform, PlatformCounts, PostId, ShareId,
};

#[async_trait::async_trait]
impl ExternalShares for SqlStore {
    async fn add(
        &self,
        actor: Actor,
        new: NewExternalShare,
        rules: ExternalShareRules,
    ) -> Result<ExternalShareOutcome> {
        self.write(move |tx| add(tx, actor, &new, rules)).await
    }

    async fn list(&self, reader: Reader, post: PostId) -> Result<ExternalSharePage> {
        self.read(move |connection| {
            let shares = own(connection, &reader, post)?;
            Ok(ExternalSharePage { shares, totals: totals(connection, post)? })
        })
        .await
    }
}

fn add(
    tx: &mut Tx<'_>,
    actor: Actor,
    new: &NewExternalShare,
    rules: ExternalShareRules,
) -> Result<ExternalShareOutcome> {
    let NewExternalShare { post_id, platform, at, .. } = *new;
    let post = tx.post(&actor.into(), post_id)?;
    (rules.may)(&post.facts)?;
    let id = ShareId::from_bytes(tx.id(at));
    let written = tx
        .sql(
            "INSERT INTO external_shares (id, post, user, platform, told, created_at, message)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6) ON CONFLICT (post, user, platform) DO NOTHING",
        )?
        .execute(params![
            id.as_bytes(),
            post_id.as_bytes(),
            actor.user.as_bytes(),
            platform.as_str(),
            at,
            new.message
        ])?;
    let changed = written > 0;
    if changed {
        tx.sql(
            "INSERT INTO external_share_counts (post, platform, count) VALUES (?1, ?2, 1)
             ON CONFLICT (post, platform) DO UPDATE SET count = external_share_counts.count + 1",
        )?
        .execute(params![post_id.as_bytes(), platform.as_str()])?;
        shift(tx, &post, Move { external_shares: 1, at, ..Move::default() })?;
        notify(tx, &post, (actor, id), at, rules.hears)?;
    }
    let (share, message) = one(tx, actor, post_id, platform)?;
    let (title, content) = tx
        .sql("SELECT title, content FROM posts WHERE id = ?1")?
        .query_row([post_id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let words = LinkWords { message, title, content };
    Ok(ExternalShareOutcome { share, changed, totals: totals(tx.connection(), post_id)?, words })
}

/// Tells the author of the post of a person once, and notes which notification counts them.
fn notify(
    tx: &mut Tx<'_>,
    post: &PostRow,
    (actor, share): (Actor, ShareId),
    at: i64,
    hears: Judge<HeardFacts>,
) -> Result<()> {
    let heard = HeardFacts { post: Some(post.seen_by_author()), actor: post.facts.relation, named: true };
    let is_counted = tx
        .sql("SELECT 1 FROM external_shares WHERE post = ?1 AND user = ?2 AND told != 0")?
        .exists([post.facts.id.as_bytes(), actor.user.as_bytes()])?;
    if is_counted || !hears(&heard) {
        return Ok(());
    }
    let shared = Reacted {
        owner: post.facts.author,
        kind: NotificationKind::ExternalShare,
        thing: *post.facts.id.as_bytes(),
        part: *CommentId::NOTHING.as_bytes(),
        person: actor.user,
        at,
    };
    let counted = add_person(tx, &shared)?;
    tx.sql("UPDATE external_shares SET told = ?2 WHERE id = ?1")?
        .execute(params![share.as_bytes(), counted.column()])?;
    Ok(())
}

/// The share that a person has of a post on one platform, with its message.
fn one(
    tx: &Tx<'_>,
    actor: Actor,
    post: PostId,
    platform: Platform,
) -> Result<(ExternalShare, Option<String>)> {
    tx.sql(
        "SELECT id, post, platform, created_at, message FROM external_shares
         WHERE post = ?1 AND user = ?2 AND platform = ?3",
    )?
    .query_row(params![post.as_bytes(), actor.user.as_bytes(), platform.as_str()], |row| {
        Ok((share_at(row)?, row.get(4)?))
    })
    .optional()?
    .ok_or(StoreError::NotFound("share"))
}

/// One for each platform at most.
fn own(connection: &Connection, reader: &Reader, post: PostId) -> Result<Vec<ExternalShare>> {
    Ok(connection
        .prepare_cached(
            "SELECT id, post, platform, created_at FROM external_shares WHERE post = ?1 AND user = ?2
             ORDER BY id",
        )?
        .query_map(params![post.as_bytes(), reader_key(reader)], share_at)?)
}

pub(super) fn totals(connection: &Connection, post: PostId) -> Result<PlatformCounts> {
    let counted: Vec<(Platform, u64)> = connection
        .prepare_cached("SELECT platform, count FROM external_share_counts WHERE post = ?1")?
        .query_map([post.as_bytes()], |row| Ok((word(row, 0, Platform::from_word)?, count(row, 1)?)))?;
    Ok(counted.into_iter().collect())
}

fn share_at(row: &Row<'_>) -> db::Result<ExternalShare> {
    Ok(ExternalShare {
        id: ShareId::from_bytes(row.get(0)?),
        post_id: PostId::from_bytes(row.get(1)?),
        platform: word(row, 2, Platform::from_word)?,
        created_at: row.get(3)?,
    })
}

/// Removes up to `limit` of a post that is gone; how many went.
pub(super) fn remove_all(tx: &Tx<'_>, post: PostId, limit: usize) -> Result<usize> {
    Ok(tx
        .sql("DELETE FROM external_shares WHERE id IN (SELECT id FROM external_shares WHERE post = ?1 LIMIT ?2)")?
        .execute(params![post.as_bytes(), limit as i64])?)
}
