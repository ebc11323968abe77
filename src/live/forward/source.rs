//! What a publisher sends, as viewers on every shard reach it.
//!
//! Owns the meeting point of one writer (the publisher's ingress) and many readers: rings, figures and wishes. Decides nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::RwLock;

use super::codec::FrameSize;
use super::ring::{Ring, RingLimits};
use crate::live::media::{Codec, MediaKind};

/// Names an encoding within a node: never used again, so an encoding that was replaced is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EncodingId(u64);

impl EncodingId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One stream of packets of a publisher: its audio, or one quality of its video.
///
/// One writer; readers take the ring's read lock just long enough to copy the packets that are due, and never seal or send
/// under it.
#[derive(Debug)]
pub struct Encoding {
    /// Its name.
    pub id: EncodingId,
    /// Its codec.
    pub codec: Codec,
    /// Its simulcast stream id, where it has one.
    pub rid: Option<String>,
    /// Its packets.
    pub ring: RwLock<Ring>,
    key_frame_wanted: AtomicBool,
    answers: AtomicU8,
    clock: RwLock<Option<SenderClock>>,
    width: AtomicU32,
    height: AtomicU32,
    bitrate: AtomicU32,
    centi_fps: AtomicU32,
}

impl Encoding {
    /// An encoding without packets.
    pub fn new(codec: Codec, rid: Option<String>, limits: RingLimits) -> Self {
        Self {
            id: EncodingId::next(),
            codec,
            rid,
            ring: RwLock::new(Ring::new(limits)),
            key_frame_wanted: AtomicBool::new(false),
            answers: AtomicU8::new(AnswersKeyFrames::Unknown as u8),
            clock: RwLock::new(None),
            width: AtomicU32::new(0),
            height: AtomicU32::new(0),
            bitrate: AtomicU32::new(0),
            centi_fps: AtomicU32::new(0),
        }
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.codec.kind()
    }

    /// Wishes for a key frame; wishes of many viewers are one. The ingress asks the publisher within its budget, and a key
    /// frame that comes by itself serves as well.
    pub fn want_key_frame(&self) {
        self.key_frame_wanted.store(true, Ordering::Relaxed);
    }

    /// Whether a key frame was wished for since this was last called.
    pub fn take_key_frame_wanted(&self) -> bool {
        self.key_frame_wanted.load(Ordering::Relaxed) && self.key_frame_wanted.swap(false, Ordering::Relaxed)
    }

    /// Whether the publisher sends key frames when asked.
    pub fn answers_key_frames(&self) -> AnswersKeyFrames {
        match self.answers.load(Ordering::Relaxed) {
            1 => AnswersKeyFrames::Yes,
            2 => AnswersKeyFrames::No,
            _ => AnswersKeyFrames::Unknown,
        }
    }

    /// Notes whether the publisher sends key frames when asked.
    pub fn set_answers_key_frames(&self, answers: AnswersKeyFrames) {
        self.answers.store(answers as u8, Ordering::Relaxed);
    }

    /// How its timestamps relate to the server's clock: by the publisher's reports, before the first of them by arrival.
    /// `None` while nothing has come.
    pub fn clock(&self) -> Option<SenderClock> {
        *self.clock.read()
    }

    /// Notes how its timestamps relate to the server's clock.
    pub fn set_clock(&self, clock: SenderClock) {
        *self.clock.write() = Some(clock);
    }

    /// The size of its newest key frame.
    pub fn size(&self) -> Option<FrameSize> {
        let (width, height) = (self.width.load(Ordering::Relaxed), self.height.load(Ordering::Relaxed));
        (width > 0 && height > 0).then_some(FrameSize { width, height })
    }

    /// Notes the size of a key frame.
    pub fn set_size(&self, size: FrameSize) {
        self.width.store(size.width, Ordering::Relaxed);
        self.height.store(size.height, Ordering::Relaxed);
    }

    /// Bits of payload in the last second; 0 while none came.
    pub fn bitrate(&self) -> u32 {
        self.bitrate.load(Ordering::Relaxed)
    }

    /// Frames in the last second; 0 while none came.
    pub fn fps(&self) -> f32 {
        self.centi_fps.load(Ordering::Relaxed) as f32 / 100.0
    }

    /// Notes what came in the last second: bits of payload and hundredths of frames.
    pub fn set_rates(&self, bitrate: u32, centi_fps: u32) {
        self.bitrate.store(bitrate, Ordering::Relaxed);
        self.centi_fps.store(centi_fps, Ordering::Relaxed);
    }
}

/// Whether a publisher sends a key frame when asked: OBS and FFmpeg never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AnswersKeyFrames {
    /// Not asked yet.
    Unknown = 0,
    /// It does.
    Yes = 1,
    /// It was asked more than once and did not, or takes no requests.
    No = 2,
}

/// A timestamp and when the publisher captured it, on the server's clock.
///
/// All encodings of a publisher's session share one offset between its clock and the server's, so differences between them are
/// the publisher's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderClock {
    /// An RTP timestamp, unwrapped like [`Packet::timestamp`](super::packet::Packet::timestamp).
    pub timestamp: u64,
    /// Its time.
    pub at: Instant,
    /// Ticks in a second.
    pub clock_rate: u32,
    /// Whether the publisher's sender reports say so; else it is the arrival of its first packet.
    pub is_reported: bool,
}

impl SenderClock {
    /// The time of another timestamp of the encoding; the clock's own where that is beyond what an [`Instant`] holds.
    pub fn time_of(&self, timestamp: u64) -> Instant {
        let nanos = |ticks: u64| {
            Duration::from_nanos(
                (u128::from(ticks) * 1_000_000_000 / u128::from(self.clock_rate.max(1))) as u64,
            )
        };
        let time = if timestamp >= self.timestamp {
            self.at.checked_add(nanos(timestamp - self.timestamp))
        } else {
            self.at.checked_sub(nanos(self.timestamp - timestamp))
        };
        time.unwrap_or(self.at)
    }
}

/// What one publisher sends. Never changed: what changes is stored anew in its [`SourceSlot`].
#[derive(Debug, Default)]
pub struct Source {
    /// Which publisher session of the live, from 1; 0 before the first.
    pub generation: u64,
    /// Its audio.
    pub audio: Option<Arc<Encoding>>,
    /// Its video, lowest quality first.
    pub video: Vec<Arc<Encoding>>,
}

impl Source {
    /// Every encoding, audio first.
    pub fn encodings(&self) -> impl Iterator<Item = &Arc<Encoding>> {
        self.audio.iter().chain(&self.video)
    }
}

/// Where the viewers of a live find what its publisher sends, and a publisher who comes back takes the place of the one before.
#[derive(Debug, Default)]
pub struct SourceSlot {
    source: ArcSwap<Source>,
    generations: AtomicU64,
}

impl SourceSlot {
    /// A slot whose publisher has not come.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is published now. Cheap: no lock.
    pub fn load(&self) -> Arc<Source> {
        self.source.load_full()
    }

    /// Whether `source` is still what is published. Cheaper than loading it: no count that all viewers share is touched.
    pub fn holds(&self, source: &Arc<Source>) -> bool {
        Arc::ptr_eq(&self.source.load(), source)
    }

    /// A number for a publisher session that begins.
    pub fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Publishes; a session that was replaced by a later one changes nothing any more.
    pub fn store(&self, source: Arc<Source>) {
        self.source.rcu(|current| {
            if current.generation > source.generation { current.clone() } else { source.clone() }
        });
    }
}
