//! What can be wrong with the delivery of one channel to one reader.

use std::fmt;
use thiserror::Error;

/// Offsets in a row, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

impl Span {
    /// How many offsets there are in it.
    pub fn len(self) -> u64 {
        (self.to + 1).saturating_sub(self.from)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub(super) fn holds(self, offset: u64) -> bool {
        (self.from..=self.to).contains(&offset)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(out, "offset {}", self.from)
        } else {
            write!(out, "offsets {} to {}", self.from, self.to)
        }
    }
}

/// A promise of `protocol/SPEC.md` that was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Neither pushed, nor told as a gap and then fetched.
    #[error("{0} never came, and no gap told of it")]
    Lost(Span),
    /// A gap told of it, and it was never fetched: the log did not answer in time, or not with it.
    #[error("{0} was cut to a gap and could not be fetched")]
    NotFetched(Span),
    /// The log did not have it any more.
    #[error("{0} was gone from the log before it was read")]
    Expired(Span),
    /// It came again.
    #[error("{0} came twice")]
    Repeated(Span),
    /// It came after what follows it.
    #[error("{0} came after what follows it")]
    Reordered(Span),
    /// Its content is not what was published, or not what somebody else was given.
    #[error("the content of {0} was altered")]
    Altered(Span),
    /// A gap told of what had come.
    #[error("a gap told of {0}, which had come")]
    FalseGap(Span),
    /// The channel began anew although nobody restored a backup.
    #[error("the channel was reset at a reader that stood at {0}")]
    Reset(Span),
}

impl Fault {
    /// The word for it in figures.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Lost(_) => "lost",
            Self::NotFetched(_) => "not_fetched",
            Self::Expired(_) => "expired",
            Self::Repeated(_) => "repeated",
            Self::Reordered(_) => "reordered",
            Self::Altered(_) => "altered",
            Self::FalseGap(_) => "false_gap",
            Self::Reset(_) => "reset",
        }
    }

    /// Which offsets.
    pub fn span(&self) -> Span {
        match *self {
            Self::Lost(span)
            | Self::NotFetched(span)
            | Self::Expired(span)
            | Self::Repeated(span)
            | Self::Reordered(span)
            | Self::Altered(span)
            | Self::FalseGap(span)
            | Self::Reset(span) => span,
        }
    }

    pub(super) fn at(offset: u64) -> Span {
        Span { from: offset, to: offset }
    }
}
