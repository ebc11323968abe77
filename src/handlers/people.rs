//! `profile.get`, `profile.edit`, `follow.set`, `block.set`

use super::{Answer, Ask};
use communiconnect_protocol::{BlockSet, FollowSet, ProfileEdit, ProfileGet, Reply};

pub(super) async fn profile(ask: Ask<'_>, body: ProfileGet) -> Answer {
    let found = ask.social.people.profile(ask.reader(), body.user_id).await?;
    Ok(Reply::Profile(Box::new(found)))
}

pub(super) async fn edit(ask: Ask<'_>, body: ProfileEdit) -> Answer {
    let edited = ask.social.people.edit(ask.actor()?, body, ask.at).await?;
    Ok(Reply::Profile(Box::new(edited)))
}

pub(super) async fn follow(ask: Ask<'_>, body: FollowSet) -> Answer {
    let (actor, other) = (ask.actor()?, body.user_id);
    let done = ask.social.people.follow(actor, body, ask.at).await?;
    if done.changed {
        ask.lives.rights_changed(actor.user, other).await;
    }
    Ok(Reply::Changed(done))
}

pub(super) async fn block(ask: Ask<'_>, body: BlockSet) -> Answer {
    let (actor, other) = (ask.actor()?, body.user_id);
    let done = ask.social.people.block(actor, body, ask.at).await?;
    if done.changed {
        ask.lives.rights_changed(actor.user, other).await;
    }
    Ok(Reply::Changed(done))
}
