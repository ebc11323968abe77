//! Replies to commands of lives, their chat and their peers.

use super::{ChatMessage, Layer, Live, LiveReport};
use crate::{
    PeerId,
    model::{User, Visibility},
    reply::{ChannelPosition, Subscribed},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// To `live.start`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveStarted {
    /// The live.
    pub live: Live,
    /// Opens it for an encoder; dies with it.
    pub stream_key: StreamKey,
    /// Where an encoder sends its offer (RFC 9725).
    pub whip_url: String,
    /// What a browser's peer connection is to use.
    pub ice_servers: Vec<IceServer>,
    /// Whether this began it; false where it runs already.
    pub changed: bool,
}

/// What lets an encoder in. Never shown by `Debug`, so that no log has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct StreamKey(pub String);

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(…)")
    }
}

/// A STUN or TURN server as browsers take it (`RTCIceServer` of W3C WebRTC).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IceServer {
    /// `stun:` and `turn:` addresses (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// Who one is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// With which password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// To `live.stop` and `live.report`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveReportReply {
    /// What became of it.
    pub report: LiveReport,
}

/// To `live.list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lives {
    /// Newest first.
    pub lives: Vec<Live>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// To `live.bans`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Banned {
    /// Whoever has the newest account first; when they were banned is not kept.
    pub users: Vec<User>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// To `live.get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveReply {
    /// The live.
    pub live: Live,
}

/// To `live.join`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveJoined {
    /// The live.
    pub live: Live,
    /// What a browser's peer connection is to use.
    pub ice_servers: Vec<IceServer>,
    /// The subscription to its channel.
    pub subscribed: Subscribed,
}

/// To `live.key.rotate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveKey {
    /// The new key; shown this once.
    pub stream_key: StreamKey,
    /// Where an encoder sends its offer (RFC 9725).
    pub whip_url: String,
}

/// To `live.key.get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveKeyInfo {
    /// Whether there is a lasting key.
    pub exists: bool,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    /// When an encoder last came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<i64>,
}

/// To `live.defaults`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveDefaultsReply {
    /// As they are now.
    pub defaults: LiveDefaults,
    /// Whether any was another before.
    pub changed: bool,
}

/// What a live that a lasting key starts is like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveDefaults {
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where its post stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community_id: Option<crate::CommunityId>,
    /// Who may watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

/// To `chat.send`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChatSent {
    /// The message.
    pub message: ChatMessage,
    /// Where its publication stands.
    pub position: ChannelPosition,
}

/// To `rtc.publish` and `rtc.watch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcAnswered {
    /// The new peer.
    pub peer_id: PeerId,
    /// The answer, with all candidates.
    pub sdp: String,
}

/// To `rtc.restart`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcRestarted {
    /// The answer with new ICE credentials.
    pub sdp: String,
}

/// To `rtc.layer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcLayerReply {
    /// What the source sends, the smallest first.
    pub layers: Vec<Layer>,
    /// The one that is sent now; `null` while none is.
    pub current: Option<String>,
}

/// To `rtc.probe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RtcProbed {
    /// The answer, with all candidates.
    pub sdp: String,
    /// What a browser's peer connection is to use.
    pub ice_servers: Vec<IceServer>,
}

/// To commands that have nothing to say, such as `rtc.trickle`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {}
