//! Names of events as the log shares them, and telling one event to several channels.

use super::tx::{Draft, Tx};
use crate::{publication::Audience, store::Result};
use communiconnect_protocol::{Channel, Data, UserId, event};
use std::sync::{Arc, LazyLock};

macro_rules! names {
    ($($name:ident)*) => {$(
        pub(super) static $name: LazyLock<Arc<str>> = LazyLock::new(|| event::$name.into());
    )*};
}

names! {
    POST_CREATED POST_EDITED POST_DELETED POST_SHARED COMMENT_ADDED COMMENT_EDITED COMMENT_DELETED NOTIFICATION USER_UPDATED
    COMMUNITY_CREATED
    LIVE_STARTED LIVE_INTERRUPTED LIVE_RESUMED LIVE_ENDED CHAT_MESSAGE CHAT_DELETED
}

/// What happened, before it is known where it is told.
pub(super) struct Happening<'a> {
    pub(super) event: &'a Arc<str>,
    pub(super) data: Data,
    pub(super) at: i64,
    pub(super) actor: Option<UserId>,
    pub(super) subject: Option<[u8; 16]>,
}

/// Publishes into each channel; answers the offset in the first one.
pub(super) fn tell(tx: &mut Tx<'_>, channels: Vec<Channel>, happening: Happening<'_>) -> Result<u64> {
    let mut first = None;
    for channel in channels {
        let offset = tx.publish(Draft {
            channel,
            event: happening.event,
            data: happening.data.clone(),
            at: happening.at,
            actor: happening.actor,
            audience: Audience::Readers,
            subject: happening.subject,
            named: None,
        })?;
        first.get_or_insert(offset);
    }
    Ok(first.unwrap_or(0))
}
