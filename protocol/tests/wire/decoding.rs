//! What is refused, with which code and which field, in both encodings alike.

use communiconnect_protocol::{
    Code, Command, DecodeError, Format, decode_body, decode_command, decode_message, encode_body,
};
use serde_json::{Value, json};

/// One message in both encodings.
fn both(message: &Value) -> [(Format, Vec<u8>); 2] {
    Format::ALL.map(|format| (format, encode_body(format, message).to_vec()))
}

/// What both encodings answer, which must be the same but for the words of a `bad_request`.
fn refusal(message: Value) -> DecodeError {
    let [msgpack, json] = both(&message).map(|(format, bytes)| {
        decode_command(format, &bytes).expect_err(&format!("{format:?} took {message}"))
    });
    assert_eq!(msgpack.id, json.id, "{message}");
    assert_eq!(msgpack.error.code, json.error.code, "{message}");
    if json.error.code != Code::BadRequest {
        assert_eq!(msgpack, json, "{message}");
    }
    json
}

fn accepted(message: Value) -> Command {
    let [msgpack, json] = both(&message).map(|(format, bytes)| {
        let (id, command) =
            decode_command(format, &bytes).unwrap_or_else(|error| panic!("{format:?} {message}: {error:?}"));
        assert_eq!(json!(id), message[0]);
        command
    });
    assert_eq!(msgpack, json, "{message}");
    json
}

#[test]
fn what_is_no_envelope_is_a_bad_request_under_its_id_where_there_is_one() {
    for (message, id) in [
        (json!(null), 0),
        (json!({"id": 7}), 0),
        (json!([]), 0),
        (json!(["7", "post.get", {}]), 0),
        (json!([-7, "post.get", {}]), 0),
        (json!([7.0, "post.get", {}]), 0),
        (json!([null, "post.get", {}]), 0),
        (json!([0, "post.get", {}]), 0),
        (json!([7]), 7),
        (json!([7, "post.get"]), 7),
        (json!([7, 8, {}]), 7),
        (json!([7, "post.get", []]), 7),
        (json!([7, "post.get", ["id"]]), 7),
        (json!([7, "post.get", null]), 7),
        (json!([u64::MAX, "post.get", 1]), u64::MAX),
    ] {
        let error = refusal(message.clone());
        assert_eq!((error.error.code, error.id), (Code::BadRequest, id), "{message}");
        assert_eq!(error.error.field, None, "{message}");
    }
}

#[test]
fn text_that_is_no_json_is_a_bad_request() {
    for (text, id) in [
        (&b""[..], 0),
        (b"nonsense", 0),
        (b"[7,\"post.get\",{}", 7),
        (b"[7,\"post.get\",{}] x", 7),
        (b" [ 7 , \"post.get\", {\"post_id\": \"\xff\"}]", 7),
        (b"[7,\"post.get\",{\"post_id\":}]", 7),
        (b"[007,\"post.get\",{}]", 7),
        (b"[7", 7),
        (b"[7.5,\"post.get\",{", 0),
        (b"[99999999999999999999999,\"post.get\",{}]", 0),
        (b"[1e400,\"post.get\",{}]", 0),
    ] {
        let error = decode_command(Format::Json, text).expect_err("no JSON");
        assert_eq!((error.error.code, error.id), (Code::BadRequest, id), "{}", text.escape_ascii());
    }
}

#[test]
fn deep_nesting_is_a_bad_request_under_its_id() {
    let json = format!(r#"[7,"post.get",{{"x":{}1{}}}]"#, "[".repeat(10_000), "]".repeat(10_000));
    let mut msgpack = b"\x93\x07\xa8post.get\x81\xa1x".to_vec();
    msgpack.extend(std::iter::repeat_n(0x91, 10_000));
    msgpack.push(0xc0);
    for (format, message) in [(Format::Json, json.into_bytes()), (Format::Msgpack, msgpack)] {
        let error = decode_command(format, &message).expect_err("too deep");
        assert_eq!((error.error.code, error.id), (Code::BadRequest, 7), "{format:?}");
        assert!(error.error.message.contains("deeper than 16"), "{}", error.error.message);
    }
}

#[test]
fn lengths_beyond_the_message_are_a_bad_request() {
    for lie in
        [&b"\xdf\xff\xff\xff\xff"[..], b"\x81\xdb\xff\xff\xff\xff", b"\x81\xa1x\xc6\xff\xff\xff\xff", b"\xdf"]
    {
        let message = [b"\x93\x07\xa8post.get", lie].concat();
        let error = decode_command(Format::Msgpack, &message).expect_err("a lie");
        assert_eq!((error.error.code, error.id), (Code::BadRequest, 7), "{lie:02x?}");
    }
}

#[test]
fn an_unknown_command_is_told_the_nearest() {
    for (name, nearest) in
        [("post.creat", "`post.create`"), ("postcreate", "`post.create`"), ("Subscribe", "`subscribe`")]
    {
        let error = refusal(json!([7, name, {}]));
        assert_eq!((error.error.code, error.id), (Code::UnknownCommand, 7));
        assert!(error.error.message.ends_with(&format!("{nearest}?")), "{}", error.error.message);
    }
    let far = refusal(json!([7, "zzz", {}]));
    assert!(!far.error.message.contains("did you mean"), "{}", far.error.message);
    let long = refusal(json!([7, "é".repeat(10_000), {}]));
    assert!(long.error.message.len() < 200, "{}", long.error.message.len());
}

#[test]
fn what_does_not_fit_names_the_field_and_what_is_allowed() {
    let post = |change: Value| {
        let mut body = json!({"op": "o", "community_id": "c", "kind": "info", "visibility": "public"});
        for (key, value) in change.as_object().expect("a map") {
            body[key] = value.clone();
        }
        json!([7, "post.create", body])
    };
    for (message, field, words) in [
        (json!([7, "post.get", {}]), "post_id", "required"),
        (json!([7, "post.get", {"post_id": null}]), "post_id", "id (text)"),
        (json!([7, "post.get", {"post_id": 5}]), "post_id", "id (text)"),
        (post(json!({"kind": "blog"})), "kind", "one of info, event, help, announcement, discussion"),
        (post(json!({"kind": 0})), "kind", "one of info"),
        (post(json!({"kind": {"info": null}})), "kind", "one of info"),
        (post(json!({"kind": ", expected `x`"})), "kind", "one of info"),
        (post(json!({"kind": null})), "kind", "one of info"),
        (post(json!({"op": 7})), "op", "text"),
        (post(json!({"title": []})), "title", "text"),
        (post(json!({"anonymous": "yes"})), "anonymous", "true or false"),
        (post(json!({"media_ids": "m"})), "media_ids", "array"),
        (post(json!({"media_ids": ["m", 1]})), "media_ids.1", "text"),
        (
            json!([7, "history", {"channel": "c", "after": -1}]),
            "after",
            "integer from 0 to 18446744073709551615",
        ),
        (
            json!([7, "history", {"channel": "c", "after": 1.0}]),
            "after",
            "integer from 0 to 18446744073709551615",
        ),
        (json!([7, "history", {"channel": "c", "after": "1"}]), "after", "integer"),
        (
            json!([7, "history", {"channel": "c", "limit": 4294967296_u64}]),
            "limit",
            "integer from 0 to 4294967295",
        ),
        (json!([7, "sync", {}]), "channels", "required"),
        (json!([7, "sync", {"channels": {}}]), "channels", "array"),
        (
            json!([7, "sync", {"channels": [{"channel": "a"}, {"channel": "b", "offset": true}]}]),
            "channels.1.offset",
            "integer",
        ),
        (json!([7, "sync", {"channels": [{}]}]), "channels.0.channel", "required"),
        (json!([7, "sync", {"channels": [["a", "e", 1]]}]), "channels.0", "a map"),
        (json!([7, "connect", {"client": ["n", "v"]}]), "client", "a map"),
        (json!([7, "connect", {"client": {"name": 1}}]), "client.name", "text"),
        (json!([7, "connect", {"resume": {"feed:x": {"epoch": "e"}}}]), "resume.feed:x.offset", "required"),
        (json!([7, "connect", {"resume": {"feed:x": ["e", 1]}}]), "resume.feed:x", "a map"),
        (json!([7, "connect", {"resume": []}]), "resume", "a map"),
        (json!([7, "reaction.set", {"post_id": "p"}]), "kind", "required"),
        (json!([7, "reaction.set", {"post_id": "p", "kind": "hate"}]), "kind", "one of like, love"),
        (json!([7, "notification.preferences", {"reply": "no"}]), "reply", "true or false"),
        (json!([7, "notification.read", {"ids": [1]}]), "ids.0", "id (text)"),
        (json!([7, "post.counts", {"post_ids": ["a", "b", {}]}]), "post_ids.2", "id (text)"),
        (post(json!({"kind": "live"})), "kind", "one of info, event, help, announcement, discussion"),
        (json!([7, "post.edit", {"post_id": "p", "version": 1, "kind": "live"}]), "kind", "one of info"),
        (json!([7, "live.start", {}]), "op", "required"),
        (json!([7, "rtc.trickle", {"peer_id": "p"}]), "candidate", "required"),
        (json!([7, "rtc.trickle", {"peer_id": "p", "candidate": ["x"]}]), "candidate", "a map"),
        (json!([7, "rtc.trickle", {"peer_id": "p", "candidate": {}}]), "candidate.candidate", "required"),
        (json!([7, "rtc.layer", {"peer_id": "p"}]), "max_height", "required"),
        (
            json!([7, "rtc.layer", {"peer_id": "p", "max_height": null}]),
            "max_height",
            "height in pixels or auto",
        ),
        (
            json!([7, "rtc.layer", {"peer_id": "p", "max_height": "best"}]),
            "max_height",
            "height in pixels or auto",
        ),
        (
            json!([7, "rtc.layer", {"peer_id": "p", "max_height": -1}]),
            "max_height",
            "height in pixels or auto",
        ),
        (
            json!([7, "rtc.layer", {"peer_id": "p", "max_height": 1.5}]),
            "max_height",
            "height in pixels or auto",
        ),
        (
            json!([7, "rtc.layer", {"peer_id": "p", "max_height": 4294967296_u64}]),
            "max_height",
            "height in pixels",
        ),
        (json!([7, "chat.slow_mode", {"live_id": "l", "seconds": "1"}]), "seconds", "integer"),
    ] {
        let DecodeError { id, error } = refusal(message.clone());
        assert_eq!((error.code, id), (Code::Invalid, 7), "{message}: {error:?}");
        assert_eq!(error.field.as_deref(), Some(field), "{message}: {error:?}");
        assert!(error.message.contains(words), "{message}: {}", error.message);
    }
}

#[test]
fn a_list_beyond_any_limit_is_refused_as_a_whole() {
    let ids = |count: usize| vec!["x"; count];
    for (name, field) in [("post.counts", "post_ids"), ("notification.read", "ids"), ("connect", "flags")] {
        assert_eq!(accepted(json!([7, name, {field: ids(1024)}])).name(), name);
        let error = refusal(json!([7, name, {field: ids(1025)}])).error;
        assert_eq!((error.code, error.field.as_deref()), (Code::LimitExceeded, Some(field)));
    }
}

#[test]
fn long_keys_are_cut_in_the_path() {
    let error = refusal(json!([7, "connect", {"resume": {"é".repeat(5_000): 1}}])).error;
    assert!(error.field.expect("a field").len() <= 128);
    assert!(error.message.len() < 300);
}

#[test]
fn a_key_given_twice_is_invalid() {
    for (body, field) in [
        (r#"{"channel":"a","channel":"b"}"#, "channel"),
        (r#"{"channel":"a","epoch":"e","epoch":"e"}"#, "epoch"),
    ] {
        let error = decode_body(Format::Json, "subscribe", body.as_bytes()).expect_err("twice");
        assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some(field)));
    }
    let error = decode_command(Format::Msgpack, b"\x93\x07\xa8post.get\x82\xa7post_id\xa1a\xa7post_id\xa1a")
        .expect_err("twice")
        .error;
    assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some("post_id")));
    let error = decode_body(Format::Json, "connect", br#"{"resume":{"a":{"epoch":"","offset":1},"a":{}}}"#)
        .expect_err("twice");
    assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some("resume.a")));
    let error = decode_body(Format::Json, "notification.preferences", br#"{"reply":true,"reply":true}"#)
        .expect_err("twice");
    assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some("reply")));
}

#[test]
fn null_is_the_default_and_unknown_keys_and_elements_are_ignored() {
    assert_eq!(
        accepted(json!([7, "connect", {"token": null, "client": null, "resume": null, "flags": null}])),
        accepted(json!([7, "connect", {}]))
    );
    assert_eq!(
        accepted(json!([7, "feed.list", {"home": null, "limit": null, "kind": null}])),
        accepted(json!([7, "feed.list", {}]))
    );
    assert_eq!(
        accepted(
            json!([7, "comment.add", {"op": "o", "post_id": "p", "content": "c", "anonymous": null, "later": {"x": [1.5, null]}}, 9, {"y": []}])
        ),
        accepted(json!([7, "comment.add", {"op": "o", "post_id": "p", "content": "c"}])),
    );
    assert_eq!(
        accepted(json!([7, "notification.preferences", {"reply": true, "follow": null, "later": 5}])),
        accepted(json!([7, "notification.preferences", {"reply": true}])),
    );
}

#[test]
fn binary_is_no_text_but_may_stand_where_nobody_looks() {
    for (body, field) in [
        (&b"\x81\xa7post_id\xc4\x01a"[..], "post_id"),
        (b"\x81\xa7post_id\xd4\x01a", "post_id"),
        (b"\x82\xa5later\xc4\x00\xa7post_id\xc4\x01a", "post_id"),
    ] {
        let error = decode_body(Format::Msgpack, "post.get", body).expect_err("binary");
        assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some(field)));
    }
    let later =
        b"\x84\xa5later\xc4\x02\xff\x00\xa4ext1\xd4\x01\x02\xa5float\xca\x7f\xc0\x00\x00\xa7post_id\xa1a";
    assert_eq!(
        decode_body(Format::Msgpack, "post.get", later),
        decode_body(Format::Json, "post.get", br#"{"post_id":"a"}"#)
    );
}

#[test]
fn keys_that_are_no_text_are_refused() {
    let error =
        decode_command(Format::Msgpack, b"\x93\x07\xa8post.get\x81\x00\xa1a").expect_err("a number as key");
    assert_eq!((error.id, error.error.code), (7, Code::BadRequest));
}

#[test]
fn signed_encodings_of_small_ids_count() {
    let (id, _) = decode_command(
        Format::Msgpack,
        b"\x93\xd3\x00\x00\x00\x00\x00\x00\x00\x07\xa8post.get\x81\xa7post_id\xa1a",
    )
    .expect("an id");
    assert_eq!(id, 7);
}

#[test]
fn a_body_alone_is_one_map() {
    for (format, body) in [
        (Format::Json, &b""[..]),
        (Format::Json, b"[]"),
        (Format::Json, b"{} {}"),
        (Format::Json, b"{"),
        (Format::Msgpack, b""),
        (Format::Msgpack, b"\x90"),
        (Format::Msgpack, b"\x80\x80"),
        (Format::Msgpack, b"\xde\xff\xff"),
    ] {
        let error = decode_body(format, "community.list", body).expect_err("no map");
        assert_eq!(error.code, Code::BadRequest, "{}", body.escape_ascii());
    }
    assert_eq!(decode_body(Format::Json, "nope", b"{}").expect_err("unknown").code, Code::UnknownCommand);
    assert!(decode_body(Format::Json, "community.list", b" {} ").is_ok());
}

#[test]
fn lone_surrogates_are_invalid_text() {
    let error = decode_command(Format::Json, br#"[7,"comment.edit",{"comment_id":"a","content":"\ud800"}]"#)
        .expect_err("a surrogate");
    assert_eq!((error.error.code, error.error.field.as_deref()), (Code::Invalid, Some("content")));
    let error =
        decode_command(Format::Json, br#"[7,"history",{"channel":"a","after":1e400}]"#).expect_err("huge");
    assert_eq!((error.error.code, error.error.field.as_deref()), (Code::Invalid, Some("after")));
}

#[test]
fn a_servers_message_keeps_its_body() {
    for (format, bytes) in both(&json!([0, "ping", {"at": 5, "heads": {"feed:x": 1}}, 1])) {
        let (id, kind, data) = decode_message(format, &bytes).expect("a push");
        assert_eq!((id, kind.as_str()), (0, "ping"));
        assert_eq!(serde_json::to_value(&data).expect("JSON"), json!({"at": 5, "heads": {"feed:x": 1}}));
    }
}
