//! VP8 (RFC 7741 §4.2-4.3).

use super::{Descriptor, Field, FrameInfo, FrameSize, PictureId, Vp8};

pub(super) fn describe(payload: &[u8]) -> Option<FrameInfo> {
    let first = *payload.first()?;
    let mut vp8 = Vp8::default();
    let mut at = 1;
    let mut temporal_id = 0;
    if first & EXTENDED != 0 {
        let has = *payload.get(at)?;
        at += 1;
        if has & HAS_PICTURE_ID != 0 {
            let picture_id = PictureId::read(payload, at)?;
            at += picture_id.length();
            vp8.picture_id = Some(picture_id);
        }
        if has & HAS_TL0 != 0 {
            vp8.tl0_pic_idx = Some(Field::read(payload, at)?);
            at += 1;
        }
        if has & (HAS_TID | HAS_KEYIDX) != 0 {
            let field = Field::read(payload, at)?;
            if has & HAS_TID != 0 {
                temporal_id = field.value >> 6;
                vp8.layer_sync = field.value & 0x20 != 0;
            }
            vp8.key_idx = (has & HAS_KEYIDX != 0).then_some(field);
            at += 1;
        }
    }
    let data = payload.get(at..).filter(|data| !data.is_empty())?;
    // S, and partition 0: the frame's own header follows.
    let begins_frame = first & 0x17 == 0x10;
    let begins_key_frame = begins_frame && data[0] & 1 == 0;
    Some(FrameInfo {
        begins_frame,
        begins_key_frame,
        discardable: first & NOT_A_REFERENCE != 0,
        temporal_id,
        size: if begins_key_frame { size(data) } else { None },
        descriptor: Descriptor::Vp8(vp8),
        ..FrameInfo::default()
    })
}

/// The size in a key frame's header: three bytes of tag, a start code, then 14 bits each (RFC 6386 §9.1).
fn size(data: &[u8]) -> Option<FrameSize> {
    let header = data.get(3..10).filter(|header| header[..3] == [0x9d, 0x01, 0x2a])?;
    let dimension = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some(FrameSize { width: dimension(header[3], header[4]), height: dimension(header[5], header[6]) })
}

const EXTENDED: u8 = 0x80;
const NOT_A_REFERENCE: u8 = 0x20;
const HAS_PICTURE_ID: u8 = 0x80;
const HAS_TL0: u8 = 0x40;
const HAS_TID: u8 = 0x20;
const HAS_KEYIDX: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_FRAME: [u8; 10] = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0xe0, 0x81];

    #[test]
    fn a_key_frame_is_read_with_its_size_and_where_its_counters_stand() {
        let payload = [&[0x90, 0xf0, 0x92, 0x34, 0x07, 0x65][..], &KEY_FRAME].concat();
        let info = describe(&payload).unwrap();
        assert!(info.begins_frame && info.begins_key_frame && !info.discardable);
        assert_eq!(
            info.size,
            Some(FrameSize { width: 640, height: 480 }),
            "the two scaling bits are left out"
        );
        assert_eq!(info.temporal_id, 1);
        let Descriptor::Vp8(vp8) = info.descriptor else { panic!("{info:?}") };
        assert_eq!(vp8.picture_id, Some(PictureId { value: 0x1234, is_wide: true, offset: 2 }));
        assert_eq!(vp8.tl0_pic_idx, Some(Field { value: 7, offset: 4 }));
        assert_eq!(vp8.key_idx, Some(Field { value: 0x65, offset: 5 }));
        assert!(vp8.layer_sync);
    }

    #[test]
    fn a_short_picture_id_and_a_bare_descriptor_are_read() {
        let info = describe(&[0xb0, 0x80, 0x23, 0x01]).unwrap();
        assert!(info.begins_frame && !info.begins_key_frame && info.discardable);
        let Descriptor::Vp8(vp8) = info.descriptor else { panic!("{info:?}") };
        assert_eq!(vp8.picture_id, Some(PictureId { value: 0x23, is_wide: false, offset: 2 }));

        assert!(describe(&[&[0x10], &KEY_FRAME[..]].concat()).unwrap().begins_key_frame);
        assert!(
            !describe(&[&[0x00], &KEY_FRAME[..]].concat()).unwrap().begins_frame,
            "without S it continues"
        );
        assert!(
            !describe(&[&[0x11], &KEY_FRAME[..]].concat()).unwrap().begins_frame,
            "partition 1 is no begin"
        );
    }

    #[test]
    fn a_descriptor_without_data_is_malformed() {
        for payload in
            [&[][..], &[0x10], &[0x90], &[0x90, 0x80], &[0x90, 0x80, 0x80], &[0x90, 0xf0, 0x80, 0x01, 0x07]]
        {
            assert_eq!(describe(payload), None, "{payload:?}");
        }
    }
}
