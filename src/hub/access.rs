//! What the hub asks the rules of the product.

use crate::store::Reader;
use communiconnect_protocol::{Channel, ErrorBody, StateItem, UserId};

/// Rights and present values, as `social` knows them. Every call may read the store; none may wait for the hub.
#[async_trait::async_trait]
pub trait Access: Send + Sync {
    /// Whether the reader may subscribe to the channel and read its log: `not_found` where it does not exist for them,
    /// `forbidden` where they may see its object but not the channel. Never asked for `test:` channels.
    async fn may_read(&self, reader: &Reader, channel: &Channel) -> Result<(), ErrorBody>;
    /// The present states of the channel's own object that the reader may see: counts of a post and of its newest
    /// comments, members of a community; none for most channels.
    async fn states(&self, reader: &Reader, channel: &Channel) -> Result<Vec<StateItem>, ErrorBody>;
    /// Everybody who has blocked the person or is blocked by them.
    async fn blocked_with(&self, user: UserId) -> Result<Vec<UserId>, ErrorBody>;
    /// Who must not be counted or named in the channel's presence: the author of an anonymous post.
    async fn unnamed_in(&self, channel: &Channel) -> Result<Option<UserId>, ErrorBody>;
}
