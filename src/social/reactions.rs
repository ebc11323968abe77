//! Reactions to posts and comments.

use super::{Act, RateLimits, policy};
use crate::store::{
    Actor, Stores,
    reactions::{ReactionTarget, Reactions as Store, Wish},
};
use communiconnect_protocol::{ErrorBody, ReactionReply, ReactionSet};
use std::sync::Arc;

/// Reactions.
pub struct ReactionService {
    store: Arc<dyn Store>,
    rates: Arc<RateLimits>,
}

impl ReactionService {
    pub(super) fn new(stores: &Stores, rates: &Arc<RateLimits>) -> Self {
        Self { store: stores.reactions.clone(), rates: rates.clone() }
    }

    /// Sets the actor's reaction to a post or a comment.
    ///
    /// # Errors
    /// `invalid` target, `not_found`, `rate_limited`.
    pub async fn set(&self, actor: Actor, body: ReactionSet, at: i64) -> Result<ReactionReply, ErrorBody> {
        let target = match (body.post_id, body.comment_id) {
            (Some(id), None) => ReactionTarget::Post(id, Box::new(policy::read_post)),
            (None, Some(id)) => ReactionTarget::Comment(id, Box::new(policy::read_comment)),
            (None, None) => {
                return Err(ErrorBody::invalid(
                    "post_id",
                    "what to react to is missing: give exactly one of `post_id` and `comment_id`",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(ErrorBody::invalid(
                    "comment_id",
                    "too many: give exactly one of `post_id` and `comment_id`",
                ));
            }
        };
        self.rates.count(actor.user, Act::Reaction, None, at)?;
        let outcome = self.store.set(actor, target, Wish { kind: body.kind, at }, policy::hears).await?;
        Ok(ReactionReply { kind: body.kind, counts: outcome.counts, changed: outcome.changed })
    }
}
