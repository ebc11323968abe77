//! The durable truth: rows and channel logs, written together.
//!
//! Owns every table and every SQL statement, idempotency by `op`, offsets, and where the events of a thing go. It does
//! not decide who may do what: writing operations take a [`Rule`] that judges facts read inside the same transaction.
//! It does not know the broker: what was committed is handed on as [`crate::publication::Committed`].

pub mod accounts;
pub mod analytics;
pub mod chat;
pub mod comments;
pub mod communities;
#[cfg(test)]
mod conformance;
mod error;
pub mod external_shares;
mod facts;
pub mod live_keys;
pub mod lives;
pub mod log;
pub mod media;
pub mod notifications;
pub mod people;
pub mod posts;
pub mod reactions;
mod routes;
pub mod shares;
pub mod sql;
pub mod username;

pub use error::StoreError;
pub use facts::{
    Actor, ChatFacts, CommentFacts, CommunityFacts, HeardFacts, Judge, LiveFacts, MediaFacts, Op, PairFacts,
    PostFacts, Reader, Relation, Rule, Sight,
};

use std::sync::Arc;

/// What every operation answers.
pub type Result<T> = std::result::Result<T, StoreError>;

/// One handle per aggregate, all on the same store. Cloning shares it.
#[derive(Clone)]
pub struct Stores {
    /// Embedded accounts, identities of other issuers, logins, secrets.
    pub accounts: Arc<dyn accounts::Accounts>,
    /// People, follows and blocks.
    pub people: Arc<dyn people::People>,
    /// Communities and members.
    pub communities: Arc<dyn communities::Communities>,
    /// Posts, views and feeds.
    pub posts: Arc<dyn posts::Posts>,
    /// Comments.
    pub comments: Arc<dyn comments::Comments>,
    /// Reactions.
    pub reactions: Arc<dyn reactions::Reactions>,
    /// Shares and reposts.
    pub shares: Arc<dyn shares::Shares>,
    /// Uploaded images and videos.
    pub media: Arc<dyn media::Media>,
    /// Shares to other platforms.
    pub external_shares: Arc<dyn external_shares::ExternalShares>,
    /// Figures.
    pub analytics: Arc<dyn analytics::Analytics>,
    /// Notifications and preferences.
    pub notifications: Arc<dyn notifications::Notifications>,
    /// Lives.
    pub lives: Arc<dyn lives::Lives>,
    /// Lasting keys of encoders.
    pub live_keys: Arc<dyn live_keys::LiveKeys>,
    /// Chats of lives.
    pub chat: Arc<dyn chat::Chat>,
    /// The channel logs.
    pub log: Arc<dyn log::Log>,
}
