//! Commands of lives, their chat and their peers, one struct each.

use crate::{
    ChatMessageId, CommunityId, LiveId, PeerId, UserId,
    model::{ReactionKind, Visibility},
    strict,
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};
use std::fmt;

/// `live.start`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveStart {
    /// The client's id of this operation.
    pub op: String,
    /// 1-200 characters.
    pub title: String,
    /// Where its post stands.
    pub community_id: CommunityId,
    /// Who may watch.
    pub visibility: Visibility,
    /// Up to 5,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `live.stop`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveStop {
    /// Which.
    pub live_id: LiveId,
}

/// `live.list`: those that run, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LiveList {
    /// Of this community and those below it; none lists all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<CommunityId>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `live.get`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveGet {
    /// Which.
    pub live_id: LiveId,
}

/// `live.join`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveJoin {
    /// Which.
    pub live_id: LiveId,
}

/// `live.leave`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveLeave {
    /// Which.
    pub live_id: LiveId,
}

/// `live.report`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveReportGet {
    /// Of which live.
    pub live_id: LiveId,
}

/// `live.key.rotate`
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveKeyRotate {}

/// `live.key.get`
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveKeyGet {}

/// `live.defaults`: what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LiveDefaultsSet {
    /// 1-200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where the post stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<CommunityId>,
    /// Who may watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

/// `live.ban`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveBan {
    /// Of which live.
    pub live_id: LiveId,
    /// Whom.
    pub user_id: UserId,
    /// The wished state.
    pub on: bool,
}

/// `live.bans`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveBans {
    /// Of which live.
    pub live_id: LiveId,
    /// Where the page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `live.react`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveReact {
    /// To which live.
    pub live_id: LiveId,
    /// How.
    pub kind: ReactionKind,
}

/// `chat.send`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChatSend {
    /// The client's id of this operation.
    pub op: String,
    /// Into the chat of which live.
    pub live_id: LiveId,
    /// 1-500 characters.
    pub content: String,
    /// The message that is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ChatMessageId>,
}

/// `chat.delete`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChatDelete {
    /// Which.
    pub message_id: ChatMessageId,
}

/// `chat.slow_mode`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChatSlowMode {
    /// Of which live.
    pub live_id: LiveId,
    /// How long a person waits between two messages: 0-300; 0 is off.
    pub seconds: u32,
}

/// `rtc.publish`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcPublish {
    /// Into which live.
    pub live_id: LiveId,
    /// The offer.
    pub sdp: String,
}

/// `rtc.watch`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcWatch {
    /// Which live.
    pub live_id: LiveId,
    /// The offer.
    pub sdp: String,
}

/// `rtc.trickle`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcTrickle {
    /// Of which peer.
    pub peer_id: PeerId,
    /// A candidate; `null` says that there are no more. Required.
    #[serde(deserialize_with = "strict::optional_map")]
    pub candidate: Option<IceCandidate>,
}

/// An ICE candidate as browsers say it (`RTCIceCandidateInit` of W3C WebRTC), so that it can be passed on as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IceCandidate {
    /// `candidate:…` (RFC 8839 §5.1).
    pub candidate: String,
    /// The section's `a=mid`.
    #[serde(default, rename = "sdpMid")]
    pub sdp_mid: Option<String>,
    /// The section's place, from 0.
    #[serde(default, rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u32>,
}

/// `rtc.restart`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcRestart {
    /// Which peer.
    pub peer_id: PeerId,
    /// The offer with new ICE credentials.
    pub sdp: String,
}

/// `rtc.layer`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcLayer {
    /// Which peer.
    pub peer_id: PeerId,
    /// The quality one wishes at most.
    pub max_height: MaxHeight,
}

/// A wish for quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxHeight {
    /// The best that arrives: the word `auto`.
    Auto,
    /// No picture with more lines than this, where there is a choice.
    Lines(u32),
}

/// `rtc.close`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcClose {
    /// Which peer.
    pub peer_id: PeerId,
}

/// `rtc.probe`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcProbe {
    /// The offer, to receive.
    pub sdp: String,
}

const AUTO: &str = "auto";

#[cfg(feature = "schema")]
impl schemars::JsonSchema for MaxHeight {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MaxHeight".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "const": "auto" }] })
    }
}

impl Serialize for MaxHeight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str(AUTO),
            Self::Lines(lines) => serializer.serialize_u32(*lines),
        }
    }
}

impl<'de> Deserialize<'de> for MaxHeight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MaxHeightVisitor)
    }
}

struct MaxHeightVisitor;

impl Visitor<'_> for MaxHeightVisitor {
    type Value = MaxHeight;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a height in pixels or auto")
    }

    fn visit_u64<E: de::Error>(self, lines: u64) -> Result<MaxHeight, E> {
        u32::try_from(lines)
            .map(MaxHeight::Lines)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(lines), &self))
    }

    fn visit_i64<E: de::Error>(self, lines: i64) -> Result<MaxHeight, E> {
        // MessagePack has signed encodings of small numbers too.
        u32::try_from(lines)
            .map(MaxHeight::Lines)
            .map_err(|_| E::invalid_value(de::Unexpected::Signed(lines), &self))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<MaxHeight, E> {
        if word == AUTO {
            Ok(MaxHeight::Auto)
        } else {
            Err(E::invalid_value(de::Unexpected::Str("text"), &self))
        }
    }
}
