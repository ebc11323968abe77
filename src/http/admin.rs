//! The operator's listener. It asks for no token: who reaches it may do all of this. Pages in a browser may not: a page
//! can have its visitor's browser call 127.0.0.1, but then it names its `Origin`, as no tool of an operator does; or it
//! comes by a name of its own, which the gate does not know.

use super::{Problem, body, media_type, routes::body_bounds, state::HttpState};
use crate::{
    broker::Broadcast,
    clock::now_ms,
    publication::{Signal, State as Value},
    store::log::Entry,
};
use axum::{
    Json,
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{Channel, Class, Code, Data, ErrorBody};
use serde_json::{Map, Value as JsonValue, json};
use std::sync::Arc;

/// Bytes of an event's or key's name.
const NAME_BYTES: usize = 100;
/// Channels listed by `sessions`, the busiest first.
const LISTED: usize = 100;

/// `POST /v1/admin/publish {channel, event, data, class, key?, version?}` on channels named `test:` alone: what others
/// carry follows from commands, and an entry that no command wrote would be a lie that clients recover for a week.
/// Class A goes through the log, B and C through the broker.
pub(super) async fn publish(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    media_type::must_be_json(&head.headers, "operators publish application/json alone")?;
    let body = body::read(&head.headers, body, body_bounds(&state)).await?;
    let wish = Wish::read(&body)?;
    let broadcast = match wish.class {
        Class::A => {
            let entry =
                Entry { channel: wish.channel, event: wish.event.into(), data: wish.data, at: now_ms() };
            let offset = state.log.append(entry).await.map_err(ErrorBody::from)?;
            return Ok(Json(json!({ "offset": offset })).into_response());
        }
        Class::B => Broadcast::State(Value {
            channels: vec![wish.channel],
            event: wish.event.into(),
            key: wish.key.ok_or_else(|| ErrorBody::invalid("key", "a state (class B) needs a key"))?,
            version: wish
                .version
                .ok_or_else(|| ErrorBody::invalid("version", "a state (class B) needs a version"))?,
            data: wish.data,
            actor: None,
        }),
        Class::C => {
            Broadcast::Signal(Signal { channel: wish.channel, event: wish.event.into(), data: wish.data })
        }
    };
    let published = state.broker.publish(vec![broadcast]).await;
    published.map_err(|error| ErrorBody::new(Code::Unavailable, error.to_string()).retry_after(1_000))?;
    Ok(Json(json!({})).into_response())
}

/// `GET /v1/admin/sessions`: how many there are, and the channels with the most subscribers.
pub(super) async fn sessions(State(state): State<Arc<HttpState>>) -> Response {
    let mut channels = state.door.hub.channels();
    channels.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let listed: Vec<_> = channels
        .iter()
        .take(LISTED)
        .map(|(channel, subscribers)| json!({ "channel": channel, "subscribers": subscribers }))
        .collect();
    let sessions = state.door.hub.session_count();
    Json(json!({ "sessions": sessions, "channels": channels.len(), "busiest": listed })).into_response()
}

/// Refuses what a page in a browser sends (RFC 6454 §7.3).
pub(super) async fn no_pages(request: Request, next: Next) -> Result<Response, Problem> {
    if request.headers().contains_key(header::ORIGIN) {
        return Err(ErrorBody::new(Code::Forbidden, "pages may not call the operators' listener").into());
    }
    Ok(next.run(request).await)
}

#[derive(Debug)]
struct Wish {
    channel: Channel,
    event: String,
    data: Data,
    class: Class,
    key: Option<String>,
    version: Option<u64>,
}

impl Wish {
    fn read(body: &[u8]) -> Result<Self, ErrorBody> {
        let mut fields: Map<String, JsonValue> = serde_json::from_slice(body).map_err(|error| {
            ErrorBody::new(Code::BadRequest, format!("the body is not a JSON object: {error}"))
        })?;
        let mut text = |field: &str| match fields.remove(field) {
            None | Some(JsonValue::Null) => Ok(None),
            Some(JsonValue::String(text)) if (1..=NAME_BYTES).contains(&text.len()) => Ok(Some(text)),
            Some(_) => Err(ErrorBody::invalid(field, format!("must be text of 1 to {NAME_BYTES} bytes"))),
        };
        let missing = |field| move || ErrorBody::invalid(field, "is missing");
        let channel = text("channel")?.ok_or_else(missing("channel"))?;
        let channel = match channel.parse() {
            Ok(channel @ Channel::Test(_)) => channel,
            _ => {
                return Err(ErrorBody::invalid("channel", "operators publish on channels named test: alone"));
            }
        };
        let event = text("event")?.ok_or_else(missing("event"))?;
        let class = match text("class")?.ok_or_else(missing("class"))?.as_str() {
            "A" => Class::A,
            "B" => Class::B,
            "C" => Class::C,
            _ => return Err(ErrorBody::invalid("class", "must be A (logged), B (a state) or C (a signal)")),
        };
        let key = text("key")?;
        let version = match fields.remove("version") {
            None | Some(JsonValue::Null) => None,
            Some(version) => {
                let number = version.as_u64();
                Some(number.ok_or_else(|| ErrorBody::invalid("version", "must be a whole number from 0"))?)
            }
        };
        let data = Data::of(&fields.remove("data").unwrap_or_else(|| json!({})));
        Ok(Self { channel, event, data, class, key, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(change: JsonValue) -> Option<String> {
        let mut body = json!({"channel": "test:a", "event": "e", "data": {"n": 1}, "class": "A"});
        for (key, value) in change.as_object().expect("a map") {
            body[key] = value.clone();
        }
        Wish::read(body.to_string().as_bytes()).err().and_then(|error| error.field)
    }

    #[test]
    fn a_wrong_wish_names_its_field() {
        assert_eq!(fault(json!({})), None);
        for (field, wrong) in [
            ("channel", json!("feed:0191f6a0-0000-7000-8000-000000000001")),
            ("channel", json!(7)),
            ("event", json!("")),
            ("event", JsonValue::Null),
            ("class", json!("D")),
            ("key", json!(1)),
            ("version", json!(-1)),
        ] {
            assert_eq!(fault(json!({ field: wrong })).as_deref(), Some(field), "{wrong}");
        }
    }
}
