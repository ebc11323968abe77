//! Names of events in logs, and of states.

/// [`crate::PostEvent`]
pub const POST_CREATED: &str = "post.created";
/// [`crate::PostEvent`]
pub const POST_EDITED: &str = "post.edited";
/// [`crate::PostDeleted`]
pub const POST_DELETED: &str = "post.deleted";
/// [`crate::CommentEvent`]
pub const COMMENT_ADDED: &str = "comment.added";
/// [`crate::CommentEvent`]
pub const COMMENT_EDITED: &str = "comment.edited";
/// [`crate::CommentDeleted`]
pub const COMMENT_DELETED: &str = "comment.deleted";
/// [`crate::PostShared`]
pub const POST_SHARED: &str = "post.shared";
/// [`crate::CommunityEvent`]
pub const COMMUNITY_CREATED: &str = "community.created";
/// [`crate::UserUpdated`]
pub const USER_UPDATED: &str = "user.updated";
/// [`crate::NotificationEvent`]
pub const NOTIFICATION: &str = "notification";
/// [`crate::LiveEvent`]
pub const LIVE_STARTED: &str = "live.started";
/// [`crate::LiveInterrupted`]
pub const LIVE_INTERRUPTED: &str = "live.interrupted";
/// [`crate::LiveResumed`]
pub const LIVE_RESUMED: &str = "live.resumed";
/// [`crate::LiveEnded`]
pub const LIVE_ENDED: &str = "live.ended";
/// [`crate::ChatMessage`]
pub const CHAT_MESSAGE: &str = "chat.message";
/// [`crate::ChatDeleted`]
pub const CHAT_DELETED: &str = "chat.deleted";
/// State: [`crate::PostCountsState`]
pub const POST_COUNTS: &str = "post.counts";
/// State, to the author alone: [`crate::PostFiguresState`]
pub const POST_FIGURES: &str = "post.figures";
/// State: [`crate::CommentCountsState`]
pub const COMMENT_COUNTS: &str = "comment.counts";
/// State: [`crate::CommunityCountsState`]
pub const COMMUNITY_COUNTS: &str = "community.counts";
/// State: [`crate::LiveViewersState`]
pub const LIVE_VIEWERS: &str = "live.viewers";
/// State: [`crate::ChatSlowModeState`]
pub const CHAT_SLOW_MODE: &str = "chat.slow_mode";
/// State, to the owner alone: [`crate::LiveFigures`]
pub const LIVE_FIGURES: &str = "live.figures";
/// Signal: [`crate::LiveReactions`]
pub const LIVE_REACTIONS: &str = "live.reactions";
/// Message: [`crate::RtcClosed`]
pub const RTC_CLOSED: &str = "rtc.closed";
/// Message: [`crate::RtcLayers`]
pub const RTC_LAYERS: &str = "rtc.layers";
/// Message: [`crate::RtcWarning`]
pub const RTC_WARNING: &str = "rtc.warning";
