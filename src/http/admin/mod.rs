//! The operator's listener. It asks for no token: who reaches it may do all of this. Pages in a browser may not: a page
//! can have its visitor's browser call 127.0.0.1, but then it names its `Origin`, as no tool of an operator does; or it
//! comes by a name of its own, which the gate does not know.

mod disconnect;
mod drain;
mod fields;
mod publish;
mod view;

use super::{Problem, state::HttpState};
use axum::{
    Router,
    extract::Request,
    http::header,
    middleware::Next,
    response::Response,
    routing::{get, post},
};
use communiconnect_protocol::{Code, ErrorBody};
use std::sync::Arc;

/// Every route under `/v1/admin/`.
pub(super) fn routes() -> Router<Arc<HttpState>> {
    Router::new()
        .route("/v1/admin/publish", post(publish::publish))
        .route("/v1/admin/disconnect", post(disconnect::disconnect))
        .route("/v1/admin/drain", post(drain::drain))
        .route("/v1/admin/sessions", get(view::sessions))
        .route("/v1/admin/channels", get(view::channels))
}

/// Refuses what a page in a browser sends (RFC 6454 §7.3).
pub(super) async fn no_pages(request: Request, next: Next) -> Result<Response, Problem> {
    if request.headers().contains_key(header::ORIGIN) {
        return Err(ErrorBody::new(Code::Forbidden, "pages may not call the operators' listener").into());
    }
    Ok(next.run(request).await)
}
