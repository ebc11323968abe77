//! Lasting keys of encoders, and what a live that such a key starts is like.

use super::{Actor, Result};
use communiconnect_protocol::{CommunityId, LiveDefaults, LiveKeyInfo, LiveReason, UserId, Visibility};

/// A key as it is kept: nobody can read the key back (SHA-256).
pub type KeyHash = [u8; 32];

/// What changes of the defaults; what is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultsChange {
    /// Another title.
    pub title: Option<String>,
    /// Another community.
    pub community_id: Option<CommunityId>,
    /// Another visibility.
    pub visibility: Option<Visibility>,
}

/// How a person's last live ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastEnd {
    /// Why.
    pub reason: LiveReason,
    /// When.
    pub at: i64,
    /// Whether its encoder had said good-bye before.
    pub encoder_left: bool,
}

/// Lasting keys and defaults.
#[async_trait::async_trait]
pub trait LiveKeys: Send + Sync {
    /// Puts a key in place of the one before.
    async fn rotate(&self, user: UserId, hash: KeyHash, at: i64) -> Result<()>;
    /// Whether there is one.
    async fn info(&self, user: UserId) -> Result<LiveKeyInfo>;
    /// Whose key this is, and notes that it was used.
    async fn open(&self, hash: KeyHash, at: i64) -> Result<Option<Actor>>;
    /// What the person has set.
    async fn defaults(&self, user: UserId) -> Result<LiveDefaults>;
    /// Sets some of it; answers all and whether any was another before. `NotFound` where there is no such community.
    async fn set_defaults(&self, user: UserId, change: DefaultsChange) -> Result<(LiveDefaults, bool)>;
    /// How the person's last live ended, if it was not taken out with its post.
    async fn last_end(&self, user: UserId) -> Result<Option<LastEnd>>;
}
