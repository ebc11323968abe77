//! Which request a log line belongs to: every request has an id, which its lines, its answer and the client share.

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use std::time::Instant;
use tracing::Instrument;

use crate::metrics;

/// The header in which the id travels, both ways.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken from a client or a proxy, in bytes.
const ID_BYTES: usize = 64;

/// Names a request, counts it, and answers with its id.
pub(super) async fn traced(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = given(request.headers()).unwrap_or_else(fresh);
    // The route and not the path: paths hold secrets.
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let span = tracing::info_span!("request", request = id.to_str().unwrap_or_default(), method = %request.method(), route);
    let answered = async {
        let response = next.run(request).await;
        tell(response.status().as_u16(), started);
        response
    };
    let mut response = answered.instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn tell(status: u16, started: Instant) {
    let class = match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    let took = started.elapsed();
    metrics::HTTP_ANSWERS.add(class, 1);
    metrics::HTTP_SECONDS.record(took.as_secs_f64());
    tracing::debug!(status, ms = took.as_secs_f64() * 1_000.0, "answered");
}

/// The id that came with the request: a proxy has named it already. Anything but plain words is passed over.
fn given(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let id = headers.get(REQUEST_ID)?;
    let fits = (1..=ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(is_plain);
    fits.then(|| id.clone())
}

fn fresh() -> HeaderValue {
    let text = format!("{:016x}", rand::random::<u64>());
    HeaderValue::from_str(&text).expect("hexadecimal digits are a header's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_id_of_the_client_is_kept() {
        let of = |id: &str| {
            let headers = HeaderMap::from_iter([(REQUEST_ID, id.parse().expect("a value"))]);
            given(&headers).is_some()
        };
        assert!(of("4bf92f3577b34da6") && of("a.b_c-1"));
        for strange in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert!(!of(strange), "{strange}");
        }
        assert_eq!(fresh().len(), 16);
    }
}
