//! Which ICE session a PATCH is for (RFC 9725, section 4.3.1).

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use communiconnect_protocol::Code;

use crate::http::Problem;

/// An entity tag as a header has it: strong and quoted (RFC 9110, section 8.8.3).
pub(super) fn header_of(etag: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{etag}\"")).expect("an ICE user name has ICE characters alone")
}

/// What clients get that change a session without saying which ICE session they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// 428, as RFC 9725 says.
    Strict,
    /// Old clients are served: the tag may come as a request header `ETag`, or not at all.
    Lenient,
}

/// Lets a PATCH pass that is for the ICE session named `current`.
///
/// # Errors
/// 428 where nothing says which it is for, 412 where it is for another.
pub(super) fn check(headers: &HeaderMap, current: &str, manners: Manners) -> Result<(), Problem> {
    let mut tags = tags(headers, &header::IF_MATCH);
    if tags.is_empty() && manners == Manners::Lenient {
        tags = self::tags(headers, &header::ETAG);
        if tags.is_empty() {
            return Ok(());
        }
    }
    if tags.is_empty() {
        let message = "If-Match must name the ICE session: the ETag of the 201, or `*` to restart ICE";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, Code::BadRequest, message));
    }
    // RFC 9725 prints `"*"` in its example, section 4.3.3. Comparison is strong: a weak tag matches nothing.
    let is_match = |tag: &str| tag == "*" || tag == "\"*\"" || unquoted(tag) == Some(current);
    if tags.into_iter().any(is_match) {
        return Ok(());
    }
    let message = "this is for another ICE session: the present one has another ETag since ICE was restarted";
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, Code::Conflict, message))
}

/// The entity tags of a header's lines. ICE characters have no comma, so that those in foreign tags part nothing of ours.
fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"));
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|tag| !tag.is_empty()).collect()
}

fn unquoted(tag: &str) -> Option<&str> {
    tag.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(given: &[(&HeaderName, &str)], manners: Manners) -> u16 {
        let given = given.iter().map(|(name, value)| ((*name).clone(), value.parse().expect("a value")));
        check(&given.collect(), "aB+/", manners).err().map_or(204, |problem| problem.status.as_u16())
    }

    #[test]
    fn the_present_session_must_be_named() {
        let strict = |value| judged(&[(&header::IF_MATCH, value)], Manners::Strict);
        for good in ["\"aB+/\"", "*", "\"*\"", "\"x\", \"aB+/\""] {
            assert_eq!(strict(good), 204, "{good}");
        }
        for stale in ["\"other\"", "W/\"aB+/\"", "aB+/", "\"aB+/", "\"\"", "\"ab+/\""] {
            assert_eq!(strict(stale), 412, "{stale}");
        }
        assert_eq!(judged(&[], Manners::Strict), 428);
        assert_eq!(judged(&[(&header::IF_MATCH, "")], Manners::Strict), 428);
        assert_eq!(judged(&[(&header::ETAG, "\"aB+/\"")], Manners::Strict), 428);
    }

    #[test]
    fn old_clients_are_served_on_wish() {
        let lenient = |given: &[_]| judged(given, Manners::Lenient);
        assert_eq!(lenient(&[]), 204);
        assert_eq!(lenient(&[(&header::ETAG, "\"aB+/\"")]), 204);
        assert_eq!(lenient(&[(&header::ETAG, "\"other\"")]), 412);
        assert_eq!(lenient(&[(&header::IF_MATCH, "\"other\""), (&header::ETAG, "\"aB+/\"")]), 412);
    }
}
