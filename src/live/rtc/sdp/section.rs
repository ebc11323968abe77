//! One `m=` section of an offer.

use rtc_sdp::MediaDescription;
use rtc_sdp::description::common::Attribute;

use super::codecs::{Encoding, Format, allow};
use super::direction::Direction;
use super::extensions::Extension;
use crate::live::media::{Codec, Feedback, MediaKind, PayloadCodec};

/// Simulcast streams taken of a section: OBS sends four at most, browsers three.
const MAX_STREAMS: usize = 4;

/// SSRCs read of a section: four streams with their retransmissions and FEC fit in.
const MAX_SSRCS: usize = 16;

/// Header extensions read of a section; there are 14 ids.
const MAX_EXTENSIONS: usize = 32;

/// The longest `mid`. RTP carries 16 bytes of it (RFC 8285 with one-byte headers), SDP more.
const MAX_MID: usize = 64;

/// The longest stream id (`rid`): what a one-byte header extension holds.
const MAX_RID: usize = 16;

/// What a section is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Media(MediaKind),
    /// A data channel. It is answered with port 0: nobody is misled by its lack as by that of a stream's sound, and
    /// players that open one for their own ends still get their media.
    Data,
    /// Anything else, by the name of its kind.
    Other(String),
}

/// A section as offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) purpose: Purpose,
    /// Echoed in the answer (RFC 9429, section 5.3.1).
    pub(super) protocol: String,
    pub(super) first_format: String,
    /// Empty where there is none.
    pub(super) mid: String,
    /// Port 0 without `bundle-only`: stopped by the offerer, and no part of what is negotiated.
    pub(super) is_stopped: bool,
    pub(super) direction: Direction,
    pub(super) has_rtcp_mux: bool,
    pub(super) reduced_size: bool,
    pub(super) allow_mixed: bool,
    pub(super) formats: Vec<Format>,
    pub(super) extensions: Vec<Extension>,
    /// The MediaStreams that its track belongs to.
    pub(super) streams: Vec<String>,
    /// Streams that the peer would send, each with its retransmission stream.
    pub(super) ssrcs: Vec<(u32, Option<u32>)>,
    /// What `a=rid` says of streams that the peer would send: the id, and its payload types where they are restricted.
    rids: Vec<(String, Vec<u8>)>,
    /// The ids that `a=simulcast` would send, the first of each list of alternatives.
    simulcast: Vec<String>,
}

impl Section {
    /// Reads a section; `direction` is the session's. What cannot be understood of its attributes is left out.
    pub(super) fn parse(text: &MediaDescription, direction: Direction) -> Result<Self, &'static str> {
        let name = &text.media_name;
        let protocol = name.protos.join("/");
        let purpose = match name.media.as_str() {
            "audio" => Purpose::Media(MediaKind::Audio),
            "video" => Purpose::Media(MediaKind::Video),
            "application" if name.protos.iter().any(|part| part == "SCTP") => Purpose::Data,
            other => Purpose::Other(other.to_owned()),
        };
        let has = |flag| text.has_attribute(flag);
        let mut section = Self {
            purpose,
            protocol,
            first_format: name.formats.first().cloned().unwrap_or_default(),
            mid: String::new(),
            is_stopped: name.port.value == 0 && !has("bundle-only"),
            direction,
            has_rtcp_mux: has("rtcp-mux"),
            reduced_size: has("rtcp-rsize"),
            allow_mixed: has("extmap-allow-mixed"),
            formats: payload_types(&name.formats).map(Format::new).collect(),
            extensions: Vec::new(),
            streams: Vec::new(),
            ssrcs: Vec::new(),
            rids: Vec::new(),
            simulcast: Vec::new(),
        };
        let mut ssrcs = Ssrcs::default();
        for Attribute { key, value } in &text.attributes {
            section.read(key, value.as_deref().unwrap_or_default().trim(), &mut ssrcs)?;
        }
        section.ssrcs = ssrcs.paired();
        Ok(section)
    }

    fn read(&mut self, key: &str, value: &str, ssrcs: &mut Ssrcs) -> Result<(), &'static str> {
        match key {
            "mid" if value.len() <= MAX_MID && is_token(value) => self.mid = value.to_owned(),
            "mid" => return Err("a mid is not a token of at most 64 characters"),
            "rtpmap" => {
                if let Some((format, map)) = self.format(value) {
                    format.map = map.to_owned();
                }
            }
            "fmtp" => {
                if let Some((format, parameters)) = self.format(value) {
                    format.parameters = parameters.to_owned();
                }
            }
            "rtcp-fb" => self.allow(value),
            "extmap" if self.extensions.len() < MAX_EXTENSIONS => {
                self.extensions.extend(Extension::parse(value));
            }
            "msid" if self.streams.len() < MAX_SSRCS => {
                let stream = value.split_ascii_whitespace().next().unwrap_or_default();
                self.streams.push(stream.to_owned());
            }
            "rid" if self.rids.len() < MAX_STREAMS => self.rids.extend(sent_rid(value)),
            "simulcast" => self.simulcast = sent_streams(value),
            "ssrc" => ssrcs.announce(value),
            "ssrc-group" => ssrcs.group(value),
            name => self.direction = Direction::parse(name).unwrap_or(self.direction),
        }
        Ok(())
    }

    /// The format that a value which begins with a payload type is about, and the rest of the value.
    fn format<'v>(&mut self, value: &'v str) -> Option<(&mut Format, &'v str)> {
        let (number, rest) = value.split_once(' ')?;
        let number: u8 = number.parse().ok()?;
        let format = self.formats.iter_mut().find(|format| format.payload_type == number)?;
        Some((format, rest.trim()))
    }

    fn allow(&mut self, value: &str) {
        if let Some(message) = value.strip_prefix("* ") {
            self.formats.iter_mut().for_each(|format| allow(&mut format.feedback, message));
        } else if let Some((format, message)) = self.format(value) {
            allow(&mut format.feedback, message);
        }
    }

    /// The kind, when it is media that counts.
    pub(super) fn media(&self) -> Option<MediaKind> {
        match self.purpose {
            Purpose::Media(kind) if !self.is_stopped => Some(kind),
            _ => None,
        }
    }

    /// Every codec that is forwarded, in the peer's order, each with its retransmissions.
    pub(super) fn codecs(&self) -> impl Iterator<Item = PayloadCodec> {
        let Purpose::Media(kind) = self.purpose else { return None.into_iter().flatten() };
        let known = self.formats.iter().filter_map(move |format| {
            let codec = format.codec().filter(|codec| codec.kind() == kind)?;
            let payload_type = format.payload_type;
            Some(PayloadCodec { codec, payload_type, rtx: self.rtx(codec, payload_type) })
        });
        Some(known).into_iter().flatten()
    }

    fn rtx(&self, codec: Codec, of: u8) -> Option<u8> {
        let clock = format!("/{}", codec.clock_rate());
        let is_its =
            |format: &&Format| format.encoding() == Encoding::Rtx { of } && format.map.ends_with(&clock);
        self.formats.iter().find(is_its).map(|format| format.payload_type)
    }

    pub(super) fn format_of(&self, payload_type: u8) -> Option<&Format> {
        self.formats.iter().find(|format| format.payload_type == payload_type)
    }

    /// The feedback that every one of these payload types allows.
    pub(super) fn feedback(&self, codecs: &[PayloadCodec]) -> Feedback {
        let all = Feedback { nack: true, pli: true, fir: true, transport_cc: true, remb: true };
        let allowed = codecs.iter().filter_map(|codec| self.format_of(codec.payload_type));
        allowed.map(|format| format.feedback).fold(all, |both, each| Feedback {
            nack: both.nack && each.nack,
            pli: both.pli && each.pli,
            fir: both.fir && each.fir,
            transport_cc: both.transport_cc && each.transport_cc,
            remb: both.remb && each.remb,
        })
    }

    /// The simulcast streams (RFC 8853) that can be sent with this payload type, in the order offered.
    pub(super) fn simulcast(&self, payload_type: u8) -> Vec<String> {
        let declared = |id: &&String| {
            self.rids
                .iter()
                .any(|(rid, only)| rid == *id && (only.is_empty() || only.contains(&payload_type)))
        };
        self.simulcast.iter().filter(declared).cloned().collect()
    }
}

/// The RTP payload types of an `m=` line, each once.
fn payload_types(formats: &[String]) -> impl Iterator<Item = u8> {
    let mut seen = [false; 128];
    formats.iter().filter_map(move |format| {
        let number: u8 = format.parse().ok()?;
        let is_first = !std::mem::replace(seen.get_mut(usize::from(number))?, true);
        is_first.then_some(number)
    })
}

/// The value of `a=rid` (RFC 8851) for a stream that the peer would send.
fn sent_rid(value: &str) -> Option<(String, Vec<u8>)> {
    let mut words = value.split_ascii_whitespace();
    let id = words.next().filter(|id| is_rid(id))?;
    if words.next()? != "send" {
        return None;
    }
    let only = words.next().unwrap_or_default().split(';').find_map(|each| each.strip_prefix("pt="));
    let only = only.unwrap_or_default().split(',').filter_map(|number| number.parse().ok());
    Some((id.to_owned(), only.take(MAX_STREAMS).collect()))
}

/// The ids that `a=simulcast` (RFC 8853) would send. Of alternatives the first counts; that a stream starts paused (`~`)
/// changes nothing for a receiver.
fn sent_streams(value: &str) -> Vec<String> {
    let mut words = value.split_ascii_whitespace();
    let mut streams: Vec<String> = Vec::new();
    while let (Some(direction), Some(list)) = (words.next(), words.next()) {
        if direction != "send" {
            continue;
        }
        for alternatives in list.split(';') {
            let first = alternatives.split(',').next().unwrap_or_default();
            let id = first.strip_prefix('~').unwrap_or(first);
            if streams.len() < MAX_STREAMS && is_rid(id) && !streams.iter().any(|known| known == id) {
                streams.push(id.to_owned());
            }
        }
    }
    streams
}

fn is_rid(text: &str) -> bool {
    (1..=MAX_RID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Whether it is a token (RFC 8866, section 9): it can be echoed into a line and breaks none.
pub(super) fn is_token(text: &str) -> bool {
    let is_separator = |byte| br#""(),/:;<=>?@[\]"#.contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !is_separator(byte))
}

/// `a=ssrc` and `a=ssrc-group` (RFC 5576), which may come in any order.
#[derive(Default)]
struct Ssrcs {
    announced: Vec<u32>,
    /// Original and retransmission.
    repairs: Vec<(u32, u32)>,
    /// FEC and the like.
    unwanted: Vec<u32>,
}

impl Ssrcs {
    fn announce(&mut self, value: &str) {
        let number = value.split_ascii_whitespace().next().and_then(|number| number.parse().ok());
        if let Some(ssrc) = number.filter(|ssrc| !self.announced.contains(ssrc))
            && self.announced.len() < MAX_SSRCS
        {
            self.announced.push(ssrc);
        }
    }

    fn group(&mut self, value: &str) {
        let mut words = value.split_ascii_whitespace();
        let semantics = words.next();
        let mut number = || words.next().and_then(|number| number.parse().ok());
        let (Some(first), Some(second)) = (number(), number()) else { return };
        match semantics {
            Some("FID") if self.repairs.len() < MAX_SSRCS => self.repairs.push((first, second)),
            Some("FEC" | "FEC-FR") if self.unwanted.len() < MAX_SSRCS => self.unwanted.push(second),
            _ => {}
        }
    }

    fn paired(self) -> Vec<(u32, Option<u32>)> {
        let repairs = &self.repairs;
        let is_original =
            |ssrc: &u32| !repairs.iter().any(|(_, repair)| repair == ssrc) && !self.unwanted.contains(ssrc);
        let repair = |ssrc| repairs.iter().find(|(original, _)| *original == ssrc).map(|(_, repair)| *repair);
        self.announced.iter().copied().filter(is_original).map(|ssrc| (ssrc, repair(ssrc))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_breaks_no_line() {
        assert!(is_token("0"));
        assert!(is_token("{353a7934-d333-471f-b654-7150b85882d4}"));
        for text in ["", "a b", "a\rb", "a\nb", "a:b", "é", "a\0"] {
            assert!(!is_token(text), "{text:?}");
        }
    }

    #[test]
    fn simulcast_takes_the_first_of_alternatives_and_drops_what_cannot_be_an_id() {
        assert_eq!(sent_streams("send l;m;h"), ["l", "m", "h"]);
        assert_eq!(sent_streams("recv x;y send 1,~4;~2"), ["1", "2"]);
        assert_eq!(sent_streams("send a;a;b c;;seventeenletters0"), ["a", "b"]);
        assert_eq!(sent_streams("send 1;2;3;4;5").len(), MAX_STREAMS);
        assert_eq!(sent_streams("send"), [""; 0]);
    }

    #[test]
    fn a_rid_may_be_bound_to_payload_types() {
        assert_eq!(sent_rid("h send"), Some(("h".into(), vec![])));
        assert_eq!(sent_rid("h send pt=96,97;max-width=1280"), Some(("h".into(), vec![96, 97])));
        assert_eq!(sent_rid("h recv"), None);
        assert_eq!(sent_rid("h"), None);
    }

    #[test]
    fn retransmission_and_fec_streams_are_not_taken_for_originals() {
        let mut ssrcs = Ssrcs::default();
        ssrcs.group("FID 1 2");
        for each in ["1 cname:a", "1 msid:a b", "2 cname:a", "3 cname:a", "4 cname:a", "x"] {
            ssrcs.announce(each);
        }
        ssrcs.group("FEC-FR 1 3");
        ssrcs.group("FID 7");
        assert_eq!(ssrcs.paired(), [(1, Some(2)), (4, None)]);
    }
}
