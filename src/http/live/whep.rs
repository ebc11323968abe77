//! WHEP endpoints (draft-murillo-whep): a player sends its offer; without a token as a guest.

use super::call::{Call, Shown, created, in_time, no_token, or_led, session_url};
use super::{SDP, events, layer, link};
use crate::{
    http::{Problem, state::HttpState},
    live::{
        onair::Offered,
        registry::Resource,
        service::{Sought, Viewer},
    },
    store::Reader,
};
use axum::{
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{Code, ErrorBody, LiveId};
use std::sync::Arc;

/// `POST /v1/live/{id}/whep`: watches a live.
pub(super) async fn watch(
    State(state): State<Arc<HttpState>>,
    Path(live): Path<LiveId>,
    request: Request,
) -> Result<Response, Problem> {
    let call = Call::new(&state, request);
    let identity = match call.shown().await? {
        Shown::Reader(identity) => identity,
        Shown::Key(_) => {
            let message = "a stream key is for sending: watch with an access token, or without any";
            return Err(ErrorBody::new(Code::Unauthenticated, message).into());
        }
    };
    let reader = Reader { user: identity.user_id(), role: identity.role() };
    let viewer = Viewer { reader, session: None };
    in_time(&state, may_watch(&state, viewer, live)).await?;
    let offered = Offered { sdp: call.text(SDP)?.to_owned(), client: call.client };
    let answered = in_time(&state, state.live.watch(viewer, live, offered)).await;
    let answered = or_led(&state, answered, state.live.led_to(Sought::Live(live)), &call.path).await?;
    answered.peer.set_resource(Resource::of(call.credential(), &answered.sdp));
    let mut response = created(&state, &answered);
    let session = session_url(&state, &answered.peer.secret);
    let headers = response.headers_mut();
    link::add_extension(headers, &format!("{session}/layer"), layer::URN, None);
    link::add_extension(headers, &format!("{session}/events"), events::URN, Some(&events::names()));
    Ok(response)
}

/// `GET` and `HEAD`: that this is WHEP can be seen without watching.
pub(super) async fn discover() -> Response {
    let mut response = StatusCode::OK.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    response
}

/// As the service says, but a guest whom a token would help is told to bring one.
async fn may_watch(state: &HttpState, viewer: Viewer, live: LiveId) -> Result<(), ErrorBody> {
    let verdict = state.live.may_watch(viewer, live).await;
    let is_hidden = verdict.as_ref().is_err_and(|refusal| refusal.code == Code::NotFound);
    if is_hidden && viewer.reader.user.is_none() && state.live.is_for_followers(live).await? {
        return Err(no_token());
    }
    verdict
}
