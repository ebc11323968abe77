//! Takes out of a picture's file what is no picture: where it was taken, by whom, with what, and whatever else hides there.
//!
//! The pixels are not touched. Each format is walked from its first byte to its last, and only what is known to matter to
//! the picture is copied; so a file that is a picture and something else at once does not stay both, and one that was cut
//! off is found. Colour profiles, transparency and movement are kept.

use super::{Flaw, Format};

/// The file with nothing but the picture in it.
///
/// # Errors
/// Where it is cut off, breaks its format, or goes on after its end.
pub(super) fn stripped(format: Format, file: &[u8]) -> Result<Vec<u8>, Flaw> {
    match format {
        Format::Jpeg => jpeg(file),
        Format::Png => png(file),
        Format::Gif => gif(file),
        Format::WebP => webp(file),
        Format::Mp4 | Format::QuickTime | Format::WebM => Err(Flaw::Unknown),
    }
}

/// Reads from the front; what is not there was cut off.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Flaw> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Flaw::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Flaw> {
        Ok(self.take(1)?[0])
    }

    /// A length of four bytes, the least significant last.
    fn length(&mut self) -> Result<usize, Flaw> {
        let [a, b, c, d] = *self.take(4)?.first_chunk::<4>().ok_or(Flaw::CutOff)?;
        Ok(u32::from_be_bytes([a, b, c, d]) as usize)
    }
}

/// Segments from marker to marker (T.81, annex B). Cameras append previews and whole second pictures: what follows the end
/// is left away, unless another format is in it.
fn jpeg(file: &[u8]) -> Result<Vec<u8>, Flaw> {
    let mut reader = Reader { rest: file };
    let mut kept = Vec::with_capacity(file.len());
    kept.extend_from_slice(reader.take(2)?);
    loop {
        if reader.byte()? != 0xff {
            return Err(Flaw::Broken);
        }
        let mut marker = reader.byte()?;
        // Any number of 0xff may stand before a marker.
        while marker == 0xff {
            marker = reader.byte()?;
        }
        match marker {
            0xd9 => {
                kept.extend_from_slice(&[0xff, 0xd9]);
                return if holds_another(reader.rest) { Err(Flaw::Foreign) } else { Ok(kept) };
            }
            0x01 | 0xd0..=0xd7 => kept.extend_from_slice(&[0xff, marker]),
            _ => {
                let length = reader.take(2)?;
                let bytes = usize::from(u16::from_be_bytes([length[0], length[1]]));
                let body = reader.take(bytes.checked_sub(2).ok_or(Flaw::Broken)?)?;
                if is_picture_of_jpeg(marker, body) {
                    kept.extend_from_slice(&[0xff, marker]);
                    kept.extend_from_slice(length);
                    kept.extend_from_slice(body);
                }
                if marker == 0xda {
                    let scan = scan_bytes(reader.rest)?;
                    kept.extend_from_slice(reader.take(scan)?);
                }
            }
        }
    }
}

/// All but applications' segments and comments; of those JFIF, colour profiles and Adobe's word on colours.
fn is_picture_of_jpeg(marker: u8, body: &[u8]) -> bool {
    match marker {
        0xe0 => body.starts_with(b"JFIF\0"),
        0xe2 => body.starts_with(b"ICC_PROFILE\0"),
        0xee => body.starts_with(b"Adobe"),
        0xe1..=0xef | 0xfe => false,
        _ => true,
    }
}

/// How long the coded pixels are: to the next marker that is no restart.
fn scan_bytes(rest: &[u8]) -> Result<usize, Flaw> {
    let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff);
    rest.windows(2).position(is_end).ok_or(Flaw::CutOff)
}

/// Whether what follows a picture would be taken for something else by who reads files from their end or by their words.
fn holds_another(rest: &[u8]) -> bool {
    const WORDS: [&[u8]; 7] =
        [b"PK\x03\x04", b"PK\x05\x06", b"%PDF", b"<script", b"<html", b"<?php", b"<svg"];
    WORDS.iter().any(|word| rest.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// Chunks (W3C PNG, section 5); those that carry text, time or EXIF are left away.
fn png(file: &[u8]) -> Result<Vec<u8>, Flaw> {
    const KEPT: [&[u8]; 19] = [
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP",
        b"mDCV", b"cLLI", b"bKGD", b"hIST", b"pHYs", b"acTL", b"fcTL", b"fdAT",
    ];
    let mut reader = Reader { rest: file };
    let mut kept = Vec::with_capacity(file.len());
    kept.extend_from_slice(reader.take(8)?);
    loop {
        let whole = reader.rest;
        let bytes = reader.length()?;
        let name = reader.take(4)?;
        reader.take(bytes)?;
        // The checksum.
        reader.take(4)?;
        if KEPT.contains(&name) {
            kept.extend_from_slice(&whole[..bytes + 12]);
        }
        if name == b"IEND" {
            return if reader.rest.is_empty() { Ok(kept) } else { Err(Flaw::Foreign) };
        }
    }
}

/// Blocks (GIF89a, section 12 on); comments, plain text and applications' blocks are left away, but for the one that says
/// how often it plays.
fn gif(file: &[u8]) -> Result<Vec<u8>, Flaw> {
    let mut reader = Reader { rest: file };
    let mut kept = Vec::with_capacity(file.len());
    let screen = reader.take(13)?;
    kept.extend_from_slice(screen);
    kept.extend_from_slice(reader.take(table_bytes(screen[10]))?);
    loop {
        let whole = reader.rest;
        let is_kept = match reader.byte()? {
            0x3b => {
                kept.push(0x3b);
                return if reader.rest.is_empty() { Ok(kept) } else { Err(Flaw::Foreign) };
            }
            0x2c => {
                let flags = reader.take(9)?[8];
                reader.take(table_bytes(flags))?;
                // How wide its codes begin.
                reader.byte()?;
                true
            }
            0x21 => match reader.byte()? {
                0xf9 => true,
                0xff => reader.rest.starts_with(b"\x0bNETSCAPE2.0"),
                _ => false,
            },
            _ => return Err(Flaw::Broken),
        };
        loop {
            let bytes = usize::from(reader.byte()?);
            if bytes == 0 {
                break;
            }
            reader.take(bytes)?;
        }
        if is_kept {
            kept.extend_from_slice(&whole[..whole.len() - reader.rest.len()]);
        }
    }
}

/// How long the table of colours is that these flags announce.
fn table_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Chunks (RFC 9649); those of EXIF and XMP, and unknown ones, are left away.
fn webp(file: &[u8]) -> Result<Vec<u8>, Flaw> {
    const KEPT: [&[u8]; 7] = [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];
    /// Flags of `VP8X` that announce EXIF and XMP.
    const TOLD: u8 = 0x08 | 0x04;
    let little = |bytes: &[u8]| bytes.iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    let mut outer = Reader { rest: file };
    outer.take(4)?;
    let bytes = little(outer.take(4)?);
    let mut reader = Reader { rest: outer.take(bytes)? };
    if !outer.rest.is_empty() {
        return Err(Flaw::Foreign);
    }
    let mut kept = Vec::with_capacity(file.len());
    kept.extend_from_slice(b"RIFF\0\0\0\0");
    kept.extend_from_slice(reader.take(4)?);
    while !reader.rest.is_empty() {
        let name = reader.take(4)?;
        let length = reader.take(4)?;
        let bytes = little(length);
        let body = reader.take(bytes)?;
        // Odd lengths are padded; some writers leave the last padding away.
        let _ = reader.take((bytes % 2).min(reader.rest.len()))?;
        if !KEPT.contains(&name) {
            continue;
        }
        kept.extend_from_slice(name);
        kept.extend_from_slice(length);
        let begin = kept.len();
        kept.extend_from_slice(body);
        kept.resize(begin + bytes + bytes % 2, 0);
        if name == b"VP8X" && bytes > 0 {
            kept[begin] &= !TOLD;
        }
    }
    let bytes = u32::try_from(kept.len() - 8).map_err(|_| Flaw::Broken)?;
    kept[4..8].copy_from_slice(&bytes.to_le_bytes());
    Ok(kept)
}
