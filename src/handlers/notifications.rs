//! `notification.*`

use super::{Answer, Ask};
use communiconnect_protocol::{NotificationList, NotificationPreferences, NotificationRead, Reply};

pub(super) async fn list(ask: Ask<'_>, body: NotificationList) -> Answer {
    ask.social.notifications.list(ask.actor()?.user, body).await.map(Reply::Notifications)
}

pub(super) async fn read(ask: Ask<'_>, body: NotificationRead) -> Answer {
    ask.social.notifications.read(ask.actor()?.user, body, ask.at).await.map(Reply::NotificationsRead)
}

pub(super) async fn preferences(ask: Ask<'_>, body: NotificationPreferences) -> Answer {
    ask.social.notifications.preferences(ask.actor()?.user, body).await.map(Reply::Preferences)
}
