//! Commands on a socket: the two that change the session itself, and the way to all others.

use super::{super::arrival::arrive, Door};
use crate::{
    clock,
    hub::{Caller, Denied, SessionHandle},
};
use bytes::Bytes;
use communiconnect_protocol::{
    Code, Command, Connect, Connected, ErrorBody, Format, Refresh, Refreshed, Reply, encode_error, encode_ok,
};
use futures_util::FutureExt;
use std::{future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc};
use tracing::Instrument;

/// A command on its way.
pub(super) struct Running {
    pub(super) id: u64,
    pub(super) is_connect: bool,
    /// It changes more than this session, so that it is brought to its end whoever waits for it.
    pub(super) goes_on: bool,
    pub(super) future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

/// What came of a command.
pub(super) enum Outcome {
    /// An ordinary answer.
    Answer(Result<Reply, ErrorBody>),
    /// The session has begun; its token lasts so many milliseconds.
    Connected { reply: Box<Connected>, expires_in: Option<u64> },
    /// The session goes on with another token.
    Refreshed { reply: Refreshed, expires_in: Option<u64> },
    /// The session cannot begin.
    Denied(Denied),
}

impl Outcome {
    /// Whether it is an `error`.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Answer(Err(_)) | Self::Denied(_))
    }

    /// The reply to the command `id`.
    pub(super) fn encode(&self, format: Format, id: u64) -> Bytes {
        match self {
            Self::Answer(Ok(reply)) => encode_ok(format, id, reply),
            Self::Answer(Err(error)) | Self::Denied(Denied { error, .. }) => encode_error(format, id, error),
            Self::Connected { reply, .. } => encode_ok(format, id, reply),
            Self::Refreshed { reply, .. } => encode_ok(format, id, reply),
        }
    }
}

/// Begins a command.
pub(super) fn run(door: &Arc<Door>, session: &Arc<SessionHandle>, id: u64, command: Command) -> Running {
    let (door, session) = (Arc::clone(door), Arc::clone(session));
    let is_connect = matches!(command, Command::Connect(_));
    let goes_on = !is_of_the_session(&command);
    // Everything that is logged on the way of a command tells whose it was.
    let span = tracing::info_span!("command", session = %session.id(), command = command.name(), id);
    let outcome = async move {
        match command {
            Command::Connect(command) => connect(&door, &session, command).await,
            Command::Refresh(command) => refresh(&door, &session, command).await,
            command => {
                let identity = (*session.identity()).clone();
                let format = session.format();
                let caller = Caller { identity, session: Some(session), format };
                Outcome::Answer(door.dispatch.run(&caller, command).await)
            }
        }
    };
    // A bug in one command must not look like a dead server to everybody on the same connection.
    let guarded = AssertUnwindSafe(outcome)
        .catch_unwind()
        .map(|outcome| outcome.unwrap_or_else(|_| broken()))
        .instrument(span);
    Running { id, is_connect, goes_on, future: Box::pin(guarded) }
}

/// Whether a command changes nothing but the session: half done it is undone, and later it would meet the next command.
fn is_of_the_session(command: &Command) -> bool {
    use Command::{Connect, History, Presence, Refresh, Subscribe, Sync, Unsubscribe};
    matches!(
        command,
        Connect(_) | Refresh(_) | Subscribe(_) | Sync(_) | Unsubscribe(_) | History(_) | Presence(_)
    )
}

async fn connect(door: &Door, session: &Arc<SessionHandle>, command: Connect) -> Outcome {
    let identity = match door.auth.authenticate(command.token.as_deref(), clock::now_ms()).await {
        Ok(identity) => identity,
        Err(denied) => return Outcome::Denied(denied),
    };
    let reply = match arrive(door, session, identity, command.resume).await {
        Ok(reply) => reply,
        Err(denied) => return Outcome::Denied(denied),
    };
    if let Some(client) = &command.client {
        tracing::debug!(client = ?client.name, version = ?client.version, "connected");
    }
    let expires_in = left(reply.expires_at);
    Outcome::Connected { reply: Box::new(reply), expires_in }
}

async fn refresh(door: &Door, session: &SessionHandle, command: Refresh) -> Outcome {
    let identity = match door.auth.authenticate(Some(&command.token), clock::now_ms()).await {
        Ok(identity) => identity,
        Err(denied) => return Outcome::Answer(Err(denied.error)),
    };
    let expires_at = identity.person().and_then(|person| person.expires_at);
    if let Err(error) = door.hub.refresh(session, identity) {
        return Outcome::Answer(Err(error));
    }
    // From here on the end of this login closes the session; before, nobody knew that it belongs to it.
    match door.auth.confirm(&session.identity(), clock::now_ms()).await {
        Ok(()) => Outcome::Refreshed { reply: Refreshed { expires_at }, expires_in: left(expires_at) },
        Err(denied) => Outcome::Denied(denied),
    }
}

/// Milliseconds from now until a moment of the wall clock.
fn left(expires_at: Option<i64>) -> Option<u64> {
    expires_at.map(|at| u64::try_from(at - clock::now_ms()).unwrap_or(0))
}

fn broken() -> Outcome {
    let message = "a mistake of the server, outcome unknown: send the same op again";
    Outcome::Answer(Err(ErrorBody::new(Code::Internal, message).retry_after(1_000)))
}
