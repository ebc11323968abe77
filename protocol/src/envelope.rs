//! The envelope `[id, type, body]` in both formats.

use crate::{Command, Data, ErrorBody};
use bytes::Bytes;
use serde::Serialize;
use std::str::FromStr;

/// How messages are encoded on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Binary messages, subprotocol `cc.v1.msgpack`.
    Msgpack,
    /// Text messages, subprotocol `cc.v1.json`.
    Json,
}

impl Format {
    /// Both, the one that the server prefers first.
    pub const ALL: [Self; 2] = [Self::Msgpack, Self::Json];

    /// The WebSocket subprotocol.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Msgpack => "cc.v1.msgpack",
            Self::Json => "cc.v1.json",
        }
    }
}

/// A subprotocol that is neither `cc.v1.msgpack` nor `cc.v1.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown subprotocol: offer cc.v1.msgpack or cc.v1.json")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(subprotocol: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.subprotocol() == subprotocol).ok_or(UnknownFormat)
    }
}

/// Why a message is no command; the reply goes to `id`, 0 where none could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The command's id.
    pub id: u64,
    /// What to answer.
    pub error: ErrorBody,
}

/// Reads a message of a client.
pub fn decode_command(_format: Format, _message: &[u8]) -> Result<(u64, Command), DecodeError> {
    unreachable!("being written")
}

/// Reads the body of the command called `name`, as it comes over HTTP.
pub fn decode_body(_format: Format, _name: &str, _body: &[u8]) -> Result<Command, ErrorBody> {
    unreachable!("being written")
}

/// Reads a message of a server: id, type and body.
pub fn decode_message(_format: Format, _message: &[u8]) -> Result<(u64, String, Data), DecodeError> {
    unreachable!("being written")
}

/// A successful reply.
pub fn encode_ok<T: Serialize>(format: Format, id: u64, body: &T) -> Bytes {
    encode(format, id, "ok", body)
}

/// A refusal.
pub fn encode_error(format: Format, id: u64, error: &ErrorBody) -> Bytes {
    encode(format, id, "error", error)
}

/// A push called `kind`.
pub fn encode_push<T: Serialize>(format: Format, kind: &str, body: &T) -> Bytes {
    encode(format, 0, kind, body)
}

/// A body alone, as it goes over HTTP.
pub fn encode_body<T: Serialize>(format: Format, body: &T) -> Bytes {
    match format {
        Format::Msgpack => rmp_serde::to_vec_named(body).expect("our own types always encode").into(),
        Format::Json => serde_json::to_vec(body).expect("our own types always encode").into(),
    }
}

fn encode<T: Serialize>(format: Format, id: u64, kind: &str, body: &T) -> Bytes {
    encode_body(format, &(id, kind, body))
}
