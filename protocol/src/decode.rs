//! Reading messages: guard first, then the envelope, then the body straight into its struct.
//!
//! A body that does not fit is read a second time to find out where, always as JSON text, so that both encodings refuse
//! the same things with the same words.

use crate::{
    Code, Command, Data, ErrorBody, explain,
    guard::{self, Findings, Token, Tokens},
};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An envelope whose body has not been read.
pub(crate) struct Envelope<'a, B> {
    pub id: u64,
    pub name: Cow<'a, str>,
    pub body: B,
}

/// A body of MessagePack that the guard has let pass, and that is a map.
#[derive(Clone, Copy)]
pub(crate) struct MsgpackBody<'a> {
    bytes: &'a [u8],
    binary: bool,
}

/// Longest unknown name told back, in bytes.
const MAX_NAME: usize = 64;

/// From how much likeness (Jaro-Winkler, 0 to 1) on a known name was probably meant.
const MEANT: f64 = 0.75;

pub(crate) fn not_an_envelope(reason: impl std::fmt::Display) -> ErrorBody {
    ErrorBody::new(Code::BadRequest, format!("{reason}; a message is [id, type, {{...}}]"))
}

pub(crate) fn unknown_command(name: &str) -> ErrorBody {
    let name = &name[..name.floor_char_boundary(MAX_NAME)];
    let near = Command::NAMES.iter().map(|known| (strsim::jaro_winkler(name, known), known));
    let message = match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, known)) if likeness > MEANT => {
            format!("no command is called `{name}`; did you mean `{known}`?")
        }
        _ => format!("no command is called `{name}`; SPEC.md lists them all, such as `post.create`"),
    };
    ErrorBody::new(Code::UnknownCommand, message)
}

/// Splits a MessagePack message; the error comes with the id, where it could be read.
pub(crate) fn msgpack_envelope(message: &[u8]) -> Result<Envelope<'_, MsgpackBody<'_>>, (u64, ErrorBody)> {
    let found = guard::check_msgpack(message);
    let mut tokens = Tokens::new(message);
    // Read before the guard's verdict counts, so that even a broken message is answered under its id.
    let items = match tokens.next() {
        Ok(Token::Array(items)) => items,
        _ => return Err((0, not_an_envelope("the message is not an array"))),
    };
    let id = match tokens.next() {
        Ok(Token::Unsigned(id)) if items > 0 => id,
        Ok(Token::Signed(id)) if items > 0 && id >= 0 => id.unsigned_abs(),
        _ => return Err((0, not_an_envelope("the id is not an unsigned integer"))),
    };
    let fail = |reason: &str| (id, not_an_envelope(reason));
    let Findings { binary } = found.map_err(|error| fail(&error.to_string()))?;
    if items < 3 {
        return Err(fail("the array has fewer than three elements"));
    }
    let Ok(Token::Text(name)) = tokens.next() else { return Err(fail("the type is not text")) };
    let name = std::str::from_utf8(name).map_err(|_| fail("the type is not text"))?;
    let bytes = tokens.rest();
    let Ok(Token::Map(_)) = tokens.next() else { return Err(fail("the body is not a map")) };
    Ok(Envelope { id, name: name.into(), body: MsgpackBody { bytes, binary } })
}

/// Splits a JSON message; the error comes with the id, where it could be read.
pub(crate) fn json_envelope(message: &[u8]) -> Result<Envelope<'_, &str>, (u64, ErrorBody)> {
    let parts = guard::check_json(message)
        .map_err(not_an_envelope)
        .and_then(|text| serde_json::from_str::<JsonParts<'_>>(text).map_err(not_json))
        .map_err(|error| (json_id(message).unwrap_or(0), error))?;
    let id = parts.id.and_then(|id| id.get().parse().ok());
    let id = id.ok_or_else(|| (0, not_an_envelope("the id is not an unsigned integer")))?;
    let fail = |reason: &str| (id, not_an_envelope(reason));
    let (Some(name), Some(body)) = (parts.name, parts.body) else {
        return Err(fail("the array has fewer than three elements"));
    };
    let name: JsonText<'_> = serde_json::from_str(name.get()).map_err(|_| fail("the type is not text"))?;
    let body = body.get();
    if !body.starts_with('{') {
        return Err(fail("the body is not a map"));
    }
    Ok(Envelope { id, name: name.0, body })
}

/// Takes bytes that came as a body alone.
pub(crate) fn msgpack_body(bytes: &[u8]) -> Result<MsgpackBody<'_>, ErrorBody> {
    let Findings { binary } = guard::check_msgpack(bytes).map_err(not_a_map)?;
    match Tokens::new(bytes).next() {
        Ok(Token::Map(_)) => Ok(MsgpackBody { bytes, binary }),
        _ => Err(not_a_map("it is something else")),
    }
}

/// Takes text that came as a body alone.
pub(crate) fn json_body(bytes: &[u8]) -> Result<&str, ErrorBody> {
    let text = guard::check_json(bytes).map_err(not_a_map)?;
    let raw: &RawValue = serde_json::from_str(text).map_err(not_a_map)?;
    if raw.get().starts_with('{') { Ok(raw.get()) } else { Err(not_a_map("it is something else")) }
}

/// Reads the body of the command called `name`.
pub(crate) fn command_from_msgpack(name: &str, body: MsgpackBody<'_>) -> Result<Command, ErrorBody> {
    if !body.binary {
        let mut reader = rmp_serde::Deserializer::from_read_ref(body.bytes);
        match Command::deserialize_named(name, &mut reader) {
            Some(Ok(command)) => return Ok(command),
            Some(Err(_)) => {}
            None => return Err(unknown_command(name)),
        }
    }
    explained(name, &as_json(body.bytes))
}

/// Reads the body of the command called `name`.
pub(crate) fn command_from_json(name: &str, body: &str) -> Result<Command, ErrorBody> {
    match Command::deserialize_named(name, &mut serde_json::Deserializer::from_str(body)) {
        Some(Ok(command)) => Ok(command),
        Some(Err(_)) => explained(name, body),
        None => Err(unknown_command(name)),
    }
}

/// Takes the body of a server's message as it is.
pub(crate) fn data_from_msgpack(body: MsgpackBody<'_>) -> Result<Data, ErrorBody> {
    let mut tokens = Tokens::new(body.bytes);
    guard::check_value(&mut tokens).map_err(not_a_map)?;
    let len = body.bytes.len() - tokens.rest().len();
    Ok(Data::from_stored(body.bytes[..len].to_vec()))
}

/// Takes the body of a server's message as MessagePack.
pub(crate) fn data_from_json(body: &str) -> Result<Data, ErrorBody> {
    serde_json::from_str(body).map_err(not_json)
}

/// Reads with a record of where in the body the reader is: slower, and only needed where something does not fit.
fn explained(name: &str, body: &str) -> Result<Command, ErrorBody> {
    let mut track = serde_path_to_error::Track::new();
    let mut reader = serde_json::Deserializer::from_str(body);
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    match Command::deserialize_named(name, tracked) {
        Some(Ok(command)) => Ok(command),
        Some(Err(error)) => Err(explain::invalid(serde_path_to_error::Error::new(track.path(), error))),
        None => Err(unknown_command(name)),
    }
}

/// The first value of guarded MessagePack as JSON text. What JSON does not have becomes a fraction, because no field of a
/// command takes one, and fields that nobody knows are skipped either way.
fn as_json(bytes: &[u8]) -> String {
    let text = json_bytes(bytes);
    String::from_utf8(text).expect("written from text alone")
}

fn json_bytes(bytes: &[u8]) -> Vec<u8> {
    const NOTHING_ELSE: &[u8] = b"0.5";
    let mut text = Vec::with_capacity(bytes.len());
    let mut tokens = Tokens::new(bytes);
    // Of each open container: values to come (keys too), and whether it is a map.
    let mut open: Vec<(u64, bool)> = Vec::new();
    loop {
        let token = tokens.next().expect("the guard has walked these bytes");
        match token {
            Token::Nil => text.extend(b"null"),
            Token::Bool(value) => write(&mut text, value),
            Token::Unsigned(value) => write(&mut text, value),
            Token::Signed(value) => write(&mut text, value),
            Token::Float(_) | Token::Binary => text.extend(NOTHING_ELSE),
            Token::Text(value) => {
                let value = std::str::from_utf8(value).expect("the guard has read this text");
                write(&mut text, value);
            }
            Token::Array(items) => {
                text.push(b'[');
                open.push((u64::from(items) + 1, false));
            }
            Token::Map(entries) => {
                text.push(b'{');
                open.push((u64::from(entries) * 2 + 1, true));
            }
        }
        let opened = matches!(token, Token::Array(_) | Token::Map(_));
        let mut first = opened;
        loop {
            let Some((left, map)) = open.last_mut() else { return text };
            *left -= 1;
            if *left == 0 {
                text.push(if *map { b'}' } else { b']' });
                open.pop();
                first = false;
                continue;
            }
            if !first {
                text.push(if *map && *left % 2 == 1 { b':' } else { b',' });
            }
            break;
        }
    }
}

fn write(text: &mut Vec<u8>, value: impl serde::Serialize) {
    serde_json::to_writer(text, &value).expect("a Vec takes all bytes, and text and numbers are JSON");
}

fn not_json(error: serde_json::Error) -> ErrorBody {
    not_an_envelope(format_args!("the message is no JSON envelope: {error}"))
}

fn not_a_map(reason: impl std::fmt::Display) -> ErrorBody {
    ErrorBody::new(Code::BadRequest, format!("the body is not one map with the command's fields: {reason}"))
}

/// The id of a message that begins like an envelope, whatever follows.
fn json_id(message: &[u8]) -> Option<u64> {
    let rest = message.trim_ascii_start().strip_prefix(b"[")?.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(digits);
    let ended = matches!(rest.trim_ascii_start().first(), Some(b',' | b']') | None);
    if ended { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// The elements of a JSON envelope, each checked to be JSON and not yet read.
struct JsonParts<'a> {
    id: Option<&'a RawValue>,
    name: Option<&'a RawValue>,
    body: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for JsonParts<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> serde::de::Visitor<'de> for PartsVisitor {
    type Value = JsonParts<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<JsonParts<'de>, A::Error> {
        let parts =
            JsonParts { id: seq.next_element()?, name: seq.next_element()?, body: seq.next_element()? };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(parts)
    }
}

/// Text that is copied only where it has escapes.
#[derive(serde::Deserialize)]
struct JsonText<'a>(#[serde(borrow)] Cow<'a, str>);
