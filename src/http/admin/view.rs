//! `GET /v1/admin/sessions` and `/channels`: who is here, and what goes on.

use crate::{
    http::{Problem, query::Query, state::HttpState},
    hub::{ChannelView, SessionView},
};
use axum::{
    Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{ErrorBody, SessionId};
use serde_json::{Value, json};
use std::{cmp::Ordering, sync::Arc};

/// Sessions or channels listed unless another number is asked for.
const LISTED: usize = 100;
/// Most that are listed.
const MOST_LISTED: usize = 1_000;

/// What every node carries, and sessions: of this node by age, a page at a time, or those of one person on every node.
pub(super) async fn sessions(State(state): State<Arc<HttpState>>, uri: Uri) -> Result<Response, Problem> {
    let query = Query::of(&uri)?;
    let limit = limit(&query)?;
    let hub = &state.door.hub;
    let (views, (listed, is_listed), cursor) = match query.text("user_id") {
        Some(user) => {
            let Ok(user) = user.parse();
            let (views, found) = tokio::join!(hub.views_elsewhere(), hub.sessions_elsewhere(user));
            let here = hub.sessions_of(user);
            let is_whole = found.is_whole();
            let listed: Vec<SessionView> = here.into_iter().chain(found.told.into_iter().flatten()).collect();
            (views, (listed, is_whole), None)
        }
        None => {
            let after: Option<SessionId> = query.text("cursor").map(|cursor| {
                let Ok(after) = cursor.parse();
                after
            });
            let mut listed = hub.sessions_after(after, limit + 1);
            let has_more = listed.len() > limit;
            listed.truncate(limit);
            let cursor = listed.last().filter(|_| has_more).map(|last| last.session_id);
            (hub.views_elsewhere().await, (listed, true), cursor)
        }
    };
    let here = hub.view();
    let mut busiest = hub.channel_views();
    busiest.sort_unstable_by(by_subscribers);
    let busiest: Vec<_> = busiest
        .iter()
        .take(LISTED)
        .map(|view| json!({ "channel": view.channel, "subscribers": view.subscribers }))
        .collect();
    let is_whole = views.is_whole() && is_listed;
    let nodes: Vec<_> = std::iter::once(here.clone()).chain(views.told).collect();
    let mut body = json!({
        "node": here.node,
        "sessions": here.sessions,
        "people": here.people,
        "channels": here.channels,
        "draining": here.draining,
        "lives": state.live.count(),
        "busiest": busiest,
        "listed": listed,
        "nodes": nodes,
        "whole": is_whole,
    });
    if let Some(cursor) = cursor {
        body["cursor"] = json!(cursor);
    }
    Ok(Json(body).into_response())
}

/// Channels of this node that somebody listens to: those with most subscribers, or with most to deliver.
pub(super) async fn channels(State(state): State<Arc<HttpState>>, uri: Uri) -> Result<Response, Problem> {
    let query = Query::of(&uri)?;
    let limit = limit(&query)?;
    let order = match query.text("sort") {
        None | Some("subscribers") => by_subscribers,
        Some("deliveries") => by_deliveries,
        Some("name") => by_name,
        Some(_) => return Err(ErrorBody::invalid("sort", "must be subscribers, deliveries or name").into()),
    };
    let mut views = state.door.hub.channel_views();
    if let Some(prefix) = query.text("prefix") {
        views.retain(|view| view.channel.to_string().starts_with(prefix));
    }
    views.sort_unstable_by(order);
    let listed: Vec<_> = views.iter().take(limit).map(shown).collect();
    let body = json!({ "node": state.door.hub.settings().node, "channels": views.len(), "listed": listed });
    Ok(Json(body).into_response())
}

fn limit(query: &Query) -> Result<usize, ErrorBody> {
    let asked = query.number("limit")?.and_then(|limit| usize::try_from(limit).ok());
    Ok(asked.unwrap_or(LISTED).clamp(1, MOST_LISTED))
}

fn shown(view: &ChannelView) -> Value {
    let rounded = |rate: f64| (rate * 10.0).round() / 10.0;
    let ChannelView { channel, subscribers, rates } = view;
    json!({
        "channel": channel,
        "subscribers": subscribers,
        "per_second": {
            "publications": rounded(rates.publications),
            "states": rounded(rates.states),
            "signals": rounded(rates.signals),
            "deliveries": rounded(deliveries(view)),
        },
    })
}

fn deliveries(view: &ChannelView) -> f64 {
    view.rates.all() * view.subscribers as f64
}

fn by_subscribers(one: &ChannelView, other: &ChannelView) -> Ordering {
    other.subscribers.cmp(&one.subscribers).then_with(|| by_name(one, other))
}

fn by_deliveries(one: &ChannelView, other: &ChannelView) -> Ordering {
    deliveries(other).total_cmp(&deliveries(one)).then_with(|| by_name(one, other))
}

fn by_name(one: &ChannelView, other: &ChannelView) -> Ordering {
    one.channel.cmp(&other.channel)
}
