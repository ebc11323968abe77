//! Uploaded pictures: taken in within bounds, checked, made ready, kept as files, and found again.
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

pub use files::{Incoming, Library, LibraryError, Stored};
pub use format::Format;

use crate::config::Config;
use communiconnect_protocol::{Code, ErrorBody, MediaPurpose};
use std::{path::PathBuf, time::Duration};

/// The part of the settings that media need.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where files are.
    pub folder: PathBuf,
    /// Bytes of a picture.
    pub image_bytes: u64,
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
            photo_bytes: media.photo_bytes,
            decoded_bytes: media.decoded_bytes,
            workers: media.workers,
            uploads: media.uploads,
            unused: Duration::from_millis(media.unused_ms),
        }
    }

    /// Bytes that a file for this may have.
    pub fn most_bytes(&self, purpose: MediaPurpose) -> u64 {
        match purpose {
            MediaPurpose::Post => self.image_bytes,
            MediaPurpose::Profile => self.photo_bytes.min(self.image_bytes),
        }
    }
}

/// What is wrong with an uploaded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is none.
    #[error("`file` is missing or empty: send the file itself as a part named `file`")]
    Empty,
    /// It is of no kind that is taken.
    #[error("this is no JPEG, PNG, GIF or WebP picture, whatever its name says")]
    Unknown,
    /// It is larger than it may be.
    #[error("the file is over {most} bytes: make it smaller")]
    TooLarge {
        /// Bytes it may have.
        most: u64,
    },
    /// It ends too early.
    #[error("the picture is cut off: upload the whole file")]
    CutOff,
    /// It does not follow its format.
    #[error("the picture is damaged: save it anew and upload that")]
    Broken,
    /// Something else than the picture follows it.
    #[error("something else follows the picture in its file: save it anew and upload that")]
    Foreign,
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

impl From<Flaw> for ErrorBody {
    fn from(flaw: Flaw) -> Self {
        let code = match flaw {
            Flaw::Empty => Code::Invalid,
            Flaw::Unknown | Flaw::CutOff | Flaw::Broken | Flaw::Foreign => Code::UnsupportedType,
            Flaw::TooLarge { .. } => Code::TooLarge,
            Flaw::TooManyPixels { .. } | Flaw::TooMuchMemory => Code::LimitExceeded,
        };
        let mut refusal = Self::new(code, flaw.to_string());
        refusal.field = Some("file".into());
        refusal
    }
}
