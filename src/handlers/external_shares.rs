//! `external_share.*`

use super::{Answer, Ask};
use communiconnect_protocol::{ExternalShareAdd, ExternalShareList, Reply};

pub(super) async fn add(ask: Ask<'_>, body: ExternalShareAdd) -> Answer {
    let added = ask.social.external_shares.add(ask.actor()?, body, ask.at).await?;
    Ok(Reply::ExternalShareAdded(Box::new(added)))
}

pub(super) async fn list(ask: Ask<'_>, body: ExternalShareList) -> Answer {
    ask.social.external_shares.list(ask.reader(), body).await.map(Reply::ExternalShares)
}
