//! Shares of posts to other platforms.

use super::{Actor, HeardFacts, Judge, PostFacts, Reader, Result, Rule};
use communiconnect_protocol::{ExternalShare, Platform, PlatformCounts, PostId};

/// A share to be noted; the message is checked and normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExternalShare {
    /// Of which post.
    pub post_id: PostId,
    /// Where to.
    pub platform: Platform,
    /// What the link is to say.
    pub message: Option<String>,
    /// When.
    pub at: i64,
}

/// What judges it.
pub struct ExternalShareRules {
    /// Whether the post may be shared outside.
    pub may: Rule<PostFacts>,
    /// Whether the author of the post hears of it.
    pub hears: Judge<HeardFacts>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalShareOutcome {
    /// The person's share: the one that stood before, where it is not new.
    pub share: ExternalShare,
    /// Whether it is new.
    pub changed: bool,
    /// How often the post was shared where.
    pub totals: PlatformCounts,
    /// What the link says.
    pub words: LinkWords,
}

/// What a link may say of a post.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkWords {
    /// The message that this share began with.
    pub message: Option<String>,
    /// The post's title.
    pub title: Option<String>,
    /// The post's text.
    pub content: String,
}

/// What there is of a post.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalSharePage {
    /// The reader's own, oldest first.
    pub shares: Vec<ExternalShare>,
    /// How often the post was shared where.
    pub totals: PlatformCounts,
}

/// Shares to other platforms.
#[async_trait::async_trait]
pub trait ExternalShares: Send + Sync {
    /// Notes a share and notifies the author of the post, where `hears` agrees: once for each person, wherever that one shares to.
    /// A person has one share for each platform: a second one answers the first, and changes and tells nothing.
    async fn add(
        &self,
        actor: Actor,
        new: NewExternalShare,
        rules: ExternalShareRules,
    ) -> Result<ExternalShareOutcome>;
    /// The reader's own shares of a post, and everybody's in numbers.
    async fn list(&self, reader: Reader, post: PostId) -> Result<ExternalSharePage>;
}
