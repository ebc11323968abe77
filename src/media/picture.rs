//! From an uploaded file to what is served: checked, stripped, turned as it is to be seen, and made in several sizes.
//!
//! Pure work on bytes for the CPU: it is run on threads of its own, a bounded number at once.

use super::{Flaw, Format, strip::stripped};
use base64::{Engine, prelude::BASE64_STANDARD};
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    imageops::FilterType,
    metadata::Orientation,
};
use std::io::Cursor;

/// Sizes that are made of a larger picture, with the most pixels of its longer side: a screen, a post in a list, a stamp.
const SIZES: [(&str, u32); 3] = [("large", 1600), ("medium", 600), ("thumb", 150)];

/// The most pixels of the longer side that a thumbhash is made of.
const HASHED: u32 = 100;

/// Per cent of JPEG's quality: of smaller sizes, where nobody sees the difference to more, and of originals that had to be
/// turned, where nothing should be lost.
const QUALITY: u8 = 82;
const QUALITY_OF_ORIGINALS: u8 = 92;

/// One file that is served.
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// A picture as it is kept.
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) thumbhash: String,
    /// The original first, then the sizes that are smaller than it.
    pub(super) variants: Vec<Variant>,
}

/// Checks a file and makes what is served of it. Its pixels may take `decoded_bytes`, which is judged by its header.
///
/// # Errors
/// What is wrong with it.
pub(super) fn make(format: Format, file: &[u8], decoded_bytes: u64) -> Result<Picture, Flaw> {
    let clean = stripped(format, file)?;
    let decoder = format.decoder().ok_or(Flaw::Unknown)?;
    let mut reader = ImageReader::with_format(Cursor::new(file), decoder);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(decoded_bytes);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(flaw)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Flaw::Broken);
    }
    if decoder.total_bytes() > decoded_bytes {
        return Err(Flaw::TooManyPixels { width, height });
    }
    let orientation = decoder.orientation().map_err(flaw)?;
    // Of other colours than these eight bits each, the profile would speak of what is no more.
    let profile = decoder.icc_profile().ok().flatten().filter(|profile| profile.get(16..20) == Some(b"RGB "));
    let mut seen = DynamicImage::from_decoder(decoder).map_err(flaw)?;
    seen.apply_orientation(orientation);
    let (width, height) = (seen.width(), seen.height());
    let is_opaque = !seen.color().has_alpha();
    let mut seen = if is_opaque { DynamicImage::from(seen.into_rgb8()) } else { seen.into_rgba8().into() };
    let original = if orientation == Orientation::NoTransforms {
        Variant { name: "original", media_type: format.media_type(), bytes: clean }
    } else {
        encode("original", &seen, QUALITY_OF_ORIGINALS, profile.as_deref())?
    };
    let mut variants = vec![original];
    for (name, longest) in SIZES {
        if seen.width().max(seen.height()) <= longest {
            continue;
        }
        seen = smaller(&seen, longest);
        variants.push(encode(name, &seen, QUALITY, profile.as_deref())?);
    }
    Ok(Picture { width, height, thumbhash: thumbhash(&seen), variants })
}

/// Much larger ones are halved by averages first, which is many times faster and looks the same.
fn smaller(picture: &DynamicImage, longest: u32) -> DynamicImage {
    let twice = longest * 2;
    if picture.width().max(picture.height()) > twice {
        picture.thumbnail(twice, twice).resize(longest, longest, FilterType::CatmullRom)
    } else {
        picture.resize(longest, longest, FilterType::CatmullRom)
    }
}

/// As JPEG, or as PNG where something shines through.
fn encode(
    name: &'static str,
    picture: &DynamicImage,
    quality: u8,
    profile: Option<&[u8]>,
) -> Result<Variant, Flaw> {
    let mut bytes = Vec::new();
    let (width, height) = (picture.width(), picture.height());
    if picture.color().has_alpha() {
        let mut encoder = PngEncoder::new(&mut bytes);
        if let Some(profile) = profile {
            let _ = encoder.set_icc_profile(profile.to_vec());
        }
        encoder.write_image(picture.as_bytes(), width, height, ExtendedColorType::Rgba8).map_err(flaw)?;
        return Ok(Variant { name, media_type: Format::Png.media_type(), bytes });
    }
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    encoder.write_image(picture.as_bytes(), width, height, ExtendedColorType::Rgb8).map_err(flaw)?;
    Ok(Variant { name, media_type: Format::Jpeg.media_type(), bytes })
}

fn thumbhash(picture: &DynamicImage) -> String {
    let small = if picture.width().max(picture.height()) > HASHED {
        picture.thumbnail(HASHED, HASHED).into_rgba8()
    } else {
        picture.to_rgba8()
    };
    let (width, height) = (small.width() as usize, small.height() as usize);
    BASE64_STANDARD.encode(thumbhash::rgba_to_thumb_hash(width, height, small.as_raw()))
}

fn flaw(error: image::ImageError) -> Flaw {
    match error {
        image::ImageError::Limits(_) => Flaw::TooMuchMemory,
        _ => Flaw::Broken,
    }
}
