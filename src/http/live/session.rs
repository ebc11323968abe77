//! Session resources (RFC 9725, sections 4.2 and 4.3): trickle, ICE restart, the end.

use super::FRAGMENT;
use super::call::{Call, Shown, in_time, no_token, refusal};
use super::condition;
use crate::{
    http::{Problem, state::HttpState},
    live::{
        registry::{PeerEntry, PeerOwner, PeerRole},
        rtc::sdp::Fragment,
        service::Sender,
    },
    social::policy,
};
use axum::{
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{Code, ErrorBody};
use std::sync::Arc;

/// `GET` and `HEAD`: the session is there, and has nothing to show.
pub(super) async fn nothing(
    State(state): State<Arc<HttpState>>,
    Path(secret): Path<String>,
) -> Result<StatusCode, Problem> {
    find(&state, &secret)?;
    Ok(StatusCode::OK)
}

/// `PATCH`: candidates, or new credentials that restart ICE.
pub(super) async fn patch(
    State(state): State<Arc<HttpState>>,
    Path(secret): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let call = Call::new(&state, request);
    let peer = commanded(&state, &secret, &call).await?;
    let fragment = Fragment::parse(call.text(FRAGMENT)?)
        .map_err(|error| ErrorBody::new(error.code(), error.to_string()))?;
    condition::check(&call.headers, &peer.etag(), state.settings.etag_manners)?;
    let Some(restarted) = state.live.take_fragment(&peer, &fragment).map_err(refusal)? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let mut response = (StatusCode::OK, restarted.answer).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::ETAG, condition::header_of(&restarted.etag));
    Ok(response)
}

/// `DELETE`: the end, whatever precondition came with it (RFC 9725, section 4.3.1).
pub(super) async fn delete(
    State(state): State<Arc<HttpState>>,
    Path(secret): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let call = Call::new(&state, request);
    let peer = commanded(&state, &secret, &call).await?;
    let closed = in_time(&state, async { Ok(state.live.close(&peer).await) }).await?;
    if closed { Ok(StatusCode::OK) } else { Err(policy::not_found("session").into()) }
}

/// The session's peer, for who may command it: whoever knows the address where it was made without a token, else who shows
/// what it was made with, or is the same person otherwise.
pub(super) async fn commanded(
    state: &HttpState,
    secret: &str,
    call: &Call<'_>,
) -> Result<Arc<PeerEntry>, Problem> {
    let peer = find(state, secret)?;
    let PeerOwner::User(owner) = peer.owner else { return Ok(peer) };
    // Also after it has run out or was replaced: a session outlives what it was made with, and must be ended by its encoder.
    if call.credential().is_some_and(|shown| peer.resource().is_some_and(|made| made.by == Some(shown))) {
        return Ok(peer);
    }
    let is_owner = match call.shown().await? {
        Shown::Key(key) if peer.role == PeerRole::Publisher => {
            in_time(state, state.live.may_publish(&Sender::Key(key, peer.live))).await?;
            true
        }
        Shown::Key(_) => false,
        Shown::Reader(identity) => identity.user_id().ok_or_else(no_token)? == owner,
    };
    if is_owner {
        return Ok(peer);
    }
    Err(ErrorBody::new(Code::Forbidden, "this session is another person's").into())
}

fn find(state: &HttpState, secret: &str) -> Result<Arc<PeerEntry>, ErrorBody> {
    let found = state.live.peer_by_secret(secret);
    // A guest of a socket commands theirs from there alone.
    let found = found.filter(|peer| !matches!(peer.owner, PeerOwner::Session(_)));
    found.ok_or_else(|| policy::not_found("session"))
}
