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

/// Where a notification stands in the list. One that is renewed moves to the front; pages go on where they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When it was made or renewed, in milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Which.
    pub id: NotificationId,
}

impl From<&Notification> for Place {
    fn from(notification: &Notification) -> Self {
        Self { created_at: notification.created_at, id: notification.id }
    }
}

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationQuery {
    /// Where the last one of the page before stood when it was read.
    pub before: Option<Place>,
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
