//! Checks of raw bytes before anything is allocated for them.

/// Deepest nesting of a message.
pub const MAX_DEPTH: usize = 16;

/// Why bytes are not worth decoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}
