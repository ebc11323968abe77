//! H264 (RFC 6184, packetization mode 1): single NAL units, STAP-A and FU-A.

use super::bits::Bits;
use super::{Descriptor, FrameInfo, FrameSize, H264};

pub(super) fn describe(payload: &[u8]) -> Option<FrameInfo> {
    let (&indicator, rest) = payload.split_first()?;
    let mut found = Found::default();
    match indicator & 0x1f {
        1..=23 => found.add(payload),
        STAP_A => {
            let mut units = rest;
            while let Some((length, after)) = units.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*length));
                let (unit, after) = after.split_at_checked(length)?;
                found.add(unit);
                units = after;
            }
            if found.count == 0 || !units.is_empty() {
                return None;
            }
        }
        FU_A => {
            let (&header, data) = rest.split_first()?;
            if data.is_empty() {
                return None;
            }
            found.count = 1;
            found.referenced |= indicator & 0x60 != 0;
            if header & 0x80 != 0 {
                found.begin(header & 0x1f, data);
            }
        }
        // Interleaved modes are never negotiated.
        _ => return None,
    }
    Some(FrameInfo {
        begins_frame: found.begins_picture,
        begins_key_frame: found.units.has_sps && found.units.has_idr,
        discardable: !found.referenced,
        size: found.size,
        descriptor: Descriptor::H264(found.units),
        ..FrameInfo::default()
    })
}

/// What the NAL units of one packet are.
#[derive(Default)]
struct Found {
    units: H264,
    count: usize,
    size: Option<FrameSize>,
    begins_picture: bool,
    referenced: bool,
}

impl Found {
    fn add(&mut self, unit: &[u8]) {
        let Some((&header, data)) = unit.split_first() else { return };
        self.count += 1;
        // Parameter sets and the like are needed whatever they say of themselves.
        self.referenced |= header & 0x60 != 0 || !matches!(header & 0x1f, SLICE);
        self.begin(header & 0x1f, data);
    }

    /// A NAL unit of `kind` begins with `data` after its header.
    fn begin(&mut self, kind: u8, data: &[u8]) {
        let is_first = self.count <= 1;
        match kind {
            SPS => {
                self.units.has_sps = true;
                self.size = self.size.or_else(|| size(data));
                self.begins_picture |= is_first;
            }
            SEI | DELIMITER => self.begins_picture |= is_first,
            SLICE | SLICE_PARTITION_A | IDR => {
                self.units.has_idr |= kind == IDR;
                let mut bits = Bits::of_nal(data);
                let (first_block, slice) = (bits.golomb(), bits.golomb());
                self.begins_picture |= is_first && first_block == Some(0);
                self.units.has_b_slice |= matches!(slice, Some(1 | 6));
            }
            _ => {}
        }
    }
}

/// The picture's size in a sequence parameter set (ITU-T H.264 §7.3.2.1.1), cropping applied.
fn size(sps: &[u8]) -> Option<FrameSize> {
    let mut bits = Bits::of_nal(sps);
    let profile = bits.number(8)?;
    bits.skip(16)?;
    bits.golomb()?;
    let mut chroma_format = 1;
    let mut has_separate_planes = false;
    if HIGH_PROFILES.contains(&profile) {
        chroma_format = bits.golomb()?;
        if chroma_format == 3 {
            has_separate_planes = bits.flag()?;
        }
        bits.golomb()?;
        bits.golomb()?;
        bits.skip(1)?;
        if bits.flag()? {
            for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.golomb()?;
    match bits.golomb()? {
        0 => drop(bits.golomb()?),
        1 => {
            bits.skip(1)?;
            bits.signed_golomb()?;
            bits.signed_golomb()?;
            for _ in 0..bits.golomb().filter(|&count| count < 256)? {
                bits.signed_golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?;
    bits.skip(1)?;
    let columns = bits.golomb()?.checked_add(1)?;
    let rows = bits.golomb()?.checked_add(1)?;
    let fields = if bits.flag()? { 1 } else { 2 };
    if fields == 2 {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let (mut width, mut height) = (columns.checked_mul(16)?, rows.checked_mul(16 * fields)?);
    if bits.flag()? {
        let [left, right, top, bottom] = [bits.golomb()?, bits.golomb()?, bits.golomb()?, bits.golomb()?];
        let has_chroma = chroma_format != 0 && !has_separate_planes;
        let across = if has_chroma && chroma_format < 3 { 2 } else { 1 };
        let down = fields * if has_chroma && chroma_format == 1 { 2 } else { 1 };
        width = width.checked_sub(left.checked_add(right)?.checked_mul(across)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(down)?)?;
    }
    Some(FrameSize { width, height })
}

fn skip_scaling_list(bits: &mut Bits<'_>, length: usize) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..length {
        if next != 0 {
            next = (last + bits.signed_golomb()? % 256) & 0xff;
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

const SLICE: u8 = 1;
const SLICE_PARTITION_A: u8 = 2;
const IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// Profiles whose parameter sets say more about colour.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

#[cfg(test)]
mod tests {
    use super::*;

    /// 1280x720, constrained baseline 3.1, as x264 writes it.
    const SPS_720: [u8; 23] = [
        0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00,
        0x03, 0x00, 0x80, 0x00, 0x00, 0x1e,
    ];
    const PPS: [u8; 4] = [0x68, 0xcb, 0x83, 0xcb];
    /// First macroblock 0, slice type 7 (I).
    const IDR_SLICE: [u8; 4] = [0x65, 0x88, 0x84, 0x00];

    fn stap(units: &[&[u8]]) -> Vec<u8> {
        let mut payload = vec![0x78];
        for unit in units {
            payload.extend((unit.len() as u16).to_be_bytes());
            payload.extend_from_slice(unit);
        }
        payload
    }

    fn units(payload: &[u8]) -> (FrameInfo, H264) {
        let info = describe(payload).unwrap();
        let Descriptor::H264(units) = info.descriptor else { panic!("{info:?}") };
        (info, units)
    }

    #[test]
    fn parameter_sets_and_picture_in_one_packet_are_a_key_frame() {
        let (info, h264) = units(&stap(&[&SPS_720, &PPS, &IDR_SLICE]));
        assert!(info.begins_frame && info.begins_key_frame && !info.discardable);
        assert!(h264.has_sps && h264.has_idr && !h264.has_b_slice);
        assert_eq!(info.size, Some(FrameSize { width: 1280, height: 720 }));
    }

    #[test]
    fn parameter_sets_ahead_of_the_picture_are_seen_on_their_own() {
        let (info, h264) = units(&stap(&[&SPS_720, &PPS]));
        assert!(info.begins_frame && !info.begins_key_frame && h264.has_sps && !h264.has_idr);
        let (info, h264) = units(&[&[0x7c, 0x85], &IDR_SLICE[1..]].concat());
        assert!(h264.has_idr && !h264.has_sps && info.begins_frame);
        let (info, h264) = units(&[&[0x7c, 0x05], &IDR_SLICE[1..]].concat());
        assert!(!h264.has_idr && !info.begins_frame, "only the first fragment begins the slice");
        assert!(!units(&PPS).0.begins_frame);
    }

    #[test]
    fn cropping_and_high_profiles_are_counted_in() {
        // Both as x264 writes them: high profile, 640x360; and 1918x1078 out of 120 by 68 macroblocks.
        let high = [
            0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00,
            0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2d, 0x96,
        ];
        assert_eq!(units(&high).0.size, Some(FrameSize { width: 640, height: 360 }));
        let cropped = [
            0x67, 0x42, 0xc0, 0x28, 0xd9, 0x00, 0x78, 0x02, 0x27, 0xa9, 0xb0, 0x11, 0x00, 0x00, 0x03, 0x00,
            0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x18, 0x32, 0x48,
        ];
        assert_eq!(units(&cropped).0.size, Some(FrameSize { width: 1918, height: 1078 }));
    }

    #[test]
    fn b_slices_are_found_in_every_packing() {
        // First macroblock 0 (1), slice type 1 (010) or 6 (00111).
        let b_slice = [0x01, 0b1010_0000];
        assert!(units(&b_slice).1.has_b_slice && units(&b_slice).0.discardable);
        assert!(units(&[0x01, 0b1001_1100]).1.has_b_slice);
        assert!(units(&stap(&[&b_slice, &b_slice])).1.has_b_slice);
        assert!(units(&[0x1c, 0x81, 0b1010_0000]).1.has_b_slice);
        assert!(!units(&[0x1c, 0x01, 0b1010_0000]).1.has_b_slice, "a fragment's middle is no slice header");
        assert!(!units(&[0x41, 0b1110_0000]).1.has_b_slice, "a P slice");
    }

    #[test]
    fn lengths_that_lie_are_malformed() {
        for payload in [
            &[][..],
            &[0x78],
            &[0x78, 0, 9, 0x65],
            &[0x78, 0, 1, 0x65, 0],
            &[0x7c],
            &[0x7c, 0x85],
            &[0x79, 1, 2],
            &[0x1f, 1],
        ] {
            assert_eq!(describe(payload), None, "{payload:?}");
        }
        assert_eq!(units(&[0x67, 0x42]).0.size, None, "a parameter set that is cut has no size");
        assert!(units(&[0x65]).1.has_idr);
    }
}
