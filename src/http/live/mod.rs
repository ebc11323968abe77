//! WHIP (RFC 9725) and WHEP: lives for encoders and players that speak HTTP alone.
//!
//! Owns the endpoints, the session resources and their headers, and WHEP's two extensions. It decides nothing about lives:
//! every question goes to [`LiveService`](crate::live::service::LiveService), the same door as the socket's.
//!
//! Of several things that are wrong, the first of these is told: too many requests 429, who asks 401, whether the thing is
//! there for them 404, whether they may 403, the body's type 415, size 413 and syntax 400, the precondition 428 and 412,
//! the live's state 409, what of the offer is not supported 422, limits 503.

mod call;
mod condition;
mod events;
mod layer;
mod link;
mod session;
mod whep;
mod whip;

pub use condition::Manners;

use super::{
    Peer, Problem,
    body::{self, BodyBounds},
    pace::Source,
    routes,
    state::HttpState,
};
use crate::{auth::network_of, live::rtc::sdp::MAX_OFFER};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tower_http::{
    cors::{AllowOrigin, CorsLayer},
    set_header::SetResponseHeaderLayer,
};

/// Offers and answers (RFC 8866).
const SDP: &str = "application/sdp";
/// ICE fragments (RFC 8840).
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The body of a request, or why there is none.
#[derive(Clone)]
struct Received(Result<Bytes, Problem>);

/// Every route of lives.
pub(super) fn routes(state: &Arc<HttpState>) -> Router<Arc<HttpState>> {
    let endpoints = Router::new()
        .route("/v1/whip", get(whip::nothing).post(whip::publish_by_key))
        .route("/v1/live/{id}/whip", get(whip::nothing).post(whip::publish))
        .route("/v1/live/{id}/whep", get(whep::discover).post(whep::watch));
    let sessions = Router::new()
        .route("/v1/rtc/{secret}", get(session::nothing).patch(session::patch).delete(session::delete));
    let extensions = Router::new()
        .route("/v1/rtc/{secret}/layer", axum::routing::post(layer::choose))
        .route("/v1/rtc/{secret}/events", axum::routing::post(events::subscribe))
        .route("/v1/rtc/{secret}/events/{stream}", get(events::listen).delete(events::unsubscribe));
    let accepted =
        |name, media_type| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(media_type));
    let [endpoints, sessions, extensions] = [endpoints, sessions, extensions].map(|part| {
        part.method_not_allowed_fallback(routes::wrong_method)
            .layer(middleware::from_fn_with_state(state.clone(), received))
            .layer(middleware::from_fn_with_state(state.clone(), paced))
            .layer(cors(&state.settings.origins))
    });
    // Outside of CORS, whose answers to OPTIONS have these too.
    endpoints
        .layer(accepted(ACCEPT_POST, SDP))
        .merge(sessions.layer(accepted(ACCEPT_PATCH, FRAGMENT)))
        .merge(extensions.layer(accepted(ACCEPT_POST, "application/json")))
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins: AllowOrigin = routes::allowed(origins);
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            header::IF_MATCH,
            // Sent by old clients instead of If-Match.
            header::ETAG,
        ])
        .expose_headers([header::LOCATION, header::ETAG, header::LINK, header::RETRY_AFTER, ACCEPT_PATCH])
        .max_age(Duration::from_secs(3600))
}

/// Counts what makes, changes and ends sessions by where it comes from (RFC 9725, section 5), before anything is read.
async fn paced(State(state): State<Arc<HttpState>>, request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let peer = request.extensions().get::<Peer>().expect("the listener names every peer");
        let source = Source::Guests(network_of(peer.client));
        if let Err(refusal) = state.signalling_pace.take(source) {
            return Problem::from(refusal).into_response();
        }
    }
    next.run(request).await
}

/// Reads the body before anything is judged. A client that is refused with its body half sent loses its connection, and
/// then often the next request as well; offers are small enough to be heard out. One that is not is told that its
/// connection ends here.
async fn received(State(state): State<Arc<HttpState>>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let bounds = BodyBounds { bytes: MAX_OFFER, time: state.settings.body_time };
    let body = body::read(&head.headers, body, bounds).await;
    let is_whole = body.is_ok();
    head.extensions.insert(Received(body));
    let mut response = next.run(Request::from_parts(head, Body::empty())).await;
    if !is_whole {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
