//! `/v1/auth/…`: embedded accounts. JSON alone, like the accounts of any site.

use super::{Peer, Problem, body, media_type, routes::body_bounds, state::HttpState};
use crate::{
    auth::{LoginRequest, LogoutRequest, RefreshRequest, RegisterRequest},
    clock::now_ms,
};
use axum::{
    Json,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::Changed;
use serde::Serialize;
use std::{net::IpAddr, sync::Arc};

/// 201 with a session.
pub(super) async fn register(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let (address, body) = read(&state, request).await?;
    let request = RegisterRequest::from_json(&body)?;
    let session = state.accounts.register(request, address, now_ms()).await?;
    Ok(private(StatusCode::CREATED, session))
}

/// 200 with a session.
pub(super) async fn login(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let (address, body) = read(&state, request).await?;
    let request = LoginRequest::from_json(&body)?;
    let session = state.accounts.login(request, address, now_ms()).await?;
    Ok(private(StatusCode::OK, session))
}

/// 200 with the next session.
pub(super) async fn refresh(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let (address, body) = read(&state, request).await?;
    let request = RefreshRequest::from_json(&body)?;
    let session = state.accounts.refresh(request, address, now_ms()).await?;
    Ok(private(StatusCode::OK, session))
}

/// 200 with whether the login was open.
pub(super) async fn logout(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let (address, body) = read(&state, request).await?;
    let request = LogoutRequest::from_json(&body)?;
    let changed = state.accounts.logout(request, address, now_ms()).await?;
    Ok(private(StatusCode::OK, Changed { changed }))
}

async fn read(state: &HttpState, request: Request) -> Result<(IpAddr, Bytes), Problem> {
    let (head, body) = request.into_parts();
    media_type::must_be_json(&head.headers, "accounts speak application/json alone")?;
    let peer = head.extensions.get::<Peer>().expect("the listener names every peer");
    Ok((peer.client, body::read(&head.headers, body, body_bounds(state)).await?))
}

/// Tokens are for the one who asked: no cache may keep them.
fn private(status: StatusCode, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
