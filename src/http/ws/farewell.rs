//! How a connection ends, so that the peer learns why.
//!
//! A close frame behind unread input would be lost: the kernel answers input to a closed socket with a reset, which
//! discards what was on its way. So the frame is sent, and input is read and thrown away for a bounded while.

use super::{super::websocket::close_for, gather::Gather};
use communiconnect_protocol::CloseCode;
use futures_util::{SinkExt, StreamExt};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::Utf8Bytes},
    },
};

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// There is nobody to say goodbye to any more, or it has been said.
    Gone,
    /// Closed by us.
    Close(CloseCode),
    /// The peer broke the protocol: what follows cannot be read as frames.
    Broken(CloseFrame),
}

impl Ending {
    /// What an error of the socket means.
    pub(super) fn of(error: &Error) -> Self {
        close_for(error, CloseCode::MessageTooLarge.number()).map_or(Self::Gone, Self::Broken)
    }
}

/// How long a close frame may take to be written.
const SAY: Duration = Duration::from_secs(1);
/// How long the peer's answer, or the end of its input, is awaited.
const LINGER: Duration = Duration::from_secs(2);
/// Input thrown away at most while lingering.
const DISCARD: usize = 64 << 20;

/// A socket that is about to be closed.
pub(super) struct Farewell<S> {
    socket: WebSocketStream<Gather<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Farewell<S> {
    pub(super) fn new(socket: WebSocketStream<Gather<S>>) -> Self {
        Self { socket }
    }

    /// `words` in place of the code's own reason, where there are some.
    pub(super) async fn say(mut self, ending: Ending, words: Option<Arc<str>>) {
        match ending {
            Ending::Gone => {}
            Ending::Close(code) => {
                let reason = match &words {
                    Some(words) => Utf8Bytes::from(&**words),
                    None => Utf8Bytes::from_static(code.reason()),
                };
                if self.send(CloseFrame { code: code.number().into(), reason }).await {
                    let answered = async { while let Some(Ok(_)) = self.socket.next().await {} };
                    let _ = timeout(LINGER, answered).await;
                }
            }
            Ending::Broken(frame) => {
                if self.send(frame).await {
                    let _ = timeout(LINGER, self.discard()).await;
                }
            }
        }
    }

    async fn send(&mut self, frame: CloseFrame) -> bool {
        matches!(timeout(SAY, self.socket.send(Message::Close(Some(frame)))).await, Ok(Ok(())))
    }

    async fn discard(&mut self) {
        let stream = self.socket.get_mut();
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut scratch = vec![0; 16 << 10];
        let mut left = DISCARD;
        while let Ok(count) = stream.read(&mut scratch).await {
            left = left.saturating_sub(count);
            if count == 0 || left == 0 {
                return;
            }
        }
    }
}
