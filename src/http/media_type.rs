//! Which of the two encodings a request is in, and which its answer is wanted in.

use axum::http::{HeaderMap, HeaderName, header};
use communiconnect_protocol::{Code, ErrorBody, Format};

/// The media type that answers name.
pub(super) const fn of(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Msgpack => "application/msgpack",
    }
}

/// The encoding of a request's body; JSON where nothing is said.
pub(super) fn of_body(headers: &HeaderMap) -> Result<Format, ErrorBody> {
    let Some(named) = text(headers, &header::CONTENT_TYPE) else { return Ok(Format::Json) };
    format(essence(named)).ok_or_else(|| {
        let message =
            "the body must be application/json or application/msgpack, and Content-Type must say so";
        ErrorBody::new(Code::UnsupportedType, message)
    })
}

/// Refuses a body in another encoding than JSON, where that is all that is taken.
pub(super) fn must_be_json(headers: &HeaderMap, refusal: &str) -> Result<(), ErrorBody> {
    match of_body(headers)? {
        Format::Json => Ok(()),
        Format::Msgpack => Err(ErrorBody::new(Code::UnsupportedType, refusal)),
    }
}

/// The encoding of the answer: the one that `Accept` prefers of the two, else that of the body.
pub(super) fn of_answer(headers: &HeaderMap, body: Format) -> Format {
    let wishes = text(headers, &header::ACCEPT).unwrap_or_default();
    let known = wishes.split(',').filter_map(|wish| {
        let (name, parameters) = wish.split_once(';').unwrap_or((wish, ""));
        let weight = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
        let weight: f32 = weight.map_or(Some(1.0), |weight| weight.trim().parse().ok())?;
        Some((format(name.trim())?, weight)).filter(|(_, weight)| *weight > 0.0)
    });
    // The first of equals is preferred.
    known.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(body, |(format, _)| format)
}

fn format(essence: &str) -> Option<Format> {
    const JSON: &[&str] = &["application/json"];
    const MSGPACK: &[&str] = &["application/msgpack", "application/vnd.msgpack", "application/x-msgpack"];
    let is_in = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(essence));
    if is_in(JSON) { Some(Format::Json) } else { is_in(MSGPACK).then_some(Format::Msgpack) }
}

fn essence(media_type: &str) -> &str {
    media_type.split_once(';').map_or(media_type, |(essence, _)| essence).trim()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Format::{Json, Msgpack};

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a value"))])
    }

    #[test]
    fn a_body_is_what_its_type_says() {
        let of = |value| of_body(&headers(header::CONTENT_TYPE, value)).map_err(|error| error.code);
        assert_eq!(of("application/json; charset=utf-8"), Ok(Json));
        assert_eq!(of("Application/MsgPack"), Ok(Msgpack));
        assert_eq!(of("text/plain"), Err(Code::UnsupportedType));
        assert_eq!(of_body(&HeaderMap::new()).ok(), Some(Json));
    }

    #[test]
    fn an_answer_is_what_is_preferred() {
        let of = |value| of_answer(&headers(header::ACCEPT, value), Msgpack);
        assert_eq!(of("application/json"), Json);
        assert_eq!(of("*/*"), Msgpack, "as the body");
        assert_eq!(of("application/json;q=0.5, application/msgpack;q=0.9"), Msgpack);
        assert_eq!(of("application/json, application/msgpack"), Json, "the first of equals");
        assert_eq!(of("application/json;q=0"), Msgpack);
        assert_eq!(of_answer(&HeaderMap::new(), Json), Json);
    }
}
