//! What auth may use: the server fills it from the configuration.

use jsonwebtoken::Algorithm;
use std::{fmt, path::PathBuf, time::Duration};

/// Settings of identity, `auth.*` and the rate limits of accounts.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthSettings {
    /// `auth.guests`: whether people without a token are let in.
    pub guests: bool,
    /// `auth.embedded`: whether this server has accounts of its own.
    pub embedded: bool,
    /// `auth.leeway_s`: how long a token is still taken after it ran out.
    pub leeway: Duration,
    /// `auth.access_ttl_s`: how long an access token of an account lasts.
    pub access_ttl: Duration,
    /// `auth.refresh_ttl_s`: how long a refresh token lasts; each use gives a new one.
    pub refresh_ttl: Duration,
    /// Whose tokens are taken beside our own.
    pub outside: OutsideSettings,
    /// `auth.hash_threads`: each needs 19 MiB while it hashes.
    pub hash_threads: usize,
    /// `auth.hash_queue`: passwords that may wait for a thread.
    pub hash_queue: usize,
    /// `limits.register_per_hour_address`; none with `limits.rates=off`.
    pub register_per_hour_address: Option<u32>,
    /// `limits.login_per_minute`; none with `limits.rates=off`.
    pub login_per_minute: Option<u32>,
}

/// Tokens of other issuers.
#[derive(Clone, PartialEq)]
pub struct OutsideSettings {
    /// `auth.hs256_secret`: what another site signs its tokens with.
    pub hs256_secret: Option<String>,
    /// `auth.key_file`: one public key as PEM, or else the bytes of an HS256 secret.
    pub key_file: Option<PathBuf>,
    /// `auth.jwks_file`
    pub jwks_file: Option<PathBuf>,
    /// `auth.jwks_url`
    pub jwks_url: Option<String>,
    /// `auth.jwks_cache_s`: how long fetched keys are good without asking again.
    pub jwks_cache: Duration,
    /// `auth.algorithms` that are taken from outside.
    pub algorithms: Vec<Algorithm>,
    /// `auth.issuer`: what `iss` must be; none takes any.
    pub issuer: Option<String>,
    /// `auth.audience`: what `aud` must contain; none takes only tokens without `aud` (RFC 7519 §4.1.3).
    pub audience: Option<String>,
    /// `auth.claim_sub`, `auth.claim_name`, `auth.claim_role`
    pub claims: ClaimNames,
}

/// What an issuer calls the claims that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// Identifies the person; a number is read as text.
    pub sub: String,
    /// The name to show.
    pub name: String,
    /// `user`, `moderator` or `admin`; anything else is `user`.
    pub role: String,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            guests: true,
            embedded: true,
            leeway: Duration::ZERO,
            access_ttl: Duration::from_secs(3_600),
            refresh_ttl: Duration::from_secs(30 * 24 * 3_600),
            outside: OutsideSettings::default(),
            hash_threads: 2,
            hash_queue: 256,
            register_per_hour_address: Some(1_000),
            login_per_minute: Some(30),
        }
    }
}

impl Default for OutsideSettings {
    fn default() -> Self {
        Self {
            hs256_secret: None,
            key_file: None,
            jwks_file: None,
            jwks_url: None,
            jwks_cache: Duration::from_secs(600),
            algorithms: vec![Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
            issuer: None,
            audience: None,
            claims: ClaimNames::default(),
        }
    }
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { sub: "sub".into(), name: "name".into(), role: "role".into() }
    }
}

impl fmt::Debug for OutsideSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutsideSettings")
            .field("hs256_secret", &self.hs256_secret.as_ref().map(|_| "***"))
            .field("key_file", &self.key_file)
            .field("jwks_file", &self.jwks_file)
            .field("jwks_url", &self.jwks_url)
            .field("algorithms", &self.algorithms)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}
