//! problem+json (RFC 9457): how HTTP says no.

use crate::auth::{AccountError, Fault};
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{Code, ErrorBody};
use serde::Serialize;

/// A refusal: the error of the protocol with an HTTP status, and headers where the status asks for them.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The status line.
    pub status: StatusCode,
    /// The same body as an `error` reply of the socket.
    pub error: ErrorBody,
    /// Every field that is wrong, where more than the first is known.
    pub errors: Box<[Fault]>,
    /// Few have any, so they are kept in the least room: refusals are passed on everywhere.
    headers: Box<[(HeaderName, HeaderValue)]>,
}

impl Problem {
    /// A refusal of HTTP itself, whose status says more than the code does.
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status, ..ErrorBody::new(code, message).into() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(self, name: HeaderName, value: &'static str) -> Self {
        self.with(name, HeaderValue::from_static(value))
    }

    /// Adds a header whose value is known only now.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        let mut headers = self.headers.into_vec();
        headers.push((name, value));
        self.headers = headers.into();
        self
    }

    /// The body as it goes over the wire.
    pub fn json(&self) -> Vec<u8> {
        let shape = Shape {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            error: &self.error,
            errors: &self.errors,
        };
        serde_json::to_vec(&shape).expect("our own types always encode")
    }
}

impl From<ErrorBody> for Problem {
    fn from(error: ErrorBody) -> Self {
        let status = StatusCode::from_u16(error.code.http_status()).expect("every code has a status");
        Self { status, error, errors: Box::default(), headers: Box::default() }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let errors = match &error {
            AccountError::Invalid(faults) => faults.iter().copied().collect(),
            _ => Box::default(),
        };
        Self { errors, ..ErrorBody::from(error).into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(ms) = self.error.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
        }
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}

#[derive(Serialize)]
struct Shape<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    #[serde(flatten)]
    error: &'a ErrorBody,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_members_of_the_contract() {
        let problem = Problem::from(ErrorBody::invalid("content", "it is blank").retry_after(1_500));
        let json: serde_json::Value = serde_json::from_slice(&problem.json()).expect("JSON");
        assert_eq!(json["type"], "about:blank");
        assert_eq!(json["title"], "Bad Request");
        assert_eq!(json["status"], 400);
        assert_eq!(json["code"], "invalid");
        assert_eq!(json["field"], "content");
        assert_eq!(json["retry_after_ms"], 1_500);
        let response = problem.into_response();
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "2");
    }

    #[test]
    fn an_unknown_person_is_told_how_to_authenticate() {
        let response = Problem::from(ErrorBody::new(Code::Unauthenticated, "no token")).into_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
    }
}
