//! What the test's publisher sends: packets that a relay takes for a camera's and a microphone's, and knows again behind it.

use bytes::Bytes;
use webrtc_core::rtp::{Header, Packet};

/// Payload type of VP8 in the test's offers.
pub(super) const VP8: u8 = 96;
/// Payload type of Opus in the test's offers.
pub(super) const OPUS: u8 = 111;

/// From one packet of each kind to the next, in milliseconds: Opus' usual frame, and as good as any for pictures.
pub(super) const INTERVAL_MS: u32 = 20;

/// Packets from one key frame to the next: 200 ms, so that a viewer waits for none.
const KEY_INTERVAL: u16 = 10;

/// What every payload of the test ends with. A relay changes headers and descriptors, never what follows.
const MARK: &[u8] = b"communiconnect live self-test";

/// The stream of one publisher.
pub(super) struct Stream {
    audio: u32,
    video: u32,
    sent: u16,
}

impl Stream {
    /// One that has not begun.
    pub(super) fn new() -> Self {
        // Two different numbers that are both above 0.
        let audio = rand::random::<u32>() | 1;
        Self { audio, video: audio ^ 0x8000_0000, sent: 0 }
    }

    /// The synchronisation sources of audio and video.
    pub(super) const fn ssrcs(&self) -> [u32; 2] {
        [self.audio, self.video]
    }

    /// The next packets, of audio and of video.
    pub(super) fn next(&mut self) -> (Packet, Packet) {
        let at = self.sent;
        self.sent = at.wrapping_add(1);
        let time = u32::from(at) * INTERVAL_MS;
        let audio = packet((OPUS, self.audio), (at, time * 48), sound());
        let video = packet((VP8, self.video), (at, time * 90), picture(at));
        (audio, video)
    }
}

/// Whether a payload is one of a test's.
pub(super) fn is_ours(payload: &[u8]) -> bool {
    payload.ends_with(MARK)
}

fn packet(
    (payload_type, ssrc): (u8, u32),
    (sequence_number, timestamp): (u16, u32),
    payload: Bytes,
) -> Packet {
    let header = Header {
        version: 2,
        marker: true,
        payload_type,
        sequence_number,
        timestamp,
        ssrc,
        ..Header::default()
    };
    Packet { header, payload }
}

/// A table-of-contents byte that says SILK, 20 ms, mono, one frame (RFC 6716, section 3.1).
fn sound() -> Bytes {
    [&[0x08], MARK].concat().into()
}

/// A whole frame of VP8 in one packet: a descriptor with a 15-bit picture id (RFC 7741, section 4.2), the frame's header
/// (RFC 6386, section 9.1), and no picture.
fn picture(number: u16) -> Bytes {
    const EXTENDED_AND_FIRST: u8 = 0x90;
    const HAS_PICTURE_ID: u8 = 0x80;
    const SHOWN: u8 = 0x10;
    const DELTA: u8 = 0x01;
    let mut payload = vec![EXTENDED_AND_FIRST, HAS_PICTURE_ID];
    payload.extend((0x8000 | number & 0x7fff).to_be_bytes());
    if number.is_multiple_of(KEY_INTERVAL) {
        payload.extend([SHOWN, 0, 0, 0x9d, 0x01, 0x2a]);
        payload.extend(320_u16.to_le_bytes());
        payload.extend(180_u16.to_le_bytes());
    } else {
        payload.extend([SHOWN | DELTA, 0, 0]);
    }
    payload.extend(MARK);
    payload.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_with_a_key_frame_and_is_known_again() {
        let mut stream = Stream::new();
        let keys: Vec<bool> = (0..11).map(|_| stream.next().1.payload[4] & 1 == 0).collect();
        let expected: Vec<bool> = (0..11).map(|number| number % 10 == 0).collect();
        assert_eq!(keys, expected);
        let (audio, video) = stream.next();
        assert!(is_ours(&audio.payload) && is_ours(&video.payload) && !is_ours(b"else"));
        assert_ne!(audio.header.ssrc, video.header.ssrc);
        assert_eq!((audio.header.timestamp, video.header.timestamp), (11 * 960, 11 * 1_800));
    }
}
