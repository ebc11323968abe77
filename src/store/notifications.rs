//! Notifications and the wishes about them.

use super::Result;
use communiconnect_protocol::{Notification, NotificationId, NotificationKind, UserId};
use std::collections::BTreeMap;

/// A page of notifications.
#[derive(Clone, Debug, PartialEq)]
pub struct NotificationPage {
    /// Newest first.
    pub notifications: Vec<Notification>,
    /// How many are unread in all.
    pub unread: u64,
    /// Whether more follow.
    pub more: bool,
}

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationQuery {
    /// The last one of the page before.
    pub before: Option<NotificationId>,
    /// Only unread ones.
    pub unread: bool,
    /// At most so many.
    pub limit: usize,
}

/// Which notifications were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadMark {
    /// These; foreign and unknown ones are passed over.
    These(Vec<NotificationId>),
    /// All there are.
    All,
}

/// Notifications of one person.
#[async_trait::async_trait]
pub trait Notifications: Send + Sync {
    /// A page.
    async fn list(&self, user: UserId, query: NotificationQuery) -> Result<NotificationPage>;
    /// Marks as read; whether any was unread, and how many still are.
    async fn mark_read(&self, user: UserId, mark: ReadMark, at: i64) -> Result<(bool, u64)>;
    /// Sets the wishes given and answers all of them, with whether any changed.
    async fn set_preferences(
        &self,
        user: UserId,
        wishes: BTreeMap<NotificationKind, bool>,
    ) -> Result<(BTreeMap<NotificationKind, bool>, bool)>;
    /// Publishes notifications that changed again within the same second; answers how many.
    async fn flush(&self, now: i64) -> Result<usize>;
}
