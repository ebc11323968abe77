//! ICE fragments (`application/trickle-ice-sdpfrag`, RFC 8840): what WHIP and WHEP send by PATCH.

use std::fmt::{self, Write};

use communiconnect_protocol::Code;
use thiserror::Error;

use super::answer::{ICE_OPTIONS, kind_name};
use super::candidate::{MAX_CANDIDATES, write_all};
use super::offer::credentials;
use super::{Candidate, LocalSide, MAX_OFFER, Negotiated};
use crate::live::rtc::ice::IceCredentials;

/// What a fragment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The credentials it is for: those in use when it trickles candidates, new ones when it restarts.
    pub ice: Option<IceCredentials>,
    /// The candidates that can be used; others are dropped without a word (RFC 9725, section 4.3.2).
    pub candidates: Vec<Candidate>,
    /// No more will follow.
    pub end_of_candidates: bool,
}

impl Fragment {
    /// Reads a fragment.
    ///
    /// # Errors
    /// [`FragmentError`] when it is no fragment at all. A candidate that cannot be used is no error.
    pub fn parse(text: &str) -> Result<Self, FragmentError> {
        if text.len() > MAX_OFFER {
            return Err(FragmentError::TooLarge(text.len()));
        }
        let (mut ufrag, mut pwd) = (None, None);
        let mut fragment = Self { ice: None, candidates: Vec::new(), end_of_candidates: false };
        let mut says_something = false;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let Some(attribute) = line.strip_prefix("a=") else {
                // Of the other lines only `m=` may stand here (RFC 8840, section 9); all media share one transport.
                match line.strip_prefix("m=") {
                    Some(_) => continue,
                    None => return Err(FragmentError::Malformed("a line is neither a= nor m=")),
                }
            };
            let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            match name {
                "ice-ufrag" => ufrag = ufrag.or(Some(value.trim())),
                "ice-pwd" => pwd = pwd.or(Some(value.trim())),
                "candidate" if fragment.candidates.len() < MAX_CANDIDATES => {
                    fragment.candidates.extend(Candidate::parse(value));
                }
                "end-of-candidates" => fragment.end_of_candidates = true,
                _ => {}
            }
            says_something |= matches!(name, "ice-ufrag" | "candidate" | "end-of-candidates");
        }
        fragment.ice =
            match (ufrag, pwd) {
                (Some(ufrag), Some(pwd)) => Some(credentials(ufrag, pwd).ok_or(FragmentError::Malformed(
                    "its ice-ufrag or ice-pwd is not made as RFC 8839 says",
                ))?),
                (None, None) => None,
                _ => return Err(FragmentError::Malformed("ice-ufrag and ice-pwd come together")),
            };
        if !says_something {
            return Err(FragmentError::Malformed("it holds neither credentials nor candidates"));
        }
        Ok(fragment)
    }

    /// The new credentials, when it restarts ICE for a peer that has `current` ones.
    pub fn restarts(&self, current: &IceCredentials) -> Option<&IceCredentials> {
        self.ice.as_ref().filter(|ice| *ice != current)
    }
}

/// The answer to a restart: our new credentials and our candidates, with `ice-lite` and options as answered before
/// (RFC 9725, section 4.3.3).
pub fn restart_fragment(negotiated: &Negotiated, local: &LocalSide<'_>) -> String {
    let mut text = String::with_capacity(1024);
    write_restart(&mut text, negotiated, local).expect("writing to a string does not fail");
    text
}

fn write_restart(out: &mut String, negotiated: &Negotiated, local: &LocalSide<'_>) -> fmt::Result {
    let sections = negotiated.media.sections();
    out.write_str(ICE_OPTIONS)?;
    let mids: Vec<&str> = sections.iter().map(|section| section.mid).filter(|mid| !mid.is_empty()).collect();
    if !mids.is_empty() {
        write!(out, "a=group:BUNDLE {}\r\n", mids.join(" "))?;
    }
    if let Some(first) = sections.first() {
        // Only there to give the lines below their section: port, protocol and format mean nothing in a fragment.
        write!(out, "m={} 9 UDP/TLS/RTP/SAVPF 0\r\n", kind_name(first.kind))?;
    }
    if let Some(mid) = mids.first() {
        write!(out, "a=mid:{mid}\r\n")?;
    }
    write!(out, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", local.ice.ufrag, local.ice.pwd)?;
    write_all(out, local.candidates)
}

/// Why a fragment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FragmentError {
    /// Over the bound of an offer. HTTP 413.
    #[error("the fragment has {0} bytes; send at most {MAX_OFFER}")]
    TooLarge(usize),
    /// No fragment. HTTP 400.
    #[error("the fragment cannot be read: {0}")]
    Malformed(&'static str),
}

impl FragmentError {
    /// The code that tells a client of it.
    pub fn code(self) -> Code {
        match self {
            Self::TooLarge(_) => Code::TooLarge,
            Self::Malformed(_) => Code::BadRequest,
        }
    }
}
