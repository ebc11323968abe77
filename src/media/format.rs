//! What a file is, told by its first bytes: names and declared types are a client's word, and are not believed.

/// What is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ITU-T T.81.
    Jpeg,
    /// W3C PNG, moving ones included.
    Png,
    /// GIF89a and GIF87a.
    Gif,
    /// RFC 9649.
    WebP,
    /// ISO/IEC 14496-14.
    Mp4,
    /// The container that MP4 was made of.
    QuickTime,
    /// Matroska for browsers.
    WebM,
}

/// Bytes that tell a format.
pub(super) const TELLING: usize = 16;

impl Format {
    /// The format of a file that begins with these bytes (16 of them, or the whole file); none that is taken in
    /// otherwise.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Self::of_brand(brand.first_chunk()?),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(Self::WebM),
            _ => None,
        }
    }

    /// The brand of a file of boxes; many of them are pictures of other kinds.
    fn of_brand(brand: &[u8; 4]) -> Option<Self> {
        match brand {
            b"qt  " => Some(Self::QuickTime),
            b"isom" | b"iso2" | b"iso3" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1"
            | b"M4V " | b"MSNV" | b"dash" | b"3gp4" | b"3gp5" | b"3gp6" => Some(Self::Mp4),
            _ => None,
        }
    }

    /// Whether it moves and sounds.
    pub const fn is_video(self) -> bool {
        matches!(self, Self::Mp4 | Self::QuickTime | Self::WebM)
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
            Self::Mp4 => "video/mp4",
            Self::QuickTime => "video/quicktime",
            Self::WebM => "video/webm",
        }
    }

    /// What reads its pixels; nothing does of videos.
    pub(super) const fn decoder(self) -> Option<image::ImageFormat> {
        match self {
            Self::Jpeg => Some(image::ImageFormat::Jpeg),
            Self::Png => Some(image::ImageFormat::Png),
            Self::Gif => Some(image::ImageFormat::Gif),
            Self::WebP => Some(image::ImageFormat::WebP),
            Self::Mp4 | Self::QuickTime | Self::WebM => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_the_format_and_nothing_else_is_taken() {
        assert_eq!(Format::of(b"\xff\xd8\xff\xe0"), Some(Format::Jpeg));
        assert_eq!(Format::of(b"GIF89a"), Some(Format::Gif));
        assert_eq!(Format::of(b"RIFF\0\0\0\0WEBPVP8 "), Some(Format::WebP));
        assert_eq!(Format::of(b"\0\0\0\x18ftypmp42"), Some(Format::Mp4));
        assert_eq!(Format::of(b"\0\0\0\x18ftypqt  "), Some(Format::QuickTime));
        assert_eq!(Format::of(b"\x1a\x45\xdf\xa3\x9f"), Some(Format::WebM));
        for other in [
            &b"\0\0\0\x18ftypheic"[..],
            b"\x7fELF\x02\x01\x01",
            b"MZ\x90\0",
            b"<svg xmlns=",
            b"<!doctype html>",
            b"PK\x03\x04",
            b"%PDF-1.7",
            b"RIFF\0\0\0\0WAVE",
            b"",
        ] {
            assert_eq!(Format::of(other), None, "{other:?}");
        }
    }
}
