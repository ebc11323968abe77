//! Commands of the hub: subscriptions need a session, pages of a log do not.

use super::Answer;
use crate::hub::{Caller, Hub, needs_a_session};
use communiconnect_protocol::{ErrorBody, History, Presence, Reply, Subscribe, Sync, Unsubscribe};

pub(super) async fn subscribe(hub: &Hub, caller: &Caller, body: Subscribe) -> Answer {
    need_session(caller)?;
    hub.subscribe(caller, body).await.map(Reply::Subscribed)
}

pub(super) async fn unsubscribe(hub: &Hub, caller: &Caller, body: Unsubscribe) -> Answer {
    need_session(caller)?;
    hub.unsubscribe(caller, body).await.map(Reply::Changed)
}

pub(super) async fn sync(hub: &Hub, caller: &Caller, body: Sync) -> Answer {
    need_session(caller)?;
    hub.sync(caller, body).await.map(Reply::Synced)
}

pub(super) async fn history(hub: &Hub, caller: &Caller, body: History) -> Answer {
    hub.history(caller, body).await.map(Reply::History)
}

pub(super) async fn presence(hub: &Hub, caller: &Caller, body: Presence) -> Answer {
    hub.presence(caller, body).await.map(Reply::Presence)
}

fn need_session(caller: &Caller) -> Result<(), ErrorBody> {
    caller.session.is_some().then_some(()).ok_or_else(needs_a_session)
}
