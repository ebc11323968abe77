//! MP4 and QuickTime (ISO/IEC 14496-12): boxes in boxes.

use super::{Blot, Flaw, Video, length, read_at};
use std::fs::File;

/// Bytes of the box that says where everything is; that of a minute has a few hundred thousand.
const MOST_INDEX: u64 = 8 << 20;

/// How deep boxes lie in each other at most: what is looked for lies four deep.
const DEEPEST: usize = 8;

/// Boxes beside each other at most, of which fragments have the most: a file of tiny ones must not take a minute to walk.
const MOST_BOXES: usize = 100_000;

/// Boxes that hold boxes, on the way to what is looked for.
const HOLDERS: [&[u8; 4]; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

/// Boxes that tell of place, time and maker.
const TELLING: [&[u8; 4]; 3] = [b"udta", b"meta", b"uuid"];

#[derive(Default)]
struct Track {
    is_video: bool,
    width: u32,
    height: u32,
    /// Units of time in a second.
    scale: u32,
    /// All samples together, in these units.
    length: u64,
}

#[derive(Default)]
struct Found {
    tracks: Vec<Track>,
    blots: Vec<Blot>,
}

pub(super) fn read(file: &mut File) -> Result<(Video, Vec<Blot>), Flaw> {
    let end = length(file)?;
    let (mut at, mut found, mut has_samples) = (0, Found::default(), false);
    for _ in 0..MOST_BOXES {
        if at == end {
            break;
        }
        let head = read_at(file, at, 8.min(usize::try_from(end - at).unwrap_or(8)))?;
        let (Some(name), Some(short)) = (name_of(&head), head.first_chunk::<4>()) else {
            return Err(Flaw::CutOff);
        };
        let bytes = match u32::from_be_bytes(*short) {
            0 => end - at,
            1 => match read_at(file, at + 8, 8)?.first_chunk::<8>() {
                Some(long) => u64::from_be_bytes(*long),
                None => return Err(Flaw::CutOff),
            },
            bytes => u64::from(bytes),
        };
        let next = at.checked_add(bytes).filter(|_| bytes >= 8).ok_or(Flaw::Broken)?;
        if next > end {
            return Err(Flaw::CutOff);
        }
        match &name {
            b"moov" if bytes > MOST_INDEX => return Err(Flaw::Broken),
            b"moov" => {
                let index = read_at(file, at, usize::try_from(bytes).map_err(|_| Flaw::Broken)?)?;
                found.walk(&index, at, DEEPEST)?;
            }
            b"mdat" => has_samples = true,
            name if TELLING.contains(&name) => found.blots.push(nothing(at, bytes)?),
            b"ftyp" | b"free" | b"skip" | b"wide" | b"pdin" | b"moof" | b"mfra" | b"sidx" | b"styp"
            | b"emsg" | b"prft" => {}
            _ => return Err(Flaw::Foreign),
        }
        at = next;
    }
    if at != end || !has_samples || found.tracks.is_empty() {
        return Err(Flaw::CutOff);
    }
    Ok((found.video(), found.blots))
}

impl Found {
    /// Walks the boxes in `bytes`, which stand at `place` in the file.
    fn walk(&mut self, bytes: &[u8], place: u64, deepest: usize) -> Result<(), Flaw> {
        let below = deepest.checked_sub(1).ok_or(Flaw::Broken)?;
        let mut rest = bytes;
        while rest.len() >= 8 {
            let at = place + (bytes.len() - rest.len()) as u64;
            let (Some(name), Some(short)) = (name_of(rest), rest.first_chunk::<4>()) else {
                return Err(Flaw::Broken);
            };
            let size = u32::from_be_bytes(*short) as usize;
            let whole = rest.get(..size).filter(|_| size >= 8).ok_or(Flaw::Broken)?;
            let body = &whole[8..];
            if &name == b"trak" {
                self.tracks.push(Track::default());
            }
            if HOLDERS.contains(&&name) {
                self.walk(body, at + 8, below)?;
            } else if TELLING.contains(&&name) {
                self.blots.push(nothing(at, size as u64)?);
            } else if let Some(track) = self.tracks.last_mut() {
                track.hear(name, body);
            }
            rest = &rest[size..];
        }
        Ok(())
    }

    fn video(&self) -> Video {
        let duration_ms = self.tracks.iter().map(Track::milliseconds).max().unwrap_or(0);
        let picture = self.tracks.iter().find(|track| track.is_video);
        let (width, height) = picture.map_or((0, 0), |track| (track.width, track.height));
        Video { width, height, duration_ms }
    }
}

impl Track {
    fn hear(&mut self, name: [u8; 4], body: &[u8]) {
        let word = |at: usize| body.get(at..)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word));
        let is_long = body.first() == Some(&1);
        match &name {
            b"hdlr" if body.get(8..12) == Some(b"vide") => self.is_video = true,
            b"tkhd" => {
                // Behind version, flags, times, id, duration, layer and volume: how it is turned, then how large it is.
                let matrix = if is_long { 52 } else { 40 };
                let size = |at| word(at).map_or(0, |fixed| fixed >> 16);
                (self.width, self.height) = (size(matrix + 36), size(matrix + 40));
                if word(matrix) == Some(0) && word(matrix + 4) != Some(0) {
                    (self.width, self.height) = (self.height, self.width);
                }
            }
            b"mdhd" => self.scale = word(if is_long { 20 } else { 12 }).unwrap_or(0),
            b"stts" => {
                let runs = body.get(8..).unwrap_or_default().chunks_exact(8);
                let run = |run: &[u8]| match run {
                    [a, b, c, d, e, f, g, h] => u64::from(u32::from_be_bytes([*a, *b, *c, *d]))
                        .saturating_mul(u32::from_be_bytes([*e, *f, *g, *h]).into()),
                    _ => 0,
                };
                self.length = runs.map(run).fold(0, u64::saturating_add);
            }
            _ => {}
        }
    }

    fn milliseconds(&self) -> u64 {
        if self.scale == 0 { 0 } else { self.length.saturating_mul(1_000) / u64::from(self.scale) }
    }
}

fn name_of(head: &[u8]) -> Option<[u8; 4]> {
    head.get(4..)?.first_chunk::<4>().copied()
}

/// A box of the same length that is skipped by whoever reads it.
fn nothing(at: u64, bytes: u64) -> Result<Blot, Flaw> {
    let short = u32::try_from(bytes).map_err(|_| Flaw::Broken)?;
    let head = [&short.to_be_bytes()[..], b"free"].concat();
    Ok(Blot { at, bytes, head })
}
