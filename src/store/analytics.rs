//! What is counted of things for those they belong to.

use super::{PostFacts, Reader, Result};
use communiconnect_protocol::{PlatformCounts, PostCounts, PostDay, PostId};

/// All that is counted of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostFigures {
    /// What the policy asks.
    pub facts: PostFacts,
    /// What everybody sees.
    pub counts: PostCounts,
    /// Of its shares, those with words.
    pub reposts: u64,
    /// Shares to other platforms.
    pub platforms: PlatformCounts,
    /// People who have seen it, without its author, and sessions of guests.
    pub unique_viewers: u64,
    /// The latest days on which something changed, oldest first.
    pub days: Vec<PostDay>,
}

/// Figures.
#[async_trait::async_trait]
pub trait Analytics: Send + Sync {
    /// Those of a post with the latest `days` of it, of one moment; none of a post that is not there.
    async fn post(&self, reader: Reader, id: PostId, days: usize) -> Result<Option<PostFigures>>;
}
