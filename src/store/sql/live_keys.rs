//! Lasting keys and defaults on SQLite.

use super::{
    SqlStore, Tx,
    columns::{optional_word, word},
    facts,
};
use crate::store::sql::db::{Connection, OptionalExtension, params};
use crate::store::{
    Actor, Reader, Result,
    live_keys::{DefaultsChange, KeyHash, LastEnd, LiveKeys},
};
use communiconnect_protocol::{CommunityId, LiveDefaults, LiveKeyInfo, LiveReason, Role, UserId, Visibility};

#[async_trait::async_trait]
impl LiveKeys for SqlStore {
    async fn rotate(&self, user: UserId, hash: KeyHash, at: i64) -> Result<()> {
        self.write(move |tx| {
            tx.sql(
                "INSERT INTO live_keys (owner, hash, created_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (owner) DO UPDATE
                     SET hash = excluded.hash, created_at = excluded.created_at, last_used_at = NULL",
            )?
            .execute(params![user.as_bytes(), hash, at])?;
            Ok(())
        })
        .await
    }

    async fn info(&self, user: UserId) -> Result<LiveKeyInfo> {
        self.read(move |connection| {
            let found = connection
                .prepare_cached("SELECT created_at, last_used_at FROM live_keys WHERE owner = ?1")?
                .query_row([user.as_bytes()], |row| {
                    Ok(LiveKeyInfo { exists: true, created_at: row.get(0)?, last_used_at: row.get(1)? })
                })
                .optional()?;
            Ok(found.unwrap_or(LiveKeyInfo { exists: false, created_at: None, last_used_at: None }))
        })
        .await
    }

    async fn open(&self, hash: KeyHash, at: i64) -> Result<Option<Actor>> {
        self.write(move |tx| {
            let owner: Option<[u8; 16]> = tx
                .sql("UPDATE live_keys SET last_used_at = ?2 WHERE hash = ?1 RETURNING owner")?
                .query_row(params![hash, at], |row| row.get(0))
                .optional()?;
            let Some(owner) = owner else { return Ok(None) };
            let actor = tx
                .sql("SELECT role FROM users WHERE id = ?1")?
                .query_row([owner], |row| {
                    Ok(Actor { user: UserId::from_bytes(owner), role: word(row, 0, Role::from_word)? })
                })
                .optional()?;
            Ok(actor)
        })
        .await
    }

    async fn defaults(&self, user: UserId) -> Result<LiveDefaults> {
        self.read(move |connection| defaults(connection, user)).await
    }

    async fn set_defaults(&self, user: UserId, change: DefaultsChange) -> Result<(LiveDefaults, bool)> {
        self.write(move |tx| set_defaults(tx, user, change)).await
    }

    async fn last_end(&self, user: UserId) -> Result<Option<LastEnd>> {
        self.read(move |connection| {
            let last = connection
                .prepare_cached(
                    "SELECT reason, ended_at, encoder_left FROM lives
                     WHERE owner = ?1 AND state = 'ended' ORDER BY ended_at DESC LIMIT 1",
                )?
                .query_row([user.as_bytes()], |row| {
                    let reason = word(row, 0, LiveReason::from_word)?;
                    Ok(LastEnd { reason, at: row.get(1)?, encoder_left: row.get(2)? })
                })
                .optional()?;
            Ok(last)
        })
        .await
    }
}

fn defaults(connection: &Connection, user: UserId) -> Result<LiveDefaults> {
    let found = connection
        .prepare_cached("SELECT title, community, visibility FROM live_defaults WHERE owner = ?1")?
        .query_row([user.as_bytes()], |row| {
            Ok(LiveDefaults {
                title: row.get(0)?,
                community_id: row.get::<Option<[u8; 16]>>(1)?.map(CommunityId::from_bytes),
                visibility: optional_word(row, 2, Visibility::from_word)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn set_defaults(tx: &mut Tx<'_>, user: UserId, change: DefaultsChange) -> Result<(LiveDefaults, bool)> {
    if let Some(id) = change.community_id {
        facts::community(tx.connection(), &Reader { user: Some(user), role: Role::User }, id)?;
    }
    let before = defaults(tx.connection(), user)?;
    let after = LiveDefaults {
        title: change.title.or_else(|| before.title.clone()),
        community_id: change.community_id.or(before.community_id),
        visibility: change.visibility.or(before.visibility),
    };
    let changed = after != before;
    if changed {
        tx.sql(
            "INSERT INTO live_defaults (owner, title, community, visibility) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (owner) DO UPDATE SET title = excluded.title, community = excluded.community,
                 visibility = excluded.visibility",
        )?
        .execute(params![
            user.as_bytes(),
            after.title,
            after.community_id.as_ref().map(CommunityId::as_bytes),
            after.visibility.map(Visibility::as_str),
        ])?;
    }
    Ok((after, changed))
}
