//! VP9 (RFC 9628 §4.2), flexible or not, with the frame's uncompressed header where one begins.

use super::bits::Bits;
use super::{Descriptor, Field, FrameInfo, FrameSize, PictureId, Vp9};

pub(super) fn describe(payload: &[u8]) -> Option<FrameInfo> {
    let first = *payload.first()?;
    let mut vp9 = Vp9 { is_flexible: first & FLEXIBLE != 0, ..Vp9::default() };
    let mut at = 1;
    let (mut temporal_id, mut spatial_id) = (0, 0);
    if first & HAS_PICTURE_ID != 0 {
        let picture_id = PictureId::read(payload, at)?;
        at += picture_id.length();
        vp9.picture_id = Some(picture_id);
    }
    if first & HAS_LAYERS != 0 {
        let layers = *payload.get(at)?;
        at += 1;
        (temporal_id, spatial_id) = (layers >> 5, layers >> 1 & 7);
        vp9.switching_up = layers & 0x10 != 0;
        if !vp9.is_flexible {
            vp9.tl0_pic_idx = Some(Field::read(payload, at)?);
            at += 1;
        }
    }
    if vp9.is_flexible && first & PREDICTED != 0 {
        // At most three references, each saying whether another follows.
        for reference in 1..=3 {
            let follows = payload.get(at)? & 1 != 0;
            at += 1;
            if !follows {
                break;
            }
            if reference == 3 {
                return None;
            }
        }
    }
    let mut size = None;
    if first & HAS_STRUCTURE != 0 {
        let structure = Structure::read(payload.get(at..)?)?;
        size = structure.size;
        at += structure.length;
    }
    let data = payload.get(at..).filter(|data| !data.is_empty())?;
    let begins_frame = first & BEGINS != 0 && spatial_id == 0;
    let key_frame = (begins_frame && first & PREDICTED == 0).then(|| key_frame(data)).flatten();
    Some(FrameInfo {
        begins_frame,
        begins_key_frame: key_frame.is_some(),
        temporal_id,
        spatial_id,
        size: key_frame.and_then(|own| size.or(own)),
        descriptor: Descriptor::Vp9(vp9),
        ..FrameInfo::default()
    })
}

/// Whether a frame's uncompressed header (VP9 specification §6.2) is that of a key frame, and its size where it is in the packet.
/// A picture that is not predicted may still be an intra-only one, on which nobody can start.
fn key_frame(data: &[u8]) -> Option<Option<FrameSize>> {
    let mut bits = Bits::new(data);
    if bits.number(2)? != 2 {
        return None;
    }
    let profile = bits.number(1)? | bits.number(1)? << 1;
    if profile == 3 {
        bits.skip(1)?;
    }
    let (shows_existing, is_inter) = (bits.flag()?, bits.flag()?);
    if shows_existing || is_inter {
        return None;
    }
    Some(size(bits, profile))
}

fn size(mut bits: Bits<'_>, profile: u32) -> Option<FrameSize> {
    bits.skip(2)?;
    if bits.number(24)? != 0x49_8342 {
        return None;
    }
    if profile >= 2 {
        bits.skip(1)?;
    }
    let is_rgb = bits.number(3)? == 7;
    bits.skip(match (is_rgb, profile & 1) {
        (false, 0) => 1,
        (false, _) => 4,
        (true, 0) => 0,
        (true, _) => 1,
    })?;
    Some(FrameSize { width: bits.number(16)? + 1, height: bits.number(16)? + 1 })
}

/// The scalability structure (RFC 9628 §4.2.1), of which only the largest size is of use here.
struct Structure {
    length: usize,
    size: Option<FrameSize>,
}

impl Structure {
    fn read(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let mut length = 1;
        let mut size = None;
        if first & 0x10 != 0 {
            for _ in 0..=first >> 5 {
                let field = bytes.get(length..length + 4)?;
                let dimension = |at: usize| u32::from(u16::from_be_bytes([field[at], field[at + 1]]));
                let layer = FrameSize { width: dimension(0), height: dimension(2) };
                size = size.max(Some(layer));
                length += 4;
            }
        }
        if first & 0x08 != 0 {
            let pictures = *bytes.get(length)?;
            length += 1;
            for _ in 0..pictures {
                length += 1 + usize::from(bytes.get(length)? >> 2 & 3);
            }
        }
        Some(Self { length, size })
    }
}

const HAS_PICTURE_ID: u8 = 0x80;
const PREDICTED: u8 = 0x40;
const HAS_LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const BEGINS: u8 = 0x08;
const HAS_STRUCTURE: u8 = 0x02;

#[cfg(test)]
mod tests {
    use super::*;

    /// Profile 0, key frame, 640x360.
    const KEY_FRAME: [u8; 10] = [0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70, 0x00];

    #[test]
    fn a_key_frame_says_its_size_in_its_own_header() {
        let info = describe(&[&[0x88, 0x81, 0x02], &KEY_FRAME[..]].concat()).unwrap();
        assert!(info.begins_frame && info.begins_key_frame);
        assert_eq!(info.size, Some(FrameSize { width: 640, height: 360 }));
        let Descriptor::Vp9(vp9) = info.descriptor else { panic!("{info:?}") };
        assert_eq!(vp9.picture_id, Some(PictureId { value: 0x102, is_wide: true, offset: 1 }));
        assert!(!vp9.is_flexible);
    }

    #[test]
    fn layers_bring_a_base_counter_unless_the_mode_is_flexible() {
        let not_flexible = describe(&[&[0xa8, 0x05, 0x32, 0x09], &KEY_FRAME[..]].concat()).unwrap();
        let Descriptor::Vp9(vp9) = not_flexible.descriptor else { panic!() };
        assert_eq!((not_flexible.temporal_id, not_flexible.spatial_id), (1, 1));
        assert_eq!(vp9.tl0_pic_idx, Some(Field { value: 9, offset: 3 }));
        assert!(vp9.switching_up);
        assert!(!not_flexible.begins_frame, "an upper spatial layer continues the picture");

        let flexible = describe(&[0xf8, 0x05, 0x20, 0x03, 0x02, 0xaa]).unwrap();
        let Descriptor::Vp9(vp9) = flexible.descriptor else { panic!() };
        assert_eq!((vp9.tl0_pic_idx, vp9.is_flexible, flexible.temporal_id), (None, true, 1));
        assert!(flexible.begins_frame && !flexible.begins_key_frame, "it is predicted");
    }

    #[test]
    fn the_structure_gives_the_largest_layers_size() {
        let structure =
            [0x38, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 0x02, 0x04, 0x01, 0x18, 0x01, 0x02];
        let info = describe(&[&[0x8a, 0x01], &structure[..], &KEY_FRAME].concat()).unwrap();
        assert!(info.begins_key_frame);
        assert_eq!(info.size, Some(FrameSize { width: 640, height: 360 }));
    }

    #[test]
    fn an_intra_only_or_repeated_frame_is_no_start() {
        assert!(!describe(&[0x88, 0x01, 0x86, 0x00]).unwrap().begins_key_frame, "frame_type says inter");
        assert!(!describe(&[0x88, 0x01, 0x88, 0x00]).unwrap().begins_key_frame, "show_existing_frame");
        assert!(describe(&[0x88, 0x01, 0x82, 0x49]).unwrap().begins_key_frame, "cut before its size");
    }

    #[test]
    fn a_descriptor_without_data_is_malformed() {
        for payload in [
            &[][..],
            &[0x88],
            &[0x88, 0x81],
            &[0xb8, 0x01],
            &[0xd8, 0x01, 0x03, 0x03, 0x03, 0x00],
            &[0x0a, 0xf8],
        ] {
            assert_eq!(describe(payload), None, "{payload:?}");
        }
    }
}
