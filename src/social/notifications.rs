//! Notifications of one person, and the wishes about them.

use super::{
    cursor::{List, PAGE_MAX, page_limit},
    posts::too_many,
};
use crate::store::{
    Stores,
    notifications::{NotificationQuery, Notifications as Store, Place, ReadMark},
};
use communiconnect_protocol::{
    ErrorBody, NotificationId, NotificationList, NotificationPreferences, NotificationRead, Notifications,
    NotificationsRead, Preferences, UserId,
};
use std::sync::Arc;

/// Notifications.
pub struct NotificationService {
    store: Arc<dyn Store>,
}

impl NotificationService {
    pub(super) fn new(stores: &Stores) -> Self {
        Self { store: stores.notifications.clone() }
    }

    /// A page, newest first.
    ///
    /// # Errors
    /// `invalid` cursor.
    pub async fn list(&self, user: UserId, body: NotificationList) -> Result<Notifications, ErrorBody> {
        let before = List::Notifications
            .time_and_id(body.cursor.as_deref())?
            .map(|(created_at, id)| Place { created_at, id: NotificationId::from_bytes(id) });
        let query = NotificationQuery { before, unread: body.unread, limit: page_limit(None) };
        let page = self.store.list(user, query).await?;
        let last = page.notifications.last().filter(|_| page.more);
        let cursor = last.map(|last| List::Notifications.timed_cursor(last.created_at, last.id.as_bytes()));
        Ok(Notifications { notifications: page.notifications, unread: page.unread, cursor })
    }

    /// Marks as read.
    ///
    /// # Errors
    /// `invalid` for neither or both of `ids` and `all`, `limit_exceeded` for more than 100 ids.
    pub async fn read(
        &self,
        user: UserId,
        body: NotificationRead,
        at: i64,
    ) -> Result<NotificationsRead, ErrorBody> {
        let mark = match (body.ids, body.all) {
            (Some(ids), false) if ids.len() > PAGE_MAX as usize => {
                return Err(too_many("ids", ids.len(), PAGE_MAX as usize));
            }
            (Some(ids), false) => ReadMark::These(ids),
            (None, true) => ReadMark::All,
            (None, false) => {
                return Err(ErrorBody::invalid(
                    "ids",
                    "which ones is missing: give exactly one of `ids` and `all: true`",
                ));
            }
            (Some(_), true) => {
                return Err(ErrorBody::invalid("all", "too many: give exactly one of `ids` and `all: true`"));
            }
        };
        let (changed, unread) = self.store.mark_read(user, mark, at).await?;
        Ok(NotificationsRead { changed, unread })
    }

    /// Sets the wishes given; none asks for the present ones.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn preferences(
        &self,
        user: UserId,
        body: NotificationPreferences,
    ) -> Result<Preferences, ErrorBody> {
        let (preferences, changed) = self.store.set_preferences(user, body.kinds).await?;
        Ok(Preferences { preferences, changed })
    }
}
