//! Tokens: JWT in the compact form of JWS (RFC 7519, RFC 7515), judged as RFC 8725 advises.
//!
//! Pure: bytes, keys and the time are passed in. Nothing of a token is believed before its signature was checked with
//! a key that is bound to the very algorithm it names.

use super::{
    error::TokenError,
    keys::{Key, KeySet},
    settings::ClaimNames,
};
use crate::blank::is_blank;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use communiconnect_protocol::Role;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

/// Bytes of a token at most: what others put into theirs (groups, e-mail addresses) fits, and a head of HTTP holds it.
pub const MAX_TOKEN_BYTES: usize = 8_192;

/// Bytes of a subject at most (OpenID Connect Core §2 has 255 characters of ASCII).
pub(super) const MAX_SUBJECT_BYTES: usize = 255;

/// Keys tried for one token at most: an issuer with more says which it is (`kid`), and checking costs time.
const MAX_TRIED: usize = 8;

/// Characters kept of a name from a token.
const MAX_NAME_CHARS: usize = 80;

/// The issuer of persons whose tokens come from outside and name none.
const UNNAMED_ISSUER: &str = "outside";

/// What a token that was taken says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Empty for this server itself.
    pub issuer: String,
    /// The person as the issuer names them.
    pub subject: String,
    /// The name to show.
    pub name: Option<String>,
    /// The role, where it gives one that is known here.
    pub role: Option<Role>,
    /// When it was made (`iat`), in milliseconds since 1970 UTC, where it says so.
    pub issued_at: Option<i64>,
    /// When it is no longer taken, leeway included, in milliseconds since 1970 UTC.
    pub expires_at: i64,
    /// The login of an account here that it belongs to.
    pub login: Option<String>,
}

/// A token taken apart; nothing of it is believed yet.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub(super) fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(NOT_THREE_PARTS)?;
        let (header, payload) = message.split_once('.').ok_or(NOT_THREE_PARTS)?;
        if payload.contains('.') {
            return Err(NOT_THREE_PARTS);
        }
        let header: Header = serde_json::from_slice(&base64(header)?)
            .map_err(|_| TokenError::Malformed("its header is not a JSON object with alg"))?;
        if header.crit.is_some() {
            return Err(TokenError::Malformed(
                "its header demands extensions (crit) that are not known here",
            ));
        }
        if let Some(kind) = header.typ.filter(|typ| !is_jwt(typ)) {
            return Err(TokenError::Kind(kind));
        }
        let algorithm = match header.alg.as_str() {
            "HS256" => Algorithm::HS256,
            "RS256" => Algorithm::RS256,
            "ES256" => Algorithm::ES256,
            "EdDSA" => Algorithm::EdDSA,
            _ => return Err(TokenError::Algorithm(header.alg.chars().take(16).collect())),
        };
        Ok(Self { algorithm, key_id: header.kid, message, payload, signature })
    }

    /// The algorithm that it names.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that it names.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Its claims, where one of the keys has signed it: `UnknownKey` where none could have, `Signature` where none did.
    pub(super) fn signed_by(&self, keys: &KeySet) -> Result<Signed, TokenError> {
        let mut tried = false;
        for key in keys.candidates(self.algorithm, self.key_id()).take(MAX_TRIED) {
            tried = true;
            if key.verifies(self.message.as_bytes(), self.signature) {
                return self.claims();
            }
        }
        Err(if tried { TokenError::Signature } else { TokenError::UnknownKey })
    }

    /// Its claims, where this key has signed it.
    pub(super) fn is_signed_by(&self, key: &Key) -> Result<Option<Signed>, TokenError> {
        let signed =
            key.algorithm() == self.algorithm && key.verifies(self.message.as_bytes(), self.signature);
        if signed { self.claims().map(Some) } else { Ok(None) }
    }

    fn claims(&self) -> Result<Signed, TokenError> {
        let claims = serde_json::from_slice(&base64(self.payload)?)
            .map_err(|_| TokenError::Malformed("its claims are not a JSON object"))?;
        Ok(Signed { claims })
    }
}

/// Claims with a good signature; whether they are good now and for us is still to be judged.
#[derive(Debug)]
pub(super) struct Signed {
    claims: Map<String, Value>,
}

/// What is asked of the claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Demands {
    /// What the claims are called.
    pub names: ClaimNames,
    /// What `iss` must be; none takes any.
    pub issuer: Option<String>,
    /// What `aud` must contain; none takes only tokens without.
    pub audience: Option<String>,
    /// Milliseconds for which it is still taken after it ran out.
    pub leeway_ms: i64,
}

impl Signed {
    /// Judges a token of this server itself as of `now` (milliseconds since 1970 UTC).
    pub(super) fn own(&self, leeway_ms: i64, now: i64) -> Result<Claims, TokenError> {
        let demands = Demands { names: ClaimNames::default(), issuer: None, audience: None, leeway_ms };
        let claims = self.judged(&demands, now)?;
        Ok(Claims { issuer: String::new(), login: self.text("sid").map(str::to_owned), ..claims })
    }

    /// Judges a token from outside as of `now`. Its login, if any, is not one of ours.
    pub(super) fn outside(&self, demands: &Demands, now: i64) -> Result<Claims, TokenError> {
        self.judged(demands, now)
    }

    fn judged(&self, demands: &Demands, now: i64) -> Result<Claims, TokenError> {
        self.is_for_access()?;
        let expires_at =
            self.time("exp")?.ok_or(wrong("exp", "is missing"))?.saturating_add(demands.leeway_ms);
        if expires_at <= now {
            return Err(TokenError::Expired);
        }
        if self.time("nbf")?.is_some_and(|from| from > now.saturating_add(demands.leeway_ms)) {
            return Err(TokenError::NotYet);
        }
        let issuer = self.issuer(demands.issuer.as_deref())?;
        self.is_for(demands.audience.as_deref())?;
        Ok(Claims {
            issuer,
            subject: self.subject(&demands.names.sub)?,
            name: self.text(&demands.names.name).and_then(name_to_show),
            role: self.text(&demands.names.role).and_then(Role::from_word),
            issued_at: self.time("iat")?,
            expires_at,
            login: None,
        })
    }

    /// Issuers sign more than access tokens with one key, and say in one of these claims which is which.
    fn is_for_access(&self) -> Result<(), TokenError> {
        for claim in ["token_type", "token_use"] {
            if let Some(kind) = self.text(claim).filter(|kind| !is_one_of(kind, &["access", "bearer"])) {
                return Err(TokenError::Kind(kind.chars().take(16).collect()));
            }
        }
        for claim in ["typ", "type"] {
            if let Some(kind) = self.text(claim).filter(|kind| is_one_of(kind, &["refresh", "offline", "id"]))
            {
                return Err(TokenError::Kind(kind.to_owned()));
            }
        }
        Ok(())
    }

    fn issuer(&self, wanted: Option<&str>) -> Result<String, TokenError> {
        let named = self.text("iss").filter(|issuer| !issuer.is_empty());
        match (wanted, named) {
            (Some(wanted), Some(named)) if wanted != named => Err(wrong("iss", "names another issuer")),
            (Some(_), None) => Err(wrong("iss", "is missing")),
            (_, Some(named)) if named.len() > MAX_SUBJECT_BYTES => Err(wrong("iss", "is too long")),
            (_, named) => Ok(named.unwrap_or(UNNAMED_ISSUER).to_owned()),
        }
    }

    /// RFC 7519 §4.1.3: who does not find itself in `aud` must refuse the token.
    fn is_for(&self, wanted: Option<&str>) -> Result<(), TokenError> {
        let Some(audience) = self.claims.get("aud").filter(|audience| !audience.is_null()) else {
            return if wanted.is_some() { Err(wrong("aud", "is missing")) } else { Ok(()) };
        };
        let contains = |wanted: &str| match audience {
            Value::String(one) => one == wanted,
            Value::Array(many) => many.iter().any(|one| one.as_str() == Some(wanted)),
            _ => false,
        };
        match wanted {
            Some(wanted) if contains(wanted) => Ok(()),
            _ => Err(wrong("aud", "names another audience: see the setting auth.audience")),
        }
    }

    /// A number is read as text: Django's users are numbered.
    fn subject(&self, claim: &str) -> Result<String, TokenError> {
        let subject = match self.claims.get(claim) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => number.to_string(),
            None | Some(Value::Null) => return Err(wrong(claim, "is missing")),
            Some(_) => return Err(wrong(claim, "is neither text nor a whole number")),
        };
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || subject.chars().any(char::is_control) {
            return Err(wrong(claim, "is not 1-255 bytes without control characters"));
        }
        Ok(subject)
    }

    /// A NumericDate (RFC 7519 §2), fractions allowed, in milliseconds.
    fn time(&self, claim: &str) -> Result<Option<i64>, TokenError> {
        match self.claims.get(claim) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(seconds)) => Ok(Some(match seconds.as_i64() {
                Some(seconds) => seconds.saturating_mul(1_000),
                // Beyond what whole numbers hold `as` saturates, which is what a far future means.
                None => (seconds.as_f64().unwrap_or(0.0) * 1_000.0) as i64,
            })),
            Some(_) => Err(wrong(claim, "is not a number of seconds")),
        }
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }
}

/// What a token of this server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnClaims {
    /// Whom it is for: the id of a person here, or a name that makes one at first use.
    pub subject: String,
    /// The name to show.
    pub name: Option<String>,
    /// The role.
    pub role: Option<Role>,
    /// The login it belongs to.
    pub login: Option<String>,
    /// When it is made, in milliseconds since 1970 UTC.
    pub issued_at: i64,
    /// When it runs out.
    pub expires_at: i64,
}

/// Signs tokens with the secret of the store.
#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
}

impl Signer {
    /// Of the store's secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { key: EncodingKey::from_secret(secret) }
    }

    /// A token (HS256) that says this.
    pub fn sign(&self, claims: &OwnClaims) -> String {
        let payload = Payload {
            sub: &claims.subject,
            exp: claims.expires_at.div_euclid(1_000),
            iat: claims.issued_at.div_euclid(1_000),
            name: claims.name.as_deref(),
            role: claims.role,
            sid: claims.login.as_deref(),
        };
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &payload, &self.key)
            .expect("text and numbers always encode, and HMAC takes any key")
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    sub: &'a str,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

const NOT_THREE_PARTS: TokenError = TokenError::Malformed("it has not three parts");

fn base64(text: &str) -> Result<Vec<u8>, TokenError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| TokenError::Malformed("it is not base64url without padding"))
}

/// `JWT`, or `at+jwt` of RFC 9068; either may be written as a media type.
fn is_jwt(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|candidate| word.eq_ignore_ascii_case(candidate))
}

fn wrong(claim: &str, wrong: &'static str) -> TokenError {
    TokenError::Claim { claim: claim.to_owned(), wrong }
}

/// A name is somebody else's text: what cannot be shown is dropped rather than the person refused.
fn name_to_show(name: &str) -> Option<String> {
    let shown: String = name.nfc().filter(|letter| !letter.is_control()).take(MAX_NAME_CHARS).collect();
    let shown = shown.trim();
    (!is_blank(shown)).then(|| shown.to_owned())
}
