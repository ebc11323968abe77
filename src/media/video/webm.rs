//! WebM (RFC 8794, RFC 9559): elements in elements, some without a length.
//!
//! Walked flat: what holds others is entered, everything else is passed over, so that clusters of unknown length need no
//! care.

use super::{Blot, Flaw, Video, length, read_at};
use std::fs::File;

const EBML: u32 = 0x1a45_dfa3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const SCALE: u32 = 0x002a_d7b1;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK: u32 = 0xae;
const PICTURE: u32 = 0xe0;
const WIDTH: u32 = 0xb0;
const HEIGHT: u32 = 0xba;
const CLUSTER: u32 = 0x1f43_b675;
const TIME: u32 = 0xe7;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const SIMPLE_BLOCK: u32 = 0xa3;
const TAGS: u32 = 0x1254_c367;
const ATTACHMENTS: u32 = 0x1941_a469;

/// Elements at most: a minute has some ten thousand, and a file of tiny ones must not take a minute to walk.
const MOST_ELEMENTS: usize = 500_000;

/// Nanoseconds of a unit of time where nothing is said.
const USUAL_SCALE: u64 = 1_000_000;

pub(super) fn read(file: &mut File) -> Result<(Video, Vec<Blot>), Flaw> {
    let end = length(file)?;
    let mut video = Video::default();
    let (mut blots, mut at, mut is_webm) = (Vec::new(), 0, false);
    let (mut scale, mut cluster, mut last) = (USUAL_SCALE, 0_u64, 0_u64);
    for _ in 0..MOST_ELEMENTS {
        if at >= end {
            let duration_ms = last.saturating_mul(scale) / 1_000_000;
            return if is_webm { Ok((Video { duration_ms, ..video }, blots)) } else { Err(Flaw::Unknown) };
        }
        let head = read_at(file, at, usize::try_from(end - at).unwrap_or(12).min(12))?;
        let (id, id_bytes) = id_of(&head)?;
        let (size, size_bytes) = size_of(&head[id_bytes..])?;
        let body = at + (id_bytes + size_bytes) as u64;
        let holds = matches!(id, EBML | SEGMENT | INFO | TRACKS | TRACK | PICTURE | CLUSTER | BLOCK_GROUP);
        let next = match size {
            Some(size) => body.checked_add(size).ok_or(Flaw::Broken)?,
            None if matches!(id, SEGMENT | CLUSTER) => body,
            None => return Err(Flaw::Broken),
        };
        if next > end {
            return Err(Flaw::CutOff);
        }
        if at == 0 && id != EBML {
            return Err(Flaw::Unknown);
        }
        let small = if holds { 0 } else { usize::try_from(next - body).unwrap_or(usize::MAX).min(8) };
        let value = read_at(file, body, small)?;
        let number = value.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        match id {
            DOC_TYPE => is_webm = value.starts_with(b"webm"),
            SCALE => scale = number,
            WIDTH => video.width = u32::try_from(number).unwrap_or(0),
            HEIGHT => video.height = u32::try_from(number).unwrap_or(0),
            TIME => cluster = number,
            BLOCK | SIMPLE_BLOCK => last = last.max(block_time(cluster, &value)),
            TAGS | ATTACHMENTS => blots.push(nothing(at, next - at)),
            _ => {}
        }
        at = if holds { body } else { next };
    }
    Err(Flaw::Broken)
}

/// A block's time is told from that of its cluster, behind the number of its track.
fn block_time(cluster: u64, block: &[u8]) -> u64 {
    let track = block.first().map_or(1, |first| first.leading_zeros() as usize + 1);
    let offset = block
        .get(track..)
        .and_then(|rest| rest.first_chunk::<2>())
        .map_or(0, |time| i16::from_be_bytes(*time));
    cluster.saturating_add_signed(i64::from(offset))
}

/// An id with its marker, and how long it is.
fn id_of(bytes: &[u8]) -> Result<(u32, usize), Flaw> {
    let first = *bytes.first().ok_or(Flaw::CutOff)?;
    let length = first.leading_zeros() as usize + 1;
    if length > 4 {
        return Err(Flaw::Broken);
    }
    let id = bytes.get(..length).ok_or(Flaw::CutOff)?;
    Ok((id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte)), length))
}

/// A length, none where it is unknown, and how long that is.
fn size_of(bytes: &[u8]) -> Result<(Option<u64>, usize), Flaw> {
    let first = *bytes.first().ok_or(Flaw::CutOff)?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return Err(Flaw::Broken);
    }
    let written = bytes.get(..length).ok_or(Flaw::CutOff)?;
    let size = written.iter().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    let most = (1_u64 << (7 * length)) - 1;
    let size = size & most;
    Ok(((size != most).then_some(size), length))
}

/// A `Void` of the same length.
fn nothing(at: u64, bytes: u64) -> Blot {
    let head = match bytes {
        9.. => [&[0xec][..], &((bytes - 9) | (1 << 56)).to_be_bytes()].concat(),
        _ => vec![0xec, 0x80 | u8::try_from(bytes.saturating_sub(2)).unwrap_or(0)],
    };
    Blot { at, bytes, head }
}
