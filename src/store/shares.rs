//! Shares and reposts of posts.

use super::{Actor, HeardFacts, Judge, PostFacts, Reader, Relation, Result, Rule};
use communiconnect_protocol::{PostId, Share, ShareId, ShareKind};

/// A share to be made; the comment is checked and normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewShare {
    /// Of which post.
    pub post_id: PostId,
    /// How.
    pub kind: ShareKind,
    /// What the person says to it.
    pub comment: Option<String>,
    /// When.
    pub at: i64,
}

/// What judges a new share.
pub struct ShareRules {
    /// Whether the post may be shared.
    pub may: Rule<PostFacts>,
    /// Whether the author of the post hears of it.
    pub hears: Judge<HeardFacts>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareOutcome {
    /// The person's share: the one that stood before, where it is not new.
    pub share: Share,
    /// Whether it is new.
    pub changed: bool,
    /// All shares and reposts of the post now.
    pub shares: u64,
}

/// A share to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unshare {
    /// Of which post.
    pub post_id: PostId,
    /// Which of the two.
    pub kind: ShareKind,
    /// When.
    pub at: i64,
}

/// What became of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnshareOutcome {
    /// Whether there was one.
    pub changed: bool,
    /// All shares and reposts of the post now.
    pub shares: u64,
}

/// A page of shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareQuery {
    /// Of which post.
    pub post_id: PostId,
    /// The last one of the page before.
    pub before: Option<ShareId>,
    /// At most so many candidates.
    pub limit: usize,
}

/// A share with what the policy needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareView {
    /// The share.
    pub share: Share,
    /// How the reader stands to who shared.
    pub relation: Relation,
}

/// Shares and reposts.
#[async_trait::async_trait]
pub trait Shares: Send + Sync {
    /// Shares a post, tells it on `post:` and notifies its author, where `hears` agrees. A person has one share of each
    /// kind: a second one answers the first, and changes and tells nothing.
    async fn add(&self, actor: Actor, new: NewShare, rules: ShareRules) -> Result<ShareOutcome>;
    /// Takes a share back, and overwrites its log entry; without one nothing happens.
    async fn remove(&self, actor: Actor, gone: Unshare, rule: Rule<PostFacts>) -> Result<UnshareOutcome>;
    /// Candidates of a page, newest first. The policy still has to judge each of them.
    async fn list(&self, reader: Reader, query: ShareQuery) -> Result<Vec<ShareView>>;
}
