//! Pictures as people and others send them.

use super::{Flaw, Format, picture, strip::stripped};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use std::io::Cursor;

const ENOUGH: u64 = 96 << 20;

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).expect("encoded");
    file.into_inner()
}

/// Red on the left, blue on the right.
fn flag(width: u32, height: u32) -> DynamicImage {
    let colour = |x, _| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) };
    RgbImage::from_fn(width, height, colour).into()
}

/// A JPEG with EXIF that turns it a quarter to the right and tells a secret.
fn turned(width: u32, height: u32) -> Vec<u8> {
    let plain = encoded(&flag(width, height), ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend_from_slice(b"48.8584N 2.2945E");
    let mut file = vec![0xff, 0xd8, 0xff, 0xe1];
    file.extend_from_slice(&u16::try_from(exif.len() + 2).expect("short").to_be_bytes());
    file.extend_from_slice(&exif);
    file.extend_from_slice(&plain[2..]);
    file
}

fn holds(file: &[u8], word: &[u8]) -> bool {
    file.windows(word.len()).any(|part| part == word)
}

#[test]
fn every_format_is_kept_as_it_is_and_made_smaller() {
    for (sort, format) in [
        (ImageFormat::Jpeg, Format::Jpeg),
        (ImageFormat::Png, Format::Png),
        (ImageFormat::Gif, Format::Gif),
        (ImageFormat::WebP, Format::WebP),
    ] {
        let file = encoded(&flag(700, 300), sort);
        let made = picture::make(format, &file, ENOUGH).unwrap_or_else(|flaw| panic!("{format:?}: {flaw}"));
        let names: Vec<_> = made.variants.iter().map(|variant| variant.name).collect();
        assert_eq!((made.width, made.height, &names[..]), (700, 300, &["original", "medium", "thumb"][..]));
        assert_eq!(made.variants[0].media_type, format.media_type());
        let again = image::load_from_memory(&made.variants[0].bytes).expect("still a picture");
        assert_eq!((again.width(), again.height()), (700, 300));
        let thumb = image::load_from_memory(&made.variants[2].bytes).expect("a picture");
        assert!(thumb.width() == 150 && (64..=65).contains(&thumb.height()), "{}", thumb.height());
        assert!(!made.thumbhash.is_empty());
    }
}

#[test]
fn a_picture_of_one_pixel_is_one() {
    let file = encoded(&flag(1, 1), ImageFormat::Png);
    let made = picture::make(Format::Png, &file, ENOUGH).expect("a picture");
    assert_eq!((made.width, made.height, made.variants.len()), (1, 1, 1));
}

#[test]
fn a_photo_is_turned_upright_and_does_not_tell_where_it_was_taken() {
    let file = turned(64, 32);
    assert!(holds(&file, b"48.8584N"));
    let made = picture::make(Format::Jpeg, &file, ENOUGH).expect("a picture");
    assert_eq!((made.width, made.height), (32, 64));
    let original = &made.variants[0].bytes;
    assert!(!holds(original, b"48.8584N") && !holds(original, b"Exif"));
    let seen = image::load_from_memory(original).expect("a picture").into_rgb8();
    assert_eq!((seen.width(), seen.height()), (32, 64));
    assert!(seen.get_pixel(16, 8).0[0] > 200 && seen.get_pixel(16, 56).0[2] > 200, "left is now above");
}

#[test]
fn what_is_no_picture_is_taken_out_of_every_format() {
    let jpeg = stripped(Format::Jpeg, &turned(8, 8)).expect("walked");
    assert!(!holds(&jpeg, b"2.2945E"));
    let png = encoded(&flag(8, 8), ImageFormat::Png);
    let text = [&[0, 0, 0, 6][..], b"tEXtsecret", &[0; 4]].concat();
    let told = [&png[..33], &text, &png[33..]].concat();
    assert_eq!(stripped(Format::Png, &told).expect("walked"), png);
    let gif = encoded(&flag(8, 8), ImageFormat::Gif);
    let end = gif.len() - 1;
    let told = [&gif[..end], b"\x21\xfe\x06secret\0", &gif[end..]].concat();
    assert!(!holds(&stripped(Format::Gif, &told).expect("walked"), b"secret"));
    let webp = encoded(&flag(8, 8), ImageFormat::WebP);
    let mut told = [&webp[..], b"EXIF\x06\0\0\0secret"].concat();
    let bytes = u32::try_from(told.len() - 8).expect("short");
    told[4..8].copy_from_slice(&bytes.to_le_bytes());
    let clean = stripped(Format::WebP, &told).expect("walked");
    assert!(!holds(&clean, b"secret"));
    image::load_from_memory(&clean).expect("still a picture");
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    for (sort, format) in [
        (ImageFormat::Jpeg, Format::Jpeg),
        (ImageFormat::Png, Format::Png),
        (ImageFormat::Gif, Format::Gif),
        (ImageFormat::WebP, Format::WebP),
    ] {
        let file = encoded(&flag(20, 20), sort);
        for end in 16..file.len() {
            assert!(picture::make(format, &file[..end], ENOUGH).is_err(), "{format:?} of {end} bytes");
        }
    }
}

#[test]
fn a_picture_that_is_something_else_at_once_is_refused() {
    for (sort, format) in [
        (ImageFormat::Jpeg, Format::Jpeg),
        (ImageFormat::Png, Format::Png),
        (ImageFormat::Gif, Format::Gif),
        (ImageFormat::WebP, Format::WebP),
    ] {
        for tail in [&b"PK\x03\x04 a zip"[..], b"<script>alert(1)</script>", b"%PDF-1.7"] {
            let file = [&encoded(&flag(20, 20), sort)[..], tail].concat();
            assert_eq!(picture::make(format, &file, ENOUGH).err(), Some(Flaw::Foreign), "{format:?}");
        }
    }
}

#[test]
fn a_huge_picture_in_a_small_file_is_refused_by_its_header() {
    let mut file = encoded(&flag(8, 8), ImageFormat::Png);
    file[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&file[12..29]);
    file[29..33].copy_from_slice(&sum.to_be_bytes());
    let refused = picture::make(Format::Png, &file, ENOUGH).err();
    assert!(
        matches!(refused, Some(Flaw::TooManyPixels { width: 30_000, .. } | Flaw::TooMuchMemory)),
        "{refused:?}"
    );
}

#[test]
fn what_shines_through_stays_so() {
    let glass = RgbaImage::from_pixel(400, 400, Rgba([10, 20, 30, 40]));
    let made =
        picture::make(Format::Png, &encoded(&glass.into(), ImageFormat::Png), ENOUGH).expect("a picture");
    assert_eq!(made.variants[1].media_type, "image/png");
    let thumb = image::load_from_memory(&made.variants[1].bytes).expect("a picture").into_rgba8();
    assert_eq!(thumb.get_pixel(5, 5).0[3], 40);
}
