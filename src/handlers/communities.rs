//! `community.*`

use super::{Answer, Ask};
use crate::store::communities::Membership;
use communiconnect_protocol::{
    CommunityCreate, CommunityGet, CommunityId, CommunityJoin, CommunityLeave, CommunityList, Reply,
};

pub(super) async fn create(ask: Ask<'_>, body: CommunityCreate) -> Answer {
    ask.social.communities.create(ask.actor()?, body, ask.at).await.map(Reply::Community)
}

pub(super) async fn get(ask: Ask<'_>, body: CommunityGet) -> Answer {
    ask.social.communities.get(ask.reader(), body.community_id).await.map(Reply::Community)
}

pub(super) async fn list(ask: Ask<'_>, body: CommunityList) -> Answer {
    ask.social.communities.list(ask.reader(), body).await.map(Reply::Communities)
}

pub(super) async fn join(ask: Ask<'_>, body: CommunityJoin) -> Answer {
    set_member(ask, body.community_id, true).await
}

pub(super) async fn leave(ask: Ask<'_>, body: CommunityLeave) -> Answer {
    set_member(ask, body.community_id, false).await
}

async fn set_member(ask: Ask<'_>, community_id: CommunityId, on: bool) -> Answer {
    let membership = Membership { community_id, on, at: ask.at };
    ask.social.communities.set_member(ask.actor()?, membership).await.map(Reply::Changed)
}
