//! Bodies of what the server says of lives by itself: publications, states, signals, messages.

use super::{Layer, LayerCause, Live, LiveReason, RtcCloseReason, Viewers, ViewersTotal};
use crate::{
    ChatMessageId, LiveId, PeerId, PostId,
    model::{ReactionCounts, User},
};
use serde::{Deserialize, Serialize};

/// Data of `live.started`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveEvent {
    /// The live, which can be watched from now on.
    pub live: Live,
}

/// Data of `live.interrupted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveInterrupted {
    /// Which live.
    pub live_id: LiveId,
    /// Its post.
    pub post_id: PostId,
    /// Why.
    pub reason: LiveReason,
}

/// Data of `live.resumed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveResumed {
    /// Which live.
    pub live_id: LiveId,
    /// Its post.
    pub post_id: PostId,
}

/// Data of `live.ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveEnded {
    /// Which live.
    pub live_id: LiveId,
    /// Its post.
    pub post_id: PostId,
    /// Why.
    pub reason: LiveReason,
    /// From when it could first be watched to its end; 0 where it never could.
    pub duration_ms: u64,
    /// People who watched.
    pub viewers: ViewersTotal,
}

/// Data of the state `live.viewers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveViewersState {
    /// Which live.
    pub live_id: LiveId,
    /// Rises with every change.
    pub version: u64,
    /// People who watch.
    #[serde(flatten)]
    pub viewers: Viewers,
}

/// Data of the state `chat.slow_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSlowModeState {
    /// Which live.
    pub live_id: LiveId,
    /// Rises with every change.
    pub version: u64,
    /// How long a person waits between two messages; 0 is off.
    pub seconds: u32,
}

/// Data of the signal `live.reactions`: what was tapped in one window of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveReactions {
    /// By kind.
    pub counts: ReactionCounts,
    /// How long the window was.
    pub window_ms: u64,
}

/// Data of `chat.message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChatMessage {
    /// Which.
    pub id: ChatMessageId,
    /// The author's operation id.
    pub op: String,
    /// Who wrote it.
    pub user: User,
    /// 1-500 characters.
    pub content: String,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ChatMessageId>,
    /// When it was written.
    pub at: i64,
    /// How far into the live that was; left out before it could be watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_ms: Option<u64>,
}

/// Data of `chat.deleted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatDeleted {
    /// Which message.
    pub message_id: ChatMessageId,
}

/// Data of the message `rtc.closed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcClosed {
    /// Which peer.
    pub peer_id: PeerId,
    /// Why.
    pub reason: RtcCloseReason,
}

/// Data of the message `rtc.layers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcLayers {
    /// Of which peer.
    pub peer_id: PeerId,
    /// What the source sends, the smallest first.
    pub layers: Vec<Layer>,
    /// The one that is sent now; `null` while none is.
    pub current: Option<String>,
    /// Why it changed.
    pub cause: LayerCause,
}

/// Data of the message `rtc.warning`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcWarning {
    /// Of which peer.
    pub peer_id: PeerId,
    /// A word for programs.
    pub code: String,
    /// A sentence for people: what is wrong and what to do.
    pub text: String,
}
