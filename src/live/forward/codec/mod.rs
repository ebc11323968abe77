//! What a payload header says about the picture that a packet belongs to, per codec.
//!
//! Owns the payload formats: VP8 (RFC 7741), H264 (RFC 6184), VP9 (RFC 9628), AV1 (AOMedia), Opus (RFC 7587). Each reads one
//! payload alone and decodes nothing; what only a neighbour tells (the begin of an H264 picture) the ring adds.

mod av1;
mod bits;
mod h264;
mod opus;
mod vp8;
mod vp9;

use crate::live::media::Codec;

/// Reads a payload's header.
///
/// # Errors
///
/// [`Malformed`] where the payload ends inside its header or contradicts its format: no decoder could use it.
pub fn describe(codec: Codec, payload: &[u8], marker: bool) -> Result<FrameInfo, Malformed> {
    let info = match codec {
        Codec::Opus => opus::describe(payload),
        Codec::Vp8 => vp8::describe(payload),
        Codec::H264 { .. } => h264::describe(payload),
        Codec::Vp9 { .. } => vp9::describe(payload),
        Codec::Av1 { .. } => av1::describe(payload),
    };
    let info = info.ok_or(Malformed)?;
    Ok(FrameInfo { ends_frame: marker || info.ends_frame, ..info })
}

/// A payload that its codec's format does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload does not fit its codec's RTP format")]
pub struct Malformed;

/// What a payload says about its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// A picture (for audio: a frame) begins with this packet. H264 and AV1 do not say so: there it is known from the packet
    /// before, or guessed where that is missing.
    pub begins_frame: bool,
    /// Decoding can start at this packet, as far as it says so alone. The authority is
    /// [`Ring::key_frames`](super::ring::Ring::key_frames): an H264 key frame begins at its parameter sets, which often come
    /// a packet ahead of the picture that makes them one. Never set for audio, where decoding starts anywhere.
    pub begins_key_frame: bool,
    /// The last packet of its picture: the RTP marker. Always set for audio.
    pub ends_frame: bool,
    /// No other frame refers to this one, so it may be dropped.
    pub discardable: bool,
    /// The temporal layer, 0 for the base or where there are none.
    pub temporal_id: u8,
    /// The spatial layer inside this encoding, 0 for the base or where there are none.
    pub spatial_id: u8,
    /// The picture's size, where this packet says it (key frames).
    pub size: Option<FrameSize>,
    /// What the codec says beyond that.
    pub descriptor: Descriptor,
}

/// A picture's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameSize {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl FrameSize {
    /// Width times height.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Fields of a payload header that a switch between encodings must make continuous, with where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Descriptor {
    /// Nothing to rewrite: Opus, and payloads that could not be read.
    #[default]
    None,
    /// AV1: nothing to rewrite.
    Av1,
    /// VP8.
    Vp8(Vp8),
    /// VP9.
    Vp9(Vp9),
    /// H264.
    H264(H264),
}

/// A counter of 7 or 15 bits inside a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureId {
    /// Its value, below 2^7 or 2^15.
    pub value: u16,
    /// Whether it has 15 bits in two bytes (the first with its top bit set), else 7 in one.
    pub is_wide: bool,
    /// Where its first byte stands in the payload.
    pub offset: u8,
}

/// A byte inside a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its value.
    pub value: u8,
    /// Where it stands in the payload.
    pub offset: u8,
}

/// The VP8 payload descriptor (RFC 7741 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vp8 {
    /// PictureID.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: counts frames of the base layer.
    pub tl0_pic_idx: Option<Field>,
    /// The byte with TID, Y and KEYIDX, of which KEYIDX (the low five bits) counts key frames.
    pub key_idx: Option<Field>,
    /// Y: depends on the base layer alone, so a layer may be taken up here.
    pub layer_sync: bool,
}

/// The VP9 payload descriptor (RFC 9628 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vp9 {
    /// Picture ID.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: counts frames of the base layer; only without flexible mode.
    pub tl0_pic_idx: Option<Field>,
    /// U: a temporal layer may be taken up here.
    pub switching_up: bool,
    /// F: references are given as differences of picture ids.
    pub is_flexible: bool,
}

/// What a packet's NAL units are (RFC 6184 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct H264 {
    /// A sequence parameter set is in it.
    pub has_sps: bool,
    /// An IDR slice begins in it.
    pub has_idr: bool,
    /// A B slice begins in it: browsers do not play such streams.
    pub has_b_slice: bool,
}

impl PictureId {
    /// Reads it at `offset`: the top bit of its first byte says how long it is.
    fn read(payload: &[u8], offset: usize) -> Option<Self> {
        let first = *payload.get(offset)?;
        let is_wide = first & 0x80 != 0;
        let value = if is_wide {
            u16::from_be_bytes([first & 0x7f, *payload.get(offset + 1)?])
        } else {
            u16::from(first)
        };
        Some(Self { value, is_wide, offset: u8::try_from(offset).ok()? })
    }

    /// Bytes that it takes.
    fn length(self) -> usize {
        if self.is_wide { 2 } else { 1 }
    }
}

impl Field {
    fn read(payload: &[u8], offset: usize) -> Option<Self> {
        Some(Self { value: *payload.get(offset)?, offset: u8::try_from(offset).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODECS: [Codec; 5] = [
        Codec::Opus,
        Codec::Vp8,
        Codec::H264 { profile_level_id: 0x42_e01f },
        Codec::Vp9 { profile: 0 },
        Codec::Av1 { profile: 0 },
    ];

    proptest! {
        /// Whatever a payload holds, what is said of it fits it: fields stand inside, and only a begin is a key frame.
        #[test]
        fn any_payload_is_described_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120), marker: bool) {
            for codec in CODECS {
                let Ok(info) = describe(codec, &bytes, marker) else { continue };
                prop_assert!(!info.begins_key_frame || info.begins_frame, "{codec} {info:?}");
                let (picture_id, fields) = match info.descriptor {
                    Descriptor::Vp8(vp8) => (vp8.picture_id, [vp8.tl0_pic_idx, vp8.key_idx]),
                    Descriptor::Vp9(vp9) => (vp9.picture_id, [vp9.tl0_pic_idx, None]),
                    _ => continue,
                };
                for field in fields.into_iter().flatten() {
                    prop_assert_eq!(bytes[usize::from(field.offset)], field.value);
                }
                if let Some(id) = picture_id {
                    let (at, first) = (usize::from(id.offset), bytes[usize::from(id.offset)]);
                    let value = if id.is_wide { u16::from(first & 0x7f) << 8 | u16::from(bytes[at + 1]) } else { first.into() };
                    prop_assert_eq!(value, id.value);
                }
            }
        }
    }

    #[test]
    fn the_largest_datagram_is_described_without_haste() {
        for fill in [0x00, 0xff, 0x78, 0x0a, 0x80] {
            for codec in CODECS {
                let _ = describe(codec, &vec![fill; 65_535], true);
            }
        }
    }
}
