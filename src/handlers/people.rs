//! `profile.get`, `follow.set`, `block.set`

use super::{Answer, Ask};
use communiconnect_protocol::{BlockSet, FollowSet, ProfileGet, Reply};

pub(super) async fn profile(ask: Ask<'_>, body: ProfileGet) -> Answer {
    let found = ask.social.people.profile(ask.reader(), body.user_id).await?;
    Ok(Reply::Profile(Box::new(found)))
}

pub(super) async fn follow(ask: Ask<'_>, body: FollowSet) -> Answer {
    ask.social.people.follow(ask.actor()?, body, ask.at).await.map(Reply::Changed)
}

pub(super) async fn block(ask: Ask<'_>, body: BlockSet) -> Answer {
    ask.social.people.block(ask.actor()?, body, ask.at).await.map(Reply::Changed)
}
