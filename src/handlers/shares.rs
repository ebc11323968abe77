//! `share.*`

use super::{Answer, Ask};
use communiconnect_protocol::{Reply, ShareAdd, ShareList, ShareRemove};

pub(super) async fn add(ask: Ask<'_>, body: ShareAdd) -> Answer {
    let added = ask.social.shares.add(ask.actor()?, body, ask.at).await?;
    Ok(Reply::ShareAdded(Box::new(added)))
}

pub(super) async fn remove(ask: Ask<'_>, body: ShareRemove) -> Answer {
    ask.social.shares.remove(ask.actor()?, body, ask.at).await.map(Reply::ShareRemoved)
}

pub(super) async fn list(ask: Ask<'_>, body: ShareList) -> Answer {
    ask.social.shares.list(ask.reader(), body).await.map(Reply::Shares)
}
