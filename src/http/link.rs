//! The connection beneath an answer, as far as a handler may know and touch it.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
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
    /// Milliseconds of patience that the socket has not been told yet; 0 is none.
    patience: AtomicU32,
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

    /// From the next write on the system ends the connection once the peer has acknowledged nothing, or taken nothing, for so
    /// long (RFC 5482), up to 49 days. For answers that go on for long to peers that say nothing: they may be gone.
    pub(super) fn be_patient_for(&self, patience: Duration) {
        self.patience.store(u32::try_from(patience.as_millis()).unwrap_or(u32::MAX), Ordering::Relaxed);
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
        self.tell_patience();
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.tell_patience();
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

    fn tell_patience(&self) {
        if self.link.patience.load(Ordering::Relaxed) != 0 {
            let ms = self.link.patience.swap(0, Ordering::Relaxed);
            // One that cannot be told keeps the patience of every connection.
            let _ = rustix::net::sockopt::set_tcp_user_timeout(&self.stream, ms);
        }
    }

    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &written {
            self.link.written.fetch_add(*count as u64, Ordering::Relaxed);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::sockopt::tcp_user_timeout;
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    #[tokio::test]
    async fn the_system_is_told_how_long_to_wait_for_the_peer_of_an_answer_that_goes_on() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let _peer = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("listening");
        let (stream, _) = listener.accept().await.expect("a peer");
        let link = Arc::new(Link::default());
        let mut counted = Counted::new(stream, Arc::clone(&link));
        counted.write_all(b"before").await.expect("written");
        assert_eq!(tcp_user_timeout(&counted.stream), Ok(0), "the system's own");
        link.be_patient_for(Duration::from_secs(20));
        counted.write_all(b"and after").await.expect("written");
        assert_eq!(tcp_user_timeout(&counted.stream), Ok(20_000));
        assert_eq!(link.written(), 15);
    }
}
