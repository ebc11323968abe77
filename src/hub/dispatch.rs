//! The seams through which a socket reaches what stands above the hub.

use super::SessionHandle;
use crate::{auth::Identity, store::Reader};
use bytes::Bytes;
use communiconnect_protocol::{CloseCode, Code, Command, ErrorBody, Format, Reply, SessionId};
use std::sync::Arc;

/// Who asks, and from where.
#[derive(Clone)]
pub struct Caller {
    /// Who.
    pub identity: Identity,
    /// The session of a socket; none over HTTP.
    pub session: Option<Arc<SessionHandle>>,
    /// How the answer will be encoded.
    pub format: Format,
}

impl Caller {
    /// The caller as a reader of channels.
    pub fn reader(&self) -> Reader {
        Reader { user: self.identity.user_id(), role: self.identity.role() }
    }
}

/// Runs any command but `connect` and `refresh`; implemented by `handlers`. Rights are checked there, guests' included.
#[async_trait::async_trait]
pub trait Dispatch: Send + Sync {
    /// Runs to its end: dropping the future half-way may lose the answer, never what was acknowledged.
    async fn run(&self, caller: &Caller, command: Command) -> Result<Reply, ErrorBody>;
}

/// Hears of sessions that have ended; implemented above. Must not wait.
pub trait SessionEnds: Send + Sync {
    /// This session has ended, however it did.
    fn session_ended(&self, session: SessionId);
}

/// Counts of people's acts that the nodes of one store tell each other; implemented above. Must not wait.
pub trait Tally: Send + Sync {
    /// What was counted here since the last time, for the other nodes; none where nothing was.
    fn told(&self) -> Option<Bytes>;
    /// What was counted here lately and still matters, in pieces, for a node that is new here; what it knows it counts once.
    fn recent(&self, now: i64) -> Vec<Bytes>;
    /// What another node has counted.
    fn heard(&self, counted: &[u8]);
}

/// Rules above the hub that have something to say to themselves on the other nodes of one store; implemented above. Must not
/// wait. A word may be lost: then [`Neighbour::missed`] comes once nodes hear each other again.
pub trait Neighbour: Send + Sync {
    /// What another node has said by [`Hub::tell_neighbours`](super::Hub::tell_neighbours).
    fn heard(&self, word: &[u8]);
    /// Something may have been missed.
    fn missed(&self);
}

/// A token that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What to answer.
    pub error: ErrorBody,
    /// How a socket closes after that answer.
    pub close: CloseCode,
}

/// Judges tokens; implemented by `auth`.
#[async_trait::async_trait]
pub trait Authenticate: Send + Sync {
    /// Who the token belongs to; no token is a guest, where guests are let in. `now` in milliseconds since 1970 UTC.
    async fn authenticate(&self, token: Option<&str>, now: i64) -> Result<Identity, Denied>;
    /// Whether somebody who was let in still is: their login may have ended between [`Authenticate::authenticate`] and
    /// the moment from which the hub hears of its end. `now` likewise.
    async fn confirm(&self, identity: &Identity, now: i64) -> Result<(), Denied>;
}

/// The refusal of a command that needs a session, sent without one.
pub fn needs_a_session() -> ErrorBody {
    ErrorBody::new(Code::BadRequest, "this command needs a session: send it over a WebSocket at /v1/ws")
}
