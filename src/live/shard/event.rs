//! What the plane tells the service about its peers.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// One WebRTC connection of this process, never given twice. Not a secret and not for clients: the service has its own ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "peer-{}", self.0)
    }
}

/// What happened to a peer. Events of one peer come in their order, and [`MediaEvent::Closed`] is its last.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// Its address is checked and its keys are agreed: media can flow.
    Connected {
        /// Which peer.
        peer: PeerId,
        /// When that was.
        at: Instant,
    },
    /// It is gone, whoever ended it; told exactly once for every prepared peer.
    Closed {
        /// Which peer.
        peer: PeerId,
        /// Why.
        reason: PeerEnd,
    },
    /// A publisher can be watched: its first key frame is complete, or its first packet where it agreed on sound alone, or
    /// its sound has come alone for [`PlaneSettings::sound_alone`](crate::live::plane::PlaneSettings::sound_alone).
    MediaStarted {
        /// Which publisher.
        peer: PeerId,
    },
    /// A publisher's RTP has paused for [`PlaneSettings::stalled_after`](crate::live::plane::PlaneSettings::stalled_after).
    Stalled {
        /// Which publisher.
        peer: PeerId,
    },
    /// RTP flows again after [`MediaEvent::Stalled`].
    Resumed {
        /// Which publisher.
        peer: PeerId,
    },
    /// A viewer has not been heard of for a while (`false`), or is back (`true`): whether it counts as watching.
    /// Without one a connected viewer counts.
    Attending {
        /// Which viewer.
        peer: PeerId,
        /// Whether it counts.
        present: bool,
    },
    /// The first packet of media was sent to a viewer.
    FirstPacket {
        /// Which viewer.
        peer: PeerId,
        /// When that was.
        at: Instant,
    },
    /// The first whole picture was sent to a viewer; never told where it gets sound alone.
    FirstPicture {
        /// Which viewer.
        peer: PeerId,
        /// When that was.
        at: Instant,
    },
    /// The encodings that a viewer can have, or the one that it gets, changed.
    Layers {
        /// Which viewer.
        peer: PeerId,
        /// What can be had, lowest quality first.
        layers: Vec<Layer>,
        /// Place of the one that it gets in `layers`; none while video pauses.
        current: Option<usize>,
        /// Why it changed.
        cause: LayerCause,
    },
    /// Something that its user should know and can mend.
    Warning {
        /// Which peer.
        peer: PeerId,
        /// What it is about.
        warning: PeerWarning,
    },
    /// Once a second: the figures of every connected peer of one shard.
    Figures(Vec<(PeerId, PeerFigures)>),
}

/// Why a peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerEnd {
    /// Nothing authentic came from it for too long, or it never came at all.
    Timeout,
    /// It said so itself (DTLS `close_notify`).
    ClosedByPeer,
    /// The service asked for it ([`MediaPlane::close`](crate::live::plane::MediaPlane::close)).
    Closed,
    /// The DTLS handshake failed: another certificate than the offer's, no common cipher, or no end within its time.
    DtlsFailed,
    /// A publisher stayed over [`PlaneSettings::publisher_bitrate`](crate::live::plane::PlaneSettings::publisher_bitrate) after its warning.
    Bitrate,
    /// The source's codec is none that this viewer was answered: it must offer again.
    Renegotiate,
    /// The plane stopped, or a bound of its own was reached.
    Error,
}

/// One encoding that a viewer can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its restriction id; none without simulcast.
    pub rid: Option<String>,
    /// Pixels from left to right, 0 until known.
    pub width: u32,
    /// Pixels from top to bottom, 0 until known.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Bits per second.
    pub bitrate: u64,
}

/// Why a viewer's encoding changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerCause {
    /// It was wished.
    Wish,
    /// The viewer's way carries more, or less.
    Bandwidth,
    /// The publisher sends other encodings than before.
    Source,
}

/// What a peer's user should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerWarning {
    /// The publisher sends more than is allowed, in bits per second; it will be closed if it stays so.
    Bitrate {
        /// What it sends.
        bitrate: u64,
        /// What it may.
        limit: u64,
    },
    /// H264 with B-frames: browsers cannot play it.
    BFrames,
    /// The viewer waits for the publisher's next key frame.
    WaitingForKeyFrame,
}

/// What was counted of a peer in the last second, unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerFigures {
    /// Of a publisher.
    Publisher(PublisherFigures),
    /// Of a viewer.
    Viewer(ViewerFigures),
}

/// How a publisher's upload does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PublisherFigures {
    /// Bits of payload, retransmissions left out.
    pub bitrate: u64,
    /// Lost packets of those expected, 0-1, before repair.
    pub loss: f32,
    /// Interarrival jitter (RFC 3550, section 6.4.1), the worst of its streams.
    pub jitter: Duration,
    /// Round trip, where its reports tell it.
    pub rtt: Option<Duration>,
    /// The encodings of its video, lowest quality first; one without simulcast.
    pub layers: Vec<Layer>,
    /// Packets asked for again since it connected.
    pub nacks: u64,
    /// Key frames asked for since it connected.
    pub key_frame_requests: u64,
    /// Whether its H264 has B-frames, which browsers cannot play.
    pub has_b_frames: bool,
}

/// How a viewer's download does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewerFigures {
    /// Bits sent, headers of RTP included.
    pub bitrate: u64,
    /// Lost packets of those sent, 0-1, as it reports.
    pub loss: f32,
    /// Round trip, where its reports tell it.
    pub rtt: Option<Duration>,
    /// Place of its encoding among the layers; none while video pauses.
    pub layer: Option<usize>,
    /// Times that its picture stood still since it connected: it was stopped for lack of bandwidth, or skipped to a key
    /// frame.
    pub freezes: u64,
    /// Packets sent since it connected.
    pub packets: u64,
    /// Packets sent again since it connected.
    pub retransmits: u64,
}
