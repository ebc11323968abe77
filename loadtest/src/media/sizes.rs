//! How many bytes the packets of each frame have: as Chromium was recorded to cut them, or all frames much the same.
//!
//! The recordings are in `loadtest/sizes/`; the load tester's README says how they were made.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::time::Duration;

const VP8: &str = include_str!("../../sizes/chromium-vp8.txt");
const H264: &str = include_str!("../../sizes/chromium-h264.txt");

/// Largest payload of a packet: what libwebrtc leaves of 1,200 bytes with the usual header extensions.
pub const LARGEST: usize = 1_168;

/// What the last packet of a key frame is shorter by: it has the extension that tells how the camera is turned.
const KEY_ENDS_SHORTER: usize = 4;

/// A first packet of less than this holds parameter sets (RFC 6184) and no picture: it does not grow with the picture.
const PARAMETERS: usize = 64;

/// Whose frames to imitate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Model {
    /// Chromium's VP8, as recorded.
    #[default]
    Chromium,
    /// Chromium's H264, as recorded; the content stays VP8.
    ChromiumH264,
    /// Frames that differ by chance alone, by 30 % to both sides, and key frames of eight times as much.
    Even,
}

/// What the sizes depend on.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Whose frames.
    pub model: Model,
    /// Bits per second, packets' headers left out.
    pub bitrate: u64,
    /// Pictures per second.
    pub frames_per_second: u32,
    /// From one key frame to the next.
    pub key_interval: Duration,
    /// The fewest bytes that a packet may have.
    pub least: usize,
    /// Of what varies, and of where in the recording to begin.
    pub seed: u64,
}

/// The sizes of one stream's packets, frame by frame.
#[derive(Debug)]
pub struct Sizes {
    keys: Reel,
    others: Reel,
    /// What sizes of the model are multiplied with to come to the wished bitrate.
    scale: f64,
    least: usize,
    /// What sizes vary by, to both sides.
    jitter: f64,
    random: SmallRng,
}

/// Bytes of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameSize {
    /// In a packet of their own before the picture.
    parameters: usize,
    picture: usize,
}

/// Frames that come again and again.
#[derive(Debug)]
struct Reel {
    frames: Vec<FrameSize>,
    next: usize,
}

impl Sizes {
    /// From a place of the recording that the seed decides.
    pub fn new(wish: Wish) -> Self {
        let mut random = SmallRng::seed_from_u64(wish.seed);
        let frame = |picture| vec![FrameSize { parameters: 0, picture }];
        let (keys, others, jitter) = match wish.model {
            Model::Chromium => recording(VP8),
            Model::ChromiumH264 => recording(H264),
            // Any size will do, since all are scaled.
            Model::Even => (frame(80_000), frame(10_000), 0.3),
        };
        let (mut keys, mut others) = (Reel::new(keys), Reel::new(others));
        let count = (wish.key_interval.as_secs_f64() * f64::from(wish.frames_per_second)).max(1.0);
        let wished = wish.bitrate as f64 / 8.0 / f64::from(wish.frames_per_second) * count;
        let scale = wished / (keys.average() + others.average() * (count - 1.0));
        keys.next = random.random_range(0..keys.frames.len());
        others.next = random.random_range(0..others.frames.len());
        Self { keys, others, scale, least: wish.least, jitter, random }
    }

    /// Bytes of each packet of the next frame.
    pub fn next_frame(&mut self, is_key: bool) -> Vec<usize> {
        let reel = if is_key { &mut self.keys } else { &mut self.others };
        let frame = reel.advance();
        let varies =
            if self.jitter > 0.0 { self.random.random_range(-self.jitter..self.jitter) } else { 0.0 };
        let picture = (frame.picture as f64 * self.scale * (1.0 + varies)) as usize;
        let mut sizes = cut(FrameSize { picture: picture.max(self.least), ..frame }, is_key);
        for size in &mut sizes {
            *size = (*size).max(self.least);
        }
        sizes
    }
}

impl Reel {
    fn new(frames: Vec<FrameSize>) -> Self {
        Self { frames, next: 0 }
    }

    fn average(&self) -> f64 {
        self.frames.iter().map(|frame| frame.picture).sum::<usize>() as f64 / self.frames.len() as f64
    }

    fn advance(&mut self) -> FrameSize {
        let frame = self.frames[self.next];
        self.next = (self.next + 1) % self.frames.len();
        frame
    }
}

/// Key frames and the others, which vary by nothing but what was recorded.
fn recording(text: &str) -> (Vec<FrameSize>, Vec<FrameSize>, f64) {
    let frames = recorded(text);
    let of = |wanted: bool| {
        frames.iter().filter(|(is_key, _)| *is_key == wanted).map(|(_, sizes)| measured(sizes)).collect()
    };
    (of(true), of(false), 0.0)
}

fn measured(sizes: &[usize]) -> FrameSize {
    let parameters = if sizes.len() > 1 && sizes[0] < PARAMETERS { sizes[0] } else { 0 };
    FrameSize { parameters, picture: sizes.iter().sum::<usize>() - parameters }
}

/// The frames of a recording: whether each is a key frame, and the bytes of its packets.
fn recorded(text: &str) -> Vec<(bool, Vec<usize>)> {
    let frames = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (kind, sizes) = line.split_once(' ').expect("a kind and sizes");
        let sizes = sizes.split(' ').map(|size| size.parse().expect("a number"));
        (kind == "k", sizes.collect())
    });
    frames.collect()
}

/// Cuts a frame as libwebrtc does: into as few packets as fit, none a byte longer than another but for the last of a key frame.
fn cut(frame: FrameSize, is_key: bool) -> Vec<usize> {
    let spare = if is_key { KEY_ENDS_SHORTER } else { 0 };
    let bytes = frame.picture + spare;
    let parts = bytes.div_ceil(LARGEST);
    let longer = bytes % parts;
    let picture = (0..parts).map(|part| {
        let size = bytes / parts + usize::from(part >= parts - longer);
        if part + 1 == parts { size.saturating_sub(spare) } else { size }
    });
    let parameters = Some(frame.parameters).filter(|bytes| *bytes > 0);
    parameters.into_iter().chain(picture).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_as_chromium_was_recorded_to_cut_them() {
        for (text, least) in [(VP8, 500), (H264, 500)] {
            let frames = recorded(text);
            assert!(frames.len() > least && frames.iter().any(|(is_key, _)| *is_key), "a recording");
            for (is_key, sizes) in frames {
                assert_eq!(cut(measured(&sizes), is_key), sizes, "key frame: {is_key}");
            }
        }
    }

    #[test]
    fn any_bitrate_is_kept_and_no_packet_is_too_large_or_too_small() {
        for model in [Model::Chromium, Model::ChromiumH264, Model::Even] {
            for bitrate in [200_000, 1_500_000, 8_000_000] {
                let wish = Wish {
                    model,
                    bitrate,
                    frames_per_second: 30,
                    key_interval: Duration::from_secs(10),
                    least: 50,
                    seed: 7,
                };
                let mut sizes = Sizes::new(wish);
                let frames = (0..3_000_u32).map(|frame| sizes.next_frame(frame.is_multiple_of(300)));
                let packets: Vec<_> = frames.flatten().collect();
                assert!(packets.iter().all(|size| (50..=LARGEST).contains(size)), "{model:?} {bitrate}");
                let rate = packets.iter().sum::<usize>() as f64 * 8.0 / 100.0;
                assert!((rate / bitrate as f64 - 1.0).abs() < 0.05, "{model:?}: {rate} instead of {bitrate}");
            }
        }
    }
}
