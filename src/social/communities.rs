//! Communities: making, listing, joining and leaving.

use super::{
    Act, RateLimits, Settings,
    cursor::{List, PAGE_MAX},
    op::op_of,
    policy,
    text::Text,
};
use crate::store::{
    Actor, Reader, Stores,
    communities::{Communities as Store, CommunityQuery, Membership, NewCommunity},
};
use communiconnect_protocol::{
    Changed, Communities, CommunityCreate, CommunityId, CommunityList, CommunityReply, ErrorBody,
};
use std::sync::Arc;

/// Communities and their members.
pub struct CommunityService {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    rates: Arc<RateLimits>,
}

impl CommunityService {
    pub(super) fn new(stores: &Stores, settings: &Arc<Settings>, rates: &Arc<RateLimits>) -> Self {
        Self { store: stores.communities.clone(), settings: settings.clone(), rates: rates.clone() }
    }

    /// Makes a community, moderated by who made it.
    ///
    /// # Errors
    /// `invalid` name or op, `not_found` parent, `limit_exceeded` below the last level, `rate_limited`, `conflict`.
    pub async fn create(
        &self,
        actor: Actor,
        body: CommunityCreate,
        at: i64,
    ) -> Result<CommunityReply, ErrorBody> {
        let op = op_of("community.create", &body.op, &body)?;
        let name =
            Text { field: "name", raw: &body.name, max: self.settings.community_name_chars }.check()?;
        self.rates.count(actor.user, Act::Community, Some(&op.id), at)?;
        let levels = self.settings.community_depth;
        let rule = Box::new(move |parent: &_| policy::nest_in(parent, levels));
        let new = NewCommunity { name, parent_id: body.parent_id, at };
        Ok(CommunityReply { community: self.store.create(actor, op, new, rule).await? })
    }

    /// One community.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn get(&self, reader: Reader, id: CommunityId) -> Result<CommunityReply, ErrorBody> {
        let community = self.store.get(reader, id).await?.ok_or_else(|| policy::not_found("community"))?;
        Ok(CommunityReply { community })
    }

    /// Communities of one level, oldest first.
    ///
    /// # Errors
    /// `not_found` parent, `invalid` cursor.
    pub async fn list(&self, reader: Reader, body: CommunityList) -> Result<Communities, ErrorBody> {
        let after = List::Communities.id(body.cursor.as_deref())?.map(CommunityId::from_bytes);
        if let Some(parent) = body.parent_id {
            self.store.facts(reader, parent).await?.ok_or_else(|| policy::not_found("community"))?;
        }
        let query = CommunityQuery { parent_id: body.parent_id, after, limit: PAGE_MAX as usize };
        let (communities, more) = self.store.list(reader, query).await?;
        let last = communities.last().filter(|_| more);
        let cursor = last.map(|last| List::Communities.cursor(last.id.as_bytes()));
        Ok(Communities { communities, cursor })
    }

    /// Sets whether the actor is a member.
    ///
    /// # Errors
    /// `not_found`, `rate_limited`.
    pub async fn set_member(&self, actor: Actor, membership: Membership) -> Result<Changed, ErrorBody> {
        self.rates.count(actor.user, Act::Follow, None, membership.at)?;
        Ok(Changed { changed: self.store.set_member(actor, membership).await? })
    }
}
