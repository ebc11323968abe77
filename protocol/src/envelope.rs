//! The envelope `[id, type, body]` in both formats.

use crate::{
    Command, Data, ErrorBody,
    decode::{self, Envelope},
};
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

/// Reads a message of a client: its id, above 0, and the command.
///
/// Refusals: `bad_request` for what is no envelope, `unknown_command`, and `invalid` with the field for a body that does
/// not fit. Nothing is allocated beyond a small multiple of the message's length.
pub fn decode_command(format: Format, message: &[u8]) -> Result<(u64, Command), DecodeError> {
    match format {
        Format::Msgpack => {
            let envelope = decode::msgpack_envelope(message).map_err(refused)?;
            command_of(envelope, decode::command_from_msgpack)
        }
        Format::Json => {
            let envelope = decode::json_envelope(message).map_err(refused)?;
            command_of(envelope, decode::command_from_json)
        }
    }
}

/// Reads the body of the command called `name`, as it comes over HTTP.
pub fn decode_body(format: Format, name: &str, body: &[u8]) -> Result<Command, ErrorBody> {
    if !Command::NAMES.contains(&name) {
        return Err(decode::unknown_command(name));
    }
    match format {
        Format::Msgpack => decode::command_from_msgpack(name, decode::msgpack_body(body)?),
        Format::Json => decode::command_from_json(name, decode::json_body(body)?),
    }
}

/// Reads a message of a server: id, type and body.
pub fn decode_message(format: Format, message: &[u8]) -> Result<(u64, String, Data), DecodeError> {
    let (id, name, body) = match format {
        Format::Msgpack => {
            let envelope = decode::msgpack_envelope(message).map_err(refused)?;
            (envelope.id, envelope.name, decode::data_from_msgpack(envelope.body))
        }
        Format::Json => {
            let envelope = decode::json_envelope(message).map_err(refused)?;
            (envelope.id, envelope.name, decode::data_from_json(envelope.body))
        }
    };
    let body = body.map_err(|error| DecodeError { id, error })?;
    Ok((id, name.into_owned(), body))
}

/// A command called `name`, as a client sends it.
pub fn encode_command<T: Serialize>(format: Format, id: u64, name: &str, body: &T) -> Bytes {
    encode(format, id, name, body)
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

fn command_of<B>(
    envelope: Envelope<'_, B>,
    read: impl FnOnce(&str, B) -> Result<Command, ErrorBody>,
) -> Result<(u64, Command), DecodeError> {
    let Envelope { id, name, body } = envelope;
    if id == 0 {
        let error = decode::not_an_envelope("the id of a command is above 0");
        return Err(DecodeError { id, error });
    }
    let command = read(&name, body).map_err(|error| DecodeError { id, error })?;
    Ok((id, command))
}

fn refused((id, error): (u64, ErrorBody)) -> DecodeError {
    DecodeError { id, error }
}
