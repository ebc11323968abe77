//! `POST /v1/admin/drain`: sends everybody away and takes nobody, while the process stays: for moving people off a node
//! before it is stopped, and back if it is not stopped after all.

use super::fields::Fields;
use crate::http::{Problem, state::HttpState};
use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{Code, ErrorBody};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Longest time for the closes, as that of `node.drain_ms`.
const LONGEST_MS: u64 = 600_000;

/// `{on?, over_ms?}` -> `{changed, draining, sessions}`, at once: `GET /v1/admin/sessions` tells how far it has
/// come. Already draining changes nothing: everybody keeps the slot that they were told.
pub(super) async fn drain(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let mut fields = Fields::of(&state, request).await?;
    let is_wished = fields.flag("on")?.unwrap_or(true);
    let over = match fields.number("over_ms")? {
        None => state.settings.drain,
        Some(ms) if ms <= LONGEST_MS => Duration::from_millis(ms),
        Some(_) => return Err(ErrorBody::invalid("over_ms", format!("must be up to {LONGEST_MS}")).into()),
    };
    if state.readiness.is_stopping() {
        return Err(ErrorBody::new(Code::Conflict, "the process stops: it drains already, for good").into());
    }
    let hub = &state.door.hub;
    let changed = if is_wished { state.begin_drain(over) } else { state.end_drain() };
    if changed {
        tracing::info!(
            on = is_wished,
            sessions = hub.session_count(),
            over_ms = over.as_millis(),
            "an operator drains this node"
        );
    }
    let body = json!({ "changed": changed, "draining": is_wished, "sessions": hub.session_count() });
    Ok(Json(body).into_response())
}
