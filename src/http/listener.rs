//! The accept loop: every connection of the product, and of the echo example, comes in here.
//!
//! Owns time-outs, bounds and the end of connections. Does not know what is served.

use super::{
    Problem, Proxies, linger,
    link::{Counted, Link},
    slots::{Full, Slot, Slots},
};
use crate::{config::Config, metrics, tasks::Tasks};
use axum::{Router, body::Body, http::StatusCode};
use bytes::Bytes;
use communiconnect_protocol::Code;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    fmt,
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
};
use tower::ServiceExt;

/// What one listener allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Time for the first byte of a new connection.
    pub first_byte: Duration,
    /// Time for a whole request head, and between requests.
    pub head: Duration,
    /// Bytes of a request head.
    pub head_bytes: usize,
    /// Connections at once.
    pub connections: usize,
    /// Connections of one address at once; 0 is off.
    pub connections_per_address: usize,
}

impl Bounds {
    /// Those of the settings.
    pub fn of(config: &Config) -> Self {
        Self {
            first_byte: Duration::from_millis(config.http.first_byte_timeout_ms),
            head: Duration::from_millis(config.http.header_timeout_ms),
            head_bytes: config.http.head_bytes,
            connections: config.http.connections,
            connections_per_address: config.limits.connections_per_address,
        }
    }
}

/// An open listener that accepts nobody yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    bounds: Bounds,
    proxies: Arc<Proxies>,
}

/// Connections that the kernel holds until they are accepted: a whole node's clients come back at once after a restart.
const BACKLOG: u32 = 4096;
/// Time that sent bytes may stay unacknowledged, or a full peer may accept none, before the kernel ends a connection
/// (RFC 5482). Above `ws.write_timeout_ms`, whose close code is the better answer.
pub(super) const UNACKNOWLEDGED: Duration = Duration::from_secs(60);
/// Refusals written at once; beyond it connections are closed without a word.
const REFUSALS: usize = 128;
/// Time for the other side to close after our last word.
const PARTING: Duration = Duration::from_secs(1);
/// Pause after the process ran out of descriptors or memory: trying at once would only burn the processor.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    /// Opens an address; port 0 takes a free one.
    ///
    /// # Errors
    /// Those of the system: the address is taken, forbidden or none of this machine's.
    pub fn bind(address: SocketAddr, bounds: Bounds) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self { socket: socket.listen(BACKLOG)?, bounds, proxies: Arc::new(Proxies::none()) })
    }

    /// Lets these proxies say for whom they ask.
    #[must_use]
    pub fn behind(self, proxies: Proxies) -> Self {
        Self { proxies: Arc::new(proxies), ..self }
    }

    /// The address with the port that was taken.
    ///
    /// # Errors
    /// Those of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until the process stops. Requests that run then are finished.
    pub async fn run(self, routes: Router, tasks: Tasks) {
        let slots = Slots::new(self.bounds.connections, self.bounds.connections_per_address);
        let refusals = Arc::new(Semaphore::new(REFUSALS));
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = tasks.stopping() => return,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections; raise the open-file limit or lower http.connections");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                    continue;
                }
            };
            metrics::CONNECTIONS_ACCEPTED.add(1);
            // A proxy's connections are many people's: those are counted where they become sockets.
            let taken = match self.proxies.trusts(address.ip()) {
                true => slots.take_unnamed(),
                false => slots.take(address.ip()),
            };
            match taken {
                Ok(slot) => {
                    let proxies = self.proxies.clone();
                    let connection = Connection { stream, address, slot, bounds: self.bounds, proxies };
                    tasks.spawn(connection.serve(routes.clone(), tasks.clone()));
                }
                Err(full) => {
                    metrics::CONNECTIONS_REFUSED.add(1);
                    if let Ok(permit) = refusals.clone().try_acquire_owned() {
                        tasks.spawn(async move {
                            let _permit = permit;
                            say(stream, &refusal(full)).await;
                        });
                    }
                }
            }
        }
    }
}

/// Who is at the other end; found in the extensions of every request.
#[derive(Clone)]
pub struct Peer {
    /// Their address: a client's, or a proxy's.
    pub address: SocketAddr,
    /// Whose request it is, as far as [`Proxies`] are trusted: what is counted by address is counted for this one.
    pub client: IpAddr,
    /// Whether the other end is a trusted proxy: the listener has not counted its connection by address.
    pub(super) is_proxy: bool,
    link: Arc<Link>,
}

impl Peer {
    /// Has the connection handed over once the answer, which must be 101, is written: the socket, free of all buffers of
    /// HTTP, and the bytes that came behind the request. The last call counts.
    pub fn take_over<F, T>(&self, then: F)
    where
        F: FnOnce(TcpStream, Bytes) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        self.link.take_over(Box::new(|stream, rest| Box::pin(then(stream, rest))));
    }

    /// The connection, for answers that go on for long.
    pub(super) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({})", self.address)
    }
}

struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    slot: Slot,
    bounds: Bounds,
    proxies: Arc<Proxies>,
}

impl Connection {
    async fn serve(self, routes: Router, tasks: Tasks) {
        let Self { stream, address, slot, bounds, proxies } = self;
        let open = metrics::CONNECTIONS_OPEN.hold();
        if stream.set_nodelay(true).is_err() {
            return; // Already gone.
        }
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED.as_millis() as u32);
        let first_byte = tokio::time::timeout(bounds.first_byte, stream.readable());
        tokio::select! {
            first_byte = first_byte => if !matches!(first_byte, Ok(Ok(()))) { return },
            () = tasks.stopping() => return,
        }
        let (client, is_proxy) = (address.ip().to_canonical(), proxies.trusts(address.ip()));
        let peer = Peer { address, client, is_proxy, link: Arc::default() };
        let service = Service { peer: &peer, proxies: &proxies, routes: &routes };
        let (mut stream, rest) = speak_http(stream, bounds, service, &tasks).await;
        let takeover = peer.link.takeover();
        match takeover {
            // A task of its own: this one is as large as hyper's connection, which is done.
            Some(takeover) => tasks.spawn(async move {
                let _held = (slot, open);
                takeover(stream, rest).await;
            }),
            None => linger(&mut stream, PARTING).await,
        }
    }
}

/// What the requests of one connection are answered by.
struct Service<'a> {
    peer: &'a Peer,
    proxies: &'a Proxies,
    routes: &'a Router,
}

/// Runs requests until the connection ends or is handed over; gives the socket back with what was read too much.
async fn speak_http(
    stream: TcpStream,
    bounds: Bounds,
    Service { peer, proxies, routes }: Service<'_>,
    tasks: &Tasks,
) -> (TcpStream, Bytes) {
    let service = service_fn(|mut request: Request<Incoming>| {
        let client = proxies.client(peer.address.ip(), request.headers());
        request.extensions_mut().insert(Peer { client, ..peer.clone() });
        routes.clone().oneshot(request.map(Body::new))
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        // Heads between this and `head_bytes` are refused by the gate, which can say why.
        .max_buf_size(bounds.head_bytes * 4)
        .serve_connection(TokioIo::new(Counted::new(stream, peer.link())), service);
    let mut stopping = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => break ended,
            () = tasks.stopping(), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            () = peer.link.cut_off() => break Ok(()),
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().into_stream();
    if ended.is_err_and(|error| error.is_timeout()) && !parts.read_buf.is_empty() {
        let message = "the request head did not arrive in time";
        let late = Problem::new(StatusCode::REQUEST_TIMEOUT, Code::BadRequest, message);
        let _ = tokio::time::timeout(PARTING, stream.write_all(&raw(&late))).await;
    }
    // Copied, however little it is: a slice, even an empty one, would keep hyper's whole buffer for the socket's life.
    (stream, Bytes::copy_from_slice(&parts.read_buf))
}

/// Answers a connection without reading from it, and closes it.
async fn say(mut stream: TcpStream, problem: &Problem) {
    if let Ok(Ok(())) = tokio::time::timeout(PARTING, stream.write_all(&raw(problem))).await {
        linger(&mut stream, PARTING).await;
    }
}

pub(super) fn refusal(full: Full) -> Problem {
    let message = match full {
        Full::All => "the server has as many connections as it takes; come back later",
        Full::Address => "too many connections from this address; close some first",
    };
    let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message);
    problem.error.retry_after_ms = Some(2_000);
    problem
}

/// A whole response for connections that hyper does not serve.
fn raw(problem: &Problem) -> Vec<u8> {
    let body = problem.json();
    let retry = problem.error.retry_after_ms.map(|ms| format!("retry-after: {}\r\n", ms.div_ceil(1000)));
    let mut bytes = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n{}connection: close\r\n\r\n",
        problem.status.as_u16(),
        problem.status.canonical_reason().unwrap_or_default(),
        body.len(),
        retry.unwrap_or_default(),
    )
    .into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::AsyncReadExt;

    const BOUNDS: Bounds = Bounds {
        first_byte: Duration::from_millis(200),
        head: Duration::from_millis(200),
        head_bytes: 8_192,
        connections: 2,
        connections_per_address: 0,
    };

    async fn listening(bounds: Bounds) -> (SocketAddr, Tasks) {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), bounds).expect("a free port");
        let (address, tasks) = (listener.address().expect("bound"), Tasks::default());
        let routes = Router::new().route("/", get(|| async { "hello" }));
        tasks.spawn(listener.run(routes, tasks.clone()));
        (address, tasks)
    }

    /// Everything that comes until the server ends the connection, which it must do in order.
    async fn rest(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("ended without a reset");
        text
    }

    async fn asked(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("listening");
        stream.write_all(request.as_bytes()).await.expect("sent");
        rest(&mut stream).await
    }

    #[tokio::test]
    async fn a_connection_too_many_is_told_so_and_one_that_ends_makes_room() {
        let patient = Bounds { first_byte: Duration::from_secs(60), ..BOUNDS };
        let (address, _tasks) = listening(patient).await;
        let first = TcpStream::connect(address).await.expect("listening");
        let _second = TcpStream::connect(address).await.expect("listening");
        let answer = asked(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 503 ") && answer.contains("application/problem+json"),
            "{answer}"
        );
        assert!(answer.contains("retry-after: 2") && answer.contains("\"unavailable\""), "{answer}");
        drop(first);
        loop {
            let answer = asked(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
            if answer.starts_with("HTTP/1.1 200 ") {
                break;
            }
        }
    }

    #[tokio::test]
    async fn one_address_has_its_share() {
        let bounds = Bounds { connections: 100, connections_per_address: 1, ..BOUNDS };
        let (address, _tasks) = listening(Bounds { first_byte: Duration::from_secs(60), ..bounds }).await;
        let _first = TcpStream::connect(address).await.expect("listening");
        let answer = asked(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("this address"), "{answer}");
    }

    #[tokio::test]
    async fn who_says_nothing_or_stops_half_way_is_let_go() {
        let (address, _tasks) = listening(BOUNDS).await;
        assert_eq!(asked(address, "").await, "");
        let answer = asked(address, "GET / HTTP/1.1\r\nhos").await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("did not arrive in time"), "{answer}");
        let answer = asked(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.ends_with("hello"), "a kept connection ends without a word: {answer}");
    }

    #[tokio::test]
    async fn what_is_no_http_is_refused_and_the_refusal_arrives() {
        let (address, _tasks) = listening(BOUNDS).await;
        assert!(asked(address, "\x16\x03\x01 tls?\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
        // More than is ever read: the answer must not be destroyed by a reset.
        let endless = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(300_000));
        assert!(asked(address, &endless).await.starts_with("HTTP/1.1 431 "));
    }

    #[tokio::test]
    async fn a_stop_lets_requests_finish_and_takes_no_more() {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), BOUNDS).expect("a free port");
        let (address, tasks) = (listener.address().expect("bound"), Tasks::default());
        let begun = Arc::new(tokio::sync::Notify::new());
        let (tell, stop) = (begun.clone(), tasks.clone());
        let slow = get(move || async move {
            tell.notify_one();
            stop.stopping().await;
            "done"
        });
        tasks.spawn(listener.run(Router::new().route("/slow", slow), tasks.clone()));
        let mut idle = TcpStream::connect(address).await.expect("listening");
        let mut busy = TcpStream::connect(address).await.expect("listening");
        busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
        begun.notified().await;
        assert_eq!(tasks.stop(Duration::from_secs(5)).await, 0);
        assert!(rest(&mut busy).await.ends_with("done"));
        assert_eq!(rest(&mut idle).await, "");
        assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
    }
}
