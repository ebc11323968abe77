//! A synthetic VP8 stream: real descriptors (RFC 7741) and frame headers (RFC 6386 §9.1), filler in place of a picture.
//!
//! A relay cannot tell it from a camera's: key frames have their start code and size, pictures their ids. A decoder would
//! refuse it; nothing here decodes.

use super::{
    marker::{MARKER, Marker},
    sizes::{Model, Sizes, Wish},
};
use std::time::Duration;

/// Bytes of the payload descriptor: its first byte, the flags, a 15-bit picture id, the index of temporal layer 0.
pub const DESCRIPTOR: usize = 5;

/// Bytes of a frame's own header, for a key frame: tag, start code, width and height.
const KEY_HEADER: usize = 10;

/// What to imitate.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bits per second.
    pub bitrate: u64,
    /// Pictures per second.
    pub frames_per_second: u32,
    /// From one key frame to the next.
    pub key_interval: Duration,
    /// Whose packets.
    pub sizes: Model,
    /// Of what varies.
    pub seed: u64,
}

/// The source of a stream.
#[derive(Debug)]
pub struct Picture {
    settings: Settings,
    sizes: Sizes,
    frame: u32,
    frames_per_key: u32,
}

/// One packet's payload.
pub type Payload = Vec<u8>;

impl Picture {
    /// From the beginning.
    pub fn new(settings: Settings) -> Self {
        let frames = settings.key_interval.as_secs_f64() * f64::from(settings.frames_per_second);
        Self {
            settings,
            sizes: Sizes::new(Wish {
                model: settings.sizes,
                bitrate: settings.bitrate,
                frames_per_second: settings.frames_per_second,
                key_interval: settings.key_interval,
                least: DESCRIPTOR + KEY_HEADER + MARKER,
                seed: settings.seed,
            }),
            frame: 0,
            frames_per_key: (frames as u32).max(1),
        }
    }

    /// Ticks of the 90 kHz clock at the next frame.
    pub fn timestamp(&self) -> u32 {
        (u64::from(self.frame) * 90_000 / u64::from(self.settings.frames_per_second)) as u32
    }

    /// The next frame, to be taken packet by packet.
    pub fn next_frame(&mut self) -> Frame {
        let key = self.frame.is_multiple_of(self.frames_per_key);
        let frame = Frame { number: self.frame, key, sizes: self.sizes.next_frame(key), taken: 0 };
        self.frame += 1;
        frame
    }
}

/// A frame, cut into packets.
#[derive(Debug)]
pub struct Frame {
    number: u32,
    key: bool,
    sizes: Vec<usize>,
    taken: usize,
}

impl Frame {
    /// The payload of the next packet, which leaves at `sent`, and whether it is the last; none after that.
    pub fn next_packet(&mut self, sent: Duration) -> Option<(Payload, bool)> {
        let &length = self.sizes.get(self.taken)?;
        let (part, parts) = (self.taken as u16, self.sizes.len() as u16);
        self.taken += 1;
        let marker = Marker { frame: self.number, part, parts, key: self.key, sent };
        Some((payload(self.number, length, marker), self.taken == self.sizes.len()))
    }
}

fn payload(frame: u32, length: usize, marker: Marker) -> Payload {
    let mut out = Vec::with_capacity(length);
    let is_first = marker.part == 0;
    // X, S at the begin of a partition; then I and L.
    out.extend_from_slice(&[if is_first { 0x90 } else { 0x80 }, 0xc0]);
    out.extend_from_slice(&(0x8000 | (frame & 0x7fff) as u16).to_be_bytes());
    out.push(frame as u8);
    if is_first {
        // Inverse key bit, version 0, shown, a first partition of 32 bytes.
        let tag: u32 = u32::from(!marker.key) | 1 << 4 | 32 << 5;
        out.extend_from_slice(&tag.to_le_bytes()[..3]);
        if marker.key {
            out.extend_from_slice(&[0x9d, 0x01, 0x2a]);
            out.extend_from_slice(&1_280_u16.to_le_bytes());
            out.extend_from_slice(&720_u16.to_le_bytes());
        }
    }
    let filler = length.saturating_sub(out.len() + MARKER);
    out.extend((0..filler).map(|at| (at as u32 ^ frame) as u8));
    marker.write(&mut out, DESCRIPTOR);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        bitrate: 1_500_000,
        frames_per_second: 30,
        key_interval: Duration::from_secs(10),
        sizes: Model::Chromium,
        seed: 7,
    };

    fn payloads(mut frame: Frame, sent: Duration) -> Vec<Payload> {
        std::iter::from_fn(|| frame.next_packet(sent)).map(|(payload, _)| payload).collect()
    }

    #[test]
    fn the_stream_has_its_rate_and_its_key_frames() {
        let mut picture = Picture::new(SETTINGS);
        let (mut bytes, mut keys) = (0, Vec::new());
        for frame in 0..600 {
            let payloads = payloads(picture.next_frame(), Duration::from_millis(frame));
            bytes += payloads.iter().map(Vec::len).sum::<usize>();
            if payloads[0][5] & 1 == 0 {
                assert_eq!(payloads[0][8..11], [0x9d, 0x01, 0x2a]);
                keys.push(frame);
            }
        }
        assert_eq!(keys, [0, 300]);
        let rate = bytes as f64 * 8.0 / 20.0;
        assert!((rate / 1_500_000.0 - 1.0).abs() < 0.05, "{rate} bit/s");
    }

    #[test]
    fn every_packet_proves_its_content() {
        let mut picture = Picture::new(SETTINGS);
        let payloads = payloads(picture.next_frame(), Duration::from_millis(5));
        for (part, payload) in payloads.iter().enumerate() {
            let marker = Marker::read(payload, DESCRIPTOR).expect("intact");
            assert_eq!((marker.part as usize, marker.parts as usize), (part, payloads.len()));
            assert!(marker.key);
        }
    }
}
