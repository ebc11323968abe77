//! What of an offer is agreed: the rules of WHIP and WHEP, codec choice, extensions.

use super::answer::write;
use super::direction::Direction;
use super::extensions::agree;
use super::offer::{Offer, Setup};
use super::section::{Purpose, Section};
use super::{DtlsRole, LocalSide, Negotiated, NegotiatedMedia, OfferError, SourceCodecs, Terms, Unsupported};
use crate::live::media::{Codec, MediaKind, PayloadCodec, ReceivedMedia, SentMedia};

/// Answers an offer: what is agreed, and the text that says so. The same arguments give the same answer.
///
/// # Errors
/// [`OfferError::Unsupported`] with the reason; media are never accepted in part.
pub fn answer(
    offer: &Offer,
    terms: &Terms<'_>,
    local: &LocalSide<'_>,
) -> Result<(Negotiated, String), OfferError> {
    check(offer)?;
    let media = match *terms {
        Terms::Publish { max_bitrate } => {
            one_stream(offer)?;
            let media = offer.media().map(|(kind, section)| receive(kind, section));
            NegotiatedMedia::Received { media: media.collect::<Result<_, _>>()?, max_bitrate }
        }
        Terms::Watch { source, cname, ssrcs } => {
            let mut ssrcs = distinct(ssrcs).into_iter();
            let mut ssrc = || ssrcs.next().expect("two for each of two kinds");
            let media = offer.media().map(|(kind, section)| send(kind, section, source, [ssrc(), ssrc()]));
            NegotiatedMedia::Sent { media: media.collect::<Result<_, _>>()?, cname: cname.to_owned() }
        }
    };
    let negotiated = Negotiated {
        ice: offer.ice.clone(),
        dtls: match offer.setup {
            Setup::Passive => DtlsRole::Client,
            Setup::ActPass | Setup::Active | Setup::HoldConnection => DtlsRole::Server,
        },
        fingerprints: offer.fingerprints.clone(),
        candidates: offer.candidates.clone(),
        media,
    };
    let text = write(offer, &negotiated, local);
    Ok((negotiated, text))
}

/// Answers an offer that restarts ICE (`local` with new credentials, a raised version) and takes its new credentials
/// into `negotiated`; media stay as they were agreed.
///
/// # Errors
/// [`OfferError::Unsupported`] when it would change anything else, or nothing; `negotiated` is then as before.
pub fn answer_restart(
    offer: &Offer,
    negotiated: &mut Negotiated,
    local: &LocalSide<'_>,
) -> Result<String, OfferError> {
    check(offer)?;
    if offer.ice == negotiated.ice {
        return Err(Unsupported::NoRestart.into());
    }
    if offer.fingerprints != negotiated.fingerprints {
        return Err(Unsupported::RestartChanges("its certificate").into());
    }
    let contradicts = match negotiated.dtls {
        DtlsRole::Client => offer.setup == Setup::Active,
        DtlsRole::Server => offer.setup == Setup::Passive,
    };
    if contradicts {
        return Err(Unsupported::RestartChanges("the parts in the DTLS handshake").into());
    }
    let agreed = negotiated.media.sections();
    let same = agreed.len() == offer.media().count()
        && agreed.iter().zip(offer.media()).all(|(agreed, (kind, section))| {
            let is_offered = |codec| section.codecs().any(|offered| offered == codec);
            agreed.kind == kind
                && agreed.mid == section.mid
                && section.direction.covers(negotiated.media.peer_direction())
                && agreed.codecs.iter().copied().all(is_offered)
        });
    if !same {
        return Err(Unsupported::RestartChanges("its media").into());
    }
    negotiated.ice = offer.ice.clone();
    negotiated.candidates = offer.candidates.clone();
    Ok(write(offer, negotiated, local))
}

impl Offer {
    /// The sections that count, each with its kind.
    pub(super) fn media(&self) -> impl Iterator<Item = (MediaKind, &Section)> {
        self.sections.iter().filter_map(|section| section.media().map(|kind| (kind, section)))
    }
}

/// An agreed section, whichever way it flows.
pub(super) struct Agreed<'n> {
    pub(super) kind: MediaKind,
    pub(super) mid: &'n str,
    pub(super) codecs: &'n [PayloadCodec],
}

impl NegotiatedMedia {
    /// The agreed sections, in the offer's order.
    pub(super) fn sections(&self) -> Vec<Agreed<'_>> {
        match self {
            Self::Received { media, .. } => media.iter().map(agreed_received).collect(),
            Self::Sent { media, .. } => media.iter().map(agreed_sent).collect(),
        }
    }

    /// Which way media flows as the peer sees it.
    pub(super) fn peer_direction(&self) -> Direction {
        match self {
            Self::Received { .. } => Direction::SendOnly,
            Self::Sent { .. } => Direction::RecvOnly,
        }
    }
}

fn agreed_received(media: &ReceivedMedia) -> Agreed<'_> {
    Agreed { kind: media.kind, mid: &media.mid, codecs: std::slice::from_ref(&media.codec) }
}

fn agreed_sent(media: &SentMedia) -> Agreed<'_> {
    Agreed { kind: media.kind, mid: &media.mid, codecs: &media.codecs }
}

/// What holds for publishers and viewers alike.
fn check(offer: &Offer) -> Result<(), Unsupported> {
    let active = || offer.sections.iter().filter(|section| !section.is_stopped);
    for section in active() {
        if let Purpose::Other(kind) = &section.purpose {
            return Err(Unsupported::SectionKind(kind.clone()));
        }
    }
    for (kind, name) in [(MediaKind::Audio, "audio"), (MediaKind::Video, "video")] {
        if offer.media().filter(|(offered, _)| *offered == kind).count() > 1 {
            return Err(Unsupported::SeveralOf(name));
        }
    }
    match offer.media().count() {
        0 => return Err(Unsupported::NoMedia),
        // A section alone needs no bundle to share its transport with.
        1 if offer.bundle.is_empty() => {}
        _ if offer.media().all(|(_, section)| offer.bundle.contains(&section.mid)) => {}
        _ => return Err(Unsupported::NotBundled),
    }
    for (_, section) in offer.media() {
        if !section.has_rtcp_mux {
            return Err(Unsupported::NoRtcpMux(section.mid.clone()));
        }
        if !is_secured(&section.protocol) {
            return Err(Unsupported::NotSecured(section.mid.clone()));
        }
    }
    if offer.fingerprints.is_empty() {
        return Err(Unsupported::NoFingerprint);
    }
    if offer.ice_lite {
        return Err(Unsupported::IceLite);
    }
    if offer.setup == Setup::HoldConnection {
        return Err(Unsupported::HoldConnection);
    }
    Ok(())
}

/// RFC 9429, section 5.1.2: every one of these means DTLS-SRTP where there is a fingerprint.
fn is_secured(protocol: &str) -> bool {
    let profile = protocol.strip_prefix("UDP/TLS/").or_else(|| protocol.strip_prefix("TCP/DTLS/"));
    matches!(profile.unwrap_or(protocol), "RTP/SAVPF" | "RTP/SAVP" | "RTP/AVPF" | "RTP/AVP")
}

/// All tracks of one MediaStream; a track of none (`-`, or nothing said) goes with any.
fn one_stream(offer: &Offer) -> Result<(), Unsupported> {
    let named = offer.media().map(|(_, section)| &section.streams[..]);
    let named: Vec<&[String]> = named.filter(|streams| streams.iter().any(|stream| stream != "-")).collect();
    let shared = |stream: &String| stream != "-" && named.iter().all(|streams| streams.contains(stream));
    match named.first() {
        Some(first) if !first.iter().any(shared) => Err(Unsupported::SeveralStreams),
        _ => Ok(()),
    }
}

fn check_direction(section: &Section, wanted: Direction) -> Result<(), Unsupported> {
    if section.direction.covers(wanted) {
        return Ok(());
    }
    Err(Unsupported::Direction {
        mid: section.mid.clone(),
        offered: section.direction.name(),
        wanted: wanted.name(),
    })
}

fn no_codec(section: &Section, wanted: impl Into<String>) -> Unsupported {
    Unsupported::NoCodec { mid: section.mid.clone(), wanted: wanted.into() }
}

/// The codecs of a kind that are forwarded, for messages.
fn forwarded(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "opus at 48000/2",
        MediaKind::Video => "VP8, H264 with packetization-mode=1, VP9 or AV1",
    }
}

/// A publisher's section: its first codec that is forwarded, and nothing beside it, so that it cannot change midway.
fn receive(kind: MediaKind, section: &Section) -> Result<ReceivedMedia, Unsupported> {
    check_direction(section, Direction::SendOnly)?;
    let codec = section.codecs().next().ok_or_else(|| no_codec(section, forwarded(kind)))?;
    let extensions = agree(&section.extensions, kind, Direction::SendOnly);
    let mut feedback = section.feedback(&[codec]);
    feedback.transport_cc &= extensions.transport_cc.is_some();
    Ok(ReceivedMedia {
        kind,
        mid: section.mid.clone(),
        codec,
        extensions,
        feedback,
        rids: section.simulcast(codec.payload_type),
        ssrcs: section.ssrcs.clone(),
    })
}

/// A viewer's section: every codec that is forwarded, those that can carry the source first, so that a publisher who
/// comes back with another codec needs no new negotiation.
fn send(
    kind: MediaKind,
    section: &Section,
    source: SourceCodecs,
    ssrcs: [u32; 2],
) -> Result<SentMedia, Unsupported> {
    check_direction(section, Direction::RecvOnly)?;
    let source = match kind {
        MediaKind::Audio => source.audio,
        MediaKind::Video => source.video,
    };
    let mut codecs: Vec<PayloadCodec> = section.codecs().collect();
    if let Some(source) = source {
        if !codecs.iter().any(|offered| carries(offered.codec, source)) {
            return Err(no_codec(section, source.to_string()));
        }
        // The sort is stable: within a rank it stays the viewer's order.
        codecs.sort_by_key(|offered| (!source.plays_as(offered.codec), !carries(offered.codec, source)));
    } else if codecs.is_empty() {
        return Err(no_codec(section, forwarded(kind)));
    }

    let mut extensions = agree(&section.extensions, kind, Direction::RecvOnly);
    let mut feedback = section.feedback(&codecs);
    // Without RTX a repeat is the same packet again, byte for byte: anything else under its SSRC and number would be
    // sealed with the same nonce. So it cannot carry what differs each time it is sent.
    if feedback.nack && codecs.iter().any(|codec| codec.rtx.is_none()) {
        extensions.transport_cc = None;
        extensions.abs_send_time = None;
    }
    feedback.transport_cc &= extensions.transport_cc.is_some();
    let [ssrc, rtx_ssrc] = ssrcs;
    Ok(SentMedia {
        kind,
        mid: section.mid.clone(),
        rtx_ssrc: codecs.iter().any(|codec| codec.rtx.is_some()).then_some(rtx_ssrc),
        codecs,
        extensions,
        feedback,
        ssrc,
    })
}

/// Whether what the source sends can be sent under `offered`. An H264 decoder is asked to try another profile than it
/// named; browsers decode what they can afford, and refusing would show nothing for certain.
fn carries(offered: Codec, source: Codec) -> bool {
    match (offered, source) {
        (Codec::H264 { .. }, Codec::H264 { .. }) => true,
        _ => source.plays_as(offered),
    }
}

/// The same numbers, changed where two are equal or one is zero.
fn distinct(mut ssrcs: [u32; 4]) -> [u32; 4] {
    for place in 0..ssrcs.len() {
        while ssrcs[place] == 0 || ssrcs[..place].contains(&ssrcs[place]) {
            ssrcs[place] = ssrcs[place].wrapping_add(1);
        }
    }
    ssrcs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssrcs_are_distinct_and_not_zero_whatever_chance_gave() {
        assert_eq!(distinct([9, 5, 7, 3]), [9, 5, 7, 3]);
        assert_eq!(distinct([0, 0, 1, u32::MAX]), [1, 2, 3, u32::MAX]);
        assert_eq!(distinct([u32::MAX; 4]), [u32::MAX, 1, 2, 3]);
    }
}
