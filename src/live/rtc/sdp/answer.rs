//! An answer as text. What it says was decided before.

use std::fmt::{self, Display, Write};

use super::candidate::write_all;
use super::codecs::{allowed, map};
use super::section::{Purpose, Section};
use super::{DtlsRole, LocalSide, Negotiated, NegotiatedMedia, Offer};
use crate::live::media::{ExtensionIds, Feedback, MediaKind, PayloadCodec, ReceivedMedia, SentMedia};

/// Session-level lines of every answer and restart: a lite agent, which takes trickled candidates and nominations as
/// RFC 8445 has them.
pub(super) const ICE_OPTIONS: &str = "a=ice-lite\r\na=ice-options:trickle ice2\r\n";

/// Room for most answers: those to browsers with all their codecs have about 4 KiB.
const USUAL_LENGTH: usize = 4096;

/// Writes the answer to `offer`, whose media sections were agreed as `negotiated` says, in the same order.
pub(super) fn write(offer: &Offer, negotiated: &Negotiated, local: &LocalSide<'_>) -> String {
    let mut text = String::with_capacity(USUAL_LENGTH);
    Writer { offer, negotiated, local }.session(&mut text).expect("writing to a string does not fail");
    text
}

/// `name` as an `m=` line and our messages write it.
pub(super) fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    }
}

struct Writer<'a> {
    offer: &'a Offer,
    negotiated: &'a Negotiated,
    local: &'a LocalSide<'a>,
}

impl Writer<'_> {
    fn session(&self, out: &mut String) -> fmt::Result {
        let LocalSide { session_id, session_version, .. } = self.local;
        write!(out, "v=0\r\no=- {session_id} {session_version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")?;
        out.write_str(ICE_OPTIONS)?;
        if !self.offer.bundle.is_empty() {
            out.write_str("a=group:BUNDLE")?;
            for (_, section) in self.offer.media() {
                write!(out, " {}", section.mid)?;
            }
            out.write_str("\r\n")?;
        }
        flag(out, "extmap-allow-mixed", self.offer.allow_mixed)?;

        let mut place = 0;
        for section in &self.offer.sections {
            if section.media().is_none() {
                refused(out, section)?;
                continue;
            }
            match &self.negotiated.media {
                NegotiatedMedia::Received { media, max_bitrate } => {
                    self.received(out, section, (place, &media[place]), *max_bitrate)?;
                }
                NegotiatedMedia::Sent { media, cname } => {
                    self.sent(out, section, (place, &media[place]), cname)?;
                }
            }
            place += 1;
        }
        Ok(())
    }

    fn received(
        &self,
        out: &mut String,
        section: &Section,
        (place, media): (usize, &ReceivedMedia),
        max_bitrate: u64,
    ) -> fmt::Result {
        self.head(out, section, std::slice::from_ref(&media.codec))?;
        // Sound is bounded by its codec.
        if media.kind == MediaKind::Video {
            line(out, "b=TIAS", max_bitrate)?;
        }
        self.transport(out, section)?;
        extensions(out, section, media.extensions)?;
        codec(out, section, media.codec, media.feedback)?;
        for rid in &media.rids {
            write!(out, "a=rid:{rid} recv\r\n")?;
        }
        if !media.rids.is_empty() {
            write!(out, "a=simulcast:recv {}\r\n", media.rids.join(";"))?;
        }
        self.candidates(out, place)
    }

    fn sent(
        &self,
        out: &mut String,
        section: &Section,
        (place, media): (usize, &SentMedia),
        cname: &str,
    ) -> fmt::Result {
        self.head(out, section, &media.codecs)?;
        self.transport(out, section)?;
        extensions(out, section, media.extensions)?;
        for each in &media.codecs {
            codec(out, section, *each, media.feedback)?;
        }
        let track = kind_name(media.kind);
        write!(out, "a=msid:{cname} {track}\r\n")?;
        if let Some(rtx) = media.rtx_ssrc {
            write!(out, "a=ssrc-group:FID {} {rtx}\r\n", media.ssrc)?;
        }
        for ssrc in [Some(media.ssrc), media.rtx_ssrc].into_iter().flatten() {
            write!(out, "a=ssrc:{ssrc} cname:{cname}\r\na=ssrc:{ssrc} msid:{cname} {track}\r\n")?;
        }
        self.candidates(out, place)
    }

    /// The `m=` and `c=` lines, with the default candidate (RFC 8839, section 4.2.1).
    fn head(&self, out: &mut String, section: &Section, codecs: &[PayloadCodec]) -> fmt::Result {
        let default = self.local.candidates.first().map(|candidate| candidate.address);
        let port = default.map_or(9, |address| address.port());
        let kind = section.media().map_or("application", kind_name);
        write!(out, "m={kind} {port} {}", section.protocol)?;
        for codec in codecs {
            write!(out, " {}", codec.payload_type)?;
        }
        for rtx in codecs.iter().filter_map(|codec| codec.rtx) {
            write!(out, " {rtx}")?;
        }
        match default {
            Some(address) if address.is_ipv6() => write!(out, "\r\nc=IN IP6 {}\r\n", address.ip()),
            Some(address) => write!(out, "\r\nc=IN IP4 {}\r\n", address.ip()),
            None => out.write_str("\r\nc=IN IP4 0.0.0.0\r\n"),
        }
    }

    /// What every section of the bundle says alike.
    fn transport(&self, out: &mut String, section: &Section) -> fmt::Result {
        let direction = self.negotiated.media.peer_direction().reversed();
        mid(out, section)?;
        flag(out, direction.name(), true)?;
        line(out, "a=ice-ufrag", &self.local.ice.ufrag)?;
        line(out, "a=ice-pwd", &self.local.ice.pwd)?;
        line(out, "a=fingerprint", self.local.fingerprint)?;
        let setup = match self.negotiated.dtls {
            DtlsRole::Client => "active",
            DtlsRole::Server => "passive",
        };
        line(out, "a=setup", setup)?;
        flag(out, "rtcp-mux", true)?;
        // RFC 8858 has it in offers alone; RFC 9725, section 4.4.1, asks endpoints for it as well.
        flag(out, "rtcp-mux-only", true)?;
        flag(out, "rtcp-rsize", section.reduced_size)?;
        flag(out, "extmap-allow-mixed", section.allow_mixed)
    }

    /// The first section carries the candidates of all: they share its transport.
    fn candidates(&self, out: &mut String, place: usize) -> fmt::Result {
        if place == 0 { write_all(out, self.local.candidates) } else { Ok(()) }
    }
}

/// A section that takes no part: port 0 (RFC 3264, section 6), and a format, which says nothing then.
fn refused(out: &mut String, section: &Section) -> fmt::Result {
    let kind = match &section.purpose {
        Purpose::Media(kind) => kind_name(*kind),
        Purpose::Data => "application",
        Purpose::Other(kind) => kind,
    };
    write!(out, "m={kind} 0 {} {}\r\nc=IN IP4 0.0.0.0\r\n", section.protocol, section.first_format)?;
    mid(out, section)?;
    flag(out, "inactive", true)
}

fn mid(out: &mut String, section: &Section) -> fmt::Result {
    if section.mid.is_empty() { Ok(()) } else { line(out, "a=mid", &section.mid) }
}

fn extensions(out: &mut String, section: &Section, mut agreed: ExtensionIds) -> fmt::Result {
    for extension in &section.extensions {
        if *extension.slot(&mut agreed) != Some(extension.id) {
            continue;
        }
        write!(out, "a=extmap:{}", extension.id)?;
        if let Some(direction) = extension.direction {
            write!(out, "/{}", direction.reversed().name())?;
        }
        write!(out, " {}\r\n", extension.uri())?;
    }
    Ok(())
}

fn codec(out: &mut String, section: &Section, codec: PayloadCodec, feedback: Feedback) -> fmt::Result {
    let PayloadCodec { codec, payload_type, rtx } = codec;
    write!(out, "a=rtpmap:{payload_type} {}\r\n", map(codec))?;
    for message in allowed(feedback) {
        write!(out, "a=rtcp-fb:{payload_type} {message}\r\n")?;
    }
    let parameters = section.format_of(payload_type).map(|format| format.answered_parameters(codec));
    if let Some(parameters) = parameters.filter(|parameters| !parameters.is_empty()) {
        write!(out, "a=fmtp:{payload_type} {parameters}\r\n")?;
    }
    if let Some(rtx) = rtx {
        write!(out, "a=rtpmap:{rtx} rtx/{}\r\na=fmtp:{rtx} apt={payload_type}\r\n", codec.clock_rate())?;
    }
    Ok(())
}

fn line(out: &mut String, name: &str, value: impl Display) -> fmt::Result {
    write!(out, "{name}:{value}\r\n")
}

fn flag(out: &mut String, name: &str, is_set: bool) -> fmt::Result {
    if is_set { write!(out, "a={name}\r\n") } else { Ok(()) }
}
