//! `POST /v1/commands/{type}`: any command without a socket.

use super::{
    Peer, Problem, bearer,
    body::{self, BodyBounds},
    media_type,
    openapi::needs_session,
    pace::Source,
    state::HttpState,
};
use crate::{
    auth::network_of,
    clock::now_ms,
    hub::{Caller, needs_a_session},
};
use axum::{
    extract::{Path, Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use communiconnect_protocol::{Code, Format, decode_body, encode_body};
use std::sync::Arc;

/// Runs one command: the same body, the same rules and the same answer as on a socket.
pub(super) async fn run(
    State(state): State<Arc<HttpState>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let format = media_type::of_body(&head.headers)?;
    let answer_format = media_type::of_answer(&head.headers, format);
    let token = bearer::token(&head.headers)?;
    let identity = state.door.auth.authenticate(token, now_ms()).await.map_err(|denied| denied.error)?;
    let peer = head.extensions.get::<Peer>().expect("the listener names every peer");
    let guests = Source::Guests(network_of(peer.client));
    state.pace.take(identity.user_id().map_or(guests, Source::Person))?;
    let bounds = BodyBounds { bytes: state.settings.message_bytes, time: state.settings.body_time };
    let body = body::read(&head.headers, body, bounds).await?;
    let command = decode_body(format, &name, &or_empty_map(body, format)).map_err(|error| {
        // What is missing in its body is of no help to who sends it the wrong way.
        let is_lost_here = error.code == Code::Invalid && needs_session(&name);
        if is_lost_here { needs_a_session() } else { error }
    })?;
    let caller = Caller { identity, session: None, format: answer_format };
    let reply = state.door.dispatch.run(&caller, command).await?;
    Ok(encoded(&reply, answer_format))
}

fn encoded(reply: &impl serde::Serialize, format: Format) -> Response {
    let mut response = encode_body(format, reply).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::of(format)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Many commands need nothing: `curl -X POST` without a body is one of those.
fn or_empty_map(body: Bytes, format: Format) -> Bytes {
    match (body.is_empty(), format) {
        (false, _) => body,
        (true, Format::Json) => Bytes::from_static(b"{}"),
        (true, Format::Msgpack) => Bytes::from_static(b"\x80"),
    }
}
