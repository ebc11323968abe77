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
/// [`crate::NotificationEvent`]
pub const NOTIFICATION: &str = "notification";
/// State: [`crate::PostCountsState`]
pub const POST_COUNTS: &str = "post.counts";
/// State: [`crate::CommentCountsState`]
pub const COMMENT_COUNTS: &str = "comment.counts";
/// State: [`crate::CommunityCountsState`]
pub const COMMUNITY_COUNTS: &str = "community.counts";
