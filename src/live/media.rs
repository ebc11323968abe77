//! The words that signalling and the packet path share: kinds of media, codecs, what was negotiated for a section.
//!
//! Leaf types without behaviour beyond their own meaning. Knows neither SDP text nor packets.

use std::fmt;

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// A picture.
    Video,
}

/// A codec that is forwarded, with what must match between publisher and viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus, 48 kHz, two channels (RFC 7587).
    Opus,
    /// VP8 (RFC 7741).
    Vp8,
    /// H264, packetization mode 1 (RFC 6184), with its `profile-level-id` as three bytes.
    H264 {
        /// Profile, constraints and level: `42e01f` is `0x42e01f`.
        profile_level_id: u32,
    },
    /// VP9 (RFC 9628).
    Vp9 {
        /// `profile-id`, 0 where it is not said.
        profile: u8,
    },
    /// AV1 (AOMedia's RTP payload format).
    Av1 {
        /// `profile`, 0 where it is not said.
        profile: u8,
    },
}

impl Codec {
    /// Which kind of media it carries.
    pub fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::H264 { .. } | Self::Vp9 { .. } | Self::Av1 { .. } => MediaKind::Video,
        }
    }

    /// Ticks of its RTP clock in a second.
    pub fn clock_rate(self) -> u32 {
        match self.kind() {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        }
    }

    /// Whether a decoder negotiated for `other` plays this: the same codec and, where it matters, profile.
    pub fn plays_as(self, other: Self) -> bool {
        match (self, other) {
            // The level is a promise about size, not about syntax; browsers decode any they can afford.
            (Self::H264 { profile_level_id: a }, Self::H264 { profile_level_id: b }) => a >> 8 == b >> 8,
            _ => self == other,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Opus => "opus",
            Self::Vp8 => "VP8",
            Self::H264 { .. } => "H264",
            Self::Vp9 { .. } => "VP9",
            Self::Av1 { .. } => "AV1",
        })
    }
}

/// A codec under the payload type that one peer knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadCodec {
    /// Which codec.
    pub codec: Codec,
    /// Its payload type with this peer.
    pub payload_type: u8,
    /// The payload type of its retransmissions (RFC 4588), where they were negotiated.
    pub rtx: Option<u8>,
}

/// One-byte header extension ids (RFC 8285) that one peer uses, each 1-14; none where it was not negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`
    pub rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`
    pub repaired_rid: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`
    pub abs_send_time: Option<u8>,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    pub transport_cc: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level`
    pub audio_level: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`
    pub playout_delay: Option<u8>,
    /// `urn:3gpp:video-orientation`
    pub video_orientation: Option<u8>,
}

/// Feedback messages (RFC 4585, RFC 5104) that a section allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// Generic NACK.
    pub nack: bool,
    /// Picture loss indication.
    pub pli: bool,
    /// Full intra request.
    pub fir: bool,
    /// Transport-wide congestion control.
    pub transport_cc: bool,
    /// Receiver estimated maximum bitrate.
    pub remb: bool,
}

/// What was agreed for a section that the server receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMedia {
    /// Which kind.
    pub kind: MediaKind,
    /// The section's `mid`.
    pub mid: String,
    /// The one codec that was answered.
    pub codec: PayloadCodec,
    /// Header extensions.
    pub extensions: ExtensionIds,
    /// Feedback.
    pub feedback: Feedback,
    /// Simulcast streams in the order offered (RFC 8853); empty without simulcast.
    pub rids: Vec<String>,
    /// Streams announced by `a=ssrc`, each with its retransmission stream by `a=ssrc-group:FID`; may be empty.
    pub ssrcs: Vec<(u32, Option<u32>)>,
}

/// What was agreed for a section that the server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMedia {
    /// Which kind.
    pub kind: MediaKind,
    /// The section's `mid`.
    pub mid: String,
    /// Every codec that both sides know: first those that can carry the source, then in the viewer's order.
    pub codecs: Vec<PayloadCodec>,
    /// Header extensions.
    pub extensions: ExtensionIds,
    /// Feedback.
    pub feedback: Feedback,
    /// The stream's SSRC, announced in the answer.
    pub ssrc: u32,
    /// The SSRC of its retransmissions, where any codec has them.
    pub rtx_ssrc: Option<u32>,
}
