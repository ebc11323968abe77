//! `rtc.*`: signalling over the socket. A peer is commanded by its user from any session, a guest's from its session.

use super::{Answer, Ask};
use crate::live::{
    onair::{Answered, Offered},
    registry::{PeerEntry, PeerOwner},
    service::{Sender, Viewer},
};
use communiconnect_protocol::{
    Changed, Done, ErrorBody, PeerId, Reply, RtcAnswered, RtcClose, RtcLayer, RtcProbe, RtcPublish,
    RtcRestart, RtcRestarted, RtcTrickle, RtcWatch,
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

pub(super) async fn publish(ask: Ask<'_>, body: RtcPublish) -> Answer {
    let offered = offered(&ask, body.sdp)?;
    let sender = Sender::Owner(ask.actor()?, body.live_id);
    ask.lives.publish(sender, offered).await.map(answered)
}

pub(super) async fn watch(ask: Ask<'_>, body: RtcWatch) -> Answer {
    let offered = offered(&ask, body.sdp)?;
    let viewer = Viewer { reader: ask.reader(), session: Some(ask.session()?.id()) };
    ask.lives.watch(viewer, body.live_id, offered).await.map(answered)
}

pub(super) fn trickle(ask: Ask<'_>, body: RtcTrickle) -> Answer {
    ask.lives.trickle(&*peer(&ask, body.peer_id)?)?;
    Ok(Reply::Done(Done {}))
}

pub(super) fn restart(ask: Ask<'_>, body: RtcRestart) -> Answer {
    let restarted = ask.lives.restart(&*peer(&ask, body.peer_id)?, &body.sdp)?;
    Ok(Reply::RtcRestarted(RtcRestarted { sdp: restarted.answer }))
}

pub(super) fn layer(ask: Ask<'_>, body: RtcLayer) -> Answer {
    Ok(Reply::RtcLayers(ask.lives.wish(&*peer(&ask, body.peer_id)?, body.max_height)))
}

pub(super) async fn close(ask: Ask<'_>, body: RtcClose) -> Answer {
    let peer = peer(&ask, body.peer_id)?;
    Ok(Reply::Changed(Changed { changed: ask.lives.close(&peer).await }))
}

pub(super) fn probe(ask: Ask<'_>, body: RtcProbe) -> Answer {
    let offered = offered(&ask, body.sdp)?;
    ask.lives.probe(ask.actor()?, &offered).map(Reply::RtcProbed)
}

fn offered(ask: &Ask<'_>, sdp: String) -> Result<Offered, ErrorBody> {
    let client = ask.session()?.client().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    Ok(Offered { sdp, client })
}

fn peer(ask: &Ask<'_>, id: PeerId) -> Result<Arc<PeerEntry>, ErrorBody> {
    let session = ask.session()?.id();
    let by = ask.reader().user.map_or(PeerOwner::Session(session), PeerOwner::User);
    ask.lives.peer(id, by)
}

fn answered(answered: Answered) -> Reply {
    Reply::RtcAnswered(RtcAnswered { peer_id: answered.peer.id, sdp: answered.sdp })
}
