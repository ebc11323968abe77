//! Communities and their members.

use super::{Actor, CommunityFacts, Op, Reader, Result, Rule};
use communiconnect_protocol::{Community, CommunityCountsState, CommunityId};

/// A community to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCommunity {
    /// The name to show, checked and normalised.
    pub name: String,
    /// Where it is to lie.
    pub parent_id: Option<CommunityId>,
    /// When.
    pub at: i64,
}

/// Which level, and from where on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommunityQuery {
    /// Below which; none asks for the outermost.
    pub parent_id: Option<CommunityId>,
    /// The last one of the page before: oldest first, ordered by id.
    pub after: Option<CommunityId>,
    /// At most so many.
    pub limit: usize,
}

/// Communities and members.
#[async_trait::async_trait]
pub trait Communities: Send + Sync {
    /// Makes a community with the actor as its moderator. The rule judges the parent, where there is one.
    async fn create(
        &self,
        actor: Actor,
        op: Op,
        new: NewCommunity,
        rule: Rule<CommunityFacts>,
    ) -> Result<Community>;
    /// One community with `my`.
    async fn get(&self, reader: Reader, id: CommunityId) -> Result<Option<Community>>;
    /// A page with `my`, and whether more follow.
    async fn list(&self, reader: Reader, query: CommunityQuery) -> Result<(Vec<Community>, bool)>;
    /// Sets whether the actor is a member, and tells the community's feed how many there are; whether that changed.
    async fn set_member(&self, actor: Actor, membership: Membership) -> Result<bool>;
    /// How many members a community has, and the version of that; none where there is no such community.
    async fn counts(&self, id: CommunityId) -> Result<Option<CommunityCountsState>>;
    /// What rules may know of a community and a reader.
    async fn facts(&self, reader: Reader, id: CommunityId) -> Result<Option<CommunityFacts>>;
}

/// Of which community one wishes to be a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Which.
    pub community_id: CommunityId,
    /// The wished state.
    pub on: bool,
    /// When.
    pub at: i64,
}
