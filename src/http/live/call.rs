//! What every request about a live has in common: who asks, what they sent, and how they are answered.

use super::{ACCEPT_PATCH, FRAGMENT, Received, SDP, condition, link};
use crate::{
    auth::Identity,
    clock::now_ms,
    http::{Peer, Problem, bearer, state::HttpState},
    live::{
        keys,
        onair::Answered,
        registry::{Credential, PeerOwner},
    },
};
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use communiconnect_protocol::{Code, ErrorBody};
use std::net::IpAddr;

/// Milliseconds after which what failed within the server may be tried again.
const FAILED_MS: u64 = 2_000;

/// A request, read whole and not judged yet.
pub(super) struct Call<'a> {
    state: &'a HttpState,
    pub(super) headers: HeaderMap,
    body: Result<Bytes, Problem>,
    /// Where it comes from.
    pub(super) client: IpAddr,
    /// Where it was sent.
    pub(super) path: String,
}

/// Who a request says it is from.
pub(super) enum Shown {
    /// Nobody in particular, or a person with an access token.
    Reader(Identity),
    /// An encoder with a stream key, genuine or not.
    Key(String),
}

impl<'a> Call<'a> {
    pub(super) fn new(state: &'a HttpState, request: Request) -> Self {
        let (mut head, _) = request.into_parts();
        let Received(body) = head.extensions.remove().expect("every route of lives reads bodies first");
        let peer = head.extensions.get::<Peer>().expect("the listener names every peer");
        let path = head.uri.path().to_owned();
        Self { state, client: peer.client, headers: head.headers, body, path }
    }

    /// What was shown; a key is told from a token by its form, and not checked here.
    pub(super) async fn shown(&self) -> Result<Shown, ErrorBody> {
        let token = bearer::token(&self.headers)?;
        if let Some(key) = token.filter(|token| keys::shown(token).is_some()) {
            return Ok(Shown::Key(key.to_owned()));
        }
        let identity = self.state.door.auth.authenticate(token, now_ms()).await;
        Ok(Shown::Reader(identity.map_err(|denied| denied.error)?))
    }

    /// What was shown as it is remembered.
    pub(super) fn credential(&self) -> Option<Credential> {
        bearer::token(&self.headers).ok().flatten().map(Credential::of)
    }

    /// The body, which must be text of this type.
    pub(super) fn text(&self, media_type: &str) -> Result<&str, Problem> {
        require(&self.headers, media_type)?;
        let bytes = self.body.as_ref().map_err(Problem::clone)?;
        let text = str::from_utf8(bytes);
        text.map_err(|_| ErrorBody::new(Code::BadRequest, "the body is not UTF-8").into())
    }

    /// The same, but an empty body needs no type.
    pub(super) fn text_if_any(&self, media_type: &str) -> Result<&str, Problem> {
        let is_empty = self.body.as_ref().is_ok_and(Bytes::is_empty);
        if is_empty && !self.headers.contains_key(header::CONTENT_TYPE) {
            Ok("")
        } else {
            self.text(media_type)
        }
    }
}

/// Refuses a body of another type. Parameters and case do not matter (RFC 9110, section 8.3.1).
fn require(headers: &HeaderMap, media_type: &str) -> Result<(), ErrorBody> {
    let named = headers.get(header::CONTENT_TYPE).and_then(|named| named.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(media_type) {
        return Ok(());
    }
    let message = format!("the body must be {media_type}, and Content-Type must say so");
    Err(ErrorBody::new(Code::UnsupportedType, message))
}

/// The service's refusal over HTTP. An offer that is understood and not supported is a 422; what failed within the server
/// may be tried again, since a client of WHIP gives up at a 500.
pub(super) fn refusal(error: ErrorBody) -> Problem {
    match error.code {
        Code::Invalid => {
            let mut problem = Problem::from(error);
            problem.status = StatusCode::UNPROCESSABLE_ENTITY;
            problem
        }
        Code::Internal => ErrorBody { code: Code::Unavailable, ..error }.retry_after(FAILED_MS).into(),
        _ => error.into(),
    }
}

pub(super) fn no_token() -> ErrorBody {
    let message = "send the stream key or an access token as `Authorization: Bearer`";
    ErrorBody::new(Code::Unauthenticated, message)
}

/// Waits for the service within the time of any command.
pub(super) async fn in_time<T>(
    state: &HttpState,
    asked: impl Future<Output = Result<T, ErrorBody>>,
) -> Result<T, Problem> {
    match tokio::time::timeout(state.settings.command_time, asked).await {
        Ok(answered) => answered.map_err(refusal),
        Err(_) => {
            let late = ErrorBody::new(Code::Unavailable, "this took too long: try again");
            Err(late.retry_after(FAILED_MS).into())
        }
    }
}

/// What became of an offer at the service. Where another node carries the live and is known by an address of its own, the
/// client is led there, to the same `path` (RFC 9725, section 4.5); else it is told what the service said.
pub(super) async fn or_led(
    state: &HttpState,
    outcome: Result<Answered, Problem>,
    carrier: impl Future<Output = Result<Option<String>, ErrorBody>>,
    path: &str,
) -> Result<Answered, Problem> {
    let said = match outcome {
        Err(refused) if refused.error.code == Code::Unavailable => refused,
        outcome => return outcome,
    };
    let Some(node) = in_time(state, carrier).await? else { return Err(said) };
    let mut led = Problem::from(ErrorBody { retry_after_ms: None, ..said.error });
    led.status = StatusCode::TEMPORARY_REDIRECT;
    Err(led.with(header::LOCATION, location(&format!("{node}{path}"))))
}

/// 201: the answer, where its session is, and what RFC 9725 wants to be said with it.
pub(super) fn created(state: &HttpState, answered: &Answered) -> Response {
    let peer = &answered.peer;
    let mut response = (StatusCode::CREATED, answered.sdp.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::LOCATION, location(&session_url(state, &peer.secret)));
    headers.insert(header::ETAG, condition::header_of(&peer.etag()));
    headers.insert(ACCEPT_PATCH, HeaderValue::from_static(FRAGMENT));
    let user = match peer.owner {
        PeerOwner::User(user) => Some(user),
        PeerOwner::Session(_) | PeerOwner::Holder => None,
    };
    link::add_ice_servers(headers, &state.live.ice_servers(user));
    response
}

/// Where a session is: absolute where the node knows its own name or the server's public one, else for the client to resolve.
pub(super) fn session_url(state: &HttpState, secret: &str) -> String {
    state.live.own_url(&format!("/v1/rtc/{secret}"))
}

pub(super) fn location(url: &str) -> HeaderValue {
    HeaderValue::from_str(url).expect("a checked public address and hexadecimal digits")
}
