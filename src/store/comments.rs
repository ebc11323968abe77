//! Comments and replies.

use super::{Actor, CommentFacts, HeardFacts, Judge, Op, PostFacts, Reader, Result, Rule};
use communiconnect_protocol::{ChannelPosition, Comment, CommentCounts, CommentId, PostId};

/// A comment to be written; the text is checked and normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewComment {
    /// On which post.
    pub post_id: PostId,
    /// The comment it replies to.
    pub parent_id: Option<CommentId>,
    /// The text.
    pub content: String,
    /// Whether the author stays unnamed.
    pub anonymous: bool,
    /// When.
    pub at: i64,
}

/// What a new comment is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCommentFacts {
    /// The post.
    pub post: PostFacts,
    /// The comment it replies to; its `post` may be another than `self.post`.
    pub parent: Option<CommentFacts>,
}

/// What judges a new comment.
pub struct CommentRules {
    /// Whether it may be written.
    pub may: Rule<NewCommentFacts>,
    /// Whether the author of what it is written below hears of it.
    pub hears: Judge<HeardFacts>,
}

/// A new text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentChange {
    /// Which.
    pub comment_id: CommentId,
    /// The text.
    pub content: String,
    /// When.
    pub at: i64,
}

/// A page of comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommentQuery {
    /// Of which post.
    pub post_id: PostId,
    /// Replies to this one; none asks for comments on the post itself.
    pub parent_id: Option<CommentId>,
    /// The last one of the page before.
    pub after: Option<CommentId>,
    /// At most so many candidates.
    pub limit: usize,
}

/// A comment with what the policy needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct CommentView {
    /// The comment with `my` for the reader.
    pub comment: Comment,
    /// Facts for the policy.
    pub facts: CommentFacts,
}

/// Comments and replies.
#[async_trait::async_trait]
pub trait Comments: Send + Sync {
    /// Writes a comment, its publication and notifications (the post's author; the parent's author of a reply).
    /// `NotFound("post")`, `NotFound("comment")` where post or parent are not there.
    async fn add(
        &self,
        actor: Actor,
        op: Op,
        new: NewComment,
        rules: CommentRules,
    ) -> Result<(Comment, ChannelPosition)>;
    /// Gives a comment another text.
    async fn edit(&self, actor: Actor, change: CommentChange, rule: Rule<CommentFacts>) -> Result<Comment>;
    /// Removes a comment with its replies, overwrites their log entries, and publishes once; answers how many went. They are
    /// gone for readers at once; rows beyond a bound are left to `Posts::sweep`.
    async fn delete(&self, actor: Actor, id: CommentId, at: i64, rule: Rule<CommentFacts>) -> Result<u64>;
    /// One comment.
    async fn get(&self, reader: Reader, id: CommentId) -> Result<Option<CommentView>>;
    /// Candidates of a page, oldest first. The policy still has to judge each of them.
    async fn list(&self, reader: Reader, query: CommentQuery) -> Result<Vec<CommentView>>;
    /// Present counts of the newest `limit` comments of one post that have any, for those who have just subscribed. The
    /// policy still has to judge each of them.
    async fn counts(
        &self,
        reader: Reader,
        post: PostId,
        limit: usize,
    ) -> Result<Vec<(CommentFacts, CommentCounts)>>;
}
