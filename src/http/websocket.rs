//! How WebSocket connections are opened over a stream and ended: shared by the hub's sockets and the echo example.

use super::{linger, watch};
use bytes::Bytes;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Utf8Bytes,
        error::CapacityError,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

pub use super::{watch::Violation, watched::Watched};

/// A server's end of a WebSocket.
pub type Socket = WebSocketStream<Watched>;

/// Bounds of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketBounds {
    /// Bytes of an incoming message.
    pub message_bytes: usize,
    /// Bytes that are gathered before they are written; a flush writes what there is.
    pub gather_bytes: usize,
    /// Bytes that may wait in the socket while the other side accepts none: at least the largest outgoing message.
    pub unsent_bytes: usize,
}

/// Reading takes this much at a time. tungstenite allocates it for every connection, idle ones too; its own default is 128 KiB.
const READ_BYTES: usize = 4096;

impl SocketBounds {
    /// As tungstenite takes them.
    pub fn config(self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(self.gather_bytes)
            .max_write_buffer_size(self.unsent_bytes.max(self.gather_bytes + 1))
            .max_message_size(Some(self.message_bytes))
            .max_frame_size(Some(self.message_bytes.max(125)))
    }

    /// Opens a socket over a stream whose handshake is done; `leftover` came behind the request.
    pub async fn open(self, stream: TcpStream, leftover: Bytes) -> Socket {
        let watched = Watched::new(stream, leftover, self.message_bytes);
        WebSocketStream::from_raw_socket(watched, Role::Server, Some(self.config())).await
    }
}

/// How to tell a client what it did wrong; `None` where the connection is gone or already closed.
///
/// `too_large` is the code for a message over its limit: 1009 by the standard (RFC 6455 §7.4.1), 4505 on the hub.
pub fn close_for(error: &Error, too_large: u16) -> Option<CloseFrame> {
    let violation = match error {
        Error::Protocol(error) if is_gone(error) => return None,
        Error::Protocol(_) => Violation::Protocol("protocol error"),
        Error::Utf8(_) => Violation::Utf8,
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Violation::TooLarge,
        Error::Io(error) => *error.get_ref()?.downcast_ref::<watch::Violation>()?,
        _ => return None,
    };
    let code = match violation {
        Violation::Protocol(_) => CloseCode::Protocol,
        Violation::Utf8 => CloseCode::Invalid,
        Violation::TooLarge => CloseCode::from(too_large),
    };
    Some(CloseFrame { code, reason: Utf8Bytes::from(violation.to_string()) })
}

/// Ends a socket: says why, if there is something to say, then lets the other side finish, `patience` long at most.
///
/// The server closes TCP first (RFC 6455 §7.1.1), and lingers so that its close frame is not lost.
pub async fn finish(mut socket: Socket, why: Option<CloseFrame>, patience: Duration) {
    if why.is_some() {
        // A failure here means that the close handshake is done already or nobody is there.
        let _ = tokio::time::timeout(patience, socket.close(why)).await;
    }
    linger(socket.get_mut().stream_mut(), patience).await;
}

fn is_gone(error: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError::{
        ResetWithoutClosingHandshake, SendAfterClosing,
    };
    matches!(error, ResetWithoutClosingHandshake | SendAfterClosing)
}
