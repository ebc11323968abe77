//! Channels as the database keys them: a byte for the kind, then what it belongs to.

use communiconnect_protocol::Channel;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

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
        };
        let mut key = Vec::with_capacity(1 + rest.len());
        key.push(kind);
        key.extend_from_slice(rest);
        Self(key)
    }
}

impl ToSql for ChannelKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}
