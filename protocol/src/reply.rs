//! Replies: the body of `ok`, one struct per shape (SPEC.md §Commands).

use crate::{
    Channel, CommentId, CommunityId, ErrorBody, PostId, SessionId,
    data::Data,
    live::{
        Banned, ChatSent, Done, LiveDefaultsReply, LiveJoined, LiveKey, LiveKeyInfo, LiveReply,
        LiveReportReply, LiveStarted, Lives, RtcAnswered, RtcLayerReply, RtcProbed, RtcRestarted,
    },
    model::{
        Comment, Community, ExternalShare, GapRange, Notification, NotificationKind, PlatformCounts,
        Position, Post, PostCounts, PostLabel, Profile, ReactionCounts, ReactionKind, Share, User,
    },
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The body of any `ok`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To `connect`.
    Connected(Box<Connected>),
    /// To `refresh`.
    Refreshed(Refreshed),
    /// To `subscribe`.
    Subscribed(Subscribed),
    /// To `history`.
    History(HistoryPage),
    /// To `sync`.
    Synced(Synced),
    /// To `presence`.
    Presence(PresencePage),
    /// To `community.create` and `community.get`.
    Community(CommunityReply),
    /// To `community.list`.
    Communities(Communities),
    /// To commands that set a state.
    Changed(Changed),
    /// To `post.create`.
    PostCreated(Box<PostCreated>),
    /// To `post.edit` and `post.get`.
    Post(Box<PostReply>),
    /// To `post.view` and `live.react`.
    Counted(Counted),
    /// To `post.counts`.
    PostStates(PostStates),
    /// To `feed.list`.
    Posts(Posts),
    /// To `reaction.set`.
    Reaction(ReactionReply),
    /// To `comment.add`.
    CommentAdded(Box<CommentAdded>),
    /// To `comment.edit`.
    Comment(Box<CommentReply>),
    /// To `comment.delete`.
    Removed(Removed),
    /// To `comment.list`.
    Comments(Comments),
    /// To `share.add`.
    ShareAdded(Box<ShareAdded>),
    /// To `share.remove`.
    ShareRemoved(ShareRemoved),
    /// To `share.list`.
    Shares(Shares),
    /// To `external_share.add`.
    ExternalShareAdded(Box<ExternalShareAdded>),
    /// To `external_share.list`.
    ExternalShares(ExternalShares),
    /// To `analytics.post`.
    PostAnalytics(Box<PostAnalytics>),
    /// To `profile.get`.
    Profile(Box<ProfileReply>),
    /// To `notification.list`.
    Notifications(Notifications),
    /// To `notification.read`.
    NotificationsRead(NotificationsRead),
    /// To `notification.preferences`.
    Preferences(Preferences),
    /// To `live.start`.
    LiveStarted(Box<LiveStarted>),
    /// To `live.stop` and `live.report`.
    LiveReport(Box<LiveReportReply>),
    /// To `live.list`.
    Lives(Lives),
    /// To `live.bans`.
    Banned(Banned),
    /// To `live.get`.
    Live(Box<LiveReply>),
    /// To `live.join`.
    LiveJoined(Box<LiveJoined>),
    /// To `live.key.rotate`.
    LiveKey(LiveKey),
    /// To `live.key.get`.
    LiveKeyInfo(LiveKeyInfo),
    /// To `live.defaults`.
    LiveDefaults(LiveDefaultsReply),
    /// To `chat.send`.
    ChatSent(Box<ChatSent>),
    /// To `rtc.publish` and `rtc.watch`.
    RtcAnswered(RtcAnswered),
    /// To `rtc.restart`.
    RtcRestarted(RtcRestarted),
    /// To `rtc.layer`.
    RtcLayers(RtcLayerReply),
    /// To `rtc.probe`.
    RtcProbed(RtcProbed),
    /// To commands that have nothing to say.
    Done(Done),
}

/// To `connect`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Connected {
    /// This session.
    pub session_id: SessionId,
    /// Who is connected; `null` for a guest.
    pub user: Option<User>,
    /// The node that serves the session.
    pub node: String,
    /// The server's version.
    pub server_version: String,
    /// When the token runs out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The pace of `ping` pushes in milliseconds.
    pub ping_ms: u64,
    /// What the server takes at most.
    pub limits: Limits,
    /// One's own channel, and those of `resume`.
    pub subscriptions: BTreeMap<String, SubscribeOutcome>,
}

/// What the server takes at most; told at `connect`, so that clients need not guess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limits {
    /// Bytes of one message.
    pub message_bytes: u64,
    /// Subscriptions of one session.
    pub subscriptions: u64,
    /// Commands per second of one session.
    pub commands_per_second: u64,
    /// Publications of one page.
    pub page_publications: u64,
    /// Items of one list page.
    pub page_items: u64,
    /// Characters of a post's title.
    pub post_title: u64,
    /// Characters of a post.
    pub post_content: u64,
    /// Characters of a comment.
    pub comment_content: u64,
    /// Characters of a community's name.
    pub community_name: u64,
    /// How deep replies nest: a comment of this depth takes none.
    pub replies_depth: u64,
}

/// To `refresh`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refreshed {
    /// When the new token runs out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// A subscription that stands, or why it does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum SubscribeOutcome {
    /// It stands.
    Subscribed(Subscribed),
    /// It does not.
    Refused(SubscribeRefused),
}

/// Why a subscription among several does not stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscribeRefused {
    /// Which channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Why.
    pub error: ErrorBody,
}

/// How a subscription begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subscribed {
    /// Which channel.
    pub channel: Channel,
    /// The channel's epoch.
    pub epoch: String,
    /// Its head: the offset of its newest publication, 0 where there is none.
    pub offset: u64,
    /// What became of the position that was asked for.
    pub recovered: Recovered,
    /// What is no longer kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<GapRange>,
    /// What was missed, ascending.
    pub publications: Vec<LogItem>,
    /// Whether more was missed: ask `history {after}`; what is new waits meanwhile.
    pub more: bool,
    /// The present states of the channel's own object.
    pub states: Vec<StateItem>,
}

/// What became of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Recovered {
    /// None was asked for.
    New,
    /// All that was missed follows.
    Ok,
    /// A part is gone; the kept tail follows.
    Gap,
    /// The position is of another epoch or beyond the head: load the state anew.
    Reset,
}

/// A publication in a page of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum LogItem {
    /// One that the reader may see.
    Publication {
        /// Its place.
        offset: u64,
        /// What happened.
        event: String,
        /// The event's body.
        data: Data,
        /// When it was written.
        at: i64,
    },
    /// One that the reader may not see, or whose thing is deleted.
    Skip {
        /// Its place.
        offset: u64,
        /// Always true.
        skip: bool,
    },
}

impl LogItem {
    /// The item's place in its channel.
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Publication { offset, .. } | Self::Skip { offset, .. } => *offset,
        }
    }

    /// The item in place of one that the reader may not see.
    pub const fn skip(offset: u64) -> Self {
        Self::Skip { offset, skip: true }
    }
}

/// A present state, as in the push `state`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StateItem {
    /// Which state.
    pub event: String,
    /// Of which thing.
    pub key: String,
    /// Rises with every change.
    pub version: u64,
    /// The value.
    pub data: Data,
}

/// To `history`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryPage {
    /// Ascending after `after`, descending otherwise.
    pub publications: Vec<LogItem>,
    /// What was asked for and is no longer kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<GapRange>,
    /// The channel's epoch.
    pub epoch: String,
    /// The channel's head.
    pub offset: u64,
    /// Whether there is more in this direction.
    pub more: bool,
}

/// To `sync`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Synced {
    /// In the order asked.
    pub subscriptions: Vec<SubscribeOutcome>,
}

/// To `presence`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PresencePage {
    /// People in the channel, guests included.
    pub count: u64,
    /// Named people of this page.
    pub users: Vec<User>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// To `community.create` and `community.get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommunityReply {
    /// The community.
    pub community: Community,
}

/// To `community.list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Communities {
    /// Oldest first.
    pub communities: Vec<Community>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// To commands that set a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Changed {
    /// Whether the state was another before.
    pub changed: bool,
}

/// To `post.create`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostCreated {
    /// The post.
    pub post: Post,
    /// Where its publication stands.
    pub position: ChannelPosition,
}

/// A position with its channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChannelPosition {
    /// Which channel.
    pub channel: Channel,
    /// Where in it.
    #[serde(flatten)]
    pub position: Position,
}

/// To `post.edit` and `post.get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostReply {
    /// The post.
    pub post: Post,
}

/// To `post.view` and `live.react`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counted {
    /// Whether this one counted.
    pub counted: bool,
}

/// To `post.counts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostStates {
    /// Counts of the posts that the reader may see.
    pub states: Vec<StateItem>,
}

/// To `feed.list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Posts {
    /// Newest first.
    pub posts: Vec<Post>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// To `reaction.set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReactionReply {
    /// One's reaction now.
    pub kind: Option<ReactionKind>,
    /// All reactions now.
    pub counts: ReactionCounts,
    /// Whether it was another before.
    pub changed: bool,
}

/// To `comment.add`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommentAdded {
    /// The comment.
    pub comment: Comment,
    /// Where its publication stands.
    pub position: ChannelPosition,
}

/// To `comment.edit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommentReply {
    /// The comment.
    pub comment: Comment,
}

/// To `comment.delete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Removed {
    /// How many comments went, itself included.
    pub removed: u64,
}

/// To `comment.list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comments {
    /// Oldest first.
    pub comments: Vec<Comment>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// To `share.add`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShareAdded {
    /// One's share: the one that stood already, where nothing changed.
    pub share: Share,
    /// Whether it is new.
    pub changed: bool,
    /// All shares and reposts of the post now.
    pub shares: u64,
}

/// To `share.remove`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShareRemoved {
    /// Whether there was one.
    pub changed: bool,
    /// All shares and reposts of the post now.
    pub shares: u64,
}

/// To `share.list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shares {
    /// Newest first.
    pub shares: Vec<Share>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// To `external_share.add`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalShareAdded {
    /// One's share: the one that stood already, where nothing changed.
    pub share: ExternalShare,
    /// What opens the platform with the words and the post's address in it.
    pub url: String,
    /// Whether it is new.
    pub changed: bool,
    /// How often the post was shared where.
    pub totals: PlatformCounts,
}

/// To `external_share.list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalShares {
    /// One's own, oldest first: one for each platform at most.
    pub shares: Vec<ExternalShare>,
    /// How often the post was shared where, by everybody.
    pub totals: PlatformCounts,
}

/// To `analytics.post`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostAnalytics {
    /// Of which post.
    pub post_id: PostId,
    /// That of the post's counts: a state `post.figures` of a higher one is newer.
    pub version: u64,
    /// One for each person and half hour; guests by session.
    pub views: u64,
    /// People who saw it, without its author, and sessions of guests.
    pub unique_viewers: u64,
    /// By kind; kinds without any are left out.
    pub reactions: ReactionCounts,
    /// With all replies.
    pub comments: u64,
    /// By kind.
    pub shares: ShareCounts,
    /// By platform; those without any are left out.
    pub external_shares: PlatformCounts,
    /// Reactions, comments and shares for a hundred views, with one decimal; 0 without views.
    pub engagement_rate: f64,
    /// The same, 100 at most.
    pub viral_score: f64,
    /// What the score amounts to.
    pub label: PostLabel,
    /// What changed on each day on which something did, oldest first, the latest 365.
    pub series: Vec<PostDay>,
}

/// How often a post was handed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShareCounts {
    /// Without words.
    pub share: u64,
    /// With words.
    pub repost: u64,
}

/// What came to a post on one day less what was taken back on it: all days add up to the post's counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostDay {
    /// `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Views.
    pub views: i64,
    /// Reactions of all kinds.
    pub reactions: i64,
    /// Comments with replies.
    pub comments: i64,
    /// Shares and reposts.
    pub shares: i64,
    /// Shares to other platforms.
    pub external_shares: i64,
}

/// To `profile.get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileReply {
    /// The profile.
    pub profile: Profile,
}

/// To `notification.list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notifications {
    /// Newest first.
    pub notifications: Vec<Notification>,
    /// How many are unread in all.
    pub unread: u64,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// To `notification.read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationsRead {
    /// Whether any was unread before.
    pub changed: bool,
    /// How many are unread now.
    pub unread: u64,
}

/// To `notification.preferences`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Preferences {
    /// Every kind with its wish.
    pub preferences: BTreeMap<NotificationKind, bool>,
    /// Whether any was another before.
    pub changed: bool,
}

/// `post.counts` as a state: the counts with the post they belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostCountsState {
    /// Which post.
    pub post_id: crate::PostId,
    /// Its counts.
    #[serde(flatten)]
    pub counts: PostCounts,
}

/// `comment.counts` as a state: the counts with the comment they belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommentCountsState {
    /// Which comment.
    pub comment_id: CommentId,
    /// Its counts.
    #[serde(flatten)]
    pub counts: crate::model::CommentCounts,
}

/// `community.counts` as a state: how many members a community has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommunityCountsState {
    /// Which community.
    pub community_id: CommunityId,
    /// Rises with everybody who joins or leaves.
    pub version: u64,
    /// How many members it has.
    pub members: u64,
}
