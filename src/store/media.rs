//! Uploaded images and videos: who has what, and where it hangs. Their bytes are kept elsewhere.

use super::{Actor, MediaFacts, Reader, Result, Rule};
use communiconnect_protocol::{Media as Shape, MediaId, MediaPurpose, UserId};

/// An upload whose bytes are on disk and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMedia {
    /// Whose.
    pub owner: UserId,
    /// For what.
    pub purpose: MediaPurpose,
    /// All that others may know of it.
    pub shape: Shape,
    /// When.
    pub at: i64,
}

/// Media with what the policy needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaView {
    /// All that others may know of it.
    pub shape: Shape,
    /// Facts for the policy.
    pub facts: MediaFacts,
}

/// Uploaded images and videos.
#[async_trait::async_trait]
pub trait Media: Send + Sync {
    /// Notes an upload: from now on its owner finds it.
    async fn add(&self, new: NewMedia) -> Result<()>;
    /// One, however it may be read.
    async fn get(&self, reader: Reader, id: MediaId) -> Result<Option<MediaView>>;
    /// Forgets one; its bytes are gone for readers at once.
    async fn remove(&self, actor: Actor, id: MediaId, rule: Rule<MediaFacts>) -> Result<()>;
    /// Those of these that are known: bytes of others are left over.
    async fn known(&self, ids: Vec<MediaId>) -> Result<Vec<MediaId>>;
    /// Forgets up to `limit` that were uploaded before `before` and hang nowhere; how many.
    async fn forget_unused(&self, before: i64, limit: usize) -> Result<usize>;
}
