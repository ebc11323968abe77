//! Trying the way that media will take, before anybody is told of a live: a peer that carries nothing.

use super::*;
use crate::live::onair::refused;
use communiconnect_protocol::RtcProbed;
use parking_lot::Mutex;
use std::collections::HashMap;
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
    /// Dropping a sender ends its probe.
    running: Mutex<HashMap<UserId, oneshot::Sender<()>>>,
}

impl Probes {
    /// Takes a place, and ends the person's earlier probe.
    fn begin(&self, user: UserId) -> Result<oneshot::Receiver<()>, ErrorBody> {
        let mut running = self.running.lock();
        if running.len() >= AT_ONCE && !running.contains_key(&user) {
            let message =
                "too many people try their way to this node just now: try again, or go live without";
            return Err(ErrorBody::new(Code::Unavailable, message).retry_after(RETRY_MS));
        }
        let (ends, ended) = oneshot::channel();
        running.insert(user, ends);
        Ok(ended)
    }

    /// Gives the place back, unless a later probe of the person has it.
    fn end(&self, user: UserId, ended: oneshot::Receiver<()>) {
        drop(ended);
        let mut running = self.running.lock();
        if running.get(&user).is_some_and(oneshot::Sender::is_closed) {
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
        let mut ended = parts.probes.begin(user)?;
        let prepared = match parts.plane.watch(&parts.plane.new_source(), &offered.sdp, offered.client) {
            Ok(prepared) => prepared,
            Err(error) => {
                parts.probes.end(user, ended);
                return Err(refused(error));
            }
        };
        let media = prepared.peer;
        self.parts.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(LASTS) => {}
                _ = &mut ended => {}
                () = parts.tasks.stopping() => {}
            }
            parts.plane.close(media);
            parts.probes.end(user, ended);
        });
        Ok(RtcProbed { sdp: prepared.answer, ice_servers: self.ice_servers(Some(user)) })
    }
}
