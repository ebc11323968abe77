//! A TCP stream whose incoming bytes are watched.

use super::watch::{FrameWatch, Violation};
use bytes::{Buf, Bytes};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Gives first what was read together with the handshake, then the stream. A [`Violation`] comes as the error of one read,
/// after all frames before the offending one have been given; whoever reads on after it reads to throw away.
#[derive(Debug)]
pub struct Watched {
    stream: TcpStream,
    leftover: Bytes,
    watch: FrameWatch,
    violation: Option<Violation>,
    is_told: bool,
}

impl Watched {
    /// `most` bytes a message.
    pub(super) fn new(stream: TcpStream, leftover: Bytes, most: usize) -> Self {
        Self { stream, leftover, watch: FrameWatch::new(most), violation: None, is_told: false }
    }

    /// The stream itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The stream itself, to end it.
    pub fn stream_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(violation) = self.violation.filter(|_| !self.is_told) {
            self.is_told = true;
            return Poll::Ready(Err(io::Error::other(violation)));
        }
        let before = into.filled().len();
        if self.leftover.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        } else {
            let count = self.leftover.len().min(into.remaining());
            into.put_slice(&self.leftover[..count]);
            self.leftover.advance(count);
        }
        if !self.is_told
            && let Err((good, violation)) = self.watch.feed(&into.filled()[before..])
        {
            self.violation = Some(violation);
            into.set_filled(before + good);
            if good == 0 {
                self.is_told = true;
                return Poll::Ready(Err(io::Error::other(violation)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
