//! `POST /v1/admin/publish` on channels named `test:` alone: what others carry follows from commands, and an entry that no
//! command wrote would be a lie that clients recover for a week.

use super::fields::{Fields, missing};
use crate::{
    broker::Broadcast,
    clock::now_ms,
    http::{Problem, state::HttpState},
    publication::{Signal, State as Value},
    store::log::Entry,
};
use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{Channel, Class, Code, Data, ErrorBody};
use serde_json::json;
use std::sync::Arc;

/// Bytes of an event's or key's name.
const NAME_BYTES: usize = 100;

/// `{channel, event, data, class, key?, version?}`: class A goes through the log, B and C through the broker.
pub(super) async fn publish(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let wish = Wish::read(Fields::of(&state, request).await?)?;
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
    fn read(mut fields: Fields) -> Result<Self, ErrorBody> {
        let channel = fields.text("channel", NAME_BYTES)?.ok_or_else(|| missing("channel"))?;
        let channel = match channel.parse() {
            Ok(channel @ Channel::Test(_)) => channel,
            _ => {
                return Err(ErrorBody::invalid("channel", "operators publish on channels named test: alone"));
            }
        };
        let event = fields.text("event", NAME_BYTES)?.ok_or_else(|| missing("event"))?;
        let class = match fields.text("class", NAME_BYTES)?.ok_or_else(|| missing("class"))?.as_str() {
            "A" => Class::A,
            "B" => Class::B,
            "C" => Class::C,
            _ => return Err(ErrorBody::invalid("class", "must be A (logged), B (a state) or C (a signal)")),
        };
        let (key, version) = (fields.text("key", NAME_BYTES)?, fields.number("version")?);
        let data = Data::of(&fields.any("data").unwrap_or_else(|| json!({})));
        Ok(Self { channel, event, data, class, key, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as JsonValue;

    fn fault(change: JsonValue) -> Option<String> {
        let mut body = json!({"channel": "test:a", "event": "e", "data": {"n": 1}, "class": "A"});
        for (key, value) in change.as_object().expect("a map") {
            body[key] = value.clone();
        }
        let fields = Fields::read(body.to_string().as_bytes()).expect("an object");
        Wish::read(fields).err().and_then(|error| error.field)
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
