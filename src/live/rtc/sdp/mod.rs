//! Offers and answers (RFC 9429, RFC 9725, WHEP), and the ICE fragments that follow them (RFC 8840).
//!
//! Pure: text goes in, what was agreed and the text of the answer come out; whatever is random comes from the caller.
//! Knows no socket, no HTTP and no live. The way of an offer: [`Offer::parse`] reads it and refuses what is malformed,
//! [`answer`] decides what is agreed, refuses what is not supported, and writes the answer.

mod answer;
mod candidate;
mod codecs;
mod direction;
mod extensions;
mod fingerprint;
mod fragment;
mod negotiate;
mod offer;
mod section;

use communiconnect_protocol::Code;
use thiserror::Error;

use super::ice::IceCredentials;
use crate::live::media::{Codec, MediaKind, ReceivedMedia, SentMedia};

pub use candidate::{Candidate, CandidateKind};
pub use fingerprint::{Fingerprint, Hash};
pub use fragment::{Fragment, FragmentError, restart_fragment};
pub use negotiate::{answer, answer_restart};
pub use offer::Offer;

/// The longest offer, in bytes. Chromium's with three layers and every codec has 8 KiB.
pub const MAX_OFFER: usize = 64 * 1024;

/// The most `m=` sections of an offer: two are used, the rest is what clients have stopped or add beside.
pub const MAX_SECTIONS: usize = 16;

/// Who opens the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    /// We do: the offer said `passive`.
    Client,
    /// The peer does: the offer said `actpass` or `active`.
    Server,
}

/// Our side of the transport, as an answer tells it.
#[derive(Clone, Copy, Debug)]
pub struct LocalSide<'a> {
    /// Our credentials for this peer.
    pub ice: &'a IceCredentials,
    /// Our certificate's fingerprint, SHA-256.
    pub fingerprint: &'a Fingerprint,
    /// Every address we can be reached at, the preferred one first.
    pub candidates: &'a [Candidate],
    /// Names the session in `o=`: random, below 2^63 (RFC 9429, section 5.2.1).
    pub session_id: u64,
    /// 1 in the first answer, more in each further one for the same peer.
    pub session_version: u64,
}

/// What this side wants of the peer.
#[derive(Clone, Copy, Debug)]
pub enum Terms<'a> {
    /// The peer sends, we receive.
    Publish {
        /// The most that its video may take, in bits per second; told as `b=TIAS` (RFC 3890).
        max_bitrate: u64,
    },
    /// We send, the peer receives.
    Watch {
        /// What the live has; a kind that it lacks is answered all the same and stays silent.
        source: SourceCodecs,
        /// Names the sender in RTCP and its stream in the answer: a token of at most 64 characters.
        cname: &'a str,
        /// Random; made distinct and other than zero where they are not.
        ssrcs: [u32; 4],
    },
}

/// The codecs that a live's publisher sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCodecs {
    /// Of its sound, where there is any.
    pub audio: Option<Codec>,
    /// Of its picture, where there is any.
    pub video: Option<Codec>,
}

/// What an offer and its answer agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The peer's credentials.
    pub ice: IceCredentials,
    /// Our part in the DTLS handshake.
    pub dtls: DtlsRole,
    /// The peer's certificate has one of these; at least one, see [`Negotiated::trusts`].
    pub fingerprints: Vec<Fingerprint>,
    /// Where the peer may come from, as far as it was said and could be read. A lite agent needs none of them.
    pub candidates: Vec<Candidate>,
    /// The media.
    pub media: NegotiatedMedia,
}

/// Which way media flows, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NegotiatedMedia {
    /// From a publisher to us: at most one of each kind, at least one.
    Received {
        /// The sections, in the offer's order.
        media: Vec<ReceivedMedia>,
        /// The most that its video may take, in bits per second.
        max_bitrate: u64,
    },
    /// From us to a viewer: at most one of each kind, at least one.
    Sent {
        /// The sections, in the offer's order.
        media: Vec<SentMedia>,
        /// The RTCP CNAME of every stream, which also names the MediaStream.
        cname: String,
    },
}

impl Negotiated {
    /// Whether a certificate (DER) is the one that the peer's description promised (RFC 8122, section 5).
    pub fn trusts(&self, certificate: &[u8]) -> bool {
        self.fingerprints.iter().any(|fingerprint| fingerprint.matches(certificate))
    }

    /// The kinds of media agreed on, in the offer's order.
    pub fn kinds(&self) -> Vec<MediaKind> {
        match &self.media {
            NegotiatedMedia::Received { media, .. } => media.iter().map(|media| media.kind).collect(),
            NegotiatedMedia::Sent { media, .. } => media.iter().map(|media| media.kind).collect(),
        }
    }
}

/// Why an offer gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OfferError {
    /// Over [`MAX_OFFER`]. HTTP 413.
    #[error("the offer has {0} bytes; send at most {MAX_OFFER}")]
    TooLarge(usize),
    /// Not SDP, or not such as WebRTC makes it. HTTP 400.
    #[error("the offer cannot be read: {0}")]
    Malformed(String),
    /// Understood, but not what this server does. HTTP 422.
    #[error("the offer cannot be answered: {0}")]
    Unsupported(#[from] Unsupported),
}

impl OfferError {
    /// The code that tells a client of it.
    pub fn code(&self) -> Code {
        match self {
            Self::TooLarge(_) => Code::TooLarge,
            Self::Malformed(_) => Code::BadRequest,
            Self::Unsupported(_) => Code::Invalid,
        }
    }
}

/// What of an understood offer is not supported. Each is the whole offer's refusal: a stream without its sound would
/// mislead the broadcaster (RFC 9725, section 4.4.3).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsupported {
    /// More than [`MAX_SECTIONS`].
    #[error("it has {0} m= sections; send at most {MAX_SECTIONS}")]
    TooManySections(usize),
    /// Neither audio nor video.
    #[error("it has neither an audio nor a video section")]
    NoMedia,
    /// Two sections of a kind (RFC 9725, section 4.4.2).
    #[error("it has more than one {0} section; send one of each kind")]
    SeveralOf(&'static str),
    /// A section that is neither audio, video nor a data channel.
    #[error("section {0:?} is neither audio nor video")]
    SectionKind(String),
    /// Tracks of several MediaStreams (RFC 9725, section 4.4.2).
    #[error("its tracks belong to different MediaStreams; add them to one")]
    SeveralStreams,
    /// A direction that cannot serve the purpose.
    #[error("section {mid:?} is {offered}; it must be {wanted} or sendrecv")]
    Direction {
        /// Of the section.
        mid: String,
        /// As offered.
        offered: &'static str,
        /// What would be accepted.
        wanted: &'static str,
    },
    /// No codec of a section is forwarded, or none can carry what the live sends.
    #[error("section {mid:?} offers no codec that serves; {wanted} would")]
    NoCodec {
        /// Of the section.
        mid: String,
        /// What would be accepted.
        wanted: String,
    },
    /// Sections outside one BUNDLE group (RFC 9725, section 4.4.1).
    #[error("its sections are not in one BUNDLE group; use the max-bundle policy")]
    NotBundled,
    /// RTCP on a port of its own (RFC 9725, section 4.4.1).
    #[error("section {0:?} has no rtcp-mux")]
    NoRtcpMux(String),
    /// Media without DTLS.
    #[error("section {0:?} is not protected by DTLS-SRTP")]
    NotSecured(String),
    /// No fingerprint by a hash that is trusted.
    #[error("it has no certificate fingerprint by SHA-256, SHA-384 or SHA-512")]
    NoFingerprint,
    /// Two lite agents would wait for each other's checks.
    #[error("it is by an ICE-lite agent, as this server is; one side must check")]
    IceLite,
    /// `a=setup:holdconn`.
    #[error("it asks for no connection (setup:holdconn)")]
    HoldConnection,
    /// A restart with the credentials in use.
    #[error("a restart needs ICE credentials other than those in use")]
    NoRestart,
    /// A restart that would change more than ICE.
    #[error("a restart changes ICE alone, and this one changes {0}")]
    RestartChanges(&'static str),
}

#[cfg(test)]
mod tests;
