//! One client of the test: a peer connection of the crate `webrtc` on a socket of its own.

use super::{
    media::{OPUS, VP8},
    verdict::{Fault, Role},
};
use async_trait::async_trait;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use webrtc::{
    error::Error,
    media_stream::track_remote::TrackRemote,
    peer_connection::{
        MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
        RTCIceConnectionState, RTCPeerConnectionState, RTCSessionDescription,
    },
};
use webrtc_core::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};

/// The two kinds of media, each once.
pub(super) const KINDS: [RtpCodecKind; 2] = [RtpCodecKind::Audio, RtpCodecKind::Video];

/// How far a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Begun,
    /// The plane's address answered a check.
    Reached,
    /// Keys are agreed.
    Connected,
}

/// A peer connection and what became of it. [Close](Client::close) it: one that is dropped goes on by itself.
pub(super) struct Client {
    role: Role,
    /// Where the plane is.
    address: SocketAddr,
    connection: Box<dyn PeerConnection>,
    progress: watch::Receiver<Progress>,
    arrived: mpsc::Receiver<Arc<dyn TrackRemote>>,
}

impl Client {
    /// One beside the plane's address, with no media yet.
    pub(super) async fn open(role: Role, address: SocketAddr) -> Result<Self, Fault> {
        let (told, progress) = watch::channel(Progress::Begun);
        let (arriving, arrived) = mpsc::channel(KINDS.len());
        let build = async {
            let mut engine = MediaEngine::default();
            for kind in KINDS {
                engine.register_codec(codec(kind), kind)?;
            }
            PeerConnectionBuilder::new()
                .with_media_engine(engine)
                .with_handler(Arc::new(Events { told, arriving }))
                .with_udp_addrs(vec![SocketAddr::new(address.ip(), 0)])
                .build()
                .await
        };
        let at = address.ip();
        let connection = build.await.map_err(|reason| Fault::Client { role, at, reason })?;
        Ok(Self { role, address, connection: Box::new(connection), progress, arrived })
    }

    pub(super) fn connection(&self) -> &dyn PeerConnection {
        &*self.connection
    }

    pub(super) const fn role(&self) -> Role {
        self.role
    }

    /// What went wrong in the client itself.
    pub(super) fn fault(&self, reason: Error) -> Fault {
        Fault::Client { role: self.role, at: self.address.ip(), reason }
    }

    /// Offers the media that it has.
    pub(super) async fn offer(&self) -> Result<String, Fault> {
        let offered = async {
            let offer = self.connection.create_offer(None).await?;
            self.connection.set_local_description(offer.clone()).await?;
            Ok::<_, Error>(offer.sdp)
        };
        offered.await.map_err(|reason| self.fault(reason))
    }

    /// Takes the answer, with the one address that the test is about in place of the answer's: those are for clients
    /// elsewhere, and this machine need not reach them.
    pub(super) async fn accept(&self, answer: &str) -> Result<(), Fault> {
        let sections = answer.split_inclusive("\r\n").filter(|line| !line.starts_with("a=candidate:"));
        let (ip, port) = (self.address.ip(), self.address.port());
        let candidate = RTCIceCandidateInit {
            candidate: format!("candidate:1 1 udp 2130706431 {ip} {port} typ host"),
            sdp_mline_index: Some(0),
            ..RTCIceCandidateInit::default()
        };
        let accepted = async {
            let answer = RTCSessionDescription::answer(sections.collect())?;
            self.connection.set_remote_description(answer).await?;
            self.connection.add_ice_candidate(candidate).await
        };
        accepted.await.map_err(|reason| Fault::Answer { role: self.role, reason })
    }

    /// Waits until media can flow.
    pub(super) async fn connected(&mut self, patience: Duration) -> Result<(), Fault> {
        let done = self.progress.wait_for(|progress| *progress == Progress::Connected);
        let is_done = matches!(timeout(patience, done).await, Ok(Ok(_)));
        let (role, address) = (self.role, self.address);
        match *self.progress.borrow() {
            _ if is_done => Ok(()),
            Progress::Begun => Err(Fault::Unreachable { role, address }),
            Progress::Reached | Progress::Connected => Err(Fault::Handshake { role, address }),
        }
    }

    /// The next track of the other side's whose media has begun.
    pub(super) async fn track(&mut self) -> Option<Arc<dyn TrackRemote>> {
        self.arrived.recv().await
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(role = %self.role, %error, "a client of the self-test did not close");
        }
    }
}

/// What the library tells.
struct Events {
    told: watch::Sender<Progress>,
    arriving: mpsc::Sender<Arc<dyn TrackRemote>>,
}

impl Events {
    fn came_to(&self, progress: Progress) {
        self.told.send_if_modified(|known| {
            let is_news = progress > *known;
            *known = progress.max(*known);
            is_news
        });
    }
}

#[async_trait]
impl PeerConnectionEventHandler for Events {
    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        if matches!(state, RTCIceConnectionState::Connected | RTCIceConnectionState::Completed) {
            self.came_to(Progress::Reached);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            self.came_to(Progress::Connected);
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        // One of each kind is asked for; more would be a mistake of the library's, and are not missed.
        let _ = self.arriving.try_send(track);
    }
}

/// The one codec of a kind that the test speaks.
pub(super) fn codec(kind: RtpCodecKind) -> RTCRtpCodecParameters {
    let (mime_type, clock_rate, channels, payload_type) = match kind {
        RtpCodecKind::Audio => ("audio/opus", 48_000, 2, OPUS),
        _ => ("video/VP8", 90_000, 0, VP8),
    };
    let rtp_codec =
        RTCRtpCodec { mime_type: mime_type.to_owned(), clock_rate, channels, ..RTCRtpCodec::default() };
    RTCRtpCodecParameters { rtp_codec, payload_type }
}
