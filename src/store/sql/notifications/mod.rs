//! Notifications on SQLite.
//!
//! A comment or reply is a notification of its own; reactions to one target are one notification that grows, and is
//! published at most once a second: what changes in between is `dirty` until `flush` publishes it. A row whose causes
//! were all taken back stays, unseen, so that a toggled reaction does not make a new one each time.

mod coalesced;
mod flush;
mod forget;
mod inbox;
mod list;
mod row;
mod single;
mod unheard;

pub(super) use coalesced::{
    Counted, Reacted, Standing, add_person, drop_person, standing_at, standing_columns,
};
pub(super) use forget::{forget_comment, forget_post};
pub(super) use inbox::{Change, KEPT};
pub(super) use row::bytes as actor_bytes;
pub(super) use single::{Telling, tell_one, told_follow};
#[cfg(test)]
pub(super) use unheard::ENTRIES_ABOUT;
pub(super) use unheard::{Unheard, Verdict, forget_unheard, sweep_unheard};

use super::SqlStore;
use crate::store::{
    Result,
    notifications::{NotificationPage, NotificationQuery, Notifications, ReadMark},
};
use communiconnect_protocol::{NotificationKind, UserId};
use std::collections::BTreeMap;

#[async_trait::async_trait]
impl Notifications for SqlStore {
    async fn list(&self, user: UserId, query: NotificationQuery) -> Result<NotificationPage> {
        self.read(move |connection| list::page(connection, user, query)).await
    }

    async fn mark_read(&self, user: UserId, mark: ReadMark, at: i64) -> Result<(bool, u64)> {
        self.write(move |tx| list::mark_read(tx, user, &mark, at)).await
    }

    async fn set_preferences(
        &self,
        user: UserId,
        wishes: BTreeMap<NotificationKind, bool>,
    ) -> Result<(BTreeMap<NotificationKind, bool>, bool)> {
        self.write(move |tx| inbox::set_preferences(tx, user, &wishes)).await
    }

    async fn flush(&self, now: i64) -> Result<usize> {
        // Most of the time nothing waits; only then is the writer spared.
        if self.read(move |connection| flush::nothing_waits(connection, now)).await? {
            return Ok(0);
        }
        self.write(move |tx| flush::flush(tx, now)).await
    }
}

/// A notification that changes again is published at most so often, in milliseconds.
const PUBLISH_EVERY_MS: i64 = 1_000;
