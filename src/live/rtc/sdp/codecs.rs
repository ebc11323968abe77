//! Codecs as SDP names them: `a=rtpmap` and `a=fmtp` to [`Codec`], and back.

use std::borrow::Cow;

use crate::live::media::{Codec, Feedback};

/// RFC 6184, section 8.1: without `profile-level-id` it is the baseline profile at level 1.
const BASELINE: u32 = 0x42_000A;

/// One payload type of a section's `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) payload_type: u8,
    /// `name/clock[/channels]`, empty where no `a=rtpmap` says it.
    pub(super) map: String,
    /// `a=fmtp`'s parameters.
    pub(super) parameters: String,
    pub(super) feedback: Feedback,
}

/// What a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// A codec that is forwarded.
    Codec(Codec),
    /// Retransmissions of another payload type (RFC 4588).
    Rtx {
        /// That one.
        of: u8,
    },
    /// Something else: dropped from the answer.
    Other,
}

impl Format {
    pub(super) fn new(payload_type: u8) -> Self {
        Self { payload_type, map: String::new(), parameters: String::new(), feedback: Feedback::default() }
    }

    /// What it is.
    pub(super) fn encoding(&self) -> Encoding {
        let mut parts = self.map.split('/');
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let clock: Option<u32> = parts.next().and_then(|clock| clock.trim().parse().ok());
        let channels = parts.next();
        let codec = match (name.as_str(), clock) {
            ("opus", Some(48_000)) if channels == Some("2") => Codec::Opus,
            ("vp8", Some(90_000)) => Codec::Vp8,
            ("vp9", Some(90_000)) => Codec::Vp9 { profile: self.small_number("profile-id") },
            ("av1", Some(90_000)) => Codec::Av1 { profile: self.small_number("profile") },
            ("h264", Some(90_000)) if self.parameter("packetization-mode") == Some("1") => {
                match self.parameter("profile-level-id").map(|hex| u32::from_str_radix(hex, 16)) {
                    None => Codec::H264 { profile_level_id: BASELINE },
                    Some(Ok(profile_level_id @ 0..=0xff_ffff)) => Codec::H264 { profile_level_id },
                    Some(_) => return Encoding::Other,
                }
            }
            ("rtx", Some(_)) => {
                let of = self.parameter("apt").and_then(|apt| apt.parse().ok());
                return of.map_or(Encoding::Other, |of| Encoding::Rtx { of });
            }
            _ => return Encoding::Other,
        };
        Encoding::Codec(codec)
    }

    /// The codec, when it is one.
    pub(super) fn codec(&self) -> Option<Codec> {
        match self.encoding() {
            Encoding::Codec(codec) => Some(codec),
            Encoding::Rtx { .. } | Encoding::Other => None,
        }
    }

    /// The value of one of `a=fmtp`'s parameters; names are compared without case.
    pub(super) fn parameter(&self, wanted: &str) -> Option<&str> {
        self.parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then_some(value.trim())
        })
    }

    fn small_number(&self, name: &str) -> u8 {
        self.parameter(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// The parameters to answer for `codec`, which this format is; empty for none.
    pub(super) fn answered_parameters(&self, codec: Codec) -> Cow<'static, str> {
        match codec {
            // Who can do stereo gets it: a publisher then sends what it has, a viewer expects what comes.
            Codec::Opus
                if ["stereo", "sprop-stereo"].iter().any(|name| self.parameter(name) == Some("1")) =>
            {
                "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1".into()
            }
            Codec::Opus => "minptime=10;useinbandfec=1".into(),
            Codec::Vp8 => "".into(),
            Codec::Vp9 { profile } => format!("profile-id={profile}").into(),
            Codec::Av1 { profile } => {
                // Without these a level and tier are implied that the peer may not mean.
                let kept = ["level-idx", "tier"].iter().filter_map(|name| {
                    let value: u8 = self.parameter(name)?.parse().ok()?;
                    Some(format!(";{name}={value}"))
                });
                format!("profile={profile}{}", kept.collect::<String>()).into()
            }
            Codec::H264 { profile_level_id } => format!(
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile_level_id:06x}"
            )
            .into(),
        }
    }
}

/// `name/clock[/channels]` for `a=rtpmap`.
pub(super) fn map(codec: Codec) -> String {
    match codec {
        Codec::Opus => "opus/48000/2".to_owned(),
        video => format!("{video}/{}", video.clock_rate()),
    }
}

/// Adds what one `a=rtcp-fb` allows; what is not understood is left out of the answer.
pub(super) fn allow(feedback: &mut Feedback, message: &str) {
    let mut words = message.split_ascii_whitespace();
    match (words.next(), words.next()) {
        (Some("nack"), None) => feedback.nack = true,
        (Some("nack"), Some("pli")) => feedback.pli = true,
        (Some("ccm"), Some("fir")) => feedback.fir = true,
        (Some("transport-cc"), None) => feedback.transport_cc = true,
        (Some("goog-remb"), None) => feedback.remb = true,
        _ => {}
    }
}

/// The values of `a=rtcp-fb` for what is allowed.
pub(super) fn allowed(feedback: Feedback) -> impl Iterator<Item = &'static str> {
    [
        (feedback.nack, "nack"),
        (feedback.pli, "nack pli"),
        (feedback.fir, "ccm fir"),
        (feedback.transport_cc, "transport-cc"),
        (feedback.remb, "goog-remb"),
    ]
    .into_iter()
    .filter_map(|(is_allowed, message)| is_allowed.then_some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(map: &str, parameters: &str) -> Format {
        Format { map: map.into(), parameters: parameters.into(), ..Format::new(96) }
    }

    #[test]
    fn every_codec_that_is_forwarded_is_known_by_its_name_in_any_case() {
        let known = [
            ("OPUS/48000/2", "", Codec::Opus),
            ("VP8/90000", "max-fs=12288;max-fr=60", Codec::Vp8),
            ("VP9/90000", "", Codec::Vp9 { profile: 0 }),
            ("VP9/90000", "profile-id=2", Codec::Vp9 { profile: 2 }),
            ("AV1/90000", "level-idx=5;profile=1;tier=0", Codec::Av1 { profile: 1 }),
            ("H264/90000", "packetization-mode=1", Codec::H264 { profile_level_id: BASELINE }),
            (
                "h264/90000",
                "Profile-Level-Id=42E01F; packetization-mode=1",
                Codec::H264 { profile_level_id: 0x42_e01f },
            ),
        ];
        for (map, parameters, codec) in known {
            assert_eq!(format(map, parameters).codec(), Some(codec), "{map} {parameters}");
        }
        assert_eq!(format("rtx/90000", "apt=96").encoding(), Encoding::Rtx { of: 96 });
    }

    #[test]
    fn what_cannot_be_forwarded_is_not_taken_for_it() {
        for (map, parameters) in [
            ("", ""),
            ("opus/48000", ""),
            ("opus/8000/2", ""),
            ("H264/90000", "packetization-mode=0;profile-level-id=42e01f"),
            ("H264/90000", "profile-level-id=42e01f"),
            ("H264/90000", "packetization-mode=1;profile-level-id=baseline"),
            ("H264/90000", "packetization-mode=1;profile-level-id=1ffffff"),
            ("H265/90000", ""),
            ("rtx/90000", "apt=300"),
            ("red/48000/2", "111/111"),
            ("PCMU/8000", ""),
        ] {
            assert_eq!(format(map, parameters).encoding(), Encoding::Other, "{map} {parameters}");
        }
    }
}
