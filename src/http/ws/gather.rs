//! The writing side of a socket: frames are gathered in one buffer and leave in one write.
//!
//! Messages of the hub go past tungstenite's sink: a server's frames are unmasked, so all that is to be written beside the
//! shared payload is a header of a few bytes. Tungstenite still writes control frames; they pass through the same buffer
//! whole, so frames never mix.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with a buffer of frames before it.
pub(super) struct Gather<S> {
    stream: S,
    /// Whole frames; the first `sent` bytes have left.
    waiting: Vec<u8>,
    sent: usize,
    written: u64,
}

/// Room that is kept while nothing waits: enough for short replies and pings, little for ten thousand idle sockets.
const KEPT_BYTES: usize = 512;
/// Bytes beyond which control frames wait outside: a peer who pings and never reads must not fill the buffer with pongs.
const CONTROL_LIMIT: usize = 64 << 10;

impl<S> Gather<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, waiting: Vec::new(), sent: 0, written: 0 }
    }

    /// Bytes that the stream has taken so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Whether everything has left.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Makes room for about so many bytes at once.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.waiting.reserve(bytes);
    }

    /// Adds one unfragmented data frame (RFC 6455 §5.2); `opcode` is 1 for text and 2 for binary.
    pub(super) fn add(&mut self, opcode: u8, payload: &[u8]) {
        const FIN: u8 = 0x80;
        let length = payload.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..126), _) => self.waiting.extend_from_slice(&[FIN | opcode, short]),
            (_, Ok(medium)) => {
                let [high, low] = medium.to_be_bytes();
                self.waiting.extend_from_slice(&[FIN | opcode, 126, high, low]);
            }
            _ => {
                self.waiting.extend_from_slice(&[FIN | opcode, 127]);
                self.waiting.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.waiting.extend_from_slice(payload);
    }
}

impl<S: AsyncWrite + Unpin> Gather<S> {
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.waiting.len() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, &self.waiting[self.sent..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
            self.written += count as u64;
        }
        self.sent = 0;
        self.waiting.clear();
        self.waiting.shrink_to(KEPT_BYTES);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    /// Takes all or nothing, so that a frame is never torn by another.
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waiting.len() > CONTROL_LIMIT {
            ready!(self.poll_drain(context))?;
        }
        self.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use tokio::io::AsyncWriteExt;
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{Message, protocol::Role},
    };

    #[tokio::test]
    async fn frames_of_every_length_read_back() {
        let (near, far) = tokio::io::duplex(1 << 20);
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000];
        let mut gather = Gather::new(near);
        lengths.iter().for_each(|length| gather.add(2, &vec![7; *length]));
        gather.flush().await.expect("room");
        let expected: usize = lengths.iter().map(|length| length + header(*length)).sum();
        assert_eq!(gather.written(), expected as u64);
        let mut client = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        for length in lengths {
            let message = client.next().await.expect("a message").expect("a frame");
            assert_eq!(message, Message::binary(vec![7; length]));
        }
    }

    fn header(length: usize) -> usize {
        match length {
            ..126 => 2,
            126..65_536 => 4,
            _ => 10,
        }
    }

    #[tokio::test]
    async fn control_frames_wait_outside_when_too_much_waits() {
        let (near, _far) = tokio::io::duplex(10);
        let mut gather = Gather::new(near);
        gather.add(1, &vec![b'x'; CONTROL_LIMIT]);
        let written = futures_util::poll!(std::pin::pin!(gather.write(b"pong")));
        assert!(written.is_pending());
        assert_eq!(gather.waiting.len(), 10 + CONTROL_LIMIT, "nothing was added");
    }
}
