//! The token of a request.

use axum::http::{HeaderMap, header};
use communiconnect_protocol::{Code, ErrorBody};

/// The token of `Authorization: Bearer` (RFC 6750 §2.1), if there is one. A header of another scheme is refused: whoever
/// sends one does not mean to be a guest.
pub(super) fn token(headers: &HeaderMap) -> Result<Option<&str>, ErrorBody> {
    let refused =
        || ErrorBody::new(Code::Unauthenticated, "Authorization must be `Bearer` and an access token");
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_| refused())?;
    let (scheme, token) = text.trim().split_once(' ').ok_or_else(refused)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a value"))]);
        token(&headers).ok()?.map(str::to_owned)
    }

    #[test]
    fn only_bearer_tokens_are_read() {
        assert_eq!(read("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(read("Basic abc"), None);
        assert_eq!(read("Bearer"), None);
        assert_eq!(token(&HeaderMap::new()), Ok(None));
    }
}
