//! Error codes and close codes: part of the interface, so each says what a client should do.

use serde::{Deserialize, Serialize};

/// Why a command was refused (SPEC.md §Errors). Unless noted, a refusal changed nothing and asking again as it is will not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The message is not an envelope, or the command cannot be used on this transport.
    BadRequest,
    /// No command has this name.
    UnknownCommand,
    /// The command needs a person, and the session or request has none.
    Unauthenticated,
    /// The token has expired: refresh it and come back.
    TokenExpired,
    /// The person may see the thing but not do this.
    Forbidden,
    /// The thing does not exist, or does not for this person.
    NotFound,
    /// A field is missing, of a wrong type or out of range; `field` names it.
    Invalid,
    /// The state has moved on (an older version, a used `op`); read it again.
    Conflict,
    /// A body or message is over its limit.
    TooLarge,
    /// The content is of a kind that is not taken.
    UnsupportedType,
    /// A list is over its maximum, or a quota is used up.
    LimitExceeded,
    /// The time in which this was possible is over.
    WindowClosed,
    /// Too often: ask again after `retry_after_ms`.
    RateLimited,
    /// A part is not available, outcome unknown: send the same `op` again after `retry_after_ms`.
    Unavailable,
    /// A mistake of the server, outcome unknown: send the same `op` again after `retry_after_ms`.
    Internal,
}

impl Code {
    /// The code as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UnknownCommand => "unknown_command",
            Self::Unauthenticated => "unauthenticated",
            Self::TokenExpired => "token_expired",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::UnsupportedType => "unsupported_type",
            Self::LimitExceeded => "limit_exceeded",
            Self::WindowClosed => "window_closed",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Whether the command may have happened all the same: it is to be sent again, with the same `op`.
    pub const fn leaves_outcome_unknown(self) -> bool {
        matches!(self, Self::Unavailable | Self::Internal)
    }

    /// The HTTP status that goes with the code (RFC 9110).
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest | Self::Invalid => 400,
            Self::Unauthenticated | Self::TokenExpired => 401,
            Self::Forbidden | Self::WindowClosed => 403,
            Self::NotFound | Self::UnknownCommand => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::UnsupportedType => 415,
            Self::LimitExceeded => 422,
            Self::RateLimited => 429,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

/// The body of an `error` reply, and of problem+json beside its HTTP members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// What kind of refusal.
    pub code: Code,
    /// What was wrong and what to do, in English, for developers.
    pub message: String,
    /// The field of the command that is at fault, as a path such as `channels.0.offset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Milliseconds after which asking again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Who could do it instead. Boxed: refusals are passed on everywhere, and few have one.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Box<Carrier>>,
}

/// The node that carries what was asked of another (SPEC.md §Errors); members of the refusal itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Carrier {
    /// The node that carries what was asked for, and could do it.
    pub node: String,
    /// Where that node's page and interface are reached, an http or https address without a slash at its end, under which their paths lie; only
    /// where it has announced one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The node has fallen silent and is most likely gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

impl ErrorBody {
    /// A refusal without further members.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, retry_after_ms: None, carrier: None }
    }

    /// A field that is missing, of a wrong type or out of range.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(Code::Invalid, message) }
    }

    /// Adds after how many milliseconds asking again makes sense.
    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// Adds who could do it instead.
    #[must_use]
    pub fn carried_by(mut self, carrier: Carrier) -> Self {
        self.carrier = Some(Box::new(carrier));
        self
    }
}

/// WebSocket close codes of the application range (RFC 6455 §7.4.2): below 4500 a client comes back by itself, from 4500 on it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The node stops as planned.
    Drain = 4000,
    /// A mistake of the server.
    ServerError = 4001,
    /// Nothing came within the heartbeat deadline.
    NoPong = 4002,
    /// The socket accepted nothing for too long.
    WriteTimeout = 4003,
    /// The token ran out and was not refreshed.
    TokenExpired = 4004,
    /// The node has too much to do.
    Overloaded = 4007,
    /// Too many messages that are no envelope.
    Malformed = 4500,
    /// The token is not valid, or its login has been ended.
    InvalidToken = 4501,
    /// No `connect` in time.
    NoConnect = 4502,
    /// The person may not be here.
    Forbidden = 4503,
    /// Too many connections from this address or person.
    TooManyConnections = 4504,
    /// A message over `limits.message_bytes`.
    MessageTooLarge = 4505,
    /// Abuse.
    Abuse = 4506,
    /// Closed by an operator.
    Operator = 4507,
}

impl CloseCode {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Drain,
        Self::ServerError,
        Self::NoPong,
        Self::WriteTimeout,
        Self::TokenExpired,
        Self::Overloaded,
        Self::Malformed,
        Self::InvalidToken,
        Self::NoConnect,
        Self::Forbidden,
        Self::TooManyConnections,
        Self::MessageTooLarge,
        Self::Abuse,
        Self::Operator,
    ];

    /// The one with this number, if any.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Whether a client should come back by itself.
    pub const fn reconnects(self) -> bool {
        self.number() < 4500
    }

    /// A short text for the close frame.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Drain => "the node stops, reconnect",
            Self::ServerError => "server error, reconnect",
            Self::NoPong => "no traffic within the heartbeat time-out",
            Self::WriteTimeout => "the socket accepted nothing for too long",
            Self::TokenExpired => "the token has expired",
            Self::Overloaded => "overloaded, reconnect later",
            Self::Malformed => "too many malformed messages",
            Self::InvalidToken => "the token is not valid",
            Self::NoConnect => "no connect command in time",
            Self::Forbidden => "forbidden",
            Self::TooManyConnections => "too many connections",
            Self::MessageTooLarge => "message too large",
            Self::Abuse => "abuse",
            Self::Operator => "closed by an operator",
        }
    }
}
