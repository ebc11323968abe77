//! Pushes and events: what the server says by itself (SPEC.md §Pushes).

use crate::{
    Channel, CommentId, LiveId, PostId, UserId,
    data::Data,
    model::{Comment, Community, Notification, Post, PostLabel, ReactionCounts, Share},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a push behaves when a reader is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Never lost silently: a gap is told.
    A,
    /// The latest per key always arrives.
    B,
    /// May be thinned.
    C,
}

/// `publication`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicationPush {
    /// Which channel.
    pub channel: Channel,
    /// Its place there.
    pub offset: u64,
    /// What happened.
    pub event: String,
    /// The event's body.
    pub data: Data,
    /// When it was written.
    pub at: i64,
}

/// `state`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatePush {
    /// Which channel.
    pub channel: Channel,
    /// Which state.
    pub event: String,
    /// Of which thing.
    pub key: String,
    /// Rises with every change.
    pub version: u64,
    /// The value.
    pub data: Data,
}

/// `signal`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalPush {
    /// Which channel.
    pub channel: Channel,
    /// What happens.
    pub event: String,
    /// The event's body.
    pub data: Data,
}

/// `message`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessagePush {
    /// What happened.
    pub event: String,
    /// The event's body.
    pub data: Data,
}

/// Why publications were not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The reader was slow: `history` has them.
    Slow,
    /// They are no longer kept.
    Expired,
}

/// `gap`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapPush {
    /// Which channel.
    pub channel: Channel,
    /// First offset not sent.
    pub from: u64,
    /// Last offset not sent.
    pub to: u64,
    /// Why.
    pub reason: GapReason,
}

/// `skip`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkipPush {
    /// Which channel.
    pub channel: Channel,
    /// The place.
    pub offset: u64,
}

/// `flow`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowPush {
    /// 0 nothing is degraded, 1 signals are thinned, 2 states are coalesced, 3 publications are cut to gaps.
    pub level: u8,
    /// Why, in words.
    pub reason: String,
}

/// `unsubscribed`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsubscribedPush {
    /// Which channel.
    pub channel: Channel,
    /// Why.
    pub reason: UnsubscribeReason,
}

/// Why the server ended a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsubscribeReason {
    /// The right to read was lost.
    Forbidden,
    /// What the channel belongs to is gone.
    Deleted,
    /// An operator ended it.
    Operator,
}

/// `ping`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingPush {
    /// The server's clock.
    pub at: i64,
    /// Heads of subscribed channels that moved since the last ping.
    pub heads: BTreeMap<String, u64>,
}

/// `reconnect`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconnectPush {
    /// The close code that will follow.
    pub code: u16,
    /// How long to wait before coming back, in milliseconds: this client's own slot.
    pub after_ms: u64,
    /// Where to, if elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// `token.expiring`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenExpiringPush {
    /// When the token runs out.
    pub expires_at: i64,
}

/// Data of `community.created`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommunityEvent {
    /// The community, without `my`.
    pub community: Community,
}

/// Data of `post.created` and `post.edited`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostEvent {
    /// The post, without `my`.
    pub post: Post,
    /// The author's operation id; left out of anonymous posts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
}

/// Data of the state `post.figures`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostFiguresState {
    /// Of which post.
    pub post_id: PostId,
    /// That of the post's counts.
    pub version: u64,
    /// One for each person and half hour; guests by session.
    pub views: u64,
    /// By kind; kinds without any are left out.
    pub reactions: ReactionCounts,
    /// With all replies.
    pub comments: u64,
    /// Shares and reposts.
    pub shares: u64,
    /// To other platforms.
    pub external_shares: u64,
    /// As in [`crate::PostAnalytics`].
    pub engagement_rate: f64,
    /// As in [`crate::PostAnalytics`].
    pub viral_score: f64,
    /// As in [`crate::PostAnalytics`].
    pub label: PostLabel,
}

/// Data of `post.deleted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostDeleted {
    /// Which.
    pub post_id: PostId,
}

/// Data of `comment.added` and `comment.edited`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommentEvent {
    /// The comment, without `my`.
    pub comment: Comment,
    /// The author's operation id; left out of anonymous comments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
}

/// Data of `comment.deleted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentDeleted {
    /// The root of what was removed; clients drop what hangs on it.
    pub comment_id: CommentId,
    /// How many comments went, itself included.
    pub removed: u64,
}

/// Data of `post.shared`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostShared {
    /// The share.
    pub share: Share,
}

/// Data of `user.updated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserUpdated {
    /// The person as others see them now.
    pub user: crate::User,
    /// Rises with every change.
    pub version: u64,
}

/// Data of `notification`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotificationEvent {
    /// The notification as it is now.
    pub notification: Notification,
    /// How many are unread.
    pub unread: u64,
}

/// Entries of a `user:` log that the server itself acts on; the client gets `skip` in place of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum UserControl {
    /// The person no longer follows, and so may no longer subscribe to `author:`.
    Unfollowed {
        /// Whom.
        author: UserId,
    },
    /// Two people are blocked from each other, or no longer.
    Blocked {
        /// The other one.
        other: UserId,
        /// Whether the block stands.
        on: bool,
    },
    /// The person was banned from a live, and so may no longer listen to it.
    Banned {
        /// Which live.
        live: LiveId,
    },
    /// A login has ended: its sockets are to be closed.
    LoggedOut {
        /// Which login, as the token's claim names it.
        login: String,
    },
}
