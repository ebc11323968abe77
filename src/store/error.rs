//! What can go wrong in a store.

use communiconnect_protocol::{Code, ErrorBody};

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

/// Milliseconds after which a client should send the same `op` again.
const RETRY_AFTER_MS: u64 = 1_000;

/// The one translation into what a client is told. Causes stay here, in the log: they are nobody else's business.
impl From<StoreError> for ErrorBody {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(thing) => Self::new(Code::NotFound, format!("no such {thing}")),
            StoreError::Refused(refusal) => *refusal,
            StoreError::OpReused => {
                let mut refusal = Self::new(Code::Conflict, error.to_string());
                refusal.field = Some("op".into());
                refusal
            }
            StoreError::Taken(field) => {
                let mut refusal = Self::new(Code::Conflict, format!("this {field} is taken: choose another"));
                refusal.field = Some(field.into());
                refusal
            }
            StoreError::Version { present } => {
                let mut refusal = Self::new(
                    Code::Conflict,
                    format!("the present version is {present}: read it and edit that"),
                );
                refusal.field = Some("version".into());
                refusal
            }
            StoreError::Unavailable(cause) => {
                tracing::warn!(cause, "the store is not available");
                Self::new(
                    Code::Unavailable,
                    "the store is not available, outcome unknown: send the same op again",
                )
                .retry_after(RETRY_AFTER_MS)
            }
            StoreError::Internal(cause) => {
                tracing::error!(cause, "the store failed");
                Self::new(Code::Internal, "a mistake of the server, outcome unknown: send the same op again")
                    .retry_after(RETRY_AFTER_MS)
            }
        }
    }
}
