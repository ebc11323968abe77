//! Every route, and what stands before all of them.

use super::{
    Problem, accounts, admin,
    body::BodyBounds,
    commands,
    gate::{self, Hosts},
    health, live, media, openapi, page, post_page, socket, sse,
    state::HttpState,
    trace,
};
use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use communiconnect_protocol::{Code, ErrorBody};
use std::{sync::Arc, time::Duration};
use tower_http::{
    cors::{AllowOrigin, CorsLayer},
    set_header::SetResponseHeaderLayer,
};

/// Routes of the public listener.
pub fn public_router(state: Arc<HttpState>) -> Router {
    let cors = cors(&state.settings.origins);
    let routes = Router::new()
        .route("/v1/ws", any(socket::open))
        .route("/v1/openapi.json", get(openapi::document_json))
        .route("/v1/sse", get(sse::listen))
        .route("/v1/commands/{type}", post(commands::run))
        .route("/v1/auth/register", post(accounts::register))
        .route("/v1/auth/login", post(accounts::login))
        .route("/v1/auth/refresh", post(accounts::refresh))
        .route("/v1/auth/logout", post(accounts::logout))
        .route("/v1/media", post(media::upload))
        .route("/v1/media/{id}", get(media::get).delete(media::delete))
        .route("/media/{id}/{variant}", get(media::bytes))
        .route("/p/{post_id}", get(post_page::shown))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(wrong_method)
        .fallback(page::page);
    let routes = routes.layer(cors).merge(live::routes(&state));
    let hosts = Hosts::Public(state.settings.hosts.clone());
    guarded(routes, state, hosts)
}

/// Routes of the operator's listener.
pub fn admin_router(state: Arc<HttpState>) -> Router {
    let routes = admin::routes()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here);
    let hosts = Hosts::Operators(state.settings.admin_hosts.clone());
    guarded(routes.layer(middleware::from_fn(admin::no_pages)), state, hosts)
}

/// Bounds of bodies that are no commands.
pub(super) fn body_bounds(state: &HttpState) -> BodyBounds {
    BodyBounds { bytes: state.settings.body_bytes, time: state.settings.body_time }
}

/// Puts the gate before the routes, and on every answer what browsers should know.
fn guarded(routes: Router<Arc<HttpState>>, state: Arc<HttpState>, hosts: Hosts) -> Router {
    let constant = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let gate = gate::Gate { hosts, head_bytes: state.settings.head_bytes };
    routes
        .with_state(state)
        .layer(middleware::from_fn_with_state(gate, gate::gate))
        .layer(constant(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(constant(header::REFERRER_POLICY, "no-referrer"))
        .layer(middleware::from_fn(trace::traced))
}

/// The web origins of a setting.
pub(super) fn allowed(origins: &[String]) -> AllowOrigin {
    if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    }
}

fn cors(origins: &[String]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(allowed(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            trace::REQUEST_ID,
            sse::LAST_EVENT_ID,
        ])
        .expose_headers([header::RETRY_AFTER, trace::REQUEST_ID])
        .max_age(Duration::from_secs(3600))
}

pub(super) async fn wrong_method(method: Method) -> Problem {
    let message = format!("{method} is not possible here; the header Allow lists what is");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, message)
}

async fn nothing_here() -> Response {
    Problem::from(ErrorBody::new(Code::NotFound, "nothing is here")).into_response()
}
