//! Rules of posts, comments, reactions, shares, communities, people, notifications and feeds.
//!
//! One service per aggregate: each checks what was asked, counts how often, hands the store a rule from [`policy`] to
//! judge inside the transaction, and shapes the answer. What a person may see and do is decided in `policy` alone. Knows
//! no socket and no SQL, and never publishes: the store's writer does.

pub mod access;
mod analytics;
mod comments;
mod communities;
pub(crate) mod cursor;
mod deep_link;
mod external_shares;
pub(crate) mod feeds;
mod housekeeping;
mod media;
mod notifications;
pub(crate) mod op;
mod people;
pub mod policy;
mod posts;
mod rates;
mod reactions;
mod settings;
mod shares;
pub(crate) mod text;

pub use access::SocialAccess;
pub use analytics::AnalyticsService;
pub use comments::CommentService;
pub use communities::CommunityService;
pub use external_shares::ExternalShareService;
pub use feeds::FeedService;
pub use housekeeping::keep_house;
pub use media::{MediaService, Served, Upload};
pub use notifications::NotificationService;
pub use people::PeopleService;
pub use posts::PostService;
pub use rates::{Act, RateLimits};
pub use reactions::ReactionService;
pub use settings::{Rates, Settings};
pub use shares::ShareService;

use crate::store::Stores;
use std::sync::Arc;

/// All services on one store.
pub struct Social {
    /// Communities and members.
    pub communities: CommunityService,
    /// Posts, views and counts.
    pub posts: PostService,
    /// Pages of posts.
    pub feeds: FeedService,
    /// Comments and replies.
    pub comments: CommentService,
    /// Reactions.
    pub reactions: ReactionService,
    /// Shares and reposts.
    pub shares: ShareService,
    /// Shares to other platforms.
    pub external_shares: ExternalShareService,
    /// Figures.
    pub analytics: AnalyticsService,
    /// Profiles, follows and blocks.
    pub people: PeopleService,
    /// Notifications and preferences.
    pub notifications: NotificationService,
    /// How often a person may do what, shared by all of them.
    pub rates: Arc<RateLimits>,
}

impl Social {
    /// Builds every service. Cloned handles are shared, as are the rate limits of a person.
    pub fn new(stores: &Stores, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let rates = Arc::new(RateLimits::new(settings.rates));
        Self {
            communities: CommunityService::new(stores, &settings, &rates),
            posts: PostService::new(stores, &settings, &rates),
            feeds: FeedService::new(stores),
            comments: CommentService::new(stores, &settings, &rates),
            reactions: ReactionService::new(stores, &rates),
            shares: ShareService::new(stores, &settings, &rates),
            external_shares: ExternalShareService::new(stores, &settings, &rates),
            analytics: AnalyticsService::new(stores),
            people: PeopleService::new(stores, &settings, &rates),
            notifications: NotificationService::new(stores),
            rates,
        }
    }
}

#[cfg(test)]
mod stories;
