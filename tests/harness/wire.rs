//! The wire without a session: one WebSocket, the three-element envelope, both encodings, nothing read until asked.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// One of the two encodings of the same schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `cc.v1.json`, text messages.
    Json,
    /// `cc.v1.msgpack`, binary messages.
    MessagePack,
}

impl Encoding {
    /// Both, for stories that go through them in turn.
    pub const BOTH: [Self; 2] = [Self::Json, Self::MessagePack];

    /// The WebSocket subprotocol's name.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "cc.v1.json",
            Self::MessagePack => "cc.v1.msgpack",
        }
    }

    /// The media type over HTTP.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }

    /// Any value in this encoding.
    pub fn bytes(self, value: &impl serde::Serialize) -> Vec<u8> {
        match self {
            Self::Json => serde_json::to_vec(value).expect("plain data"),
            Self::MessagePack => rmp_serde::to_vec_named(value).expect("plain data"),
        }
    }

    /// The message that carries `bytes` in this encoding: text for JSON, binary for MessagePack.
    pub fn message(self, bytes: Vec<u8>) -> Message {
        match self {
            Self::Json => Message::text(String::from_utf8(bytes).expect("JSON is text")),
            Self::MessagePack => Message::binary(bytes),
        }
    }

    /// A body as it came over HTTP.
    pub fn value(self, bytes: &[u8]) -> Result<Value, String> {
        match self {
            Self::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Self::MessagePack => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
        }
    }

    fn envelope(self, bytes: &[u8]) -> Result<(u64, String, Value), String> {
        match self {
            Self::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Self::MessagePack => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
        }
    }
}

/// What a socket brought.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// An envelope: id, type, body.
    Envelope(u64, String, Value),
    /// The server's close frame: code and reason.
    #[allow(dead_code, reason = "the reason is for the reader of a failed story")]
    Close(u16, String),
    /// The TCP connection ended, without a close frame.
    Lost(String),
}

/// A WebSocket on which nothing happens unless asked: not even a pong is sent while nobody reads.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    encoding: Encoding,
}

impl Socket {
    /// Connects and offers the one subprotocol of `encoding`.
    pub async fn open(server: SocketAddr, encoding: Encoding) -> Self {
        let tcp = TcpStream::connect(server).await.expect("the server listens");
        Self::over(tcp, encoding).await
    }

    /// The same over a TCP connection made by the story (a small receive buffer, say).
    pub async fn over(tcp: TcpStream, encoding: Encoding) -> Self {
        let server = tcp.peer_addr().expect("connected");
        tcp.set_nodelay(true).expect("TCP_NODELAY");
        let mut request = format!("ws://{server}/v1/ws").into_client_request().expect("a request");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", encoding.subprotocol().parse().expect("a header value"));
        let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
        let (stream, response) = tokio_tungstenite::client_async_with_config(request, tcp, Some(config))
            .await
            .expect("the upgrade succeeds");
        let chosen = response.headers().get("Sec-WebSocket-Protocol").and_then(|value| value.to_str().ok());
        assert_eq!(chosen, Some(encoding.subprotocol()), "the server takes what was offered");
        Self { stream, encoding }
    }

    /// This socket's encoding.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Sends an envelope.
    pub async fn send(&mut self, id: u64, kind: &str, body: &Value) -> Result<(), String> {
        self.send_message(self.encoding.message(self.encoding.bytes(&(id, kind, body)))).await
    }

    /// Sends a message as it is.
    pub async fn send_message(&mut self, message: Message) -> Result<(), String> {
        self.stream.send(message).await.map_err(|error| error.to_string())
    }

    /// The next envelope or end; pings are answered on the way.
    pub async fn next(&mut self) -> Incoming {
        loop {
            let incoming = match self.stream.next().await {
                None => Incoming::Lost("end of stream".into()),
                Some(Err(Error::ConnectionClosed)) => Incoming::Lost("closed".into()),
                Some(Err(error)) => Incoming::Lost(error.to_string()),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(None))) => Incoming::Close(1005, String::new()),
                Some(Ok(Message::Close(Some(frame)))) => {
                    Incoming::Close(frame.code.into(), frame.reason.to_string())
                }
                Some(Ok(Message::Text(text))) => {
                    assert_eq!(self.encoding, Encoding::Json, "text on a MessagePack socket: {text}");
                    self.decoded(text.as_bytes())
                }
                Some(Ok(Message::Binary(bytes))) => {
                    assert_eq!(self.encoding, Encoding::MessagePack, "binary on a JSON socket");
                    self.decoded(&bytes)
                }
            };
            return incoming;
        }
    }

    /// The TCP connection, for stories that cut or throttle it.
    pub fn tcp(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    fn decoded(&self, bytes: &[u8]) -> Incoming {
        match self.encoding.envelope(bytes) {
            Ok((id, kind, body)) => {
                assert!(body.is_object(), "the body of {kind} is a map with named keys, not {body}");
                Incoming::Envelope(id, kind, body)
            }
            Err(error) => panic!("the server sent no envelope ({error}): {}", String::from_utf8_lossy(bytes)),
        }
    }
}
