//! `live.*`

use super::{Answer, Ask};
use crate::hub::Hub;
use communiconnect_protocol::{
    Channel, LiveBan, LiveBans, LiveDefaultsSet, LiveGet, LiveJoin, LiveJoined, LiveLeave, LiveList,
    LiveReact, LiveReportGet, LiveStart, LiveStop, Reply, Subscribe, Unsubscribe,
};

pub(super) async fn start(ask: Ask<'_>, body: LiveStart) -> Answer {
    let started = ask.lives.start(ask.actor()?, body, ask.at).await?;
    Ok(Reply::LiveStarted(Box::new(started)))
}

pub(super) async fn stop(ask: Ask<'_>, body: LiveStop) -> Answer {
    let report = ask.lives.stop(ask.actor()?, body.live_id).await?;
    Ok(Reply::LiveReport(Box::new(report)))
}

pub(super) async fn list(ask: Ask<'_>, body: LiveList) -> Answer {
    ask.lives.list(ask.reader(), body).await.map(Reply::Lives)
}

pub(super) async fn get(ask: Ask<'_>, body: LiveGet) -> Answer {
    let found = ask.lives.get(ask.reader(), body.live_id).await?;
    Ok(Reply::Live(Box::new(found)))
}

pub(super) async fn join(ask: Ask<'_>, hub: &Hub, body: LiveJoin) -> Answer {
    let session = ask.session()?.id();
    let live = ask.lives.join(ask.reader(), session, body.live_id).await?.live;
    let wish = Subscribe { channel: channel(live.id), epoch: None, offset: None };
    match hub.subscribe(ask.caller, wish).await {
        Ok(subscribed) => {
            let ice_servers = ask.lives.ice_servers(ask.reader().user);
            Ok(Reply::LiveJoined(Box::new(LiveJoined { live, ice_servers, subscribed })))
        }
        Err(refusal) => {
            // Who hears nothing has not joined; the session may be gone, and nobody would take it out again.
            let _ = ask.lives.leave(ask.reader(), session, body.live_id).await;
            Err(refusal)
        }
    }
}

pub(super) async fn leave(ask: Ask<'_>, hub: &Hub, body: LiveLeave) -> Answer {
    let session = ask.session()?.id();
    let mut left = ask.lives.leave(ask.reader(), session, body.live_id).await?;
    let ended = hub.unsubscribe(ask.caller, Unsubscribe { channel: channel(body.live_id) }).await?;
    left.changed |= ended.changed;
    Ok(Reply::Changed(left))
}

fn channel(live: communiconnect_protocol::LiveId) -> String {
    Channel::Live(live).to_string()
}

pub(super) async fn report(ask: Ask<'_>, body: LiveReportGet) -> Answer {
    let report = ask.lives.report(ask.actor()?, body.live_id).await?;
    Ok(Reply::LiveReport(Box::new(report)))
}

pub(super) async fn rotate_key(ask: Ask<'_>) -> Answer {
    ask.lives.rotate_key(ask.actor()?, ask.at).await.map(Reply::LiveKey)
}

pub(super) async fn key_info(ask: Ask<'_>) -> Answer {
    ask.lives.key_info(ask.actor()?).await.map(Reply::LiveKeyInfo)
}

pub(super) async fn set_defaults(ask: Ask<'_>, body: LiveDefaultsSet) -> Answer {
    ask.lives.set_defaults(ask.actor()?, body).await.map(Reply::LiveDefaults)
}

pub(super) async fn ban(ask: Ask<'_>, body: LiveBan) -> Answer {
    ask.lives.ban(ask.actor()?, body, ask.at).await.map(Reply::Changed)
}

pub(super) async fn bans(ask: Ask<'_>, body: LiveBans) -> Answer {
    ask.lives.bans(ask.actor()?, body).await.map(Reply::Banned)
}

pub(super) async fn react(ask: Ask<'_>, body: LiveReact) -> Answer {
    ask.lives.react(ask.actor()?, body).await.map(Reply::Counted)
}
