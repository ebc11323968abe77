//! Profiles, follows and blocks.

use super::{Act, RateLimits, policy};
use crate::store::{
    Actor, PairFacts, Reader, Stores,
    people::{People as Store, Target},
};
use communiconnect_protocol::{BlockSet, Changed, ErrorBody, FollowSet, ProfileReply, UserId};
use std::sync::Arc;

/// People, and what they are to each other.
pub struct PeopleService {
    store: Arc<dyn Store>,
    rates: Arc<RateLimits>,
}

impl PeopleService {
    pub(super) fn new(stores: &Stores, rates: &Arc<RateLimits>) -> Self {
        Self { store: stores.people.clone(), rates: rates.clone() }
    }

    /// A profile. A block does not hide it: who has blocked somebody must find them to unblock them.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn profile(&self, reader: Reader, id: UserId) -> Result<ProfileReply, ErrorBody> {
        let found = self.store.profile(reader, id).await?;
        let (profile, _) = found.ok_or_else(|| policy::not_found("user"))?;
        Ok(ProfileReply { profile })
    }

    /// Sets whether the actor follows a person.
    ///
    /// # Errors
    /// `invalid` for oneself, `not_found`, `forbidden` across a block, `rate_limited`.
    pub async fn follow(&self, actor: Actor, body: FollowSet, at: i64) -> Result<Changed, ErrorBody> {
        let target = self.target(actor, body.user_id, body.on, at)?;
        let rule = Box::new(move |pair: &PairFacts| policy::follow(pair, target.on));
        Ok(Changed { changed: self.store.set_follow(actor, target, rule, policy::hears).await? })
    }

    /// Sets whether the actor blocks a person.
    ///
    /// # Errors
    /// `invalid` for oneself, `not_found`, `rate_limited`.
    pub async fn block(&self, actor: Actor, body: BlockSet, at: i64) -> Result<Changed, ErrorBody> {
        let target = self.target(actor, body.user_id, body.on, at)?;
        Ok(Changed { changed: self.store.set_block(actor, target, policy::hears).await? })
    }

    fn target(&self, actor: Actor, user: UserId, on: bool, at: i64) -> Result<Target, ErrorBody> {
        if user == actor.user {
            return Err(ErrorBody::invalid("user_id", "`user_id` is yourself: name somebody else"));
        }
        self.rates.count(actor.user, Act::Follow, None, at)?;
        Ok(Target { user, on, at })
    }
}
