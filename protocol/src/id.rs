//! Identifiers of things: UUIDv7 text on the wire, sixteen bytes inside.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        ///
        /// To a client an id is opaque text. Text that is no id of ours therefore reads as [`Self::NOTHING`], which no
        /// thing ever has: the answer is `not_found`, like for any other thing that does not exist.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id that names nothing.
            pub const NOTHING: Self = Self(Uuid::nil());

            /// A new id whose order follows `at_ms` (milliseconds since 1970 UTC), as UUIDv7 (RFC 9562 §5.7).
            pub fn new(at_ms: i64) -> Self {
                let at_ms = u64::try_from(at_ms).unwrap_or(0);
                let seconds = at_ms / 1000;
                let nanos = u32::try_from(at_ms % 1000).unwrap_or(0) * 1_000_000;
                Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
            }

            /// When it was made, in milliseconds since 1970 UTC: its first 48 bits (RFC 9562 §5.7).
            pub const fn made_at(&self) -> i64 {
                let [a, b, c, d, e, f, ..] = *self.0.as_bytes();
                i64::from_be_bytes([0, 0, a, b, c, d, e, f])
            }

            /// The sixteen bytes, as stores keep them.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id of sixteen stored bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(parse(text)))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = Uuid::encode_buffer();
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdVisitor).map(Self)
            }
        }
    )*};
}

ids! {
    /// A person, made at first use of an identity.
    UserId
    /// A community; communities nest.
    CommunityId
    /// A post.
    PostId
    /// A comment or a reply.
    CommentId
    /// A notification of one person.
    NotificationId
    /// One connection's session with the hub.
    SessionId
    /// A live stream.
    LiveId
    /// A message in the chat of a live.
    ChatMessageId
    /// An uploaded image or video.
    MediaId
    /// A share or repost.
    ShareId
    /// One WebRTC connection.
    PeerId
}

/// Only the canonical form counts, so that one thing has one name (in channel names as well).
fn parse(text: &str) -> Uuid {
    let canonical = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if canonical { Uuid::try_parse(text).unwrap_or(Uuid::nil()) } else { Uuid::nil() }
}

struct IdVisitor;

impl de::Visitor<'_> for IdVisitor {
    type Value = Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id (text)")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Uuid, E> {
        Ok(parse(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_time() {
        assert!(PostId::new(1_000) < PostId::new(2_000));
        assert_eq!(PostId::new(1_760_000_000_123).made_at(), 1_760_000_000_123);
    }

    #[test]
    fn foreign_text_names_nothing() {
        for text in
            ["", "nope", "0191F6A0-0000-7000-8000-000000000000", "{0191f6a0-0000-7000-8000-000000000000}"]
        {
            assert_eq!(text.parse(), Ok(PostId::NOTHING), "{text}");
        }
    }
}
