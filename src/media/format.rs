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
}

/// Bytes that tell a format.
pub(super) const TELLING: usize = 16;

impl Format {
    /// The format of a file that begins with these bytes ([`TELLING`] of them, or the whole file); none that is taken in
    /// otherwise.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
        }
    }

    pub(super) const fn decoder(self) -> image::ImageFormat {
        match self {
            Self::Jpeg => image::ImageFormat::Jpeg,
            Self::Png => image::ImageFormat::Png,
            Self::Gif => image::ImageFormat::Gif,
            Self::WebP => image::ImageFormat::WebP,
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
        for other in [
            &b"\x7fELF\x02\x01\x01"[..],
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
