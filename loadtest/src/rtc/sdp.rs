//! Offers as this client makes them, and the few lines of an answer that it needs.

use super::RtcError;
use rand::{Rng, distr::Alphanumeric};
use std::{fmt::Write as _, net::SocketAddr};

/// Payload type of Opus.
pub const PAYLOAD_AUDIO: u8 = 111;
/// Payload type of VP8.
pub const PAYLOAD_VIDEO: u8 = 96;
/// Payload type of VP8's retransmissions (RFC 4588).
pub const PAYLOAD_RTX: u8 = 97;

/// Which way media goes, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends.
    Publish {
        /// Synchronisation sources of audio, video and video's retransmissions.
        ssrcs: [u32; 3],
    },
    /// Receives.
    Watch,
}

/// What a client proposes.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The text to send.
    pub text: String,
    /// The client's own ICE name and password.
    pub(super) own: Credentials,
}

impl Offer {
    /// Proposes Opus and VP8, with retransmissions, in one bundle.
    pub fn new(role: Role, fingerprint: &str) -> Self {
        let (ufrag, password) = (word(8), word(24));
        let mut text = format!(
            "v=0\r\no=- {} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic: WMS load\r\n",
            rand::rng().random::<u32>()
        );
        let direction = match role {
            Role::Publish { .. } => "sendonly",
            Role::Watch => "recvonly",
        };
        let transport = format!(
            "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\n\
             a=rtcp-mux\r\na=rtcp-mux-only\r\na={direction}\r\n"
        );
        let _ = write!(
            text,
            "m=audio 9 UDP/TLS/RTP/SAVPF {PAYLOAD_AUDIO}\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n{transport}\
             a=rtpmap:{PAYLOAD_AUDIO} opus/48000/2\r\n"
        );
        if let Role::Publish { ssrcs: [audio, ..] } = role {
            let _ = write!(text, "a=msid:load audio\r\na=ssrc:{audio} cname:load\r\n");
        }
        let _ = write!(
            text,
            "m=video 9 UDP/TLS/RTP/SAVPF {PAYLOAD_VIDEO} {PAYLOAD_RTX}\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n{transport}\
             a=rtpmap:{PAYLOAD_VIDEO} VP8/90000\r\na=rtcp-fb:{PAYLOAD_VIDEO} nack\r\na=rtcp-fb:{PAYLOAD_VIDEO} nack pli\r\n\
             a=rtpmap:{PAYLOAD_RTX} rtx/90000\r\na=fmtp:{PAYLOAD_RTX} apt={PAYLOAD_VIDEO}\r\n"
        );
        if let Role::Publish { ssrcs: [_, video, rtx] } = role {
            let _ = write!(
                text,
                "a=msid:load video\r\na=ssrc-group:FID {video} {rtx}\r\na=ssrc:{video} cname:load\r\n\
                 a=ssrc:{rtx} cname:load\r\n"
            );
        }
        Self { text, own: Credentials { ufrag, password } }
    }
}

/// The ICE name and password of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub(super) ufrag: String,
    pub(super) password: String,
}

impl Credentials {
    /// Reads those of a description, or of a fragment (RFC 8840).
    ///
    /// # Errors
    /// Names the line that is missing.
    pub fn parse(text: &str) -> Result<Self, RtcError> {
        Ok(Self { ufrag: line(text, "a=ice-ufrag:")?.into(), password: line(text, "a=ice-pwd:")?.into() })
    }
}

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub(super) credentials: Credentials,
    pub(super) fingerprint: String,
    pub(super) candidate: SocketAddr,
    /// The video that the server sends, and its retransmissions; none towards a publisher.
    pub video_ssrcs: Option<(u32, Option<u32>)>,
}

impl Answer {
    /// Reads an answer: credentials, fingerprint, the first loopback candidate (or the first at all), video's sources.
    ///
    /// # Errors
    /// Names the line that is missing.
    pub fn parse(text: &str) -> Result<Self, RtcError> {
        let candidates =
            text.lines().filter_map(|line| candidate(line.trim_end().strip_prefix("a=candidate:")?));
        let candidates: Vec<_> = candidates.collect();
        let local = candidates.iter().find(|address| address.ip().is_loopback());
        let candidate = *local.or(candidates.first()).ok_or(RtcError::Answer("a=candidate:"))?;
        let video = text.find("\nm=video").map_or("", |at| &text[at..]);
        Ok(Self {
            credentials: Credentials::parse(text)?,
            fingerprint: line(text, "a=fingerprint:sha-256 ")?.to_ascii_uppercase(),
            candidate,
            video_ssrcs: ssrcs(video),
        })
    }
}

fn line<'a>(text: &'a str, key: &'static str) -> Result<&'a str, RtcError> {
    text.lines().find_map(|line| line.trim_end().strip_prefix(key)).ok_or(RtcError::Answer(key))
}

fn candidate(value: &str) -> Option<SocketAddr> {
    let mut words = value.split_ascii_whitespace().skip(2);
    if !words.next()?.eq_ignore_ascii_case("udp") {
        return None;
    }
    let mut words = words.skip(1);
    let (address, port) = (words.next()?, words.next()?);
    Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
}

fn ssrcs(section: &str) -> Option<(u32, Option<u32>)> {
    let group = section.lines().find_map(|line| line.trim_end().strip_prefix("a=ssrc-group:FID "));
    if let Some((media, rtx)) = group.and_then(|group| group.split_once(' ')) {
        return Some((media.parse().ok()?, rtx.trim().parse().ok()));
    }
    let line = section.lines().find_map(|line| line.strip_prefix("a=ssrc:"))?;
    Some((line.split_once(' ')?.0.parse().ok()?, None))
}

fn word(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_matter_are_read() {
        let text = "v=0\r\na=fingerprint:sha-256 ab:cd\r\nm=audio 9 X 111\r\na=ssrc:5 cname:x\r\na=ice-ufrag:u\r\n\
                    a=ice-pwd:p\r\na=candidate:1 1 udp 1 192.0.2.1 8189 typ host\r\n\
                    a=candidate:2 1 UDP 1 127.0.0.1 8189 typ host\r\nm=video 9 X 96\r\na=ssrc-group:FID 7 8\r\n";
        let answer = Answer::parse(text).expect("complete");
        assert_eq!(answer.candidate, SocketAddr::from(([127, 0, 0, 1], 8189)));
        assert_eq!(answer.video_ssrcs, Some((7, Some(8))));
        assert_eq!(answer.fingerprint, "AB:CD");
        let refused = Answer::parse("v=0\r\n").expect_err("nothing in it");
        assert!(refused.to_string().contains("a=candidate"), "{refused}");
    }
}
