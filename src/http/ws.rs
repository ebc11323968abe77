//! The driver of one socket: moves bytes between a WebSocket and the hub, by the rules of [`Session`].
//!
//! One task and one small future per socket. Every poll does what can be done at once: what is due, the running command,
//! the outbox, the socket. So a slow write stops neither heartbeats nor commands, and a running command no pushes. It
//! knows no command but `connect` and `refresh`, which change the session itself.

mod commands;
mod farewell;
mod gather;

use crate::{
    clock,
    hub::{
        Authenticate, Closing, Dispatch, Hub, SessionHandle,
        session::{Due, Session, Verdict, too_late, too_often},
    },
    tasks::Tasks,
};
use bytes::Bytes;
use commands::{Outcome, Running};
use communiconnect_protocol::{
    CloseCode, Code, Command, ErrorBody, Format, PingPush, TokenExpiringPush, decode_command, encode_error,
    encode_push, kind,
};
use farewell::{Ending, Farewell};
use futures_util::{Sink, Stream};
use gather::Gather;
use std::{
    future::{Future, poll_fn},
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

/// What every socket of a server needs.
pub struct Door {
    /// Where sessions and channels are.
    pub hub: Arc<Hub>,
    /// Who judges tokens.
    pub auth: Arc<dyn Authenticate>,
    /// Who runs commands.
    pub dispatch: Arc<dyn Dispatch>,
    /// Where commands go on whose caller is gone or was answered already.
    pub tasks: Tasks,
}

/// Bytes gathered for one write: enough to make the system call cheap, little enough that memory per socket stays small.
const WRITE_BYTES: usize = 16 << 10;
/// Tungstenite allocates this for every socket at once.
const READ_BUFFER: usize = 4 << 10;

/// How a socket was opened.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// How its messages are encoded.
    pub format: Format,
    /// Which address it came from, where that is known.
    pub client: Option<IpAddr>,
}

impl From<Format> for Opened {
    fn from(format: Format) -> Self {
        Self { format, client: None }
    }
}

/// Serves one connection until it ends. `stream` is past the HTTP upgrade; `read_ahead` is what was read beyond it.
pub async fn serve<S>(stream: S, read_ahead: Bytes, opened: impl Into<Opened>, door: Arc<Door>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Opened { format, client } = opened.into();
    let config = socket_config(&door);
    let stream = Gather::new(stream);
    let socket = if read_ahead.is_empty() {
        WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await
    } else {
        WebSocketStream::from_partially_read(stream, read_ahead.to_vec(), Role::Server, Some(config)).await
    };
    let attendance = Attendance::begin(&door.hub, format);
    if let Some(client) = client {
        attendance.session.comes_from(client);
    }
    let mut driver = Driver::new(socket, &attendance.session, &door);
    let ending = poll_fn(|context| driver.poll(context)).await;
    let words = match ending {
        Ending::Close(code) => attendance.session.last_words(code),
        Ending::Gone | Ending::Broken(_) => None,
    };
    // The session leaves before the goodbyes, so that a peer who never answers them is not listed as present.
    drop(attendance);
    driver.let_go();
    // Rare and large: not part of every socket's future.
    Box::pin(Farewell::new(driver.socket).say(ending, words)).await;
}

fn socket_config(door: &Door) -> WebSocketConfig {
    let message_bytes = usize::try_from(door.hub.settings().told.message_bytes).unwrap_or(usize::MAX);
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        // Only control frames are written by tungstenite: at once, into the buffer before the stream. One more may wait.
        .write_buffer_size(0)
        .max_write_buffer_size(256)
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes))
}

/// Pairs the beginning and the end of a session.
pub(super) struct Attendance {
    session: Arc<SessionHandle>,
    hub: Arc<Hub>,
}

impl Attendance {
    /// A session for a connection that speaks this format.
    pub(super) fn begin(hub: &Arc<Hub>, format: Format) -> Self {
        Self { session: hub.open(format), hub: Arc::clone(hub) }
    }

    /// The session.
    pub(super) fn session(&self) -> &Arc<SessionHandle> {
        &self.session
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.hub.leave(&self.session);
    }
}

struct Driver<S> {
    socket: WebSocketStream<Gather<S>>,
    door: Arc<Door>,
    handle: Arc<SessionHandle>,
    session: Session,
    running: Option<Running>,
    /// Bytes that the socket had taken when it was last looked at.
    taken: u64,
    /// Close with this code once all that waits has been written.
    close_after: Option<CloseCode>,
    /// A close that was asked for from outside, and when it is due.
    closing: Option<(Closing, u64)>,
    started: Instant,
    timer: Pin<Box<Sleep>>,
    armed_at: u64,
}

/// How far writing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Everything,
    Blocked,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    fn new(socket: WebSocketStream<Gather<S>>, handle: &Arc<SessionHandle>, door: &Arc<Door>) -> Self {
        let paces = door.hub.settings().paces();
        let jitter = rand::random_range(0..=paces.ping_ms / 10);
        Self {
            socket,
            door: Arc::clone(door),
            handle: Arc::clone(handle),
            session: Session::new(0, paces, jitter),
            running: None,
            taken: 0,
            close_after: None,
            closing: None,
            started: Instant::now(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed_at: 0,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        loop {
            let now = self.now();
            while let Some(due) = self.session.tick(now) {
                if let Some(code) = self.attend(due) {
                    return Poll::Ready(Ending::Close(code));
                }
            }
            self.poll_command(context, now);
            let written = match self.poll_write(context, now) {
                Ok(written) => written,
                Err(ending) => return Poll::Ready(ending),
            };
            if let Some(code) = self.poll_closing(now, written) {
                return Poll::Ready(Ending::Close(code));
            }
            if self.session.reads() && self.close_after.is_none() {
                match Pin::new(&mut self.socket).poll_next(context) {
                    Poll::Ready(Some(Ok(message))) => {
                        self.receive(message, now);
                        continue;
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Ending::of(&error)),
                    Poll::Ready(None) => return Poll::Ready(Ending::Gone),
                    Poll::Pending => {}
                }
            }
            if self.poll_timer(context, now).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Does what is due; a code closes the connection.
    fn attend(&mut self, due: Due) -> Option<CloseCode> {
        let format = self.handle.format();
        match due {
            Due::Close(code) => return Some(code),
            Due::Ping => {
                // It goes into the buffer; where that cannot be flushed, the write that follows meets the same error.
                let _ = Pin::new(&mut self.socket).start_send(Message::Ping(Bytes::new()));
            }
            Due::Heads => self.handle.ping(|heads| {
                let push = PingPush { at: clock::now_ms(), heads: heads.into_iter().collect() };
                encode_push(format, kind::PING, &push)
            }),
            Due::TokenExpiring => {
                let expires_at = self.handle.identity().person().and_then(|person| person.expires_at);
                let push = TokenExpiringPush { expires_at: expires_at.unwrap_or(0) };
                self.handle.notice(encode_push(format, kind::TOKEN_EXPIRING, &push));
            }
            Due::CommandLate { id } => {
                let is_connect = self.running.as_ref().is_some_and(|running| running.is_connect);
                self.let_go();
                self.handle.refuse(encode_error(format, id, &too_late()));
                if is_connect {
                    // What it may still do to the session must not meet a second attempt.
                    self.close_after = Some(CloseCode::ServerError);
                }
            }
        }
        None
    }

    /// A command whose answer nobody waits for any more goes on by itself: what it acknowledged elsewhere must hold. One
    /// that changes this session alone is dropped, which undoes it.
    fn let_go(&mut self) {
        if let Some(running) = self.running.take().filter(|running| running.goes_on) {
            self.door.tasks.spawn(async move { drop(running.future.await) });
        }
    }

    fn poll_command(&mut self, context: &mut Context<'_>, now: u64) {
        let Some(running) = &mut self.running else { return };
        let Poll::Ready(outcome) = running.future.as_mut().poll(context) else { return };
        let (id, format) = (running.id, self.handle.format());
        self.running = None;
        match &outcome {
            Outcome::Connected { expires_in, .. } => self.session.connected(now, *expires_in),
            Outcome::Refreshed { expires_in, .. } => self.session.refreshed(now, *expires_in),
            Outcome::Denied(denied) => self.close_after = Some(denied.close),
            Outcome::Answer(_) => {}
        }
        self.session.replied();
        let bytes = outcome.encode(format, id);
        if outcome.is_refusal() { self.handle.refuse(bytes) } else { self.handle.reply(bytes) }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, now: u64) -> Result<Written, Ending> {
        let mut is_last = false;
        loop {
            if !self.socket.get_ref().is_empty() {
                let flushed = Pin::new(self.socket.get_mut()).poll_flush(context);
                let taken = self.socket.get_ref().written();
                if taken != self.taken {
                    self.taken = taken;
                    self.session.write_moved();
                }
                match flushed {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Err(Ending::Gone),
                    Poll::Pending => {
                        self.session.write_blocked(now);
                        return Ok(Written::Blocked);
                    }
                }
            }
            if is_last {
                return Ok(Written::Everything);
            }
            is_last = self.take(context, now);
        }
    }

    /// Takes a write's worth out of the outbox; true where nothing is left in it.
    fn take(&mut self, context: &mut Context<'_>, now: u64) -> bool {
        let opcode = match self.handle.format() {
            Format::Json => 1,
            Format::Msgpack => 2,
        };
        let (buffer, session, mut frames) = (self.socket.get_mut(), &mut self.session, 0);
        let is_last = self.handle.take(context.waker(), WRITE_BYTES, |message, is_reply| {
            if frames == 1 {
                // More than one: likely many.
                buffer.reserve(WRITE_BYTES);
            }
            buffer.add(opcode, message);
            frames += 1;
            if is_reply {
                session.reply_left(now);
            }
        });
        if frames > 0 {
            self.door.hub.traffic().count(frames);
        }
        is_last
    }

    /// Whether the connection is to be closed now, with which code.
    fn poll_closing(&mut self, now: u64, written: Written) -> Option<CloseCode> {
        if let Some(code) = self.close_after
            && written == Written::Everything
        {
            return Some(code);
        }
        if let Some(closing) = self.handle.closing()
            && self.closing.is_none_or(|(known, _)| known != closing)
        {
            self.closing = Some((closing, now + closing.after_ms));
        }
        let (closing, at) = self.closing?;
        // A planned stop lets a running command finish; it is bounded by its own deadline.
        let waits = closing.code == CloseCode::Drain && !self.session.is_idle();
        (now >= at && !waits).then_some(closing.code)
    }

    fn receive(&mut self, message: Message, now: u64) {
        self.session.heard(now);
        let format = self.handle.format();
        let bytes = match (message, format) {
            (Message::Text(text), Format::Json) => Bytes::from(text),
            (Message::Binary(bytes), Format::Msgpack) => bytes,
            (Message::Text(_), Format::Msgpack) => {
                return self.malformed(
                    now,
                    0,
                    &bad_request("this connection speaks MessagePack in binary messages"),
                );
            }
            (Message::Binary(_), Format::Json) => {
                return self.malformed(now, 0, &bad_request("this connection speaks JSON in text messages"));
            }
            (Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_), _) => return,
        };
        match decode_command(format, &bytes) {
            Ok((id, command)) => self.command(now, id, command),
            Err(refused) if refused.error.code == Code::BadRequest => {
                self.malformed(now, refused.id, &refused.error)
            }
            Err(refused) => {
                self.session.refused(now);
                self.handle.refuse(encode_error(format, refused.id, &refused.error));
            }
        }
    }

    fn malformed(&mut self, now: u64, id: u64, error: &ErrorBody) {
        self.close_after = self.session.malformed(now);
        self.handle.refuse(encode_error(self.handle.format(), id, error));
    }

    fn command(&mut self, now: u64, id: u64, command: Command) {
        let is_connect = matches!(command, Command::Connect(_));
        let mut verdict = self.session.command(now, id, is_connect);
        if verdict == Verdict::Run {
            let steady = clock::steady_ms();
            let per_second = self.door.hub.settings().commands_per_second_user;
            if let Err(wait) = self.handle.take_command(steady, per_second) {
                verdict = Verdict::Refuse(too_often(wait));
                self.session.replied();
            }
        }
        match verdict {
            Verdict::Run => self.running = Some(commands::run(&self.door, &self.handle, id, command)),
            Verdict::Refuse(error) => self.handle.refuse(encode_error(self.handle.format(), id, &error)),
        }
    }

    /// Arms the timer for what comes first; ready where that is now.
    fn poll_timer(&mut self, context: &mut Context<'_>, now: u64) -> Poll<()> {
        let closing = self.closing.filter(|_| self.session.is_idle()).map(|(_, at)| at);
        let Some(deadline) = self.session.deadline().into_iter().chain(closing).min() else {
            return Poll::Pending;
        };
        // A timer that goes off too early costs one look around; setting it anew at every message would cost more.
        if deadline < self.armed_at || now >= self.armed_at {
            self.armed_at = deadline;
            self.timer.as_mut().reset(self.started + Duration::from_millis(deadline));
            return self.timer.as_mut().poll(context);
        }
        Poll::Pending
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn bad_request(message: &str) -> ErrorBody {
    ErrorBody::new(Code::BadRequest, message)
}

#[cfg(test)]
mod tests;
