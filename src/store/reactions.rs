//! Reactions to posts and comments.

use super::{Actor, CommentFacts, HeardFacts, Judge, PostFacts, Result, Rule};
use communiconnect_protocol::{CommentId, PostId, ReactionCounts, ReactionKind};

/// What is reacted to, with the rule for it.
pub enum ReactionTarget {
    /// A post.
    Post(PostId, Rule<PostFacts>),
    /// A comment.
    Comment(CommentId, Rule<CommentFacts>),
}

/// The wished reaction, none to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which.
    pub kind: Option<ReactionKind>,
    /// When.
    pub at: i64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReactionOutcome {
    /// All reactions now.
    pub counts: ReactionCounts,
    /// Whether the person's reaction was another before.
    pub changed: bool,
}

/// Reactions.
#[async_trait::async_trait]
pub trait Reactions: Send + Sync {
    /// Sets the actor's reaction. A first reaction notifies the author once, where `hears` agrees; a change of kind or its
    /// removal does not.
    async fn set(
        &self,
        actor: Actor,
        target: ReactionTarget,
        wish: Wish,
        hears: Judge<HeardFacts>,
    ) -> Result<ReactionOutcome>;
}
