//! AV1 (AOMedia's RTP payload format for AV1 §4): OBU elements behind an aggregation header.

use super::bits::Bits;
use super::{Descriptor, FrameInfo, FrameSize};

pub(super) fn describe(payload: &[u8]) -> Option<FrameInfo> {
    let (&aggregation, mut rest) = payload.split_first()?;
    let continues = aggregation & 0x80 != 0;
    let begins_sequence = aggregation & 0x08 != 0;
    let count = usize::from(aggregation >> 4 & 3);
    let mut found = Found::default();
    let mut element = 0;
    while !rest.is_empty() {
        element += 1;
        let length = if element == count { rest.len() } else { leb128(&mut rest)? };
        let (unit, after) = rest.split_at_checked(length)?;
        // An element that continues one of the packet before has no header.
        if element > 1 || !continues {
            found.add(unit);
        }
        rest = after;
    }
    if element == 0 || (count > 0 && element != count) || (continues && begins_sequence) {
        return None;
    }
    let starts = begins_sequence || (found.begins_with_sequence && found.frame_is_key != Some(false));
    Some(FrameInfo {
        begins_frame: !continues,
        begins_key_frame: !continues && starts,
        temporal_id: found.temporal_id,
        spatial_id: found.spatial_id,
        size: found.size,
        descriptor: Descriptor::Av1,
        ..FrameInfo::default()
    })
}

/// What the OBUs that begin in one packet are.
#[derive(Default)]
struct Found {
    any: bool,
    begins_with_sequence: bool,
    frame_is_key: Option<bool>,
    size: Option<FrameSize>,
    temporal_id: u8,
    spatial_id: u8,
}

impl Found {
    fn add(&mut self, unit: &[u8]) {
        let Some((&header, mut data)) = unit.split_first() else { return };
        if header & 0x04 != 0 {
            let Some((&layers, after)) = data.split_first() else { return };
            (self.temporal_id, self.spatial_id) = (layers >> 5, layers >> 3 & 3);
            data = after;
        }
        if header & 0x02 != 0 && leb128(&mut data).is_none() {
            return;
        }
        match header >> 3 & 0x0f {
            SEQUENCE_HEADER => {
                self.begins_with_sequence |= !self.any;
                self.size = self.size.or_else(|| size(data));
            }
            FRAME_HEADER | FRAME => {
                // show_existing_frame, then frame_type of two bits, of which 0 is a key frame.
                self.frame_is_key = self.frame_is_key.or_else(|| data.first().map(|first| first & 0xe0 == 0));
            }
            _ => {}
        }
        self.any = true;
    }
}

/// The largest size in a sequence header (AV1 specification §5.5.1).
fn size(data: &[u8]) -> Option<FrameSize> {
    let mut bits = Bits::new(data);
    bits.skip(4)?;
    if bits.flag()? {
        bits.skip(5)?;
    } else {
        skip_operating_points(&mut bits)?;
    }
    let (across, down) = (bits.number(4)? + 1, bits.number(4)? + 1);
    Some(FrameSize { width: bits.number(across)? + 1, height: bits.number(down)? + 1 })
}

fn skip_operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.skip(64)?;
        if bits.flag()? {
            bits.golomb()?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.number(5)? + 1);
            bits.skip(42)?;
        }
    }
    let has_display_delay = bits.flag()?;
    for _ in 0..=bits.number(5)? {
        bits.skip(12)?;
        if bits.number(5)? > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_display_delay && bits.flag()? {
            bits.skip(4)?;
        }
    }
    Some(())
}

/// A length in groups of seven bits, least significant first, at most eight bytes (AV1 specification §4.10.5).
fn leb128(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0u64;
    for at in 0..8 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

const SEQUENCE_HEADER: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    /// 640x360, as libaom and SVT-AV1 write it (their size fields included).
    const SEQUENCE: [u8; 15] =
        [0x0a, 0x0d, 0x20, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x48, 0x08, 0x68, 0x01];
    const SVT_SEQUENCE: [u8; 14] =
        [0x0a, 0x0c, 0x02, 0x00, 0x00, 0x0d, 0x66, 0x27, 0xfb, 0x38, 0xd5, 0xf3, 0x00, 0x80];
    const KEY_FRAME: [u8; 3] = [0x30, 0x10, 0x00];
    const INTER_FRAME: [u8; 3] = [0x30, 0x30, 0x00];

    fn packet(aggregation: u8, first: &[u8], second: &[u8]) -> Vec<u8> {
        [&[aggregation, first.len() as u8], first, second].concat()
    }

    #[test]
    fn a_new_coded_sequence_is_a_start_and_says_its_size() {
        let info = describe(&packet(0x28, &SEQUENCE, &KEY_FRAME)).unwrap();
        assert!(info.begins_frame && info.begins_key_frame);
        assert_eq!(info.size, Some(FrameSize { width: 640, height: 360 }));
        assert_eq!(info.descriptor, Descriptor::Av1);
        assert_eq!(describe(&packet(0x28, &SVT_SEQUENCE, &KEY_FRAME)).unwrap().size, info.size);
    }

    #[test]
    fn a_sequence_header_is_a_start_even_where_the_sender_forgot_to_say_so() {
        assert!(describe(&packet(0x20, &SEQUENCE, &KEY_FRAME)).unwrap().begins_key_frame);
        assert!(!describe(&packet(0x20, &SEQUENCE, &INTER_FRAME)).unwrap().begins_key_frame, "only repeated");
        assert!(!describe(&[0x10, 0x30, 0x10]).unwrap().begins_key_frame);
    }

    #[test]
    fn what_continues_an_obu_begins_nothing() {
        let info = describe(&packet(0xa0, &SEQUENCE, &INTER_FRAME)).unwrap();
        assert!(!info.begins_frame && !info.begins_key_frame);
    }

    #[test]
    fn layers_are_read_from_the_extension() {
        let info = describe(&[0x10, 0x34, 0b0100_1000, 0x10]).unwrap();
        assert_eq!((info.temporal_id, info.spatial_id), (2, 1));
    }

    #[test]
    fn lengths_that_lie_are_malformed() {
        for payload in [
            &[][..],
            &[0x10],
            &[0x20, 0x05, 0x30],
            &[0x00, 0xff, 0xff],
            &[0x20, 0x01, 0x30],
            &[0x98, 0x30],
            &[0x30, 0x01, 0x30, 0x01, 0x30],
        ] {
            assert_eq!(describe(payload), None, "{payload:?}");
        }
        assert!(
            describe(&[0x00, 0x02, 0x30, 0x10]).is_some(),
            "without a count every element has its length"
        );
    }
}
