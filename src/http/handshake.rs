//! The opening handshake of a WebSocket (RFC 6455 §4.2): everything before the first frame.

use super::Problem;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};
use communiconnect_protocol::Code;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The subprotocols that a client offered, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer(pub Vec<String>);

/// A handshake that can be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    accept: String,
    /// What was offered.
    pub offer: Offer,
}

impl Handshake {
    /// Checks a request for an upgrade to WebSocket.
    ///
    /// # Errors
    /// 405 for another method, 426 where no upgrade or another version is asked for, 400 for a wrong key.
    pub fn read(request: &Parts) -> Result<Self, Problem> {
        if request.method != Method::GET {
            let message = "a WebSocket is opened by GET";
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, message);
            return Err(problem.header(header::ALLOW, "GET"));
        }
        let headers = &request.headers;
        let upgrades = has_token(headers, &header::UPGRADE, "websocket");
        if !upgrades || !has_token(headers, &header::CONNECTION, "upgrade") {
            return Err(upgrade_required("this is a WebSocket endpoint: ask for an upgrade to websocket"));
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            let problem = upgrade_required("only version 13 of the WebSocket protocol is spoken");
            return Err(problem.header(header::SEC_WEBSOCKET_VERSION, "13"));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
        let Some(key) = key else {
            let message = "Sec-WebSocket-Key must be 16 bytes in base64";
            return Err(Problem::new(StatusCode::BAD_REQUEST, Code::BadRequest, message));
        };
        let offered = tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        Ok(Self { accept: derive_accept_key(key.as_bytes()), offer: Offer(offered) })
    }

    /// The answer that completes it, with the chosen subprotocol if any.
    pub fn accept(&self, subprotocol: Option<&str>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        let accept = HeaderValue::try_from(&self.accept).expect("base64 is a header value");
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        if let Some(chosen) = subprotocol {
            let chosen = HeaderValue::try_from(chosen).expect("it came in a header");
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
        }
        response
    }
}

fn upgrade_required(message: &str) -> Problem {
    Problem::new(StatusCode::UPGRADE_REQUIRED, Code::BadRequest, message)
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "upgrade")
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

fn is_key(key: &HeaderValue) -> bool {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.decode(key.as_bytes()).is_ok_and(|nonce| nonce.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn read(method: &str, fields: &[(&str, &str)]) -> Result<Handshake, Problem> {
        let mut request = axum::http::Request::builder().method(method).uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Handshake::read(&request.body(()).expect("a request").into_parts().0)
    }

    fn without(left_out: &str, instead: Option<&'static str>) -> u16 {
        let mut fields: Vec<_> = GOOD.iter().copied().filter(|(name, _)| *name != left_out).collect();
        fields.extend(instead.map(|value| (left_out, value)));
        read("GET", &fields).expect_err("a refusal").status.as_u16()
    }

    #[test]
    fn the_sample_of_the_rfc_is_accepted() {
        let handshake = read("GET", GOOD).expect("good");
        let response = handshake.accept(Some("b"));
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()["sec-websocket-protocol"], "b");
    }

    #[test]
    fn offers_keep_their_order_over_several_headers() {
        let fields = [GOOD, &[("sec-websocket-protocol", "b, a"), ("sec-websocket-protocol", "c")]].concat();
        assert_eq!(
            read("GET", &fields).expect("good").offer,
            Offer(vec!["b".into(), "a".into(), "c".into()])
        );
    }

    #[test]
    fn whatever_is_missing_is_named_by_its_status() {
        assert_eq!(without("upgrade", None), 426);
        assert_eq!(without("connection", None), 426);
        assert_eq!(without("sec-websocket-version", Some("8")), 426);
        assert_eq!(without("sec-websocket-key", None), 400);
        assert_eq!(without("sec-websocket-key", Some("short")), 400);
        assert_eq!(read("POST", GOOD).expect_err("a refusal").status, 405);
    }
}
