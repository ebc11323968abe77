//! H3 and H4: what is no envelope, no command or too large is answered or closed, never crashed on.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{Claims, Client, Encoding, Incoming, Server, Socket, in_both_encodings};

in_both_encodings!(
    h3_an_unknown_command_is_named_and_the_socket_stays,
    h3_twenty_messages_that_are_no_envelope_close_the_socket,
    h4_a_message_over_the_limit_is_refused_from_its_header,
    h4_a_message_at_the_limit_is_taken,
    h4_fragments_over_the_limit_are_refused_together,
);

fn nested(depth: usize) -> Vec<u8> {
    let mut text = vec![b'['; depth];
    text.extend(std::iter::repeat_n(b']', depth));
    text
}

#[tokio::test]
async fn h3_malformed_json_is_answered_and_the_socket_stays() {
    let server = Server::start().await;
    let deep_body =
        format!(r#"[9,"post.get",{{"post_id":{}}}]"#, String::from_utf8(nested(10_000)).expect("ASCII"));
    let cases: Vec<(&str, Vec<u8>, u64)> = vec![
        ("no JSON", b"hello".to_vec(), 0),
        ("nothing", b"".to_vec(), 0),
        ("cut", br#"[1,"community.list",{"#.to_vec(), 1),
        ("two values", br#"[1,"community.list",{}] []"#.to_vec(), 1),
        ("a map", br#"{"id":1}"#.to_vec(), 0),
        ("an empty array", b"[]".to_vec(), 0),
        ("an id alone", b"[1]".to_vec(), 1),
        ("no body", br#"[2,"community.list"]"#.to_vec(), 2),
        ("a negative id", br#"[-1,"community.list",{}]"#.to_vec(), 0),
        ("a broken id", br#"[1.5,"community.list",{}]"#.to_vec(), 0),
        ("an id beyond 64 bits", br#"[18446744073709551616,"community.list",{}]"#.to_vec(), 0),
        ("the id of pushes", br#"[0,"community.list",{}]"#.to_vec(), 0),
        ("a text id", br#"["1","community.list",{}]"#.to_vec(), 0),
        ("a type that is no text", br#"[3,4,{}]"#.to_vec(), 3),
        ("a body that is a list", br#"[4,"community.list",[]]"#.to_vec(), 4),
        ("a body that is null", br#"[5,"community.list",null]"#.to_vec(), 5),
        ("10,000 arrays", nested(10_000), 0),
        ("10,000 arrays in a body", deep_body.into_bytes(), 9),
    ];
    for chunk in cases.chunks(15) {
        let mut alice = server.client("alice", Encoding::Json).await;
        for (what, bytes, id) in chunk {
            expect_bad_request(&mut alice, Encoding::Json.message(bytes.clone()), what, *id).await;
        }
        alice.still_there().await;
    }
}

#[tokio::test]
async fn h3_malformed_msgpack_is_answered_and_the_socket_stays() {
    let server = Server::start().await;
    let envelope = |id: u64, body: &[u8]| {
        let mut bytes = vec![0x93, u8::try_from(id).expect("small"), 0xa8];
        bytes.extend_from_slice(b"post.get");
        bytes.extend_from_slice(body);
        bytes
    };
    let mut deep_body = vec![0x81, 0xa7];
    deep_body.extend_from_slice(b"post_id");
    deep_body.extend(std::iter::repeat_n(0x91, 10_000));
    deep_body.push(0xc0);
    let cases: Vec<(&str, Vec<u8>, u64)> = vec![
        ("the byte that is never used", vec![0xc1], 0),
        ("nothing", vec![], 0),
        ("an empty array", vec![0x90], 0),
        ("a map", vec![0x80], 0),
        ("an array of four thousand million", vec![0xdd, 0xff, 0xff, 0xff, 0xff, 1], 1),
        ("a type of four thousand million bytes", vec![0x93, 1, 0xdb, 0xff, 0xff, 0xff, 0xff, b'x'], 1),
        ("a body map of four thousand million", envelope(2, &[0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1]), 2),
        ("a body of bytes beyond the message", envelope(3, &[0xc6, 0x7f, 0xff, 0xff, 0xff, 0]), 3),
        ("10,000 arrays", vec![0x91; 10_000], 0),
        ("10,000 arrays in a body", envelope(4, &deep_body), 4),
        ("a positional body", envelope(5, &[0x91, 0xa1, b'x']), 5),
        ("a nil body", envelope(6, &[0xc0]), 6),
        ("a cut body", envelope(7, &[0x81, 0xa7, b'p']), 7),
        ("a negative id", vec![0x93, 0xff, 0xa1, b'x', 0x80], 0),
        ("a text that is no UTF-8", vec![0x93, 8, 0xa2, 0xff, 0xfe, 0x80], 8),
    ];
    for chunk in cases.chunks(10) {
        let mut alice = server.client("alice", Encoding::MessagePack).await;
        for (what, bytes, id) in chunk {
            expect_bad_request(&mut alice, Message::binary(bytes.clone()), what, *id).await;
        }
        alice.still_there().await;
    }
}

/// The refusal carries the id where it could be read, which a decoder that stops earlier may answer with 0.
async fn expect_bad_request(client: &mut Client, message: Message, what: &str, id: u64) {
    client.send_message(message);
    let error = client.error_of_any_id().await;
    assert_eq!(error.1["code"], "bad_request", "{what}: {}", error.1);
    assert!(error.0 == 0 || error.0 == id, "{what}: id {} for {id}", error.0);
}

async fn h3_an_unknown_command_is_named_and_the_socket_stays(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let error = alice.refused("post.craete", json!({}), "unknown_command").await;
    assert!(error["message"].as_str().expect("text").contains("post.craete"), "{error}");
    alice.refused("", json!({}), "unknown_command").await;
    // Unknown keys and further elements are for later versions.
    alice.ok("community.list", json!({"from_the_future": {"a": [1, 2, {"b": null}]}})).await;
    let longer = encoding.bytes(&(900, "community.list", json!({}), "more", json!({"and": "more"})));
    alice.send_message(encoding.message(longer));
    assert!(alice.reply_to(900, "community.list").await.is_ok);
    // A connected session cannot connect again.
    let again = alice.command("connect", json!({"token": Claims::of("bob").sign()})).await;
    assert!(!again.is_ok, "{}", again.body);
    alice.still_there().await;
}

async fn h3_twenty_messages_that_are_no_envelope_close_the_socket(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    for _ in 0..20 {
        alice.send_message(encoding.message(b"\x01".to_vec()));
    }
    assert_eq!(alice.close_code().await, 4500);
    // Refusals of well-formed commands are no abuse.
    let mut bob = server.client("bob", encoding).await;
    for _ in 0..25 {
        bob.refused("post.get", json!({}), "invalid").await;
        bob.refused("no.such", json!({}), "unknown_command").await;
    }
    bob.still_there().await;
}

async fn h4_a_message_over_the_limit_is_refused_from_its_header(encoding: Encoding) {
    let server = Server::start().await;
    for declared in [65_537_u64, 1 << 30, (1 << 63) - 1] {
        let mut socket = connected(&server, encoding).await;
        let opcode: u8 = if encoding == Encoding::Json { 0x1 } else { 0x2 };
        // The header and ten bytes; the rest never comes, so only the header can be the reason.
        let mut header = vec![0x80 | opcode, 0x80 | 127];
        header.extend_from_slice(&declared.to_be_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(b"[1,\"connec");
        assert_eq!(socket.tcp().try_write(&header).expect("an empty send buffer"), header.len());
        assert_eq!(closed(&mut socket).await, 4505, "declared {declared}");
    }
}

async fn h4_a_message_at_the_limit_is_taken(encoding: Encoding) {
    let server = Server::start().await;
    let mut socket = connected(&server, encoding).await;
    let sized = |padding: usize| encoding.bytes(&(7, "community.list", json!({"x": "a".repeat(padding)})));
    let overhead = sized(60_000).len() - 60_000;
    let message = sized(65_536 - overhead);
    assert_eq!(message.len(), 65_536);
    socket.send_message(encoding.message(message)).await.expect("sent");
    assert!(matches!(socket.next().await, Incoming::Envelope(7, kind, _) if kind == "ok"));
}

async fn h4_fragments_over_the_limit_are_refused_together(encoding: Encoding) {
    let server = Server::start().await;
    let mut socket = connected(&server, encoding).await;
    let first = if encoding == Encoding::Json { Data::Text } else { Data::Binary };
    for number in 0..5 {
        let opcode = OpCode::Data(if number == 0 { first } else { Data::Continue });
        let frame = Frame::message(vec![b' '; 16_000], opcode, number == 4);
        if socket.send_message(Message::Frame(frame)).await.is_err() {
            break;
        }
    }
    assert_eq!(closed(&mut socket).await, 4505);
}

async fn connected(server: &Server, encoding: Encoding) -> Socket {
    let mut socket = Socket::open(server.http_address(), encoding).await;
    socket.send(1, "connect", &json!({"token": Claims::of("alice").sign()})).await.expect("sent");
    assert!(matches!(socket.next().await, Incoming::Envelope(1, kind, _) if kind == "ok"));
    socket
}

async fn closed(socket: &mut Socket) -> u16 {
    crate::harness::within("a close frame", async {
        loop {
            match socket.next().await {
                Incoming::Close(code, _) => return code,
                Incoming::Envelope(_, _, Value::Null) | Incoming::Envelope(..) => continue,
                Incoming::Lost(why) => panic!("the connection ended without a close code: {why}"),
            }
        }
    })
    .await
}
