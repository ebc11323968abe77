//! The keys of another issuer, fetched from its JWKS address: the one place that speaks HTTP as a client.

use super::{
    error::{AuthError, SetupError},
    keys::KeySet,
};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jsonwebtoken::Algorithm;
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// Time for one fetch from looking up the name to the last byte: somebody is waiting to be let in.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a JWKS at most: a key takes one or two thousand.
const MAX_JWKS_BYTES: usize = 256 * 1_024;

/// Fetches are at least this far apart, whatever key ids strangers make up.
const PAUSE_MS: i64 = 10_000;

/// The same while there are no keys at all, and so nobody can be let in.
const PAUSE_WITHOUT_KEYS_MS: i64 = 1_000;

/// How long keys are used while the issuer cannot be reached, before a key that it may have withdrawn is no longer believed.
const STALE_MS: i64 = 24 * 60 * 60 * 1_000;

/// Where keys come from.
#[async_trait::async_trait]
pub(super) trait Source: Send + Sync {
    /// The bytes of the JWKS, or why there are none.
    async fn fetch(&self) -> Result<Vec<u8>, String>;
}

/// A cache of an issuer's keys: refreshed when it grows old or when a token names a key that is not in it, by one fetch
/// at a time. While a fetch fails the old keys stay good for a day.
pub(super) struct Jwks {
    source: Box<dyn Source>,
    cache_ms: i64,
    fetched: ArcSwapOption<Fetched>,
    last_try: Mutex<Option<i64>>,
}

struct Fetched {
    keys: KeySet,
    at: i64,
}

impl Jwks {
    pub(super) fn new(source: Box<dyn Source>, cache: Duration) -> Self {
        let cache_ms = i64::try_from(cache.as_millis()).unwrap_or(STALE_MS).min(STALE_MS);
        Self { source, cache_ms, fetched: ArcSwapOption::empty(), last_try: Mutex::new(None) }
    }

    /// Keys among which the one with this id should be, as of `now` (milliseconds since 1970 UTC).
    pub(super) async fn keys(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        now: i64,
    ) -> Result<KeySet, AuthError> {
        let fits = |fetched: &Fetched| fetched.keys.candidates(algorithm, id).next().is_some();
        let have = self.fetched.load_full();
        if let Some(fetched) = have.as_deref().filter(|fetched| fits(fetched)) {
            let age = now.saturating_sub(fetched.at);
            // While one caller refreshes an old set, the others go on with it.
            if age < self.cache_ms || (age < STALE_MS && self.last_try.try_lock().is_err()) {
                return Ok(fetched.keys.clone());
            }
        }
        let mut last_try = self.last_try.lock().await;
        let newer = self.fetched.load_full();
        let was_refreshed =
            newer.as_ref().map(|fetched| fetched.at) != have.as_ref().map(|fetched| fetched.at);
        let pause = if newer.is_some() { PAUSE_MS } else { PAUSE_WITHOUT_KEYS_MS };
        let may_try = last_try.is_none_or(|last| now.saturating_sub(last).abs() >= pause);
        if !was_refreshed && may_try {
            *last_try = Some(now);
            self.refresh(now).await;
        }
        let usable = self.fetched.load_full().filter(|fetched| now.saturating_sub(fetched.at) < STALE_MS);
        usable.map(|fetched| fetched.keys.clone()).ok_or(AuthError::KeysUnavailable)
    }

    async fn refresh(&self, now: i64) {
        let outcome = match self.source.fetch().await {
            Ok(json) => KeySet::from_jwks(&json).map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(keys) => self.fetched.store(Some(Arc::new(Fetched { keys, at: now }))),
            Err(error) => tracing::warn!(error, "the issuer's keys (auth.jwks_url) could not be fetched"),
        }
    }
}

/// A JWKS behind an http or https address; redirections are not followed.
pub(super) struct Url {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    uri: Uri,
}

impl Url {
    pub(super) fn new(url: &str) -> Result<Self, SetupError> {
        let refuse = |reason: String| SetupError::Setting { setting: "auth.jwks_url", reason };
        let uri: Uri = url.parse().map_err(|error| refuse(format!("{url} is no address: {error}")))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err(refuse(format!("{url} is not of the form https://host/path")));
        }
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| refuse(format!("TLS cannot be set up: {error}")))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), uri })
    }

    async fn get(&self) -> Result<Vec<u8>, String> {
        let request = Request::get(self.uri.clone())
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(header::USER_AGENT, concat!("communiconnect/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("answered {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), MAX_JWKS_BYTES).collect().await;
        Ok(body.map_err(|error| error.to_string())?.to_bytes().to_vec())
    }
}

#[async_trait::async_trait]
impl Source for Url {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, self.get()).await;
        fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", FETCH_TIMEOUT.as_secs())))
    }
}
