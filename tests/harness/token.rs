//! Tokens of an outside issuer, signed here by hand so that wrong ones can be made as easily as right ones.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// The HS256 secret that every server of the harness is given.
pub const SECRET: &str = "a-secret-of-the-test-harness-0123456789abcdef";

/// The claims of a token about to be signed.
#[derive(Clone, Debug)]
pub struct Claims(Value);

impl Claims {
    /// A token of the person `name`, good for an hour.
    pub fn of(name: &str) -> Self {
        Self(json!({"sub": name, "name": name, "exp": now_s() + 3600}))
    }

    /// Sets or, with `null`, removes one claim.
    pub fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.0.as_object_mut().expect("claims are a map").remove(claim),
            value => self.0.as_object_mut().expect("claims are a map").insert(claim.to_string(), value),
        };
        self
    }

    /// Ends `seconds` from now; negative for the past.
    pub fn ending_in(self, seconds: i64) -> Self {
        self.with("exp", now_s() + seconds)
    }

    /// Signed with the harness's secret, as the server expects.
    pub fn sign(&self) -> String {
        self.sign_as(&Header::new(Algorithm::HS256), &EncodingKey::from_secret(SECRET.as_bytes()))
    }

    /// Signed with any header and key.
    pub fn sign_as(&self, header: &Header, key: &EncodingKey) -> String {
        jsonwebtoken::encode(header, &self.0, key).expect("claims are signed")
    }

    /// The claims themselves.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

/// A token with any header and no signature (`alg: none` and its like).
pub fn unsigned(header: &Value, claims: &Claims) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(claims.value()))
}

/// Seconds since 1970.
pub fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_secs()).expect("fits")
}
