//! Profiles, follows and blocks.

use super::{Act, RateLimits, Settings, policy, text::Text};
use crate::store::{
    Actor, PairFacts, Reader, Stores,
    people::{People as Store, ProfileChange, Target},
};
use communiconnect_protocol::{
    BlockSet, Changed, Code, ErrorBody, FollowSet, ProfileEdit, ProfileReply, UserId,
};
use std::sync::Arc;

/// People, and what they are to each other.
pub struct PeopleService {
    store: Arc<dyn Store>,
    rates: Arc<RateLimits>,
    settings: Arc<Settings>,
}

impl PeopleService {
    pub(super) fn new(stores: &Stores, settings: &Arc<Settings>, rates: &Arc<RateLimits>) -> Self {
        Self { store: stores.people.clone(), rates: rates.clone(), settings: settings.clone() }
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

    /// Edits one's own profile.
    ///
    /// # Errors
    /// `forbidden` for another's, a role or a mark; `invalid` fields, `conflict` where another edit was first, `rate_limited`.
    pub async fn edit(&self, actor: Actor, body: ProfileEdit, at: i64) -> Result<ProfileReply, ErrorBody> {
        if body.user_id.is_some_and(|id| id != actor.user) {
            return Err(ErrorBody::new(Code::Forbidden, "nobody edits another's profile"));
        }
        if body.role || body.verified {
            let message = "roles and marks are given by who runs the server: leave them out";
            return Err(ErrorBody::new(Code::Forbidden, message));
        }
        if body.name.is_none() && body.bio.is_none() && body.photo_media_id.is_none() {
            let message = "nothing to change: give `name`, `bio` or `photo_media_id`";
            return Err(ErrorBody::invalid("name", message));
        }
        let Settings { name_chars, bio_chars, .. } = *self.settings;
        let name = |raw: &str| Text { field: "name", raw, max: name_chars }.check();
        let bio = |raw: &str| match raw {
            "" => Ok(String::new()),
            raw => Text { field: "bio", raw, max: bio_chars }.check(),
        };
        let change = ProfileChange {
            version: body.version,
            name: body.name.as_deref().map(name).transpose()?,
            bio: body.bio.as_deref().map(bio).transpose()?,
            photo: body.photo_media_id,
            at,
        };
        self.rates.count(actor.user, Act::Follow, None, at)?;
        Ok(ProfileReply { profile: self.store.edit(actor, change, policy::photographs).await? })
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
