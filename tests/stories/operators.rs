//! What operators see and do: who is here and where, what goes on, sending people away, and lines of the log that say whose
//! they are.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Claims, Encoding, Incoming, Server, Socket, list, live::FFMPEG_PUBLISH, op, text, two_nodes, within,
};

async fn sessions(server: &Server, query: &str) -> Value {
    server.admin().get(&format!("/v1/admin/sessions{query}")).await.ok()
}

#[tokio::test]
async fn an_operator_sees_who_is_here_and_where() {
    let (_redis, left, right) = two_nodes(&[]).await;
    let mut ada = left.client("ada", Encoding::Json).await;
    let _again = right.client("ada", Encoding::MessagePack).await;
    let mut guest = left.guest(Encoding::Json).await;
    let community = ada.makes_community("Seen").await;
    guest.subscribe(&format!("feed:{community}")).await;

    let seen = sessions(&left, "").await;
    assert_eq!((&seen["sessions"], &seen["people"], &seen["whole"]), (&json!(2), &json!(1), &json!(true)));
    let nodes = list(&seen["nodes"]);
    assert_eq!(nodes[0]["node"], seen["node"], "this node first");
    let there = nodes.iter().find(|node| node["node"] != seen["node"]).expect("the other node");
    assert_eq!((&there["sessions"], &there["people"]), (&json!(1), &json!(1)), "{there}");
    let listed = list(&seen["listed"]);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["session_id"], ada.connected()["session_id"], "the oldest first");
    assert_eq!((&listed[0]["username"], &listed[0]["format"]), (&json!("ada"), &json!("json")));
    assert_eq!((&listed[1]["user_id"], &listed[1]["subscriptions"]), (&Value::Null, &json!(1)));
    assert_eq!(listed[1]["address"], "127.0.0.1");

    let first = sessions(&left, "?limit=1").await;
    assert_eq!(list(&first["listed"]).len(), 1);
    let second = sessions(&left, &format!("?limit=1&cursor={}", text(&first["cursor"]))).await;
    assert_eq!((&second["listed"][0], &second["cursor"]), (&listed[1], &Value::Null));

    let of_ada = sessions(&left, &format!("?user_id={}", ada.user_id())).await;
    let mut formats: Vec<String> =
        list(&of_ada["listed"]).iter().map(|session| text(&session["format"])).collect();
    formats.sort();
    assert_eq!(formats, ["json", "msgpack"], "on both nodes: {of_ada}");
    let nobody = sessions(&left, "?user_id=nobody").await;
    assert_eq!(nobody["listed"], json!([]));
    left.admin().get("/v1/admin/sessions?limit=many").await.problem(400, "invalid");
}

#[tokio::test]
async fn an_operator_sees_which_channels_are_busy() {
    let server = Server::with(&["admin.test_channels=on"]).await;
    let admin = server.admin();
    let mut readers = [server.guest(Encoding::Json).await, server.guest(Encoding::MessagePack).await];
    for reader in &mut readers {
        reader.subscribe("test:loud").await;
    }
    readers[0].subscribe("test:quiet").await;
    for number in 0..50 {
        let body = json!({"channel": "test:quiet", "event": "e", "data": {"n": number}, "class": "A"});
        admin.post("/v1/admin/publish", &body).await.ok();
    }
    let channels = async |query: &str| admin.get(&format!("/v1/admin/channels{query}")).await.ok();
    let names = |answer: &Value| -> Vec<String> {
        list(&answer["listed"]).iter().map(|view| text(&view["channel"])).collect()
    };
    let by_subscribers = channels("").await;
    assert_eq!(by_subscribers["channels"], 2);
    assert_eq!(names(&by_subscribers), ["test:loud", "test:quiet"]);
    assert_eq!(by_subscribers["listed"][0]["subscribers"], 2);
    let by_deliveries = channels("?sort=deliveries&limit=1").await;
    assert_eq!(names(&by_deliveries), ["test:quiet"], "{by_deliveries}");
    let rates = &by_deliveries["listed"][0]["per_second"];
    let rate = rates["publications"].as_f64().expect("a number");
    assert!(rate > 0.0 && rate <= 50.0, "{rates}");
    assert_eq!((&rates["states"], &rates["signals"]), (&json!(0.0), &json!(0.0)));
    assert_eq!(names(&channels("?prefix=test:l").await), ["test:loud"]);
    assert_eq!(channels("?prefix=feed:").await["listed"], json!([]));
    let refused = admin.get("/v1/admin/channels?sort=size").await.problem(400, "invalid");
    assert_eq!(refused["field"], "sort");
}

#[tokio::test]
async fn an_operator_sends_a_person_away_on_every_node() {
    let (mut redis, left, right) = two_nodes(&[]).await;
    let mut here = Socket::open(left.http_address(), Encoding::Json).await;
    here.send(1, "connect", &json!({"token": Claims::of("ada").sign()})).await.expect("sent");
    let Incoming::Envelope(1, _, connected) = within("the reply", here.next()).await else {
        panic!("connected")
    };
    let mut there = right.client("ada", Encoding::MessagePack).await;
    let mut bob = right.client("bob", Encoding::Json).await;
    let ada = text(&connected["user"]["id"]);
    let admin = left.admin();

    let wish = json!({"user_id": ada, "reason": "please call us"});
    let answer = admin.post("/v1/admin/disconnect", &wish).await.ok();
    assert_eq!((&answer["closed"], list(&answer["nodes"]).len()), (&json!(2), 2), "{answer}");
    match within("the close", here.next()).await {
        Incoming::Close(code, reason) => assert_eq!((code, reason.as_str()), (4507, "please call us")),
        other => panic!("{other:?}"),
    }
    assert_eq!(there.close_code().await, 4507);
    bob.still_there().await;

    let wish = json!({"session_id": bob.connected()["session_id"], "code": 4000});
    let answer = admin.post("/v1/admin/disconnect", &wish).await.ok();
    assert_eq!(answer["closed"], 1, "a session of the other node: {answer}");
    assert_eq!(bob.close_code().await, 4000);
    let answer = admin.post("/v1/admin/disconnect", &wish).await.ok();
    assert_eq!(answer["closed"], 0, "again there is nobody");

    for (field, wrong) in [
        ("user_id", json!({})),
        ("session_id", json!({"user_id": ada, "session_id": ada})),
        ("code", json!({"user_id": ada, "code": 1234})),
        ("reason", json!({"user_id": ada, "reason": "x".repeat(124)})),
    ] {
        let refused = admin.post("/v1/admin/disconnect", &wrong).await.problem(400, "invalid");
        assert_eq!(refused["field"], field, "{wrong}");
    }
    server_knows_no_operators(&left).await;

    // Where the other nodes cannot be asked, nobody is told that they have done it.
    redis.kill();
    within("the node to notice", async {
        loop {
            let answer = admin.post("/v1/admin/disconnect", &json!({"user_id": ada})).await;
            if answer.status == 503 {
                return answer.problem(503, "unavailable");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(sessions(&left, "").await["whole"], false);
}

/// The public listener has none of this.
async fn server_knows_no_operators(server: &Server) {
    for path in ["/v1/admin/disconnect", "/v1/admin/drain"] {
        server.http().post(path, &json!({})).await.problem(404, "not_found");
    }
    server.http().get("/v1/admin/channels").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_drained_node_sends_everybody_away_stays_and_can_come_back() {
    let mut server = Server::with(&["node.drain_ms=600"]).await;
    let admin = server.admin();
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(server.client(&format!("person{number}"), Encoding::BOTH[number % 2]).await);
    }
    let community = people[0].makes_community("Moving").await;
    let wish = json!({"op": op(), "community_id": community, "title": "On air", "visibility": "public"});
    people[0].ok("live.start", wish).await;
    let key = text(&people[0].ok("live.key.rotate", json!({})).await["stream_key"]);
    let before = sessions(&server, "").await;
    assert_eq!((&before["lives"], &before["draining"]), (&json!(1), &json!(false)), "{before}");
    let drained = admin.post("/v1/admin/drain", &json!({})).await.ok();
    assert_eq!((&drained["changed"], &drained["draining"]), (&json!(true), &json!(true)), "{drained}");
    let mut slots = Vec::new();
    for person in &mut people {
        slots.push(person.push("reconnect").await["after_ms"].as_u64().expect("a number"));
        assert_eq!(person.close_code().await, 4000);
    }
    slots.sort_unstable();
    assert_eq!(slots, [0, 150, 300, 450], "each has a slot of their own");

    let http = server.http();
    let refused = http.get("/readyz").await.problem(503, "unavailable");
    assert!(text(&refused["message"]).contains("drained"), "{refused}");
    assert_eq!(http.get("/healthz").await.status, 200);
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    http.request(Method::GET, "/v1/ws", &upgrade, Vec::new()).await.problem(503, "unavailable");
    let token = Claims::of("person1").sign();
    let another = json!({"op": op(), "community_id": community, "title": "Another", "visibility": "public"});
    let refused = http.command(Encoding::Json, "live.start", Some(&token), &another).await;
    assert!(refused.problem(503, "unavailable")["retry_after_ms"].is_u64(), "nothing begins here");
    http.offer("/v1/whip", Some(&key), FFMPEG_PUBLISH).await.problem(503, "unavailable");
    let now = sessions(&server, "").await;
    assert_eq!((&now["lives"], &now["sessions"]), (&json!(0), &json!(0)), "the operator may stop it: {now}");
    let again = admin.post("/v1/admin/drain", &json!({"on": true})).await.ok();
    assert_eq!(again["changed"], false);
    assert_eq!(sessions(&server, "").await["draining"], true);
    for wrong in [json!({"on": "yes"}), json!({"over_ms": -1}), json!({"over_ms": 600_001})] {
        admin.post("/v1/admin/drain", &wrong).await.problem(400, "invalid");
    }

    let back = admin.post("/v1/admin/drain", &json!({"on": false})).await.ok();
    assert_eq!((&back["changed"], &back["draining"]), (&json!(true), &json!(false)), "{back}");
    assert_eq!(http.get("/readyz").await.status, 200);
    let mut person = server.client("person", Encoding::Json).await;
    person.still_there().await;
    admin.post("/v1/admin/drain", &json!({"over_ms": 0})).await.ok();
    assert_eq!(person.close_code().await, 4000);
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn lines_of_the_log_say_whose_they_are() {
    let mut server = Server::with(&["log.format=json", "log.level=info,communiconnect=debug"]).await;
    let mut ada = server.client("ada", Encoding::Json).await;
    ada.refused("post.get", json!({"post_id": "nothing"}), "not_found").await;
    let session = text(&ada.connected()["session_id"]);
    let named = [("x-request-id", "from-the-proxy-7"), ("content-type", "application/json")];
    let path = "/v1/commands/post.get";
    let body = br#"{"post_id":"nothing"}"#.to_vec();
    let answer = server.http().request(Method::POST, path, &named, body.clone()).await;
    assert_eq!(answer.header("x-request-id"), Some("from-the-proxy-7"));
    let answer = server.http().request(Method::POST, path, &[], body).await;
    let fresh = answer.header("x-request-id").expect("every answer has one").to_owned();
    drop(ada);
    server.terminate();
    server.ended().await;

    let log = server.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let refusals: Vec<&Value> = lines.iter().filter(|line| line["code"] == "not_found").collect();
    let has = |key: &str, value: &str| {
        refusals.iter().any(|line| list(&line["spans"]).iter().any(|span| span[key] == value))
    };
    assert!(has("session", &session), "{refusals:#?}");
    assert!(has("request", "from-the-proxy-7") && has("request", &fresh), "{refusals:#?}");
    assert!(lines.iter().any(|line| line["message"] == "answered" && line["status"] == 404), "{log}");
}
