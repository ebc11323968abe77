//! Bad input, over every command: a typed error that names the field, nothing changed, the socket open.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::live::{FFMPEG_PUBLISH, Stage};
use crate::harness::{
    Client, Encoding, Incoming, Server, in_both_encodings, op, optional, text, with, within,
};

in_both_encodings!(every_command_survives_bad_input, ids_that_name_nothing_are_not_found);

/// What a field of a command may hold, as far as wrong values can be made of it.
#[derive(Clone, Copy)]
enum Kind {
    /// Text with a greatest length in characters; blank is refused.
    Text(usize),
    /// The client's own id of an operation.
    Op,
    /// An id of a thing.
    Id,
    /// One of a few words.
    Word,
    /// A whole number from 0.
    Number,
    /// Yes or no.
    Switch,
    /// A list.
    List,
    /// Text that the server made (a cursor) or that only it understands (a channel, a token).
    Opaque,
}

/// One command: a right body, and for each field whether it is required and what it holds.
struct Case {
    command: &'static str,
    body: Value,
    fields: Vec<(&'static str, bool, Kind)>,
}

struct World {
    community: String,
    post: String,
    comment: String,
    other: String,
}

fn cases(world: &World) -> Vec<Case> {
    use Kind::{Id, List, Number, Op, Opaque, Switch, Text, Word};
    let World { community, post, comment, other } = world;
    let feed = format!("feed:{community}");
    let case = |command, body, fields: &[(&'static str, bool, Kind)]| Case {
        command,
        body,
        fields: fields.to_vec(),
    };
    vec![
        case("refresh", json!({"token": "x"}), &[("token", true, Opaque)]),
        case(
            "subscribe",
            json!({"channel": feed}),
            &[("channel", true, Opaque), ("epoch", false, Opaque), ("offset", false, Number)],
        ),
        case("unsubscribe", json!({"channel": feed}), &[("channel", true, Opaque)]),
        case(
            "history",
            json!({"channel": feed}),
            &[
                ("channel", true, Opaque),
                ("after", false, Number),
                ("before", false, Number),
                ("limit", false, Number),
            ],
        ),
        case(
            "sync",
            json!({"channels": [{"channel": feed}]}),
            &[("channels", true, List), ("bytes", false, Number)],
        ),
        case("presence", json!({"channel": format!("post:{post}")}), &[("channel", true, Opaque)]),
        case(
            "community.create",
            json!({"op": op(), "name": "Right"}),
            &[("op", true, Op), ("name", true, Text(10_000)), ("parent_id", false, Id)],
        ),
        case("community.get", json!({"community_id": community}), &[("community_id", true, Id)]),
        case("community.list", json!({}), &[("parent_id", false, Id), ("cursor", false, Opaque)]),
        case("community.join", json!({"community_id": community}), &[("community_id", true, Id)]),
        case("community.leave", json!({"community_id": community}), &[("community_id", true, Id)]),
        case(
            "post.create",
            json!({"op": op(), "community_id": community, "kind": "help", "content": "x", "visibility": "public"}),
            &[
                ("op", true, Op),
                ("community_id", true, Id),
                ("kind", true, Word),
                ("title", false, Text(200)),
                ("content", true, Text(5000)),
                ("media_ids", false, List),
                ("visibility", true, Word),
                ("anonymous", false, Switch),
            ],
        ),
        case(
            "post.edit",
            json!({"post_id": post, "version": 1, "content": "x"}),
            &[
                ("post_id", true, Id),
                ("version", true, Number),
                ("title", false, Text(200)),
                ("content", false, Text(5000)),
                ("kind", false, Word),
            ],
        ),
        case("post.delete", json!({"post_id": post}), &[("post_id", true, Id)]),
        case("post.get", json!({"post_id": post}), &[("post_id", true, Id)]),
        case("post.view", json!({"post_id": post}), &[("post_id", true, Id)]),
        case("post.counts", json!({"post_ids": [post]}), &[("post_ids", true, List)]),
        case(
            "feed.list",
            json!({"community_id": community}),
            &[
                ("kind", false, Word),
                ("live", false, Switch),
                ("cursor", false, Opaque),
                ("limit", false, Number),
            ],
        ),
        case(
            "reaction.set",
            json!({"post_id": post, "kind": "like"}),
            &[("post_id", true, Id), ("kind", true, Word)],
        ),
        case(
            "comment.add",
            json!({"op": op(), "post_id": post, "content": "x"}),
            &[
                ("op", true, Op),
                ("post_id", true, Id),
                ("parent_id", false, Id),
                ("content", true, Text(2000)),
                ("anonymous", false, Switch),
            ],
        ),
        case(
            "comment.edit",
            json!({"comment_id": comment, "content": "x"}),
            &[("comment_id", true, Id), ("content", true, Text(2000))],
        ),
        case("comment.delete", json!({"comment_id": comment}), &[("comment_id", true, Id)]),
        case(
            "comment.list",
            json!({"post_id": post}),
            &[
                ("post_id", true, Id),
                ("parent_id", false, Id),
                ("cursor", false, Opaque),
                ("limit", false, Number),
            ],
        ),
        case(
            "share.add",
            json!({"post_id": post, "kind": "repost", "comment": "x"}),
            &[("post_id", true, Id), ("kind", true, Word), ("comment", true, Text(500))],
        ),
        case(
            "share.remove",
            json!({"post_id": post, "kind": "share"}),
            &[("post_id", true, Id), ("kind", true, Word)],
        ),
        case("share.list", json!({"post_id": post}), &[("post_id", true, Id), ("cursor", false, Opaque)]),
        case(
            "external_share.add",
            json!({"post_id": post, "platform": "telegram"}),
            &[("post_id", true, Id), ("platform", true, Word), ("message", false, Text(500))],
        ),
        case("external_share.list", json!({"post_id": post}), &[("post_id", true, Id)]),
        case("analytics.post", json!({"post_id": post}), &[("post_id", true, Id)]),
        case("profile.get", json!({"user_id": other}), &[("user_id", true, Id)]),
        case(
            "follow.set",
            json!({"user_id": other, "on": true}),
            &[("user_id", true, Id), ("on", true, Switch)],
        ),
        case(
            "block.set",
            json!({"user_id": other, "on": true}),
            &[("user_id", true, Id), ("on", true, Switch)],
        ),
        case("notification.list", json!({}), &[("cursor", false, Opaque), ("unread", false, Switch)]),
        case("notification.read", json!({"all": true}), &[("all", false, Switch)]),
        case(
            "notification.preferences",
            json!({"comment": true}),
            &[("comment", false, Switch), ("reply", false, Switch)],
        ),
    ]
}

/// Values that a field of this kind does not take.
fn wrong_values(kind: Kind) -> Vec<Value> {
    let any = [json!({"a": 1}), json!([1, [2]])];
    let mut wrong = match kind {
        Kind::Text(most) => vec![json!(1), json!(true), json!("a".repeat(most + 1)), json!("nul\u{0}")],
        Kind::Op => vec![json!(1), json!(true), json!(""), json!("a".repeat(65))],
        Kind::Id | Kind::Opaque => vec![json!(1), json!(false), json!(1.5)],
        Kind::Word => vec![json!("no such word"), json!(""), json!(3)],
        Kind::Number => vec![json!(-1), json!("1"), json!(1.5), json!(true)],
        Kind::Switch => vec![json!("yes"), json!(1), json!("")],
        Kind::List => vec![json!("one"), json!(1), json!([{"deep": [[]]}]), json!([1, 2])],
    };
    wrong.extend(any.into_iter().filter(|value| !(matches!(kind, Kind::List) && value.is_array())));
    wrong
}

async fn snapshot(client: &mut Client, world: &World) -> Value {
    json!([
        client.ok("post.get", json!({"post_id": world.post})).await,
        client.ok("comment.list", json!({"post_id": world.post})).await,
        client.ok("feed.list", json!({"community_id": world.community})).await,
        client.ok("community.list", json!({})).await,
        client.ok("community.list", json!({"parent_id": world.community})).await,
        client.ok("notification.list", json!({})).await,
        client.ok("profile.get", json!({"user_id": world.other})).await,
        client.ok("profile.get", json!({"user_id": client.user_id()})).await,
    ])
}

async fn world(server: &Server, encoding: Encoding) -> (Client, World) {
    let mut alice = server.client("alice", encoding).await;
    let other = server.client("other", encoding).await.user_id();
    let community = alice.makes_community("Target").await;
    let post = alice.posts(&community, "untouched").await;
    let comment = alice.comments(&post, "untouched").await;
    (alice, World { community, post, comment, other })
}

async fn every_command_survives_bad_input(encoding: Encoding) {
    let server = Server::start().await;
    let (mut alice, world) = world(&server, encoding).await;
    let before = snapshot(&mut alice, &world).await;
    for Case { command, body, fields } in cases(&world) {
        for (field, required, kind) in fields {
            // Of a reaction's two targets one is enough, so neither is the missing one.
            if required && (command, field) != ("reaction.set", "post_id") {
                let mut missing = body.clone();
                missing.as_object_mut().expect("a map").remove(field);
                alice.invalid(command, missing, field).await;
            }
            for wrong in wrong_values(kind) {
                let shown: String = wrong.to_string().chars().take(60).collect();
                let bad = with(body.clone(), json!({field: wrong}));
                let reply = alice.command(command, bad).await;
                assert_eq!(reply.code(), "invalid", "{command} {field}={shown}: {}", reply.body);
                let named = reply.body["field"].as_str().unwrap_or_default();
                // An element of a list may be named below its list.
                let matches = named == field
                    || named.starts_with(&format!("{field}["))
                    || named.starts_with(&format!("{field}."));
                assert!(matches, "{command} {field}={shown} names {named:?}: {}", reply.body);
                assert!(!text(&reply.body["message"]).is_empty());
            }
        }
    }
    assert_eq!(snapshot(&mut alice, &world).await, before, "refusals change nothing");
    let pushes: Vec<_> = alice
        .leftovers()
        .into_iter()
        .filter(|incoming| matches!(incoming, Incoming::Close(..) | Incoming::Lost(_)))
        .collect();
    assert!(pushes.is_empty(), "{pushes:?}");
}

async fn ids_that_name_nothing_are_not_found(encoding: Encoding) {
    let server = Server::start().await;
    let (mut alice, world) = world(&server, encoding).await;
    let before = snapshot(&mut alice, &world).await;
    let mut strange: Vec<String> = [
        "",
        " ",
        "nonsense",
        "00000000-0000-7000-8000-000000000001",
        "'; drop table posts; --",
        "../../etc/passwd",
        "é",
    ]
    .map(String::from)
    .to_vec();
    strange.push("x".repeat(10_000));
    // Ids of things of another kind are no ids here.
    strange.push(world.other.clone());
    for Case { command, body, fields } in cases(&world) {
        for (field, _, kind) in fields {
            if !matches!(kind, Kind::Id) {
                continue;
            }
            for id in &strange {
                if field == "user_id" && *id == world.other {
                    continue;
                }
                let fresh = if body["op"].is_null() { json!(null) } else { json!(op()) };
                let bad = with(with(body.clone(), json!({field: id})), optional("op", &fresh));
                let reply = alice.command(command, bad).await;
                let shown: String = id.chars().take(40).collect();
                assert_eq!(reply.code(), "not_found", "{command} {field}={shown:?}: {}", reply.body);
            }
        }
    }
    assert_eq!(snapshot(&mut alice, &world).await, before, "refusals change nothing");
}

#[tokio::test]
async fn lists_have_their_maximum() {
    let server = Server::start().await;
    let (mut alice, world) = world(&server, Encoding::Json).await;
    let ids = |count: usize| (0..count).map(|_| json!(world.post)).collect::<Vec<_>>();
    alice.ok("post.counts", json!({"post_ids": ids(100)})).await;
    alice.refused("post.counts", json!({"post_ids": ids(101)}), "limit_exceeded").await;
    let body = json!({"op": op(), "community_id": world.community, "kind": "help", "content": "x", "visibility": "public"});
    alice.refused("post.create", with(body.clone(), json!({"media_ids": ids(6)})), "limit_exceeded").await;
    // Media come with their own part: until then no id names any.
    let reply = alice.command("post.create", with(body, json!({"media_ids": ["unknown"]}))).await;
    assert!(["not_found", "invalid"].contains(&reply.code()), "{}", reply.body);
    assert!(
        reply.body.to_string().contains("unknown") || reply.body["field"] == "media_ids",
        "{}",
        reply.body
    );
}

#[tokio::test]
async fn subscriptions_of_a_session_are_limited() {
    let server = Server::with(&["limits.subscriptions=5"]).await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let mut feeds = Vec::new();
    for number in 0..6 {
        let community = alice.makes_community(&format!("Number {number}")).await;
        feeds.push(format!("feed:{community}"));
    }
    let mut open = 0;
    let mut refused = Vec::new();
    for feed in &feeds {
        let reply = alice.command("subscribe", json!({"channel": feed})).await;
        if reply.is_ok {
            open += 1;
        } else {
            refused.push(text(&reply.body["code"]));
        }
    }
    assert!((4..=5).contains(&open), "{open} open (one's own channel may count)");
    assert!(refused.iter().all(|code| code == "limit_exceeded"), "{refused:?}");
    alice.ok("unsubscribe", json!({"channel": feeds[0]})).await;
    alice.subscribe(&feeds[5]).await;
}

#[tokio::test]
async fn a_flood_of_commands_is_rate_limited_and_recovers() {
    let server = Server::with(&["limits.rates=on", "limits.commands_per_second=10"]).await;
    let mut alice = server.client("alice", Encoding::MessagePack).await;
    let sent: Vec<u64> = (0..100).map(|_| alice.send("community.list", &json!({}))).collect();
    let mut refused = 0;
    for id in sent {
        let reply = alice.reply_to(id, "community.list").await;
        if !reply.is_ok {
            assert_eq!(reply.code(), "rate_limited", "{}", reply.body);
            assert!(reply.body["retry_after_ms"].as_u64().expect("when to come back") > 0, "{}", reply.body);
            refused += 1;
        }
    }
    assert!(refused > 0, "a hundred at once are over ten a second");
    within("the limit to pass", async { while !alice.command("community.list", json!({})).await.is_ok {} })
        .await;
    // Another person's commands are another count.
    server.client("bob", Encoding::Json).await.still_there().await;
}

#[tokio::test]
async fn connections_of_one_address_are_limited_where_wished() {
    let server = Server::with(&["limits.connections_per_address=4"]).await;
    let mut kept = Vec::new();
    for number in 0..4 {
        kept.push(server.client(&format!("person{number}"), Encoding::Json).await);
    }
    let first_byte = || async {
        let mut tcp = TcpStream::connect(server.http_address()).await.expect("the server listens");
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.http_address());
        let _ = tcp.write_all(request.as_bytes()).await;
        let mut answer = vec![0; 12];
        within("an answer or the end", tcp.read_exact(&mut answer)).await.map(|_| answer).unwrap_or_default()
    };
    let fifth = first_byte().await;
    assert_ne!(fifth, b"HTTP/1.1 200", "the fifth is refused or cut");
    kept.remove(3).cut();
    within("a place to be free again", async { while first_byte().await != b"HTTP/1.1 200" {} }).await;
    kept[0].still_there().await;
}

/// Opens a socket as a proxy would for `client`; the status line, and the connection to keep.
async fn socket_for(server: &Server, client: &str) -> (String, TcpStream) {
    let mut tcp = TcpStream::connect(server.http_address()).await.expect("the server listens");
    let request = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: {client}\r\n\r\n",
        server.http_address()
    );
    tcp.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 12];
    within("an answer", tcp.read_exact(&mut answer)).await.expect("a status line");
    (String::from_utf8(answer).expect("text"), tcp)
}

/// Whether one of three commands of a guest, sent as by a proxy for `clients`, was one too many.
async fn is_limited(server: &Server, clients: [&str; 3]) -> bool {
    let http = server.http();
    let mut limited = false;
    for client in clients {
        let headers = [("content-type", "application/json"), ("x-forwarded-for", client)];
        let reply = http
            .request(reqwest::Method::POST, "/v1/commands/community.list", &headers, b"{}".to_vec())
            .await;
        limited |= reply.status == 429;
    }
    limited
}

const COUNTED: [&str; 3] =
    ["limits.rates=on", "limits.commands_per_second_user=1", "limits.connections_per_address=2"];

#[tokio::test]
async fn who_comes_through_a_trusted_proxy_is_counted_apart() {
    let trusted = "http.trusted_proxies=127.0.0.0/8";
    let server = &Server::with(&[&COUNTED[..], &[trusted]].concat()).await;
    let (ann, ben) = ("203.0.113.7", "198.51.100.9");
    assert!(is_limited(server, [ann; 3]).await);
    assert!(!is_limited(server, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]).await, "three people");
    assert!(
        is_limited(server, ["1.1.1.1, 192.0.2.9", "2.2.2.2, 192.0.2.9", "3.3.3.3, 192.0.2.9"]).await,
        "what the client wrote before the proxy is left of it"
    );

    let first = socket_for(server, ann).await;
    let second = socket_for(server, ann).await;
    assert_eq!([&first.0, &second.0], ["HTTP/1.1 101"; 2]);
    assert_eq!(socket_for(server, ann).await.0, "HTTP/1.1 503");
    assert_eq!(socket_for(server, ben).await.0, "HTTP/1.1 101");
    drop(first);
    within("a place to be free again", async { while socket_for(server, ann).await.0 != "HTTP/1.1 101" {} })
        .await;

    let stage = Stage::begin(&["live.half_open=1", trusted]).await;
    let bearer = format!("Bearer {}", stage.key);
    let offer = async |client: &str| {
        let headers = [
            ("content-type", "application/sdp"),
            ("authorization", bearer.as_str()),
            ("x-forwarded-for", client),
        ];
        stage.http.request(reqwest::Method::POST, &stage.whip(), &headers, FFMPEG_PUBLISH.into()).await.status
    };
    assert_eq!([offer(ann).await, offer(ben).await], [201; 2]);
    assert_eq!(offer(ben).await, 503, "one of theirs has not connected yet");
}

#[tokio::test]
async fn a_header_from_who_is_no_trusted_proxy_means_nothing() {
    for trusted in ["", "10.0.0.0/8"] {
        let setting = format!("http.trusted_proxies={trusted}");
        let server = Server::with(&[&COUNTED[..2], &[setting.as_str()]].concat()).await;
        assert!(is_limited(&server, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]).await);
    }
}
