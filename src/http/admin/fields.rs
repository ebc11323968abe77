//! The body of an operator's call: a small JSON object, read field by field, so that a refusal names the one at fault.

use crate::http::{Problem, body, media_type, routes::body_bounds, state::HttpState};
use axum::extract::Request;
use communiconnect_protocol::{Code, ErrorBody};
use serde_json::{Map, Value};

/// What was sent; unknown fields are ignored, `null` is none.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads the body of a request; one without any is an empty object.
    pub(super) async fn of(state: &HttpState, request: Request) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        media_type::must_be_json(&head.headers, "operators speak application/json alone")?;
        let body = body::read(&head.headers, body, body_bounds(state)).await?;
        Ok(if body.is_empty() { Self::default() } else { Self::read(&body)? })
    }

    /// # Errors
    /// `bad_request` where it is no JSON object.
    pub(super) fn read(body: &[u8]) -> Result<Self, ErrorBody> {
        serde_json::from_slice(body).map(Self).map_err(|error| {
            ErrorBody::new(Code::BadRequest, format!("the body is not a JSON object: {error}"))
        })
    }

    /// Whatever stands under a name.
    pub(super) fn any(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field).filter(|value| !value.is_null())
    }

    /// Text of 1 to `most` bytes.
    ///
    /// # Errors
    /// `invalid` with the field.
    pub(super) fn text(&mut self, field: &str, most: usize) -> Result<Option<String>, ErrorBody> {
        match self.any(field) {
            None => Ok(None),
            Some(Value::String(text)) if (1..=most).contains(&text.len()) => Ok(Some(text)),
            Some(_) => Err(ErrorBody::invalid(field, format!("must be text of 1 to {most} bytes"))),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// `invalid` with the field.
    pub(super) fn number(&mut self, field: &str) -> Result<Option<u64>, ErrorBody> {
        let wrong = || ErrorBody::invalid(field, "must be a whole number from 0");
        self.any(field).map(|value| value.as_u64().ok_or_else(wrong)).transpose()
    }

    /// Yes or no.
    ///
    /// # Errors
    /// `invalid` with the field.
    pub(super) fn flag(&mut self, field: &str) -> Result<Option<bool>, ErrorBody> {
        let wrong = || ErrorBody::invalid(field, "must be true or false");
        self.any(field).map(|value| value.as_bool().ok_or_else(wrong)).transpose()
    }
}

/// The refusal of a call that lacks a field.
pub(super) fn missing(field: &str) -> ErrorBody {
    ErrorBody::invalid(field, "is missing")
}
