//! From an uploaded video to what is served: measured, and without what it tells of place and maker.
//!
//! A video is not decoded: browsers do that, each in a process of little power. Its frame is walked from the first byte to
//! the last, which finds files that were cut off or are something else; how long it plays is counted from its samples,
//! since what a header says of it anybody may have written. What is taken out is overwritten in place by an
//! element of the same length that says nothing, so that no sample moves.

use super::{Flaw, Format};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
};

mod isobmff;
mod webm;

/// What is known of a video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Video {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) duration_ms: u64,
}

/// A run of bytes that must not be told, and what stands there instead: `head`, then zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Blot {
    at: u64,
    bytes: u64,
    head: Vec<u8>,
}

/// Sound ends up to a frame of its own after the picture, and frames have no length of their own in WebM.
const GRACE_MS: u64 = 500;

/// Checks a video file, takes out of it what is nobody's business, and measures it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn make(format: Format, file: &mut File, most_ms: u64) -> Result<Video, Flaw> {
    let (video, blots) = match format {
        Format::WebM => webm::read(file)?,
        _ => isobmff::read(file)?,
    };
    if video.width == 0 || video.height == 0 {
        return Err(Flaw::NoPicture);
    }
    if video.duration_ms == 0 {
        return Err(Flaw::NoDuration);
    }
    if video.duration_ms > most_ms + GRACE_MS {
        return Err(Flaw::TooLong { ms: video.duration_ms, most_ms });
    }
    for blot in blots {
        blot.onto(file).map_err(|_| Flaw::Broken)?;
    }
    Ok(video)
}

impl Blot {
    fn onto(&self, file: &mut File) -> std::io::Result<()> {
        file.seek(SeekFrom::Start(self.at))?;
        file.write_all(&self.head)?;
        let zeros = self.bytes.saturating_sub(self.head.len() as u64);
        std::io::copy(&mut std::io::repeat(0).take(zeros), file)?;
        Ok(())
    }
}

/// Reads exactly so many bytes at a place.
fn read_at(file: &mut File, at: u64, bytes: usize) -> Result<Vec<u8>, Flaw> {
    let mut read = vec![0; bytes];
    file.seek(SeekFrom::Start(at)).map_err(|_| Flaw::CutOff)?;
    file.read_exact(&mut read).map_err(|_| Flaw::CutOff)?;
    Ok(read)
}

fn length(file: &File) -> Result<u64, Flaw> {
    file.metadata().map(|metadata| metadata.len()).map_err(|_| Flaw::Broken)
}
