//! Server-sent events as text (HTML Living Standard, section 9.2), and messages of the hub in their form.

use super::place::Place;
use communiconnect_protocol::kind;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A message of the hub, `[id, type, body]` in JSON, as its parts.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: &'a str,
    pub(super) body: &'a str,
    /// Which offset of which channel it tells of, where it moves the reader on.
    pub(super) told: Option<(Cow<'a, str>, u64)>,
}

/// What moves a reader on, in whatever push.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    /// Of a publication or a skip.
    offset: Option<u64>,
    /// Of a gap.
    to: Option<u64>,
}

impl<'a> Message<'a> {
    /// Takes a message apart; none where it is not one of ours.
    pub(super) fn read(frame: &'a [u8]) -> Option<Self> {
        let (_, kind, body): (u64, &str, &RawValue) = serde_json::from_slice(frame).ok()?;
        let body = body.get();
        let told = match kind {
            kind::PUBLICATION | kind::SKIP | kind::GAP => {
                let told: Told<'_> = serde_json::from_str(body).ok()?;
                Some((told.channel, told.offset.or(told.to)?))
            }
            _ => None,
        };
        Some(Self { kind, body, told })
    }
}

/// Adds an event. `data` must be one line, as JSON of ours is.
pub(super) fn event(into: &mut Vec<u8>, kind: &str, data: &str, id: Option<&Place>) {
    if let Some(place) = id {
        into.extend_from_slice(b"id: ");
        place.write(into);
        into.push(b'\n');
    }
    for part in ["event: ", kind, "\ndata: ", data, "\n\n"] {
        into.extend_from_slice(part.as_bytes());
    }
}

/// Adds an event with a body of ours.
pub(super) fn event_of(into: &mut Vec<u8>, kind: &str, body: &impl Serialize, id: Option<&Place>) {
    let data = serde_json::to_string(body).expect("our own types always encode");
    event(into, kind, &data, id);
}

/// Adds a comment: a sign of life that no reader sees.
pub(super) fn heartbeat(into: &mut Vec<u8>) {
    into.extend_from_slice(b":\n\n");
}

/// Adds the time after which a reader is to come back whose stream has ended.
pub(super) fn retry(into: &mut Vec<u8>, ms: u64) {
    into.extend_from_slice(format!("retry: {ms}\n\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use communiconnect_protocol::{Channel, Data, Format, GapPush, GapReason, PublicationPush, encode_push};

    #[test]
    fn messages_become_events_with_the_readers_place() {
        let channel: Channel = "test:a".parse().expect("a channel");
        let data = Data::of(&serde_json::json!({"text": "one\nline \"each\""}));
        let push = PublicationPush { channel: channel.clone(), offset: 7, event: "e".into(), data, at: 5 };
        let frame = encode_push(Format::Json, kind::PUBLICATION, &push);
        let message = Message::read(&frame).expect("a message");
        assert_eq!(message.told, Some(("test:a".into(), 7)));
        let mut place = Place::new(std::slice::from_ref(&channel));
        place.begin(0, "5f3c", 7);
        let mut text = Vec::new();
        event(&mut text, message.kind, message.body, Some(&place));
        let text = String::from_utf8(text).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[1]), (4, "event: publication"), "{text}");
        assert!(lines[0].starts_with("id: 5f3c.") && lines[0].ends_with(".7"), "{text}");
        assert_eq!(lines[2], format!("data: {}", message.body));

        let gap = GapPush { channel, from: 8, to: 11, reason: GapReason::Slow };
        let frame = encode_push(Format::Json, kind::GAP, &gap);
        assert_eq!(Message::read(&frame).expect("a message").told, Some(("test:a".into(), 11)));
        let frame = br#"[0,"ping",{"at":1,"heads":{}}]"#;
        assert_eq!(Message::read(frame).expect("a message").told, None);
        assert!(Message::read(b"").is_none(), "what only opens subscriptions says nothing");
    }
}
