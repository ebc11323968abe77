//! Turns a refusal of serde into one that names the field and what is allowed there.

use crate::{Code, ErrorBody, strict};
use serde_path_to_error::{Path, Segment};
use std::fmt::Write;

/// Longest path told, in bytes: keys of maps come from the client.
const MAX_FIELD: usize = 128;

/// The refusal of a body; `error` is from JSON text.
pub(crate) fn invalid(error: serde_path_to_error::Error<serde_json::Error>) -> ErrorBody {
    let mut field = dotted(error.path());
    let error = error.into_inner();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.strip_suffix(&place).unwrap_or(&reason);

    if reason == strict::TOO_MANY {
        let message = format!("`{field}` takes {} elements at most", strict::MAX_LIST);
        return ErrorBody { field: Some(field), ..ErrorBody::new(Code::LimitExceeded, message) };
    }
    let message = if let Some(name) = quoted(reason, "missing field `") {
        append(&mut field, name);
        format!("`{field}` is required")
    } else if let Some(name) = quoted(reason, "duplicate field `") {
        append(&mut field, name);
        format!("`{field}` is given twice")
    } else if let Some((_, expected)) = reason.rsplit_once(", expected ") {
        format!("`{field}` must be {}", in_words(expected))
    } else if reason.starts_with("number out of range") {
        format!("`{field}` must be a smaller number")
    } else {
        // What is left speaks of text that JSON can write and Unicode does not have (lone surrogates).
        format!("`{field}` cannot be read: {reason}")
    };
    ErrorBody::invalid(field, message)
}

/// What serde calls a type, in the words of the specification.
fn in_words(expected: &str) -> &str {
    match expected {
        "u64" => "an integer from 0 to 18446744073709551615",
        "u32" => "an integer from 0 to 4294967295",
        "a boolean" => "true or false",
        "a string" => "text",
        "a sequence" => "an array",
        _ => expected,
    }
}

fn quoted<'a>(reason: &'a str, start: &str) -> Option<&'a str> {
    reason.strip_prefix(start)?.strip_suffix('`')
}

fn dotted(path: &Path) -> String {
    let mut field = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => append(&mut field, &index.to_string()),
            Segment::Map { key } => append(&mut field, key),
            Segment::Enum { variant } => append(&mut field, variant),
            Segment::Unknown => {}
        }
    }
    field
}

fn append(field: &mut String, part: &str) {
    let dot = if field.is_empty() { "" } else { "." };
    let room = MAX_FIELD.saturating_sub(field.len() + dot.len());
    if room > 0 {
        let end = part.floor_char_boundary(room);
        write!(field, "{dot}{}", &part[..end]).expect("writing to a String does not fail");
    }
}
