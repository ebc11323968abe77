//! Uploaded pictures and videos: taken in within bounds, checked, made ready, kept as files, and found again.
//!
//! Content decides what a file is. Whatever is served was written whole, synced, and moved to its place in one step
//! before anybody was told of it, so a crash leaves either all of an upload or nothing that is ever served. Decides nothing
//! about people: who may upload, read or delete is judged elsewhere, and so is where media hang.

mod files;
mod format;
mod picture;
mod strip;
#[cfg(test)]
mod tests;
mod video;

pub use files::{Incoming, Library, LibraryError, Stored};
pub use format::Format;

use crate::config::Config;
use communiconnect_protocol::{Code, ErrorBody};
use std::{path::PathBuf, time::Duration};

/// The part of the settings that media need.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where files are.
    pub folder: PathBuf,
    /// Bytes of a picture.
    pub image_bytes: u64,
    /// Bytes of a video.
    pub video_bytes: u64,
    /// Milliseconds of a video.
    pub video_ms: u64,
    /// Bytes of a profile's photo.
    pub photo_bytes: u64,
    /// Bytes that a picture's pixels may take.
    pub decoded_bytes: u64,
    /// Pictures that are checked at once.
    pub workers: usize,
    /// Uploads at once.
    pub uploads: usize,
    /// Time that an upload that hangs nowhere is kept.
    pub unused: Duration,
}

impl Settings {
    /// As configured; files are in `data` unless a folder is named.
    pub fn of(config: &Config, data: &std::path::Path) -> Self {
        let media = &config.media;
        let folder =
            media.url.as_str().strip_prefix("file://").map_or_else(|| data.join("media"), PathBuf::from);
        Self {
            folder,
            image_bytes: media.image_bytes,
            video_bytes: media.video_bytes,
            video_ms: media.video_ms,
            photo_bytes: media.photo_bytes,
            decoded_bytes: media.decoded_bytes,
            workers: media.workers,
            uploads: media.uploads,
            unused: Duration::from_millis(media.unused_ms),
        }
    }

    /// Bytes that a file may have, whatever it is.
    pub fn most_bytes(&self) -> u64 {
        self.image_bytes.max(self.video_bytes)
    }

    /// Bytes that a file of this format may have.
    fn most_bytes_of(&self, format: Format) -> u64 {
        if format.is_video() { self.video_bytes } else { self.image_bytes }
    }
}

/// What is wrong with an uploaded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is none.
    #[error("`file` is missing or empty: send the file itself as a part named `file`")]
    Empty,
    /// It is of no kind that is taken.
    #[error(
        "this is no picture (JPEG, PNG, GIF, WebP) and no video (MP4, WebM, QuickTime), whatever its name says"
    )]
    Unknown,
    /// It is larger than it may be.
    #[error("the file is over {most} bytes: make it smaller")]
    TooLarge {
        /// Bytes it may have.
        most: u64,
    },
    /// It ends too early.
    #[error("the file is cut off: upload the whole file")]
    CutOff,
    /// It does not follow its format.
    #[error("the file is damaged: save it anew and upload that")]
    Broken,
    /// Something else than the picture follows it.
    #[error("something else is in the file as well: save it anew and upload that")]
    Foreign,
    /// A video where a picture is wanted.
    #[error("a profile has a picture, no video")]
    NoPhoto,
    /// There is nothing to be seen in it.
    #[error("the video has no picture, or does not say how large it is: save it anew as MP4 or WebM")]
    NoPicture,
    /// It cannot be told how long it plays.
    #[error("it cannot be told how long the video plays: save it anew as MP4 or WebM")]
    NoDuration,
    /// It plays for too long.
    #[error("the video plays for {} s, and {} s are allowed: cut it", seconds(*.ms), seconds(*.most_ms))]
    TooLong {
        /// How long it plays, in milliseconds.
        ms: u64,
        /// How long it may.
        most_ms: u64,
    },
    /// Its pixels would take more memory than they may.
    #[error(
        "the picture has {width} x {height} pixels, which is more than this server can open: make it smaller"
    )]
    TooManyPixels {
        /// From left to right.
        width: u32,
        /// From top to bottom.
        height: u32,
    },
    /// Reading it would take more memory than it may.
    #[error("the picture takes more memory than this server may use for it: make it smaller")]
    TooMuchMemory,
}

/// With one decimal.
fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

impl From<Flaw> for ErrorBody {
    fn from(flaw: Flaw) -> Self {
        let code = match flaw {
            Flaw::Empty | Flaw::NoDuration => Code::Invalid,
            Flaw::Unknown | Flaw::CutOff | Flaw::Broken | Flaw::Foreign | Flaw::NoPhoto | Flaw::NoPicture => {
                Code::UnsupportedType
            }
            Flaw::TooLarge { .. } => Code::TooLarge,
            Flaw::TooManyPixels { .. } | Flaw::TooMuchMemory | Flaw::TooLong { .. } => Code::LimitExceeded,
        };
        let mut refusal = Self::new(code, flaw.to_string());
        refusal.field = Some("file".into());
        refusal
    }
}
