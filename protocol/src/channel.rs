//! Names of channels: a kind, a colon, and what it belongs to; `communities` belongs to the place as a whole.

use crate::id::{CommunityId, LiveId, PostId, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

/// A channel: an ordered log of publications, with the latest states of its object beside it (SPEC.md §Channels).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// `communities`: which communities come into being, for everybody.
    Communities,
    /// `feed:<community_id>`: what happens in a community and below it.
    Feed(CommunityId),
    /// `post:<post_id>`: comments, reactions and edits of one post.
    Post(PostId),
    /// `live:<live_id>`: chat, reactions, state and viewers of one live.
    Live(LiveId),
    /// `author:<user_id>`: what a person posts under their name, for followers.
    Author(UserId),
    /// `user:<user_id>`: the person's own.
    User(UserId),
    /// `analytics:post:<post_id>`: figures for the author.
    AnalyticsPost(PostId),
    /// `analytics:live:<live_id>`: figures for the owner.
    AnalyticsLive(LiveId),
    /// `test:<name>`: for operators' load tests, while `admin.test_channels` is on.
    Test(Arc<str>),
}

/// Text that names no channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no channel has this name: use communities, feed:ID, post:ID, live:ID, author:ID, user:ID, analytics:post:ID or analytics:live:ID"
)]
pub struct ChannelError;

/// The one name without a colon: it belongs to the place as a whole.
const COMMUNITIES: &str = "communities";

/// Longest name after `test:`, in bytes; the longest other name is shorter.
const MAX_TEST_NAME: usize = 64;

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Communities => f.write_str(COMMUNITIES),
            Self::Feed(id) => write!(f, "feed:{id}"),
            Self::Post(id) => write!(f, "post:{id}"),
            Self::Live(id) => write!(f, "live:{id}"),
            Self::Author(id) => write!(f, "author:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::AnalyticsPost(id) => write!(f, "analytics:post:{id}"),
            Self::AnalyticsLive(id) => write!(f, "analytics:live:{id}"),
            Self::Test(name) => write!(f, "test:{name}"),
        }
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        if text == COMMUNITIES {
            return Ok(Self::Communities);
        }
        let (kind, rest) = text.split_once(':').ok_or(ChannelError)?;
        let Ok(channel) = match kind {
            "feed" => rest.parse().map(Self::Feed),
            "post" => rest.parse().map(Self::Post),
            "live" => rest.parse().map(Self::Live),
            "author" => rest.parse().map(Self::Author),
            "user" => rest.parse().map(Self::User),
            "analytics" => match rest.split_once(':').ok_or(ChannelError)? {
                ("post", id) => id.parse().map(Self::AnalyticsPost),
                ("live", id) => id.parse().map(Self::AnalyticsLive),
                _ => return Err(ChannelError),
            },
            "test" if is_test_name(rest) => Ok(Self::Test(rest.into())),
            _ => return Err(ChannelError),
        };
        Ok(channel)
    }
}

fn is_test_name(name: &str) -> bool {
    (1..=MAX_TEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Channel {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Channel".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let id = "0191f6a0-0000-7000-8000-000000000001";
        for name in ["feed:", "post:", "live:", "author:", "user:", "analytics:post:", "analytics:live:"] {
            let name = format!("{name}{id}");
            assert_eq!(name.parse::<Channel>().expect("known kind").to_string(), name);
        }
        assert_eq!(
            "communities".parse::<Channel>().expect("the one without a colon").to_string(),
            "communities"
        );
        assert_eq!("test:a.b-1".parse::<Channel>().expect("test name").to_string(), "test:a.b-1");
    }

    #[test]
    fn other_text_is_no_channel() {
        let long = format!("test:{}", "x".repeat(MAX_TEST_NAME + 1));
        for name in [
            "",
            "feed",
            "communities:",
            "Communities",
            "nope:1",
            "analytics:user:1",
            "analytics:x",
            "test:",
            "test:a b",
            long.as_str(),
        ] {
            assert_eq!(name.parse::<Channel>(), Err(ChannelError), "{name}");
        }
    }
}
