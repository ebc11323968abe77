//! What can go wrong in a store.

use communiconnect_protocol::ErrorBody;

/// Why an operation had no effect, or why its outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The thing of this kind (`post`, `comment`, …) does not exist.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A rule said no.
    #[error("refused: {}", .0.message)]
    Refused(Box<ErrorBody>),
    /// The `op` was used before with another type or body.
    #[error("this op was used before with another command or body")]
    OpReused,
    /// Somebody has this value of a unique field already.
    #[error("{0} is taken")]
    Taken(&'static str),
    /// The version asked for is not the present one.
    #[error("the version has moved on to {present}")]
    Version {
        /// The present version.
        present: u64,
    },
    /// The store has too much to do or cannot be reached; outcome unknown.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A mistake of ours or a broken store; outcome unknown.
    #[error("the store failed: {0}")]
    Internal(String),
}

impl From<ErrorBody> for StoreError {
    fn from(refusal: ErrorBody) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
