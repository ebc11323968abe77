//! Channels as the database keys them: a byte for the kind, then what it belongs to.

use super::db::{ToValue, Value};
use communiconnect_protocol::{Channel, CommunityId, LiveId, PostId, UserId};

/// At most a kind byte and the longest test name.
pub(super) struct ChannelKey(Vec<u8>);

impl From<&Channel> for ChannelKey {
    fn from(channel: &Channel) -> Self {
        let (kind, rest): (u8, &[u8]) = match channel {
            Channel::Feed(id) => (1, id.as_bytes()),
            Channel::Post(id) => (2, id.as_bytes()),
            Channel::Live(id) => (3, id.as_bytes()),
            Channel::Author(id) => (4, id.as_bytes()),
            Channel::User(id) => (5, id.as_bytes()),
            Channel::AnalyticsPost(id) => (6, id.as_bytes()),
            Channel::AnalyticsLive(id) => (7, id.as_bytes()),
            Channel::Test(name) => (8, name.as_bytes()),
            Channel::Communities => (9, &[]),
        };
        let mut key = Vec::with_capacity(1 + rest.len());
        key.push(kind);
        key.extend_from_slice(rest);
        Self(key)
    }
}

impl ChannelKey {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The channel that a stored key names; none for a kind of a later version.
pub(super) fn channel(key: &[u8]) -> Option<Channel> {
    let (kind, rest) = key.split_first()?;
    match kind {
        8 => return Some(Channel::Test(std::str::from_utf8(rest).ok()?.into())),
        9 => return rest.is_empty().then_some(Channel::Communities),
        _ => {}
    }
    let id: [u8; 16] = rest.try_into().ok()?;
    Some(match kind {
        1 => Channel::Feed(CommunityId::from_bytes(id)),
        2 => Channel::Post(PostId::from_bytes(id)),
        3 => Channel::Live(LiveId::from_bytes(id)),
        4 => Channel::Author(UserId::from_bytes(id)),
        5 => Channel::User(UserId::from_bytes(id)),
        6 => Channel::AnalyticsPost(PostId::from_bytes(id)),
        7 => Channel::AnalyticsLive(LiveId::from_bytes(id)),
        _ => return None,
    })
}

impl ToValue for ChannelKey {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        let id = "0191f6a0-0000-7000-8000-000000000001";
        let kinds =
            ["feed:", "post:", "live:", "author:", "user:", "analytics:post:", "analytics:live:", "test:"];
        for kind in kinds {
            let known: Channel = format!("{kind}{id}").parse().expect("a channel");
            assert_eq!(channel(&ChannelKey::from(&known).0), Some(known));
        }
        assert_eq!(channel(&ChannelKey::from(&Channel::Communities).0), Some(Channel::Communities));
        assert_eq!(channel(&[]), None);
        assert_eq!(channel(&[9, 1]), None);
        assert_eq!(channel(&[1, 2, 3]), None);
    }
}
