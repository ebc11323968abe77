//! A client with a session: commands with replies, pushes by kind, everything with a time limit that says what came instead.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::{Encoding, Incoming, PATIENCE, Socket};
use tokio_tungstenite::tungstenite::Message;

/// One person's socket. Pushes wait in order until a story asks for them.
pub struct Client {
    name: String,
    encoding: Encoding,
    outgoing: mpsc::UnboundedSender<Message>,
    incoming: mpsc::UnboundedReceiver<Incoming>,
    driver: JoinHandle<()>,
    waiting: VecDeque<Incoming>,
    next_id: u64,
    connected: Value,
}

/// The answer to one command.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Whether the type was `ok`.
    pub is_ok: bool,
    /// The body: the answer, or the error with `code` and `message`.
    pub body: Value,
}

impl Reply {
    /// The error code, or `ok`.
    pub fn code(&self) -> &str {
        if self.is_ok { "ok" } else { self.body["code"].as_str().expect("an error has a code") }
    }
}

impl Client {
    /// Opens a socket and sends nothing yet. `name` is for messages of failing stories.
    pub async fn open(server: SocketAddr, encoding: Encoding, name: &str) -> Self {
        let socket = Socket::open(server, encoding).await;
        Self::over(socket, name)
    }

    /// A client over a socket that the story made.
    pub fn over(socket: Socket, name: &str) -> Self {
        let encoding = socket.encoding();
        let (outgoing, to_send) = mpsc::unbounded_channel();
        let (received, incoming) = mpsc::unbounded_channel();
        Self {
            name: name.to_string(),
            encoding,
            outgoing,
            incoming,
            driver: tokio::spawn(drive(socket, to_send, received)),
            waiting: VecDeque::new(),
            next_id: 0,
            connected: Value::Null,
        }
    }

    /// The `connect` command with a token; its answer is kept (see [`Self::user_id`]).
    pub async fn connect(&mut self, token: &str) -> Value {
        self.connect_with(json!({"token": token})).await
    }

    /// The `connect` command with a body of the story's own.
    pub async fn connect_with(&mut self, body: Value) -> Value {
        self.connected = self.ok("connect", body).await;
        self.connected.clone()
    }

    /// What `connect` answered.
    pub fn connected(&self) -> &Value {
        &self.connected
    }

    /// The person's id.
    pub fn user_id(&self) -> String {
        self.connected["user"]["id"].as_str().expect("connected with a token").to_string()
    }

    /// Sends a command and waits for its reply; pushes that come first wait their turn.
    pub async fn command(&mut self, kind: &str, body: Value) -> Reply {
        let id = self.send(kind, &body);
        self.reply_to(id, kind).await
    }

    /// Sends a command without waiting. Its id is for [`Self::reply_to`].
    pub fn send(&mut self, kind: &str, body: &Value) -> u64 {
        self.next_id += 1;
        let message = self.encoding.message(self.encoding.bytes(&(self.next_id, kind, body)));
        // A closed socket shows as a missing reply, with the close code in the message.
        let _ = self.outgoing.send(message);
        self.next_id
    }

    /// Sends a message as it is.
    pub fn send_message(&mut self, message: Message) {
        let _ = self.outgoing.send(message);
    }

    /// Waits for the reply with this id.
    pub async fn reply_to(&mut self, id: u64, kind: &str) -> Reply {
        let what = format!("the reply to {kind} (id {id})");
        let found = self.wait_for(
            &what,
            |incoming| matches!(incoming, Incoming::Envelope(got, kind, _) if *got == id && is_reply(kind)),
        );
        match found.await {
            Incoming::Envelope(_, kind, body) => Reply { is_ok: kind == "ok", body },
            other => unreachable!("{other:?}"),
        }
    }

    /// The reply with this id, or `None` where the connection ended first.
    pub async fn reply_or_end(&mut self, id: u64) -> Option<Reply> {
        let found = self.wait_for("a reply or the end of the connection", |incoming| match incoming {
            Incoming::Envelope(got, kind, _) => *got == id && is_reply(kind),
            Incoming::Close(..) | Incoming::Lost(_) => true,
        });
        match found.await {
            Incoming::Envelope(_, kind, body) => Some(Reply { is_ok: kind == "ok", body }),
            _ => None,
        }
    }

    /// The next refusal, whatever its id: for messages whose id could not be read.
    pub async fn error_of_any_id(&mut self) -> (u64, Value) {
        let found = self.wait_for(
            "an error",
            |incoming| matches!(incoming, Incoming::Envelope(_, kind, _) if kind == "error"),
        );
        match found.await {
            Incoming::Envelope(id, _, body) => (id, body),
            other => unreachable!("{other:?}"),
        }
    }

    /// A command that must succeed.
    pub async fn ok(&mut self, kind: &str, body: Value) -> Value {
        let shown = body.to_string();
        let reply = self.command(kind, body).await;
        assert!(reply.is_ok, "{}: {kind} {shown} was refused: {}", self.name, reply.body);
        reply.body
    }

    /// A command that must be refused with `code`; the error's body.
    pub async fn refused(&mut self, kind: &str, body: Value, code: &str) -> Value {
        let shown = body.to_string();
        let reply = self.command(kind, body).await;
        assert_eq!(reply.code(), code, "{}: {kind} {shown} answered {}", self.name, reply.body);
        let message = reply.body["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{kind}: a refusal says what was wrong: {}", reply.body);
        reply.body
    }

    /// A command that must be refused as `invalid`, naming `field`.
    pub async fn invalid(&mut self, kind: &str, body: Value, field: &str) {
        let shown = body.to_string();
        let error = self.refused(kind, body, "invalid").await;
        assert_eq!(error["field"], field, "{}: {kind} {shown} answered {error}", self.name);
    }

    /// Subscribes and returns SUBSCRIBED.
    pub async fn subscribe(&mut self, channel: &str) -> Value {
        let subscribed = self.ok("subscribe", json!({"channel": channel})).await;
        assert_eq!(subscribed["channel"], channel);
        subscribed
    }

    /// The next push of this type.
    pub async fn push(&mut self, kind: &str) -> Value {
        self.push_where(kind, |_| true).await
    }

    /// The next push of this type whose body pleases `wanted`; others stay where they are.
    pub async fn push_where(&mut self, kind: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let what = format!("the push {kind}");
        let found = self.wait_for(
            &what,
            |incoming| matches!(incoming, Incoming::Envelope(0, got, body) if got == kind && wanted(body)),
        );
        match found.await {
            Incoming::Envelope(_, _, body) => body,
            other => unreachable!("{other:?}"),
        }
    }

    /// The next `publication` or `skip` of a channel, whichever comes first.
    pub async fn next_of(&mut self, channel: &str) -> (String, Value) {
        let what = format!("a publication or skip of {channel}");
        let found = self.wait_for(&what, |incoming| {
            matches!(incoming, Incoming::Envelope(0, kind, body)
                if (kind == "publication" || kind == "skip") && body["channel"] == channel)
        });
        match found.await {
            Incoming::Envelope(_, kind, body) => (kind, body),
            other => unreachable!("{other:?}"),
        }
    }

    /// The next publication of a channel, which must be this event.
    pub async fn event(&mut self, channel: &str, event: &str) -> Value {
        let (kind, body) = self.next_of(channel).await;
        assert_eq!(kind, "publication", "{}: {body}", self.name);
        assert_eq!(body["event"], event, "{}: the next publication of {channel} is {body}", self.name);
        body
    }

    /// Waits for a state of this channel and event whose data pleases `wanted`, dropping those before it.
    pub async fn state(&mut self, channel: &str, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let push =
                self.push_where("state", |body| body["channel"] == channel && body["event"] == event).await;
            if wanted(&push["data"]) {
                return push;
            }
        }
    }

    /// The next notification on the person's own channel.
    pub async fn notification(&mut self) -> Value {
        let mine = format!("user:{}", self.user_id());
        let push = self
            .push_where("publication", |body| body["channel"] == mine && body["event"] == "notification")
            .await;
        push["data"].clone()
    }

    /// The close code that ends this connection.
    pub async fn close_code(&mut self) -> u16 {
        match self.wait_for("a close", |incoming| matches!(incoming, Incoming::Close(..))).await {
            Incoming::Close(code, _) => code,
            other => unreachable!("{other:?}"),
        }
    }

    /// Everything that has arrived and that no story asked for, without waiting.
    pub fn leftovers(&mut self) -> Vec<Incoming> {
        while let Some(Some(incoming)) = self.incoming.recv().now_or_never() {
            self.waiting.push_back(incoming);
        }
        self.waiting.drain(..).collect()
    }

    /// Proves that the session still answers, after which all that the server sent before is here.
    pub async fn still_there(&mut self) {
        let reply = self.command("community.list", json!({})).await;
        assert!(reply.is_ok, "{}: the socket answers {}", self.name, reply.body);
    }

    /// Cuts the connection without a close frame, as a dead network does.
    pub fn cut(self) {
        drop(self);
    }

    async fn wait_for(&mut self, what: &str, mut wanted: impl FnMut(&Incoming) -> bool) -> Incoming {
        if let Some(at) = self.waiting.iter().position(&mut wanted) {
            return self.waiting.remove(at).expect("just found");
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match timeout_at(deadline, self.incoming.recv()).await {
                Ok(Some(incoming)) if wanted(&incoming) => return incoming,
                Ok(Some(incoming)) => {
                    let ended = matches!(incoming, Incoming::Lost(_));
                    self.waiting.push_back(incoming);
                    assert!(
                        !ended,
                        "{}: waited for {what}, but the connection ended{}",
                        self.name,
                        self.seen()
                    );
                }
                Ok(None) => {
                    panic!("{}: waited for {what}, but the connection is gone{}", self.name, self.seen())
                }
                Err(_) => panic!("{}: waited {PATIENCE:?} for {what}{}", self.name, self.seen()),
            }
        }
    }

    fn seen(&self) -> String {
        let mut text = format!("; received and not asked for ({}):", self.waiting.len());
        for incoming in self.waiting.iter().rev().take(12).rev() {
            let shown = format!("{incoming:?}");
            let _ = write!(text, "\n    {}", shown.chars().take(400).collect::<String>());
        }
        text
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn is_reply(kind: &str) -> bool {
    kind == "ok" || kind == "error"
}

/// Reads and writes the socket for as long as it lives, so that pings are answered while a story does something else.
async fn drive(
    mut socket: Socket,
    mut to_send: mpsc::UnboundedReceiver<Message>,
    received: mpsc::UnboundedSender<Incoming>,
) {
    loop {
        tokio::select! {
            incoming = socket.next() => {
                let ended = matches!(incoming, Incoming::Lost(_));
                if received.send(incoming).is_err() || ended {
                    return;
                }
            }
            message = to_send.recv() => {
                let Some(message) = message else { return };
                // A failure to write shows on the reading side, with its reason.
                let _ = socket.send_message(message).await;
            }
        }
    }
}
