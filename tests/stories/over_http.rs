//! HTTP beside the socket: commands for scripts and curl, refusals as problem+json, health, the operator's listener.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Claims, Encoding, Server, in_both_encodings, list, op, post, raw_http, text, within};

in_both_encodings!(commands_over_http_are_the_commands_of_the_socket);

async fn commands_over_http_are_the_commands_of_the_socket(encoding: Encoding) {
    let server = Server::start().await;
    let http = server.http();
    let token = Claims::of("curl").sign();
    let answer = |reply: crate::harness::HttpReply| {
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.content_type.starts_with(encoding.media_type()), "{}", reply.content_type);
        encoding.value(&reply.bytes).expect("the answer's encoding")
    };
    let wish = json!({"op": op(), "name": "Scripts"});
    let made = answer(http.command(encoding, "community.create", Some(&token), &wish).await);
    let community = text(&made["community"]["id"]);
    let mut alice = server.client("alice", encoding).await;
    let feed = format!("feed:{community}");
    alice.subscribe(&feed).await;
    let wish = post(&community, "by curl");
    let made = answer(http.command(encoding, "post.create", Some(&token), &wish).await);
    let seen = alice.event(&feed, "post.created").await;
    assert_eq!(seen["data"]["post"]["id"], made["post"]["id"]);
    let again = answer(http.command(encoding, "post.create", Some(&token), &wish).await);
    assert_eq!(again, made, "the op holds here too");
    // The same person on a socket: the same op, the same answer.
    let mut curl = server.client("curl", encoding).await;
    assert_eq!(curl.ok("post.create", wish.clone()).await, made);

    let page = answer(http.command(encoding, "feed.list", None, &json!({"community_id": community})).await);
    assert_eq!(list(&page["posts"]).len(), 1, "a guest reads");
    let viewed = json!({"post_id": made["post"]["id"]});
    assert_eq!(answer(http.command(encoding, "post.view", None, &viewed).await)["counted"], false);

    let refusals = [
        ("post.create", None, post(&community, "x"), 401, "unauthenticated"),
        ("post.create", Some(&token), json!({"op": op()}), 400, "invalid"),
        ("post.get", Some(&token), json!({"post_id": "nothing"}), 404, "not_found"),
        (
            "post.edit",
            Some(&token),
            json!({"post_id": made["post"]["id"], "version": 7, "content": "x"}),
            409,
            "conflict",
        ),
        ("no.such", Some(&token), json!({}), 404, "unknown_command"),
        ("subscribe", Some(&token), json!({"channel": feed}), 400, "bad_request"),
        ("subscribe", Some(&token), json!({}), 400, "bad_request"),
        ("rtc.nonsense", Some(&token), json!({}), 404, "unknown_command"),
        ("connect", Some(&token), json!({}), 400, "bad_request"),
    ];
    for (command, token, body, status, code) in refusals {
        http.command(encoding, command, token.map(String::as_str), &body).await.problem(status, code);
    }
    let expired = Claims::of("curl").ending_in(-1).sign();
    http.command(encoding, "feed.list", Some(&expired), &json!({})).await.problem(401, "token_expired");
    http.command(encoding, "feed.list", Some("nonsense"), &json!({})).await.problem(401, "unauthenticated");
    let bob = Claims::of("bob").sign();
    http.command(encoding, "post.create", Some(&bob), &post(&community, "x")).await.problem(403, "forbidden");
    assert_eq!(alice.feed(json!({"community_id": community})).await.len(), 1);
}

#[tokio::test]
async fn a_body_is_read_by_its_content_type_and_answered_by_accept() {
    let server = Server::start().await;
    let http = server.http();
    let path = "/v1/commands/community.list";
    let pack = Encoding::MessagePack.bytes(&json!({}));
    let crossed = [("content-type", "application/msgpack"), ("accept", "application/json")];
    let reply = http.request(Method::POST, path, &crossed, pack.clone()).await;
    assert_eq!(reply.ok()["communities"], json!([]));
    assert!(reply.content_type.starts_with("application/json"));
    let crossed = [("content-type", "application/json"), ("accept", "application/msgpack")];
    let reply = http.request(Method::POST, path, &crossed, b"{}".to_vec()).await;
    assert_eq!(reply.content_type, "application/msgpack");
    assert_eq!(Encoding::MessagePack.value(&reply.bytes).expect("MessagePack")["communities"], json!([]));
    let with_charset = [("content-type", "application/json; charset=utf-8")];
    http.request(Method::POST, path, &with_charset, b"{}".to_vec()).await.ok();
    for wrong in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let reply = http.request(Method::POST, path, &[("content-type", wrong)], b"{}".to_vec()).await;
        reply.problem(415, "unsupported_type");
    }
    for (kind, body) in [
        ("application/json", b"{".to_vec()),
        ("application/json", b"[]".to_vec()),
        ("application/json", b"\xff".to_vec()),
        ("application/msgpack", b"\xc1".to_vec()),
        ("application/msgpack", vec![0x91; 10_000]),
        ("application/msgpack", vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
    ] {
        let reply = http.request(Method::POST, path, &[("content-type", kind)], body.clone()).await;
        reply.problem(400, "bad_request");
    }
    // 16 levels are enough for everybody; 10,000 are an attack.
    let mut deep = vec![b'['; 10_000];
    deep.extend(vec![b']'; 10_000]);
    let body = [br#"{"x":"#.to_vec(), deep, b"}".to_vec()].concat();
    http.request(Method::POST, path, &[("content-type", "application/json")], body)
        .await
        .problem(400, "bad_request");
}

/// Checks that this is a 4xx in the form of problem+json.
fn assert_refused(reply: &crate::harness::HttpReply, statuses: &[u16], what: &str) {
    assert!(statuses.contains(&reply.status), "{what}: {} {}", reply.status, reply.text());
    assert!(reply.content_type.starts_with("application/problem+json"), "{what}: {:?}", reply.content_type);
    let body: Value = serde_json::from_slice(&reply.bytes).expect("problem+json is JSON");
    assert_eq!(body["status"], reply.status, "{what}: {body}");
    assert!(
        body["code"].is_string() && body["title"].is_string() && body["message"].is_string(),
        "{what}: {body}"
    );
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_as_problem_json() {
    let server = Server::start().await;
    let http = server.http();
    http.get("/nothing/here").await.problem(404, "not_found");
    http.get("/v1/commandss/post.get").await.problem(404, "not_found");
    assert_refused(&http.get("/v1/commands/post.get").await, &[405], "GET of a command");
    assert_refused(&http.get("/v1/auth/register").await, &[405], "GET of register");
    let reply = http.request(Method::DELETE, "/healthz", &[], Vec::new()).await;
    assert_refused(&reply, &[405], "DELETE of health");
    assert!(reply.header("allow").is_some_and(|allow| allow.contains("GET")), "405 tells what is allowed");
    assert_refused(&http.get("/v1/ws").await, &[400, 426], "GET of the socket without an upgrade");
    let reply = http.request(Method::POST, "/v1/ws", &[], Vec::new()).await;
    assert_refused(&reply, &[405], "POST to the socket");
    // Nothing of the operator's is on the public listener.
    http.post("/v1/admin/publish", &json!({})).await.problem(404, "not_found");

    let address = server.http_address();
    let reply = raw_http(address, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_refused(&reply, &[400], "no Host");
    let reply =
        raw_http(address, b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n").await;
    assert_refused(&reply, &[400], "two Hosts");
    let reply = raw_http(address, b"GET /healthz HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n").await;
    assert_refused(&reply, &[400, 421], "no name for a Host");
    let long =
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nX-Long: {}\r\n\r\n", "x".repeat(128 * 1024));
    let reply = raw_http(address, long.as_bytes()).await;
    assert!([400, 413, 431].contains(&reply.status), "a head of 128 KiB: {}", reply.status);
    let reply = raw_http(address, b"POST \x01\x02 nonsense\r\n\r\n").await;
    assert_eq!(reply.status, 400);
    http.get("/healthz").await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let server = Server::start().await;
    let address = server.http_address();
    for path in ["/v1/commands/post.create", "/v1/auth/register"] {
        // Only the head is sent: the declared length alone is the reason.
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {}\r\nContent-Length: 104857600\r\n\r\n",
            Claims::of("alice").sign()
        );
        raw_http(address, head.as_bytes()).await.problem(413, "too_large");
    }
    // Without a declared length it is counted.
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, " ".repeat(60_000));
    let body = format!(
        "POST /v1/commands/community.list HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(3)
    );
    raw_http(address, body.as_bytes()).await.problem(413, "too_large");
}

#[tokio::test]
async fn subprotocols_are_chosen_by_the_order_offered() {
    let server = Server::start().await;
    let address = server.http_address();
    let offer = |protocols: Option<&str>| {
        let offered =
            protocols.map(|names| format!("Sec-WebSocket-Protocol: {names}\r\n")).unwrap_or_default();
        format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offered}\r\n"
        )
    };
    for (offered, chosen) in [
        ("cc.v1.msgpack, cc.v1.json", Some("cc.v1.msgpack")),
        ("cc.v1.json, cc.v1.msgpack", Some("cc.v1.json")),
        ("graphql-ws, cc.v1.msgpack", Some("cc.v1.msgpack")),
        ("cc.v9.json,cc.v1.json", Some("cc.v1.json")),
    ] {
        let reply = raw_http(address, offer(Some(offered)).as_bytes()).await;
        assert_eq!(reply.status, 101, "{offered}: {}", reply.text());
        assert_eq!(reply.header("sec-websocket-protocol"), chosen, "{offered}");
    }
    let reply = raw_http(address, offer(None).as_bytes()).await;
    assert_eq!((reply.status, reply.header("sec-websocket-protocol")), (101, None));
    let reply = raw_http(address, offer(Some("graphql-ws, mqtt")).as_bytes()).await;
    let error = reply.problem(400, "bad_request");
    for known in ["cc.v1.msgpack", "cc.v1.json"] {
        assert!(text(&error["message"]).contains(known), "{error}");
    }
    let old = offer(None).replace("Version: 13", "Version: 8");
    let reply = raw_http(address, old.as_bytes()).await;
    assert_refused(&reply, &[400, 426], "an older WebSocket");
}

#[tokio::test]
async fn a_socket_without_a_subprotocol_speaks_json() {
    let server = Server::start().await;
    let address = server.http_address();
    let (mut socket, _) = tokio_tungstenite::client_async(
        format!("ws://{address}/v1/ws"),
        TcpStream::connect(address).await.expect("the server listens"),
    )
    .await
    .expect("the upgrade succeeds");
    use futures_util::{SinkExt, StreamExt};
    socket.send(r#"[1,"connect",{}]"#.into()).await.expect("sent");
    let answer = within("an answer", socket.next()).await.expect("open").expect("a message");
    assert!(answer.to_text().expect("text").starts_with(r#"[1,"ok",{"#), "{answer}");
}

#[tokio::test]
async fn a_slow_head_does_not_hold_a_connection_for_ever() {
    let server = Server::with(&["http.header_timeout_ms=300", "http.first_byte_timeout_ms=300"]).await;
    for start in ["", "GET /healthz HTTP/1.1\r\nHost: "] {
        let mut tcp = TcpStream::connect(server.http_address()).await.expect("the server listens");
        tcp.write_all(start.as_bytes()).await.expect("sent");
        let mut rest = Vec::new();
        let ended = within("the server to give up", tcp.read_to_end(&mut rest)).await;
        assert!(ended.is_ok() || rest.is_empty());
    }
    server.http().get("/healthz").await;
}

#[tokio::test]
async fn health_readiness_and_metrics_answer() {
    let server = Server::start().await;
    let http = server.http();
    assert_eq!(http.get("/healthz").await.status, 200);
    assert_eq!(http.get("/readyz").await.status, 200, "the ready line was printed");
    let mut alice = server.client("alice", Encoding::Json).await;
    alice.still_there().await;
    let metrics = http.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.content_type.starts_with("text/plain"), "{}", metrics.content_type);
    let text = metrics.text();
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(!samples.is_empty());
    for line in samples {
        assert!(line.starts_with("communiconnect_"), "named for the product: {line}");
    }
    for secret in [crate::harness::SECRET, "alice"] {
        assert!(!text.contains(secret), "metrics name no person and no secret");
    }
}

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy() {
    let server = Server::start().await;
    let page = server.http().get("/").await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.content_type.starts_with("text/html"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
    assert!(policy.contains("default-src"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let html = page.text();
    for inline in ["<script>", "onclick=", "javascript:", "<style"] {
        assert!(!html.contains(inline), "{inline} in the page");
    }
    for (attribute, end) in [("src=\"", '"'), ("href=\"", '"')] {
        for part in html.split(attribute).skip(1) {
            let link = part.split(end).next().expect("ended");
            if link.starts_with('#') || link.starts_with("data:") {
                continue;
            }
            assert!(!link.contains("//"), "nothing from elsewhere: {link}");
            let path = format!("/{}", link.trim_start_matches("./").trim_start_matches('/'));
            assert_eq!(server.http().get(&path).await.status, 200, "{link}");
        }
    }
}

#[tokio::test]
async fn any_origin_may_call_since_there_are_no_cookies() {
    let server = Server::start().await;
    let http = server.http();
    let preflight = [
        ("origin", "https://elsewhere.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let reply = http.request(Method::OPTIONS, "/v1/commands/post.create", &preflight, Vec::new()).await;
    assert!((200..300).contains(&reply.status), "{}", reply.text());
    assert!(reply.header("access-control-allow-origin").is_some());
    assert!(reply.header("access-control-allow-credentials").is_none());
    assert!(reply.header("set-cookie").is_none());
}

#[tokio::test]
async fn the_operator_publishes_on_test_channels() {
    let server = Server::with(&["admin.test_channels=on"]).await;
    let mut guest = server.guest(Encoding::Json).await;
    let mut alice = server.client("alice", Encoding::MessagePack).await;
    for reader in [&mut guest, &mut alice] {
        reader.subscribe("test:speed").await;
    }
    let admin = server.admin();
    let publish = |class: &str, event: &str, more: Value| {
        let body = json!({"channel": "test:speed", "event": event, "data": {"n": 1}, "class": class});
        crate::harness::with(body, more)
    };
    admin.post("/v1/admin/publish", &publish("A", "a", json!({}))).await.ok();
    admin.post("/v1/admin/publish", &publish("B", "b", json!({"key": "k", "version": 3}))).await.ok();
    admin.post("/v1/admin/publish", &publish("C", "c", json!({}))).await.ok();
    for reader in [&mut guest, &mut alice] {
        let a = reader.event("test:speed", "a").await;
        assert_eq!(a["data"], json!({"n": 1}));
        let b = reader.push_where("state", |body| body["event"] == "b").await;
        assert_eq!((&b["key"], &b["version"], &b["data"]), (&json!("k"), &json!(3), &json!({"n": 1})));
        let c = reader.push_where("signal", |body| body["event"] == "c").await;
        assert_eq!(c["data"], json!({"n": 1}));
    }
    // A is logged, the others are not.
    let log = guest.all_history("test:speed", 0).await;
    assert_eq!((log.len(), &log[0]["event"]), (1, &json!("a")));
    for (field, wrong) in [
        ("class", publish("D", "x", json!({}))),
        ("channel", publish("A", "x", json!({"channel": 7}))),
        ("event", publish("A", "", json!({}))),
    ] {
        let error = admin.post("/v1/admin/publish", &wrong).await.problem(400, "invalid");
        assert_eq!(error["field"], field, "{error}");
    }
}

#[tokio::test]
async fn operators_come_by_an_address_or_a_name_of_ours_and_pages_do_not() {
    let settings = ["http.hosts=hub.example", "admin.hosts=hub.internal", "admin.test_channels=on"];
    let server = Server::with(&settings).await;
    server.http().get("/").await.problem(421, "bad_request");
    let admin = server.admin();
    assert!(admin.get("/v1/admin/sessions").await.ok()["sessions"].is_number());
    let body = json!({"channel": "test:a", "event": "e", "class": "A"}).to_string().into_bytes();
    let send = async |headers: &[(&str, &str)]| {
        admin.request(Method::POST, "/v1/admin/publish", headers, body.clone()).await
    };
    let json = ("content-type", "application/json");
    for ours in ["hub.internal:8081", "localhost:8081", "[::1]:8081"] {
        send(&[json, ("host", ours)]).await.ok();
    }
    // A page whose own name was made to mean this address: a browser sends its GETs without `Origin`.
    for path in ["/v1/admin/sessions", "/metrics"] {
        let request = admin.request(Method::GET, path, &[("host", "evil.example:8081")], Vec::new());
        request.await.problem(421, "bad_request");
    }
    send(&[json, ("host", "hub.example")]).await.problem(421, "bad_request");
    for wrong in ["text/plain", "application/msgpack", "application/x-www-form-urlencoded"] {
        send(&[("content-type", wrong)]).await.problem(415, "unsupported_type");
    }
    // A page that has its visitor's browser call this, under whatever name.
    for origin in ["https://evil.example", "http://127.0.0.1:8081", "null"] {
        send(&[json, ("origin", origin)]).await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn test_channels_are_closed_unless_turned_on() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let reply = alice.command("subscribe", json!({"channel": "test:speed"})).await;
    assert!(!reply.is_ok, "{}", reply.body);
}
