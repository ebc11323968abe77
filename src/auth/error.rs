//! Why somebody is not who they say, and what to answer.

use crate::store::StoreError;
use communiconnect_protocol::{CloseCode, Code, ErrorBody};
use serde::Serialize;

/// Why a token was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than any token needs to be.
    #[error("the token is longer than {} bytes", super::jwt::MAX_TOKEN_BYTES)]
    TooLong,
    /// Not three parts of base64url with JSON inside, as RFC 7519 has it.
    #[error("the token is not a JWT: {0}")]
    Malformed(&'static str),
    /// `none`, an unknown algorithm, or one that is not configured.
    #[error("the token's algorithm {0:?} is not taken here")]
    Algorithm(String),
    /// No key of ours or of a configured issuer fits the algorithm and the key id.
    #[error("the token is signed with a key that is not known here")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing or of a wrong type.
    #[error("the token's claim {claim:?} {wrong}")]
    Claim {
        /// Which.
        claim: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// A token for something else, such as a refresh token.
    #[error("this is no access token but one of another kind ({0})")]
    Kind(String),
    /// It ran out.
    #[error("the token has expired: get a new one")]
    Expired,
    /// It begins to be good later.
    #[error("the token is not good yet (claim nbf)")]
    NotYet,
}

/// Why somebody was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There was no token, and guests are not let in.
    #[error("a token is needed here: guests are not let in")]
    Missing,
    /// The token was not taken.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The login of the token has ended.
    #[error("this login has ended: log in again")]
    LoggedOut,
    /// The issuer's keys cannot be had at present.
    #[error("the issuer's keys cannot be fetched at present")]
    KeysUnavailable,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuthError {
    /// How a socket closes after this answer.
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::Token(TokenError::Expired) => CloseCode::TokenExpired,
            Self::Missing | Self::Token(_) | Self::LoggedOut => CloseCode::InvalidToken,
            // Not the client's fault: it should come back.
            Self::KeysUnavailable | Self::Store(_) => CloseCode::ServerError,
        }
    }
}

impl From<AuthError> for ErrorBody {
    fn from(error: AuthError) -> Self {
        let text = error.to_string();
        match error {
            AuthError::Token(TokenError::Expired) => Self::new(Code::TokenExpired, text),
            AuthError::Missing | AuthError::Token(_) | AuthError::LoggedOut => {
                Self::new(Code::Unauthenticated, text)
            }
            AuthError::KeysUnavailable => Self::new(Code::Unavailable, text).retry_after(RETRY_MS),
            AuthError::Store(store) => store.into(),
        }
    }
}

/// What is wrong with one field of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Which field.
    pub field: &'static str,
    /// What is allowed.
    pub message: &'static str,
}

/// Everything that is wrong with a request, so that a form can show it at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The one that the protocol's error names.
    pub first: Fault,
    /// The others, one a field.
    pub others: Vec<Fault>,
}

impl Faults {
    /// Fails with all of them if there is any.
    pub fn check(all: Vec<Fault>) -> Result<(), Self> {
        let mut all = all.into_iter();
        all.next().map_or(Ok(()), |first| Err(Self { first, others: all.collect() }))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl From<Fault> for AccountError {
    fn from(first: Fault) -> Self {
        Self::Invalid(Faults { first, others: Vec::new() })
    }
}

impl From<Faults> for AccountError {
    fn from(faults: Faults) -> Self {
        Self::Invalid(faults)
    }
}

/// Why an account's request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// This server has no accounts of its own (`auth.embedded=off`).
    #[error("there are no accounts here: get a token from the site that this server belongs to")]
    Off,
    /// The body is no JSON object.
    #[error("the body is not a JSON object: {0}")]
    NoObject(String),
    /// Fields are missing or not as they must be.
    #[error("{}: {}", .0.first.field, .0.first.message)]
    Invalid(Faults),
    /// Somebody has this user name or address.
    #[error("this {0} is taken")]
    Taken(&'static str),
    /// No such account, or not its password: which of the two is not told.
    #[error("the name or the password is wrong")]
    WrongLogin,
    /// No such refresh token, or it ran out, or its login has ended.
    #[error("the refresh token is not good (any more): log in again")]
    WrongRefresh,
    /// An old refresh token was shown again, so the login has been ended.
    #[error(
        "this refresh token was used before; as it may have been copied, its login has ended: log in again"
    )]
    RefreshReused,
    /// Too many attempts.
    #[error("too many attempts: wait and try again")]
    RateLimited {
        /// When to try again, in milliseconds from now.
        retry_after_ms: u64,
    },
    /// Too many passwords wait to be hashed; nothing happened.
    #[error("too many people are logging in at this moment: try again")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AccountError> for ErrorBody {
    fn from(error: AccountError) -> Self {
        let text = error.to_string();
        match error {
            AccountError::Off => Self::new(Code::NotFound, text),
            AccountError::NoObject(_) => Self::new(Code::BadRequest, text),
            AccountError::Invalid(Faults { first, .. }) => Self::invalid(first.field, first.message),
            AccountError::Taken(field) => {
                Self { field: Some(field.to_owned()), ..Self::new(Code::Conflict, text) }
            }
            AccountError::WrongLogin | AccountError::WrongRefresh | AccountError::RefreshReused => {
                Self::new(Code::Unauthenticated, text)
            }
            AccountError::RateLimited { retry_after_ms } => {
                Self::new(Code::RateLimited, text).retry_after(retry_after_ms)
            }
            AccountError::Busy => Self::new(Code::Unavailable, text).retry_after(RETRY_MS),
            AccountError::Store(store) => store.into(),
        }
    }
}

/// After how long it makes sense to try again what was not available.
const RETRY_MS: u64 = 1_000;

/// Why auth could not be set up: a wrong setting, or the store.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A key file or JWKS file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What a setting holds or names is of no use.
    #[error("{setting}: {reason}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// Why.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread could not be started.
    #[error("cannot start a thread that hashes passwords: {0}")]
    Thread(std::io::Error),
}
