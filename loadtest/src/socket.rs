//! One client of the protocol over a WebSocket, in JSON: it says `connect`, sends commands and waits for their replies.
//!
//! Pushes are passed over: who counts those is another part's business.

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

/// How long one reply may take: the server itself gives a command up after 5 s (`protocol/SPEC.md`).
const REPLY_LIMIT: Duration = Duration::from_secs(20);

/// A session that has said `connect`.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Of the last command.
    id: u64,
}

impl Socket {
    /// Opens a session for the person of this token.
    ///
    /// # Errors
    /// Where the address is none, nobody answers there, or `connect` is refused.
    pub async fn connect(base: &str, token: &str) -> Result<Self> {
        let address = base.replacen("http", "ws", 1);
        let mut request = format!("{}/v1/ws", address.trim_end_matches('/')).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("cc.v1.json"));
        let (stream, _) = connect_async(request).await.context("opening a socket")?;
        let mut socket = Self { stream, id: 0 };
        socket.command("connect", &json!({ "token": token })).await?;
        Ok(socket)
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    /// Where the reply is an error, or none comes.
    pub async fn command(&mut self, kind: &str, body: &Value) -> Result<Value> {
        self.id += 1;
        self.stream.send(Message::text(json!([self.id, kind, body]).to_string())).await?;
        timeout(REPLY_LIMIT, self.reply(kind)).await.with_context(|| format!("no reply to {kind}"))?
    }

    async fn reply(&mut self, kind: &str) -> Result<Value> {
        while let Some(message) = self.stream.next().await {
            let Message::Text(text) = message? else { continue };
            let (id, verdict, body): (u64, String, Value) = serde_json::from_str(&text)?;
            match verdict.as_str() {
                _ if id != self.id => {}
                "ok" => return Ok(body),
                _ => bail!("{kind} was refused: {body}"),
            }
        }
        bail!("the socket closed before the reply to {kind}")
    }
}
