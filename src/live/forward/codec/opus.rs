//! Opus (RFC 7587): a packet is a frame, and decoding starts anywhere.

use super::FrameInfo;

pub(super) fn describe(payload: &[u8]) -> Option<FrameInfo> {
    (!payload.is_empty()).then(|| FrameInfo { begins_frame: true, ends_frame: true, ..FrameInfo::default() })
}
