//! WHIP endpoints (RFC 9725, section 4.2): an encoder sends its offer, with a stream key or its owner's token.

use super::SDP;
use super::call::{Call, Shown, created, in_time, no_token, or_led};
use crate::{
    http::{Problem, state::HttpState},
    live::{
        onair::Offered,
        registry::Resource,
        service::{Sender, Sought},
    },
    store::Actor,
};
use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::Response,
};
use communiconnect_protocol::LiveId;
use std::sync::Arc;

/// `POST /v1/live/{id}/whip`: sends into a live, with its key, with its owner's lasting one, or with their access token.
pub(super) async fn publish(
    State(state): State<Arc<HttpState>>,
    Path(live): Path<LiveId>,
    request: Request,
) -> Result<Response, Problem> {
    let call = Call::new(&state, request);
    let sender = match call.shown().await? {
        Shown::Key(key) => Sender::Key(key, live),
        Shown::Reader(identity) => {
            let user = identity.user_id().ok_or_else(no_token)?;
            Sender::Owner(Actor { user, role: identity.role() }, live)
        }
    };
    answer(&state, sender, call).await
}

/// `POST /v1/whip`: sends into the live that a key opens; a lasting one begins a live where none runs.
pub(super) async fn publish_by_key(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let call = Call::new(&state, request);
    match call.shown().await? {
        Shown::Key(key) => answer(&state, Sender::AnyKey(key), call).await,
        Shown::Reader(_) => Err(no_token().into()),
    }
}

/// `GET` and `HEAD`: there is nothing to be had here, and that is no error (RFC 9725, section 4.1).
pub(super) async fn nothing() -> StatusCode {
    StatusCode::OK
}

async fn answer(state: &HttpState, sender: Sender, call: Call<'_>) -> Result<Response, Problem> {
    // Who may not send is told so before what they sent is looked at.
    in_time(state, state.live.may_publish(&sender)).await?;
    let offered = Offered { sdp: call.text(SDP)?.to_owned(), client: call.client };
    let carrier = state.live.led_to(Sought::of(&sender));
    let answered = in_time(state, state.live.publish(sender, offered)).await;
    let answered = or_led(state, answered, carrier, &call.path).await?;
    answered.peer.set_resource(Resource::of(call.credential(), &answered.sdp));
    Ok(created(state, &answered))
}
