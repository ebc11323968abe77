//! WHEP's extension for events: a player says what it wants to hear of, and reads it as server-sent events.
//!
//! `EventSource` can send no token: who knows the address of a stream may read and close it, and only who commands the
//! session can make one.

use super::call::{Call, location, session_url};
use super::layer::watching;
use super::session::commanded;
use crate::{
    http::{Problem, state::HttpState},
    live::{
        notices::{Notice, Reading, STREAMS, Teller, Topic, Topics},
        registry::PeerEntry,
        service::Watching,
    },
    social::policy,
    tasks::Tasks,
};
use axum::{
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use communiconnect_protocol::{Code, ErrorBody, Layer, RtcCloseReason};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc};

/// Names the extension.
pub(super) const URN: &str = "urn:ietf:params:whep:ext:core:server-sent-events";

/// The events that can be asked for, as a link has them.
pub(super) fn names() -> String {
    Topic::ALL.map(Topic::name).join(",")
}

/// `POST`: makes a stream of the events named, of all where none are.
pub(super) async fn subscribe(
    State(state): State<Arc<HttpState>>,
    Path(secret): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let call = Call::new(&state, request);
    let peer = watching(commanded(&state, &secret, &call).await?)?;
    let text = call.text_if_any("application/json")?;
    let topics = read(text)?;
    let stream = peer.streams().open(topics).ok_or_else(|| {
        let message = format!("a session has at most {STREAMS} event streams: DELETE one");
        ErrorBody::new(Code::LimitExceeded, message)
    })?;
    let mut response = StatusCode::CREATED.into_response();
    let url = format!("{}/events/{stream}", session_url(&state, &peer.secret));
    response.headers_mut().insert(header::LOCATION, location(&url));
    Ok(response)
}

/// `GET`: reads a stream until the session ends, or another reader comes.
pub(super) async fn listen(
    State(state): State<Arc<HttpState>>,
    Path((secret, stream)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let peer = state.live.peer_by_secret(&secret).ok_or_else(no_stream)?;
    let reading = peer.streams().read(&stream).ok_or_else(no_stream)?;
    let watching = state.live.follow(&peer).ok_or_else(no_stream)?;
    let tasks = state.door.tasks.clone();
    let events = events(peer, (reading, watching), tasks);
    let mut response = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that buffer would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// `DELETE`: ends a stream.
pub(super) async fn unsubscribe(
    State(state): State<Arc<HttpState>>,
    Path((secret, stream)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let peer = state.live.peer_by_secret(&secret).ok_or_else(no_stream)?;
    if peer.streams().close(&stream) { Ok(StatusCode::OK) } else { Err(no_stream().into()) }
}

fn no_stream() -> ErrorBody {
    policy::not_found("event stream")
}

fn read(text: &str) -> Result<Topics, ErrorBody> {
    if text.trim().is_empty() {
        return Ok(Topics::all());
    }
    let names: Vec<String> = serde_json::from_str(text).map_err(|error| {
        ErrorBody::new(Code::BadRequest, format!("the body is no list of events: {error}"))
    })?;
    let topic = |name: &String| Topic::ALL.into_iter().find(|topic| topic.name() == name);
    let unknown = || ErrorBody::invalid("events", format!("there are these events: {}", self::names()));
    names.iter().map(|name| topic(name).ok_or_else(unknown)).collect()
}

/// What a reader is sent. Of states only the latest is looked at, so nothing gathers for a slow one.
fn events(
    peer: Arc<PeerEntry>,
    (reading, watching): (Reading, Watching),
    tasks: Tasks,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let video = peer.resource().and_then(|made| made.video);
    let start = Some((Teller::new(reading.topics), reading, watching));
    let batches = stream::unfold(start, move |reader| {
        let tasks = tasks.clone();
        async move {
            let (mut teller, mut reading, mut watching) = reader?;
            let present = tokio::select! {
                // What there is to tell comes first: the streams of a peer end with it, and its end is news.
                biased;
                present = watching.next() => present,
                // Connections end before lives do, so that no answer is cut off in its middle.
                () = tasks.stopping() => return Some((teller.last_news(RtcCloseReason::Drain), None)),
                () = reading.superseded() => return None,
            };
            let is_over = present.end.is_some();
            let news = teller.news(present);
            Some((news, (!is_over).then_some((teller, reading, watching))))
        }
    });
    batches.map(stream::iter).flatten().map(move |notice| Ok(event(&notice, video)))
}

fn event(notice: &Notice, video: Option<usize>) -> Event {
    let (topic, data) = match notice {
        Notice::Active => (Topic::Active, json!({})),
        Notice::Inactive => (Topic::Inactive, json!({})),
        Notice::Reconnect => (Topic::Reconnect, json!({})),
        Notice::ViewerCount(viewers) => (Topic::ViewerCount, json!({"viewercount": viewers})),
        Notice::Layers(layers) => (Topic::Layers, layers_of(layers, video)),
    };
    // JSON without line breaks is one line.
    Event::default().event(topic.name()).data(data.to_string())
}

/// Layers by the index of their section; without simulcast there is none to choose.
fn layers_of(layers: &[Layer], video: Option<usize>) -> Value {
    let Some(video) = video else { return json!({}) };
    let named = layers.iter().filter(|layer| !layer.rid.is_empty());
    let shown: Vec<_> = named
        .map(|layer| {
            json!({"rid": layer.rid, "width": layer.width, "height": layer.height, "bitrate": layer.bitrate})
        })
        .collect();
    json!({video.to_string(): shown})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_asked_for_by_name() {
        assert_eq!(read("").ok(), Some(Topics::all()));
        let asked = read(r#"["active","viewercount"]"#).expect("known");
        assert!(asked.has(Topic::Active) && asked.has(Topic::ViewerCount) && !asked.has(Topic::Layers));
        assert_eq!(read("[]").ok(), Some(Topics::default()));
        assert_eq!(names(), "active,inactive,layers,reconnect,viewercount");
        let code = |text| read(text).map_err(|error| error.code);
        assert_eq!(code(r#"["active","scte35"]"#), Err(Code::Invalid));
        for text in ["{", "{}", "[1]", r#""active""#] {
            assert_eq!(code(text), Err(Code::BadRequest), "{text}");
        }
    }

    #[test]
    fn layers_are_told_by_their_section() {
        let layer = |rid: &str| Layer { rid: rid.into(), width: 640, height: 360, fps: 30, bitrate: 9 };
        let told = layers_of(&[layer("m")], Some(1));
        assert_eq!(told, json!({"1": [{"rid": "m", "width": 640, "height": 360, "bitrate": 9}]}));
        assert_eq!(layers_of(&[layer("")], Some(1)), json!({"1": []}));
    }
}
