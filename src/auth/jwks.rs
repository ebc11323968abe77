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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::JWKS;
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const NOW: i64 = 1_700_000_000_000;
    const RS256: Algorithm = Algorithm::RS256;

    /// An issuer that counts who asks.
    #[derive(Default)]
    struct Issuer {
        asked: AtomicUsize,
        gone: AtomicBool,
    }

    #[async_trait::async_trait]
    impl Source for Arc<Issuer> {
        async fn fetch(&self) -> Result<Vec<u8>, String> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if self.gone.load(Ordering::Relaxed) { Err("gone".into()) } else { Ok(JWKS.into()) }
        }
    }

    fn cached() -> (Arc<Issuer>, Jwks) {
        let issuer = Arc::new(Issuer::default());
        let jwks = Jwks::new(Box::new(issuer.clone()), Duration::from_secs(600));
        (issuer, jwks)
    }

    async fn knows(jwks: &Jwks, id: &str, now: i64) -> Result<bool, AuthError> {
        Ok(jwks.keys(RS256, Some(id), now).await?.candidates(RS256, Some(id)).next().is_some())
    }

    #[tokio::test]
    async fn keys_are_fetched_once_and_again_when_they_are_old() {
        let (issuer, jwks) = cached();
        for now in [NOW, NOW + 1, NOW + 599_999] {
            assert_eq!(knows(&jwks, "rsa-1", now).await, Ok(true));
        }
        assert_eq!(issuer.asked.load(Ordering::Relaxed), 1);
        assert_eq!(knows(&jwks, "rsa-1", NOW + 600_000).await, Ok(true));
        assert_eq!(issuer.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_crowd_asks_once() {
        let (issuer, jwks) = cached();
        let crowd = (0..50).map(|_| knows(&jwks, "rsa-1", NOW));
        let answers = futures_util::future::join_all(crowd).await;
        assert!(answers.iter().all(|answer| *answer == Ok(true)));
        assert_eq!(issuer.asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn an_unknown_key_is_asked_for_but_not_as_often_as_strangers_like() {
        let (issuer, jwks) = cached();
        assert_eq!(knows(&jwks, "rsa-1", NOW).await, Ok(true));
        for number in 0..100 {
            assert_eq!(knows(&jwks, &format!("made-up-{number}"), NOW + PAUSE_MS + number).await, Ok(false));
        }
        assert_eq!(issuer.asked.load(Ordering::Relaxed), 2);
        assert_eq!(knows(&jwks, "made-up", NOW + 2 * PAUSE_MS).await, Ok(false));
        assert_eq!(issuer.asked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn while_the_issuer_is_gone_old_keys_are_good_for_a_day() {
        let (issuer, jwks) = cached();
        assert_eq!(knows(&jwks, "rsa-1", NOW).await, Ok(true));
        issuer.gone.store(true, Ordering::Relaxed);
        assert_eq!(knows(&jwks, "rsa-1", NOW + STALE_MS - 1).await, Ok(true));
        assert_eq!(knows(&jwks, "rsa-1", NOW + STALE_MS).await, Err(AuthError::KeysUnavailable));
        issuer.gone.store(false, Ordering::Relaxed);
        assert_eq!(knows(&jwks, "rsa-1", NOW + STALE_MS + PAUSE_MS).await, Ok(true));
    }

    #[tokio::test]
    async fn without_any_keys_the_answer_is_to_come_back() {
        let (issuer, jwks) = cached();
        issuer.gone.store(true, Ordering::Relaxed);
        for now in [NOW, NOW + 1, NOW + PAUSE_WITHOUT_KEYS_MS - 1] {
            assert_eq!(knows(&jwks, "rsa-1", now).await, Err(AuthError::KeysUnavailable));
        }
        assert_eq!(issuer.asked.load(Ordering::Relaxed), 1);
        issuer.gone.store(false, Ordering::Relaxed);
        assert_eq!(knows(&jwks, "rsa-1", NOW + PAUSE_WITHOUT_KEYS_MS).await, Ok(true));
    }

    #[tokio::test]
    async fn a_clock_set_back_does_not_stop_the_fetching() {
        let (issuer, jwks) = cached();
        assert_eq!(knows(&jwks, "rsa-1", NOW).await, Ok(true));
        assert_eq!(knows(&jwks, "made-up", NOW - 3_600_000).await, Ok(false));
        assert_eq!(issuer.asked.load(Ordering::Relaxed), 2);
    }

    /// A server that gives every connection this answer and closes it.
    async fn answering(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "the test's own server, gone with its runtime")]
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 1_024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(&answer).await;
            }
        });
        url
    }

    fn http(status: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
            .into()
    }

    #[tokio::test]
    async fn keys_come_over_http() {
        let url = answering(http("200 OK", JWKS)).await;
        let jwks = Jwks::new(Box::new(Url::new(&url).unwrap()), Duration::from_secs(600));
        assert_eq!(knows(&jwks, "rsa-1", NOW).await, Ok(true));
    }

    #[tokio::test]
    async fn other_answers_bring_no_keys() {
        let moved = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_vec();
        for answer in [http("500 Oops", JWKS), moved, b"nonsense".to_vec(), Vec::new()] {
            let source = Url::new(&answering(answer.clone()).await).unwrap();
            assert!(source.fetch().await.is_err(), "{answer:?}");
        }
        let huge = http("200 OK", &"x".repeat(MAX_JWKS_BYTES + 1));
        let error = Url::new(&answering(huge).await).unwrap().fetch().await.unwrap_err();
        assert!(error.contains("limit"), "{error}");
    }
}
