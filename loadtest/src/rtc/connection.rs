//! One connected peer: a socket, and plain packets on this side of it.

use super::{
    dtls::{Dtls, Progress, fingerprint_of},
    sdp::{Answer, Credentials, Offer},
    srtp::Srtp,
    stun::{self, Binding},
};
use nix::{
    cmsg_space,
    sys::{
        socket::{
            ControlMessageOwned, MsgFlags, recvmsg, setsockopt,
            sockopt::{ReceiveTimestampns, UdpGroSegment},
        },
        time::TimeSpec,
    },
};
use rtc_crypto::RTCCryptoProvider;
use rtc_dtls::crypto::Certificate;
use std::{
    cell::RefCell,
    io::{self, IoSliceMut},
    net::SocketAddr,
    os::fd::AsRawFd,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::{io::Interest, net::UdpSocket, time::timeout};

/// Longest datagram that is read: an Ethernet packet, with room to notice one that is longer.
const DATAGRAM: usize = 2_048;

/// Longest run of datagrams that the kernel hands over at once.
const RUN: usize = 64 << 10;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often a check or a flight is repeated while connecting.
const REPEAT: Duration = Duration::from_millis(100);

/// How often consent is refreshed (RFC 7675 §5.1 says 5 s).
const CONSENT: Duration = Duration::from_secs(4);

/// Why a peer cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RtcError {
    /// A line is missing in the answer, or cannot be read.
    #[error("the answer has no usable {0}")]
    Answer(&'static str),
    /// DTLS, SRTP or STUN refused.
    #[error("{0}")]
    Library(#[from] rtc_shared::error::Error),
    /// The handshake ended without keys for media.
    #[error("the handshake agreed on no keys for media")]
    NoKeys,
    /// Nothing came in time.
    #[error("no {0} within {PATIENCE:?}")]
    Timeout(&'static str),
    /// The server said goodbye.
    #[error("the server closed the connection")]
    Closed,
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Socket(#[from] io::Error),
}

/// A certificate that many peers may share: making one for each would measure the client.
#[derive(Clone)]
pub struct Identity {
    certificate: Certificate,
    fingerprint: String,
    crypto: Arc<dyn RTCCryptoProvider>,
}

impl Identity {
    /// A fresh one.
    ///
    /// # Errors
    /// Where the library has no cryptography or randomness.
    pub fn generate() -> anyhow::Result<Self> {
        let crypto = rtc_crypto::default_provider()?;
        let certificate = Certificate::generate_self_signed(vec!["load".to_owned()], crypto.crypto())?;
        let fingerprint = fingerprint_of(&certificate.certificate[0]);
        Ok(Self { certificate, fingerprint, crypto })
    }

    /// As an offer has it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// A plain packet that came.
#[derive(Debug)]
pub enum Received {
    /// Media, and when the kernel had it: how long this client then took to read it is no fault of the server.
    Rtp(bytes::BytesMut, SystemTime),
    /// Control.
    Rtcp(bytes::BytesMut),
}

/// A connectivity check, as it is sent.
#[derive(Clone, Debug)]
pub struct Check(Vec<u8>);

/// A peer whose keys are agreed.
pub struct Connection {
    socket: Arc<UdpSocket>,
    dtls: Dtls,
    srtp: Box<Srtp>,
    binding: Vec<u8>,
    own_password: String,
    crypto: Arc<dyn RTCCryptoProvider>,
    checked: Instant,
    run: Run,
    /// Datagrams that could not be opened.
    pub broken: u64,
}

impl Connection {
    /// Connects to the address in the answer.
    pub async fn open(identity: &Identity, offer: &Offer, answer: &Answer) -> Result<Self, RtcError> {
        let any: SocketAddr = match answer.candidate {
            SocketAddr::V4(_) => ([127, 0, 0, 1], 0).into(),
            SocketAddr::V6(_) => ([0, 0, 0, 0, 0, 0, 0, 1], 0).into(),
        };
        let socket = Arc::new(UdpSocket::bind(any).await?);
        setsockopt(&socket, ReceiveTimestampns, &true).map_err(io::Error::from)?;
        socket.connect(answer.candidate).await?;
        let binding = Binding {
            username: format!("{}:{}", answer.credentials.ufrag, offer.own.ufrag),
            password: &answer.credentials.password,
            tie_breaker: rand::random(),
        };
        let binding = binding.encode(&*identity.crypto)?;
        let mut buffer = [0; DATAGRAM];
        let until = Instant::now() + PATIENCE;
        reach(&socket, &binding, &mut buffer, until).await?;
        let config =
            Dtls::config(identity.certificate.clone(), answer.fingerprint.clone(), identity.crypto.clone())?;
        let mut dtls = Dtls::connect(answer.candidate, config, identity.crypto.clone())?;
        let srtp = shake_hands(&socket, &mut dtls, &mut buffer, until).await?;
        // On a network the sender's card cuts a run; here the sender's own processor would, and work for this side.
        setsockopt(&socket, UdpGroSegment, &true).map_err(io::Error::from)?;
        Ok(Self {
            socket,
            dtls,
            srtp,
            binding,
            own_password: offer.own.password.clone(),
            crypto: identity.crypto.clone(),
            checked: Instant::now(),
            run: Run::default(),
            broken: 0,
        })
    }

    /// Goes on under new ICE credentials and from another port, as a client that has moved does (RFC 8445 §9). The keys of
    /// media stay.
    pub async fn restart(&mut self, own: Credentials, new: &Credentials) -> Result<(), RtcError> {
        let remote = self.socket.peer_addr()?;
        let socket = UdpSocket::bind(SocketAddr::new(self.socket.local_addr()?.ip(), 0)).await?;
        socket.connect(remote).await?;
        let binding = Binding {
            username: format!("{}:{}", new.ufrag, own.ufrag),
            password: &new.password,
            tie_breaker: rand::random(),
        };
        let binding = binding.encode(&*self.crypto)?;
        reach(&socket, &binding, &mut [0; DATAGRAM], Instant::now() + PATIENCE).await?;
        setsockopt(&socket, UdpGroSegment, &true).map_err(io::Error::from)?;
        (self.socket, self.binding, self.checked) = (Arc::new(socket), binding, Instant::now());
        self.own_password = own.password;
        Ok(())
    }

    /// The connectivity check that it refreshes its consent with.
    pub fn check(&self) -> Check {
        Check(self.binding.clone())
    }

    /// Whether the server agrees to a check, asked from a port of its own and given up after half a second.
    pub fn agrees_to(&self, check: Check) -> impl Future<Output = Result<bool, RtcError>> + Send + use<> {
        let near = Arc::clone(&self.socket);
        async move {
            let socket = UdpSocket::bind(SocketAddr::new(near.local_addr()?.ip(), 0)).await?;
            socket.connect(near.peer_addr()?).await?;
            let mut buffer = [0; DATAGRAM];
            match reach(&socket, &check.0, &mut buffer, Instant::now() + REPEAT * 5).await {
                Ok(()) => Ok(true),
                Err(RtcError::Timeout(_)) => Ok(false),
                Err(error) => Err(error),
            }
        }
    }

    /// Sends a plain RTP packet. A full socket buffer loses it, as a network would.
    pub fn send_rtp(&mut self, packet: &[u8]) -> Result<(), RtcError> {
        let sealed = self.srtp.seal_rtp(packet)?;
        lossy(self.socket.try_send(&sealed))
    }

    /// Sends a plain RTCP packet.
    pub fn send_rtcp(&mut self, packet: &[u8]) -> Result<(), RtcError> {
        let sealed = self.srtp.seal_rtcp(packet)?;
        lossy(self.socket.try_send(&sealed))
    }

    /// Waits for something to read.
    pub fn readable(&self) -> impl Future<Output = Result<(), RtcError>> + Send + use<> {
        // The library's ciphers are not `Sync`: a future that borrowed this peer could not move between threads.
        let socket = Arc::clone(&self.socket);
        async move { Ok(socket.readable().await?) }
    }

    /// The next packet that is there already; none where the socket is empty.
    pub fn receive(&mut self) -> Result<Option<Received>, RtcError> {
        self.consent()?;
        loop {
            if self.run.is_empty() {
                match self.socket.try_io(Interest::READABLE, || self.run.read(&self.socket)) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
            }
            let (datagram, arrived) = self.run.next();
            // RFC 7983: which protocol a datagram is of is told by its first byte; RFC 5761: 192-223 is control.
            match (datagram.first(), datagram.get(1)) {
                (Some(128..=191), Some(192..=223)) => match self.srtp.open_rtcp(datagram) {
                    Ok(packet) => return Ok(Some(Received::Rtcp(packet))),
                    Err(_) => self.broken += 1,
                },
                (Some(128..=191), _) => match self.srtp.open_rtp(datagram) {
                    Ok(packet) => return Ok(Some(Received::Rtp(packet, arrived))),
                    Err(_) => self.broken += 1,
                },
                (Some(20..=63), _) => {
                    if let Progress::Closed = self.dtls.receive(datagram)? {
                        return Err(RtcError::Closed);
                    }
                    while let Some(flight) = self.dtls.transmit() {
                        lossy(self.socket.try_send(&flight))?;
                    }
                }
                (Some(0..=3), _) => {
                    let server = self.socket.peer_addr()?;
                    let agreed = stun::agreement(datagram, server, &self.own_password, &*self.crypto)?;
                    if let Some(agreed) = agreed {
                        lossy(self.socket.try_send(&agreed))?;
                    }
                }
                _ => {}
            }
        }
    }

    /// Says goodbye.
    pub fn close(mut self) {
        self.dtls.close();
        while let Some(flight) = self.dtls.transmit() {
            let _ = self.socket.try_send(&flight);
        }
    }

    fn consent(&mut self) -> Result<(), RtcError> {
        if self.checked.elapsed() < CONSENT {
            return Ok(());
        }
        self.checked = Instant::now();
        lossy(self.socket.try_send(&self.binding))
    }
}

/// Datagrams of one size that the kernel handed over together, the last perhaps shorter.
struct Run {
    bytes: Vec<u8>,
    taken: usize,
    size: usize,
    arrived: SystemTime,
}

impl Default for Run {
    fn default() -> Self {
        Self { bytes: Vec::new(), taken: 0, size: 0, arrived: SystemTime::UNIX_EPOCH }
    }
}

thread_local! {
    /// Where runs are read to: peers keep what came, not room for the longest.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; RUN].into());
}

impl Run {
    fn is_empty(&self) -> bool {
        self.taken >= self.bytes.len()
    }

    /// Reads what is there, and when the kernel had it.
    fn read(&mut self, socket: &UdpSocket) -> io::Result<()> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut control = cmsg_space!(TimeSpec, i32);
            let mut parts = [IoSliceMut::new(buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
            let length = message.bytes;
            (self.taken, self.size, self.arrived) = (0, length.max(1), SystemTime::now());
            for part in message.cmsgs()? {
                match part {
                    ControlMessageOwned::ScmTimestampns(at) => {
                        self.arrived = SystemTime::UNIX_EPOCH + Duration::from(at);
                    }
                    ControlMessageOwned::UdpGroSegments(size) => {
                        self.size = usize::try_from(size).unwrap_or(length).max(1);
                    }
                    _ => {}
                }
            }
            self.bytes.clear();
            self.bytes.extend_from_slice(&buffer[..length]);
            Ok(())
        })
    }

    /// The next datagram and when it came; an empty one where none is left.
    fn next(&mut self) -> (&[u8], SystemTime) {
        let from = self.taken.min(self.bytes.len());
        let to = (from + self.size).min(self.bytes.len());
        self.taken = to;
        (&self.bytes[from..to], self.arrived)
    }
}

async fn reach(
    socket: &UdpSocket,
    binding: &[u8],
    buffer: &mut [u8],
    until: Instant,
) -> Result<(), RtcError> {
    while Instant::now() < until {
        socket.send(binding).await?;
        if let Ok(length) = timeout(REPEAT, socket.recv(buffer)).await
            && stun::is_success(&buffer[..length?])
        {
            return Ok(());
        }
    }
    Err(RtcError::Timeout("answer to a connectivity check"))
}

async fn shake_hands(
    socket: &UdpSocket,
    dtls: &mut Dtls,
    buffer: &mut [u8],
    until: Instant,
) -> Result<Box<Srtp>, RtcError> {
    while Instant::now() < until {
        while let Some(flight) = dtls.transmit() {
            socket.send(&flight).await?;
        }
        let Ok(length) = timeout(REPEAT, socket.recv(buffer)).await else {
            dtls.tick()?;
            continue;
        };
        let datagram = &buffer[..length?];
        if !matches!(datagram.first(), Some(20..=63)) {
            continue;
        }
        match dtls.receive(datagram)? {
            Progress::Done(srtp) => {
                while let Some(flight) = dtls.transmit() {
                    socket.send(&flight).await?;
                }
                return Ok(srtp);
            }
            Progress::Closed => return Err(RtcError::Closed),
            Progress::Waiting => {}
        }
    }
    Err(RtcError::Timeout("DTLS handshake"))
}

fn lossy(sent: io::Result<usize>) -> Result<(), RtcError> {
    match sent {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
        _ => Ok(()),
    }
}
