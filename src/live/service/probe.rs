//! Trying the way that media will take, before anybody is told of a live: a peer that carries nothing.

use super::*;
use crate::live::{onair::refused, plane::PeerId as MediaId};
use communiconnect_protocol::RtcProbed;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::OnceLock};
use tokio::sync::oneshot;

/// How long a peer has to come and be seen to have come: the time that a handshake is given.
const LASTS: Duration = Duration::from_secs(10);
/// Probes at once on this node. A peer takes some 32 KiB; who does not fit finds out by going live.
const AT_ONCE: usize = 256;
/// When to ask again where there is no room.
const RETRY_MS: u64 = 5_000;

/// Who probes now: one at a time for each person. Of addresses the media plane bounds how many are unfinished.
#[derive(Default)]
pub(super) struct Probes {
    running: Mutex<HashMap<UserId, Running>>,
}

struct Running {
    /// Its peer, once its offer is answered.
    media: Arc<OnceLock<MediaId>>,
    /// Dropping it ends the probe.
    ends: oneshot::Sender<()>,
}

/// What a probe holds of its place.
struct Place {
    media: Arc<OnceLock<MediaId>>,
    ended: oneshot::Receiver<()>,
}

impl Probes {
    /// Takes a place, and ends the person's earlier probe.
    fn begin(&self, user: UserId) -> Result<Place, ErrorBody> {
        let mut running = self.running.lock();
        if running.len() >= AT_ONCE && !running.contains_key(&user) {
            let message =
                "too many people try their way to this node just now: try again, or go live without";
            return Err(ErrorBody::new(Code::Unavailable, message).retry_after(RETRY_MS));
        }
        let (ends, ended) = oneshot::channel();
        let media = Arc::default();
        running.insert(user, Running { media: Arc::clone(&media), ends });
        Ok(Place { media, ended })
    }

    /// A peer has ended: if it was a probe's, its place is free at once.
    pub(super) fn closed(&self, media: MediaId) {
        self.running.lock().retain(|_, probe| probe.media.get() != Some(&media));
    }

    /// Gives the place back, unless a later probe of the person has it.
    fn end(&self, user: UserId, place: Place) {
        drop(place);
        let mut running = self.running.lock();
        if running.get(&user).is_some_and(|probe| probe.ends.is_closed()) {
            running.remove(&user);
        }
    }
}

impl LiveService {
    /// Answers an offer to receive with a peer that gets no media and lives ten seconds: whoever connects knows that
    /// datagrams pass both ways. It is nobody's viewer and no live's; it ends with its client, or with the person's next.
    ///
    /// # Errors
    /// `too_large` and `bad_request` offers, `invalid` for what is not supported, `unavailable` limits.
    pub fn probe(&self, actor: Actor, offered: &Offered) -> Result<RtcProbed, ErrorBody> {
        let parts = self.parts.clone();
        let user = actor.user;
        let mut place = parts.probes.begin(user)?;
        let prepared = match parts.plane.watch(&parts.plane.new_source(), &offered.sdp, offered.client) {
            Ok(prepared) => prepared,
            Err(error) => {
                parts.probes.end(user, place);
                return Err(refused(error));
            }
        };
        let media = prepared.peer;
        // It is set once and nobody else has it.
        let _ = place.media.set(media);
        self.parts.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(LASTS) => {}
                _ = &mut place.ended => {}
                () = parts.tasks.stopping() => {}
            }
            parts.plane.close(media);
            parts.probes.end(user, place);
        });
        Ok(RtcProbed { sdp: prepared.answer, ice_servers: self.ice_servers(Some(user)) })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::World, *};
    use communiconnect_protocol::Role;
    use std::net::{IpAddr, Ipv4Addr};

    const WATCH: &str = include_str!("../rtc/sdp/fixtures/chromium-watch.offer.sdp");

    fn person(number: usize) -> Actor {
        Actor { user: UserId::from_bytes((number as u128).to_be_bytes()), role: Role::User }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_does_not_fit_is_told_when_to_ask_again_until_somebody_has_closed_theirs() {
        let world = World::new().await;
        let offer = Offered { sdp: WATCH.into(), client: IpAddr::V4(Ipv4Addr::LOCALHOST) };
        let probe = |number| world.lives.probe(person(number), &offer);
        for number in 0..AT_ONCE {
            probe(number).expect("there is room");
        }
        let refusal = probe(AT_ONCE).expect_err("no room");
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Unavailable, Some(RETRY_MS)));
        probe(7).expect("who has a place may begin anew in it");
        probe(AT_ONCE).expect_err("still none");

        let parts = &world.lives.parts;
        let media = parts.probes.running.lock()[&person(7).user].media.get().copied().expect("answered");
        parts.plane.close(media);
        let is_free = async {
            while parts.probes.running.lock().len() == AT_ONCE {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), is_free).await.expect("its place is given back");
        probe(AT_ONCE).expect("a place is free");
        probe(7).expect_err("and taken");
    }
}
