//! Shapes of things as clients see them (SPEC.md §Shapes).
//!
//! What depends on who reads stands in `my` alone, and only in replies: a push carries the same bytes to everybody.

use crate::{
    id::{CommentId, CommunityId, LiveId, MediaId, NotificationId, PostId, ShareId, UserId},
    words::words,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many of each kind; kinds without any are left out.
pub type ReactionCounts = BTreeMap<ReactionKind, u64>;

words! {
    /// What a person may do on the whole server.
    Role {
        /// An ordinary person.
        User = "user",
        /// May delete what others wrote.
        Moderator = "moderator",
        /// May do everything a moderator may, everywhere.
        Admin = "admin",
    }
    /// What a person is in one community.
    CommunityRole {
        /// Has joined.
        Member = "member",
        /// Keeps order: its creator, at first.
        Moderator = "moderator",
    }
    /// What a post is about.
    PostKind {
        /// Information.
        Info = "info",
        /// An event.
        Event = "event",
        /// A call for help, or an offer of it.
        Help = "help",
        /// An announcement.
        Announcement = "announcement",
        /// A discussion.
        Discussion = "discussion",
        /// A live: made by `live.start` alone, and for good.
        Live = "live",
    }
    /// What an uploaded thing is.
    MediaKind {
        /// A picture, moving ones of GIF, PNG and WebP included.
        Image = "image",
        /// A video.
        Video = "video",
    }
    /// Whether an uploaded thing can be shown.
    MediaStatus {
        /// Its variants are being made.
        Processing = "processing",
        /// It can be shown, and attached to a post.
        Ready = "ready",
        /// It cannot: `reason` says why.
        Rejected = "rejected",
    }
    /// What an uploaded thing is for.
    MediaPurpose {
        /// A post.
        Post = "post",
        /// The photo of one's profile.
        Profile = "profile",
    }
    /// Who may read a post.
    Visibility {
        /// Everybody.
        Public = "public",
        /// The author's followers.
        Followers = "followers",
        /// The author alone.
        Private = "private",
    }
    /// What a person feels about a post or comment; one at a time.
    ReactionKind {
        /// Like.
        Like = "like",
        /// Love.
        Love = "love",
        /// Laughter.
        Haha = "haha",
        /// Astonishment.
        Wow = "wow",
        /// Sadness.
        Sad = "sad",
        /// Anger.
        Angry = "angry",
    }
    /// How a person hands a post on: once each.
    ShareKind {
        /// Shared.
        Share = "share",
        /// Shared with words of their own.
        Repost = "repost",
    }
    /// How far a post has come, by its viral score.
    PostLabel {
        /// Below 20.
        Normal = "normal",
        /// From 20 on.
        Engaged = "engaged",
        /// From 50 on.
        Popular = "popular",
        /// From 80 on.
        Viral = "viral",
    }
    /// Where else a post is shared to.
    Platform {
        /// WhatsApp.
        WhatsApp = "whatsapp",
        /// Facebook.
        Facebook = "facebook",
        /// X.
        X = "x",
        /// Telegram.
        Telegram = "telegram",
        /// A mail.
        Email = "email",
        /// The address alone, to be pasted anywhere.
        CopyLink = "copy_link",
    }
    /// What a notification tells of.
    NotificationKind {
        /// Somebody reacted to one's post.
        PostReaction = "post_reaction",
        /// Somebody reacted to one's comment.
        CommentReaction = "comment_reaction",
        /// Somebody commented on one's post.
        Comment = "comment",
        /// Somebody replied to one's comment.
        Reply = "reply",
        /// Somebody follows one.
        Follow = "follow",
        /// Somebody shared one's post.
        Share = "share",
        /// Somebody reposted one's post.
        Repost = "repost",
        /// Somebody shared one's post to another platform.
        ExternalShare = "external_share",
    }
}

/// How many of each platform; platforms without any are left out.
pub type PlatformCounts = BTreeMap<Platform, u64>;

/// A person, as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Unique, 3-32 of `[A-Za-z0-9_.-]`.
    pub username: String,
    /// The name to show.
    pub name: String,
    /// Addresses of the profile photo by variant; none yet is `null`.
    pub photo: Option<BTreeMap<String, String>>,
    /// A few words about oneself.
    pub bio: String,
    /// What they may do on the whole server.
    pub role: Role,
    /// How the reader stands to them; in replies alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my: Option<MyUser>,
}

/// How the reader stands to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MyUser {
    /// The reader follows them.
    pub following: bool,
    /// The reader has blocked them.
    pub blocked: bool,
}

/// A person's profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Profile {
    /// The person.
    #[serde(flatten)]
    pub user: User,
    /// What only the owner sees.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnProfile>,
}

/// What a profile shows to its owner alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OwnProfile {
    /// Where embedded accounts get mail; empty for people of another issuer.
    pub email: String,
    /// Counts edits of the profile.
    pub version: u64,
    /// When the person was first seen.
    pub created_at: i64,
    /// How much there is of what.
    pub counts: ProfileCounts,
}

/// How much a person has of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileCounts {
    /// Posts.
    pub posts: u64,
    /// People who follow.
    pub followers: u64,
    /// People followed.
    pub following: u64,
}

/// A community.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Community {
    /// Which.
    pub id: CommunityId,
    /// The name to show.
    pub name: String,
    /// The community it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CommunityId>,
    /// Names from the outermost ancestor to itself.
    pub path: Vec<String>,
    /// People who have joined.
    pub members: u64,
    /// When it was made.
    pub created_at: i64,
    /// How the reader stands to it; in replies alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my: Option<MyCommunity>,
}

/// How the reader stands to a community.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MyCommunity {
    /// Has joined.
    pub member: bool,
    /// As what; `null` for who has not.
    pub role: Option<CommunityRole>,
}

/// A post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Post {
    /// Which.
    pub id: PostId,
    /// Where it was posted.
    pub community_id: CommunityId,
    /// What it is about.
    pub kind: PostKind,
    /// Up to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Up to 5,000 characters.
    pub content: String,
    /// Who may read it.
    pub visibility: Visibility,
    /// Whether the author stays unnamed.
    pub anonymous: bool,
    /// Who wrote it; `null` when anonymous.
    pub author: Option<User>,
    /// Attached images and videos.
    pub media: Vec<Media>,
    /// The live that this post announces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_id: Option<LiveId>,
    /// Its counts.
    pub counts: PostCounts,
    /// Counts edits alone, from 1.
    pub version: u64,
    /// When it was posted.
    pub created_at: i64,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<i64>,
    /// How the reader stands to it; in replies alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my: Option<MyPost>,
}

/// How the reader stands to a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MyPost {
    /// The reader wrote it.
    pub author: bool,
    /// The reader's reaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<ReactionKind>,
    /// The reader has shared it.
    pub shared: bool,
    /// The reader has reposted it.
    pub reposted: bool,
}

/// What hangs on a post, in numbers; `version` rises with every change, so that a late value never replaces a newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostCounts {
    /// Rises with every change of the counts.
    pub version: u64,
    /// Reactions by kind.
    pub reactions: ReactionCounts,
    /// Comments of all levels.
    pub comments: u64,
    /// Shares and reposts.
    pub shares: u64,
    /// Shares to other platforms.
    pub external_shares: u64,
    /// Views, one per person per half hour.
    pub views: u64,
}

/// An uploaded image or video. It never names its owner: an anonymous post may have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Media {
    /// Which.
    pub id: MediaId,
    /// What it is.
    pub kind: MediaKind,
    /// Whether it can be shown.
    pub status: MediaStatus,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The media type of the original, as its content says.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Bytes of the original as it is served.
    pub bytes: u64,
    /// Pixels from left to right, once it is turned as it is to be seen.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// How long it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What to show until it is there: a thumbhash in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbhash: Option<String>,
    /// What it shows, in the words of its owner, for those who do not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// Where its bytes are, by variant: paths of this server.
    pub urls: BTreeMap<String, String>,
}

/// A comment or reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comment {
    /// Which.
    pub id: CommentId,
    /// On which post.
    pub post_id: PostId,
    /// The comment it replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CommentId>,
    /// 0 for a comment on the post itself, up to 3.
    pub depth: u8,
    /// Whether the author stays unnamed.
    pub anonymous: bool,
    /// Who wrote it; `null` when anonymous.
    pub author: Option<User>,
    /// Up to 2,000 characters.
    pub content: String,
    /// Its counts.
    pub counts: CommentCounts,
    /// When it was written.
    pub created_at: i64,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<i64>,
    /// How the reader stands to it; in replies alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my: Option<MyComment>,
}

/// How the reader stands to a comment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MyComment {
    /// The reader wrote it.
    pub author: bool,
    /// The reader's reaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<ReactionKind>,
}

/// What hangs on a comment, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommentCounts {
    /// Rises with every change of the counts.
    pub version: u64,
    /// Reactions by kind.
    pub reactions: ReactionCounts,
    /// Direct replies.
    pub replies: u64,
}

/// That a person has shared or reposted a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Share {
    /// Which.
    pub id: ShareId,
    /// Which post.
    pub post_id: PostId,
    /// How.
    pub kind: ShareKind,
    /// Who; shares are never anonymous.
    pub user: User,
    /// Up to 500 characters; a repost always has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When.
    pub created_at: i64,
}

/// That a person has shared a post to another platform; shown to that person alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalShare {
    /// Which.
    pub id: ShareId,
    /// Which post.
    pub post_id: PostId,
    /// Where to.
    pub platform: Platform,
    /// When.
    pub created_at: i64,
}

/// Something to tell one person; the like of a post by many is one notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notification {
    /// Which.
    pub id: NotificationId,
    /// What it tells of.
    pub kind: NotificationKind,
    /// The latest three people; anonymous ones are left out.
    pub actors: Vec<User>,
    /// How many people or things in all.
    pub count: u64,
    /// The post it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_id: Option<PostId>,
    /// The comment it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_id: Option<CommentId>,
    /// The live it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_id: Option<LiveId>,
    /// An excerpt of what it is about, 100 characters at most.
    pub text: String,
    /// When its latest cause happened.
    pub created_at: i64,
    /// When it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<i64>,
}

/// A place in a channel: offsets of one epoch rise by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Position {
    /// Made with the store; new after a restore from a backup.
    pub epoch: String,
    /// The last publication seen; 0 before the first.
    pub offset: u64,
}

/// A run of offsets, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GapRange {
    /// First missing offset.
    pub from: u64,
    /// Last missing offset.
    pub to: u64,
}
