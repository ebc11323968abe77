//! Shapes of lives: the live itself, its report, its figures.

use crate::{
    CommunityId, LiveId, PostId, UserId,
    model::{ReactionCounts, User, Visibility},
    words::words,
};
use serde::{Deserialize, Serialize};

words! {
    /// Where a live stands.
    LiveState {
        /// Announced; nobody has sent anything yet.
        Created = "created",
        /// A broadcaster is there, and no picture yet.
        Connecting = "connecting",
        /// It can be watched.
        Live = "live",
        /// The broadcaster is lost and may come back.
        Interrupted = "interrupted",
        /// Over, for good.
        Ended = "ended",
    }
    /// Why a live is interrupted or has ended.
    LiveReason {
        /// Media stopped coming, the connection stands.
        Stalled = "stalled",
        /// The broadcaster's connection is gone, whether it broke or was closed.
        Lost = "lost",
        /// Its owner ended it, or its post was deleted.
        Stopped = "stopped",
        /// No media came in time.
        NoMedia = "no_media",
        /// A moderator ended it.
        Banned = "banned",
        /// It has reached the longest time a live may run.
        Limit = "limit",
        /// The broadcaster did not come back in time.
        Timeout = "timeout",
        /// The server was stopped as planned.
        Drain = "drain",
    }
    /// Why a peer was closed.
    RtcCloseReason {
        /// The source has changed to a codec that was not negotiated: make a new offer.
        Renegotiate = "renegotiate",
        /// A newer publisher of the same live has taken over.
        Replaced = "replaced",
        /// The live was stopped.
        Stopped = "stopped",
        /// The live has ended by itself.
        Ended = "ended",
        /// The person was banned from the live.
        Banned = "banned",
        /// The right to watch was lost.
        Forbidden = "forbidden",
        /// More media was sent than a publisher may.
        Bitrate = "bitrate",
        /// The live has reached its longest time.
        Duration = "duration",
        /// Nothing came from the peer for too long.
        Timeout = "timeout",
        /// The peer itself has closed.
        Closed = "closed",
        /// The node stops as planned: connect anew.
        Drain = "drain",
        /// A mistake of the server or a failed handshake.
        Error = "error",
    }
    /// Why another layer is sent.
    LayerCause {
        /// The viewer wished it.
        Wish = "wish",
        /// The viewer's connection carries no more, or more again.
        Bandwidth = "bandwidth",
        /// The publisher sends other layers.
        Source = "source",
    }
    /// How well a publisher's media arrives.
    UploadLevel {
        /// As it should.
        Good = "good",
        /// Viewers may notice.
        Fair = "fair",
        /// Viewers notice.
        Bad = "bad",
    }
}

/// A live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Live {
    /// Which.
    pub id: LiveId,
    /// The post that announces it.
    pub post_id: PostId,
    /// Where that stands.
    pub community_id: CommunityId,
    /// Whose.
    pub owner: User,
    /// 1-200 characters.
    pub title: String,
    /// Up to 5,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it stands.
    pub state: LiveState,
    /// Why it is interrupted or has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<LiveReason>,
    /// Who may watch.
    pub visibility: Visibility,
    /// People who watch.
    pub viewers: Viewers,
    /// When it could first be watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
}

/// People who watch, the owner left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Viewers {
    /// Now.
    pub current: u64,
    /// At most at once.
    pub peak: u64,
}

/// People who have watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ViewersTotal {
    /// At most at once.
    pub peak: u64,
    /// Different people in all: exact to 10,000, an estimate above.
    pub unique: u64,
}

/// What became of a live: `report` in the specification.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveReport {
    /// From when it could first be watched to its end; 0 where it never could.
    pub duration_ms: u64,
    /// People who watched.
    pub viewers: ReportViewers,
    /// How often people came.
    pub joins: u64,
    /// How often people went.
    pub leaves: u64,
    /// For how long people watched, in milliseconds of delivered media.
    pub watch_ms: WatchTimes,
    /// From a viewer's request to the first media sent, in milliseconds.
    pub join_ms: JoinTimes,
    /// The same by phase; left out in reports of former versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_phases: Option<JoinPhases>,
    /// What was written.
    pub chat: ReportChat,
    /// Reactions by kind.
    pub reactions: ReactionCounts,
    /// Viewers by time: `[milliseconds since the start, people]`, every 10 s.
    pub retention: Vec<(u64, u64)>,
    /// How often the broadcaster was lost.
    pub interruptions: u64,
    /// How the publisher's media arrived.
    pub upload: ReportUpload,
}

/// People who watched a live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportViewers {
    /// At most at once.
    pub peak: u64,
    /// On average while it could be watched, to one decimal.
    pub average: f64,
    /// Different people in all: exact to 10,000, an estimate above.
    pub unique: u64,
}

/// For how long people watched, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WatchTimes {
    /// All together.
    pub total: u64,
    /// On average.
    pub mean: u64,
    /// Half of the people watched no longer.
    pub p50: u64,
    /// All but a twentieth watched no longer.
    pub p95: u64,
}

/// How long joining took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JoinTimes {
    /// Half of the joins took no longer.
    pub p50: u64,
    /// All but a twentieth took no longer.
    pub p95: u64,
}

/// What was written in the chat of a live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportChat {
    /// Messages, deleted ones included.
    pub messages: u64,
    /// People who wrote.
    pub people: u64,
}

/// How a publisher's media arrived over the whole live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportUpload {
    /// Bits per second on average.
    pub bitrate: u64,
    /// Packets lost, in per cent to one decimal.
    pub loss: f64,
    /// The worst that was said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
}

/// A running live second by second: the state `live.figures` of `analytics:live:`, to its owner alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveFigures {
    /// Of which live.
    pub live_id: LiveId,
    /// When this was so.
    pub at: i64,
    /// Since when it can be watched, in milliseconds.
    pub duration_ms: u64,
    /// Where it stands.
    pub state: LiveState,
    /// People.
    pub viewers: FiguresViewers,
    /// How often people came.
    pub joins: u64,
    /// How often people went.
    pub leaves: u64,
    /// For how long people have watched.
    pub watch_ms: WatchTimes,
    /// How long joining took, by phase.
    pub join_ms: JoinPhases,
    /// What is written.
    pub chat: FiguresChat,
    /// Reactions.
    pub reactions: FiguresReactions,
    /// How the publisher's media arrives.
    pub upload: UploadFigures,
    /// Peers that watch, those that suffer most first; at most 50.
    pub peers: Vec<PeerFigures>,
}

/// People who watch a running live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FiguresViewers {
    /// Now.
    pub current: u64,
    /// At most at once.
    pub peak: u64,
    /// On average, to one decimal.
    pub average: f64,
    /// Different people in all.
    pub unique: u64,
}

/// How long joining takes, by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JoinPhases {
    /// From the request to the answer.
    pub answer: JoinTimes,
    /// From the answer to a secured connection.
    pub connect: JoinTimes,
    /// From there to the first packet of media sent.
    pub media: JoinTimes,
    /// From there to the first whole picture sent; left out while nobody has got one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<JoinTimes>,
    /// From the request to the first packet of media sent.
    pub total: JoinTimes,
}

/// What is written in the chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FiguresChat {
    /// Messages so far.
    pub messages: u64,
    /// People who wrote.
    pub people: u64,
    /// Messages of the last minute.
    pub per_minute: u64,
}

/// Reactions to a running live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FiguresReactions {
    /// So far, by kind.
    pub counts: ReactionCounts,
    /// Of the last minute.
    pub per_minute: u64,
}

/// How the publisher's media arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UploadFigures {
    /// Bits per second of all encodings.
    pub bitrate: u64,
    /// Packets lost in the last seconds, in per cent to one decimal.
    pub loss: f64,
    /// Round trip to the publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<u64>,
    /// How unevenly packets arrive.
    pub jitter_ms: u64,
    /// What it sends.
    pub layers: Vec<Layer>,
    /// How well that is.
    pub level: UploadLevel,
    /// The same in one sentence, with its cause and what to do.
    pub text: String,
}

/// How one peer is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerFigures {
    /// Who watches; left out for guests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Bits per second that are sent.
    pub bitrate: u64,
    /// Packets lost in the last seconds, in per cent to one decimal.
    pub loss: f64,
    /// Round trip to the viewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<u64>,
    /// The layer that is sent; `null` while none is.
    pub layer: Option<String>,
    /// How often the picture stood still so far: it paused for want of bandwidth, or skipped to a key frame.
    pub freezes: u64,
}

/// One encoding of a source's picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Layer {
    /// Its name in the publisher's offer (RFC 8851); empty where it sends one encoding without a name.
    pub rid: String,
    /// Pixels; 0 until known.
    pub width: u32,
    /// Pixels; 0 until known.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Bits per second.
    pub bitrate: u64,
}
