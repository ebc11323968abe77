//! The connection beneath an answer, as far as a handler may know and touch it.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};

/// What goes on with a connection after its last answer: the socket, and the bytes that came behind the request.
pub(super) type Takeover = Box<dyn FnOnce(TcpStream, Bytes) -> BoxFuture<'static, ()> + Send>;

/// What an answer can know and do about the connection that carries it.
#[derive(Default)]
pub(super) struct Link {
    takeover: Mutex<Option<Takeover>>,
    written: AtomicU64,
    cut: Notify,
}

impl Link {
    /// Bytes that the system has taken so far: whether a peer reads at all.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Ends the connection, whatever waits to be written.
    pub(super) fn cut(&self) {
        self.cut.notify_one();
    }

    /// Resolves once the connection is to end.
    pub(super) async fn cut_off(&self) {
        self.cut.notified().await;
    }

    /// Has the connection handed over behind its answer; the last call counts.
    pub(super) fn take_over(&self, takeover: Takeover) {
        *self.takeover.lock() = Some(takeover);
    }

    /// Who takes the connection over, if anybody does.
    pub(super) fn takeover(&self) -> Option<Takeover> {
        self.takeover.lock().take()
    }
}

/// A stream that counts what it takes.
pub(super) struct Counted {
    stream: TcpStream,
    link: Arc<Link>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Counted {
    pub(super) fn new(stream: TcpStream, link: Arc<Link>) -> Self {
        Self { stream, link }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &written {
            self.link.written.fetch_add(*count as u64, Ordering::Relaxed);
        }
        written
    }
}
