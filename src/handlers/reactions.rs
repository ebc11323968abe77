//! `reaction.set`

use super::{Answer, Ask};
use communiconnect_protocol::{ReactionSet, Reply};

pub(super) async fn set(ask: Ask<'_>, body: ReactionSet) -> Answer {
    ask.social.reactions.set(ask.actor()?, body, ask.at).await.map(Reply::Reaction)
}
