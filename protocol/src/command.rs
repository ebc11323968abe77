//! Commands: what a client may ask, one struct each (SPEC.md §Commands).
//!
//! Unknown keys are ignored, missing optional keys mean their default. Lengths and meaning are checked by the rules of
//! the product, not here.

use crate::{
    ChatDelete, ChatSend, ChatSlowMode, CommentId, CommunityId, LiveBan, LiveBans, LiveDefaultsSet, LiveGet,
    LiveJoin, LiveKeyGet, LiveKeyRotate, LiveLeave, LiveList, LiveReact, LiveReportGet, LiveStart, LiveStop,
    MediaId, NotificationId, PostId, RtcClose, RtcLayer, RtcProbe, RtcPublish, RtcRestart, RtcTrickle,
    RtcWatch, UserId,
    model::{NotificationKind, Platform, Position, PostKind, ReactionKind, ShareKind, Visibility},
    strict,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, MapAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

macro_rules! commands {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal -> $reply:ident)*) => {
        /// Any command.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Command {
            $($(#[doc = $doc])+ $name($name)),*
        }

        #[cfg(feature = "schema")]
        impl Command {
            /// Every command with its body and its reply, in the order of the specification.
            pub fn interface() -> crate::schema::Interface {
                let mut book = crate::schema::Book::new();
                let commands = vec![$(book.command::<$name, crate::$reply>($text, concat!($($doc),+))),*];
                book.close(commands)
            }
        }

        impl Command {
            /// Every name, in the order of the specification.
            pub const NAMES: &'static [&'static str] = &[$($text),*];

            /// The name on the wire.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $text),* }
            }

            /// Reads the body of the command called `name`; `None` where no command has this name.
            pub(crate) fn deserialize_named<'de, D: Deserializer<'de>>(name: &str, body: D) -> Option<Result<Self, D::Error>> {
                Some(match name {
                    $($text => strict::map(body).map(Self::$name),)*
                    _ => return None,
                })
            }
        }
    };
}

commands! {
    /// First of all: who is there, and what they still remember.
    Connect = "connect" -> Connected
    /// A fresh token for the same person.
    Refresh = "refresh" -> Refreshed
    /// Publications of a channel from now or from a position on.
    Subscribe = "subscribe" -> Subscribed
    /// No more of them.
    Unsubscribe = "unsubscribe" -> Changed
    /// A page of a channel's log.
    History = "history" -> HistoryPage
    /// Many subscriptions at once, within a byte budget.
    Sync = "sync" -> Synced
    /// Who is in a channel.
    Presence = "presence" -> PresencePage
    /// A new community.
    CommunityCreate = "community.create" -> CommunityReply
    /// One community.
    CommunityGet = "community.get" -> CommunityReply
    /// Communities of one level.
    CommunityList = "community.list" -> Communities
    /// Become a member.
    CommunityJoin = "community.join" -> Changed
    /// Leave.
    CommunityLeave = "community.leave" -> Changed
    /// A new post.
    PostCreate = "post.create" -> PostCreated
    /// Another text for one's own post.
    PostEdit = "post.edit" -> PostReply
    /// Remove a post and all that hangs on it.
    PostDelete = "post.delete" -> Changed
    /// One post.
    PostGet = "post.get" -> PostReply
    /// The post was seen.
    PostView = "post.view" -> Counted
    /// Present counts of several posts.
    PostCountsGet = "post.counts" -> PostStates
    /// A page of posts.
    FeedList = "feed.list" -> Posts
    /// The reaction one wishes to have.
    ReactionSet = "reaction.set" -> ReactionReply
    /// A new comment or reply.
    CommentAdd = "comment.add" -> CommentAdded
    /// Another text for one's own comment.
    CommentEdit = "comment.edit" -> CommentReply
    /// Remove a comment and its replies.
    CommentDelete = "comment.delete" -> Removed
    /// A page of comments.
    CommentList = "comment.list" -> Comments
    /// Share a post, or repost it with a comment.
    ShareAdd = "share.add" -> ShareAdded
    /// No longer.
    ShareRemove = "share.remove" -> ShareRemoved
    /// A page of shares.
    ShareList = "share.list" -> Shares
    /// Share a post to another platform.
    ExternalShareAdd = "external_share.add" -> ExternalShareAdded
    /// What one has shared of a post to other platforms.
    ExternalShareList = "external_share.list" -> ExternalShares
    /// The figures of one's own post.
    AnalyticsPost = "analytics.post" -> PostAnalytics
    /// One person.
    ProfileGet = "profile.get" -> ProfileReply
    /// Another name, bio or photo of one's own.
    ProfileEdit = "profile.edit" -> ProfileReply
    /// Whether one wishes to follow a person.
    FollowSet = "follow.set" -> Changed
    /// Whether one wishes to block a person.
    BlockSet = "block.set" -> Changed
    /// A page of one's notifications.
    NotificationList = "notification.list" -> Notifications
    /// Notifications were read.
    NotificationRead = "notification.read" -> NotificationsRead
    /// Which kinds one wishes to have.
    NotificationPreferences = "notification.preferences" -> Preferences
    /// A new live, or the one that runs.
    LiveStart = "live.start" -> LiveStarted
    /// End a live.
    LiveStop = "live.stop" -> LiveReportReply
    /// A page of running lives.
    LiveList = "live.list" -> Lives
    /// One live.
    LiveGet = "live.get" -> LiveReply
    /// Watch: be counted, and hear of it.
    LiveJoin = "live.join" -> LiveJoined
    /// No longer.
    LiveLeave = "live.leave" -> Changed
    /// What became of one's live.
    LiveReportGet = "live.report" -> LiveReportReply
    /// A new lasting key in place of the old one.
    LiveKeyRotate = "live.key.rotate" -> LiveKey
    /// Whether there is a lasting key.
    LiveKeyGet = "live.key.get" -> LiveKeyInfo
    /// What a live that a lasting key starts is like.
    LiveDefaultsSet = "live.defaults" -> LiveDefaultsReply
    /// Whether a person shall stay out of a live.
    LiveBan = "live.ban" -> Changed
    /// A page of those who shall stay out of a live.
    LiveBans = "live.bans" -> Banned
    /// A reaction to what is seen.
    LiveReact = "live.react" -> Counted
    /// A new chat message.
    ChatSend = "chat.send" -> ChatSent
    /// Remove a chat message.
    ChatDelete = "chat.delete" -> Changed
    /// How seldom a person may write.
    ChatSlowMode = "chat.slow_mode" -> Changed
    /// Send media into one's live.
    RtcPublish = "rtc.publish" -> RtcAnswered
    /// Receive a live's media.
    RtcWatch = "rtc.watch" -> RtcAnswered
    /// An ICE candidate found later.
    RtcTrickle = "rtc.trickle" -> Done
    /// New ICE credentials for a peer.
    RtcRestart = "rtc.restart" -> RtcRestarted
    /// The quality one wishes to receive.
    RtcLayer = "rtc.layer" -> RtcLayerReply
    /// End a peer.
    RtcClose = "rtc.close" -> Changed
    /// Try the way that media will take.
    RtcProbe = "rtc.probe" -> RtcProbed
}

/// `connect`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Connect {
    /// A JWT; none connects as a guest, where guests are let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Which program this is.
    #[serde(deserialize_with = "strict::optional_map", skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientInfo>,
    /// Channels to subscribe at once, each from a position.
    #[serde(deserialize_with = "strict::map_of_maps")]
    pub resume: BTreeMap<String, Position>,
    /// Reserved: words that switch on what later versions bring.
    #[serde(deserialize_with = "strict::list_or_empty")]
    pub flags: Vec<String>,
}

/// Which program a client is, for logs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ClientInfo {
    /// Name of the program.
    #[serde(deserialize_with = "strict::or_default")]
    pub name: String,
    /// Its version.
    #[serde(deserialize_with = "strict::or_default")]
    pub version: String,
}

/// `refresh`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refresh {
    /// A JWT of the same person.
    pub token: String,
}

/// `subscribe`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subscribe {
    /// Which channel.
    pub channel: String,
    /// The epoch of the position to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The last offset seen; with `epoch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// `unsubscribe`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unsubscribe {
    /// Which channel.
    pub channel: String,
}

/// `history`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct History {
    /// Which channel.
    pub channel: String,
    /// Ascending from the first offset above this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Descending from the last offset below this one; without `after` and `before`: from the newest down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many; clamped to 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `sync`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sync {
    /// Channels with the positions to go on from, the most important first.
    #[serde(deserialize_with = "strict::maps")]
    pub channels: Vec<SyncChannel>,
    /// How many bytes of publications the client wishes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// One channel of `sync`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncChannel {
    /// Which channel.
    pub channel: String,
    /// The epoch of the position to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The last offset seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// `presence`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    /// Which channel, `post:` or `live:`.
    pub channel: String,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `community.create`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommunityCreate {
    /// The client's id of this operation.
    pub op: String,
    /// The name to show.
    pub name: String,
    /// The community it is to lie in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CommunityId>,
}

/// `community.get`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommunityGet {
    /// Which.
    pub community_id: CommunityId,
}

/// `community.list`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CommunityList {
    /// Below which; none lists the outermost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CommunityId>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `community.join`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommunityJoin {
    /// Which.
    pub community_id: CommunityId,
}

/// `community.leave`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommunityLeave {
    /// Which.
    pub community_id: CommunityId,
}

/// `post.create`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostCreate {
    /// The client's id of this operation.
    pub op: String,
    /// Where.
    pub community_id: CommunityId,
    /// About what; anything but `live`.
    #[serde(deserialize_with = "strict::kind_of_text")]
    pub kind: PostKind,
    /// Up to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Up to 5,000 characters; blank only with media.
    #[serde(default, deserialize_with = "strict::or_default")]
    pub content: String,
    /// Attached media, five at most.
    #[serde(default, deserialize_with = "strict::list_or_empty")]
    pub media_ids: Vec<String>,
    /// Who may read it.
    pub visibility: Visibility,
    /// Whether the author stays unnamed; public posts only.
    #[serde(default, deserialize_with = "strict::or_default")]
    pub anonymous: bool,
}

/// `post.edit`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostEdit {
    /// Which.
    pub post_id: PostId,
    /// The version that was edited.
    pub version: u64,
    /// A new title; empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A new content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// A new kind, anything but `live`.
    #[serde(
        default,
        deserialize_with = "strict::optional_kind_of_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<PostKind>,
}

/// `post.delete`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostDelete {
    /// Which.
    pub post_id: PostId,
}

/// `post.get`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostGet {
    /// Which.
    pub post_id: PostId,
}

/// `post.view`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostView {
    /// Which.
    pub post_id: PostId,
}

/// `post.counts`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostCountsGet {
    /// Which, 100 at most.
    #[serde(deserialize_with = "strict::list")]
    pub post_ids: Vec<PostId>,
}

/// `feed.list`: exactly one of `community_id`, `user_id` and `home`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct FeedList {
    /// Posts of a community and below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<CommunityId>,
    /// Posts of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Posts of one's communities and of people one follows.
    #[serde(deserialize_with = "strict::or_default")]
    pub home: bool,
    /// Only posts of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<PostKind>,
    /// Only posts of running lives.
    #[serde(deserialize_with = "strict::or_default")]
    pub live: bool,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; clamped to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `reaction.set`: exactly one of `post_id` and `comment_id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReactionSet {
    /// On which post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_id: Option<PostId>,
    /// On which comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_id: Option<CommentId>,
    /// The wished reaction, `null` for none. Required, so that a forgotten key removes nothing.
    #[serde(deserialize_with = "present")]
    pub kind: Option<ReactionKind>,
}

/// `comment.add`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommentAdd {
    /// The client's id of this operation.
    pub op: String,
    /// On which post.
    pub post_id: PostId,
    /// The comment to reply to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CommentId>,
    /// Up to 2,000 characters.
    pub content: String,
    /// Whether the author stays unnamed.
    #[serde(default, deserialize_with = "strict::or_default")]
    pub anonymous: bool,
}

/// `comment.edit`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommentEdit {
    /// Which.
    pub comment_id: CommentId,
    /// The new text.
    pub content: String,
}

/// `comment.delete`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommentDelete {
    /// Which.
    pub comment_id: CommentId,
}

/// `comment.list`, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommentList {
    /// Of which post.
    pub post_id: PostId,
    /// Replies to this comment; none lists comments on the post itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CommentId>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; clamped to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `share.add`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShareAdd {
    /// Which post.
    pub post_id: PostId,
    /// How.
    pub kind: ShareKind,
    /// Up to 500 characters; required for a repost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// `share.remove`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShareRemove {
    /// Which post.
    pub post_id: PostId,
    /// Which of the two.
    pub kind: ShareKind,
}

/// `share.list`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShareList {
    /// Of which post.
    pub post_id: PostId,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `external_share.add`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalShareAdd {
    /// Which post.
    pub post_id: PostId,
    /// Where to.
    pub platform: Platform,
    /// Up to 500 characters to stand in the link instead of the post's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `external_share.list`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalShareList {
    /// Of which post.
    pub post_id: PostId,
}

/// `analytics.post`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnalyticsPost {
    /// Which post; one's own.
    pub post_id: PostId,
}

/// `profile.get`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileGet {
    /// Whose.
    pub user_id: UserId,
}

/// `profile.edit`: what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileEdit {
    /// Whose, for clients that say so; nobody edits another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// 1-80 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Up to 500 characters; empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// An image uploaded for a profile; `null` removes the photo.
    #[serde(default, deserialize_with = "strict::given", skip_serializing_if = "Option::is_none")]
    pub photo_media_id: Option<Option<MediaId>>,
    /// Never to be given: roles are not one's own to change.
    #[serde(default, deserialize_with = "strict::is_there", skip_serializing_if = "is_false")]
    pub role: bool,
    /// Never to be given.
    #[serde(default, deserialize_with = "strict::is_there", skip_serializing_if = "is_false")]
    pub verified: bool,
    /// The version that was edited.
    pub version: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// `follow.set`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FollowSet {
    /// Whom.
    pub user_id: UserId,
    /// The wished state.
    pub on: bool,
}

/// `block.set`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlockSet {
    /// Whom.
    pub user_id: UserId,
    /// The wished state.
    pub on: bool,
}

/// `notification.list`, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct NotificationList {
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Only unread ones.
    #[serde(deserialize_with = "strict::or_default")]
    pub unread: bool,
}

/// `notification.read`: exactly one of `ids` and `all: true`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct NotificationRead {
    /// These.
    #[serde(deserialize_with = "strict::optional_list", skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<NotificationId>>,
    /// All there are.
    #[serde(deserialize_with = "strict::or_default")]
    pub all: bool,
}

/// `notification.preferences`: a wish per kind; kinds left out stay as they are, kinds that nobody knows are ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct NotificationPreferences {
    /// Whether each kind is wished.
    pub kinds: BTreeMap<NotificationKind, bool>,
}

impl<'de> Deserialize<'de> for NotificationPreferences {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PreferencesVisitor)
    }
}

struct PreferencesVisitor;

impl<'de> Visitor<'de> for PreferencesVisitor {
    type Value = NotificationPreferences;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of kinds to true or false")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NotificationPreferences, A::Error> {
        let mut kinds = BTreeMap::new();
        while let Some(word) = map.next_key::<String>()? {
            let Some(kind) = NotificationKind::from_word(&word) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let wish = map.next_value::<Option<bool>>()?;
            if wish.is_some_and(|on| kinds.insert(kind, on).is_some()) {
                return Err(de::Error::duplicate_field(kind.as_str()));
            }
        }
        Ok(NotificationPreferences { kinds })
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ReactionKind>, D::Error> {
    Option::deserialize(deserializer)
}
