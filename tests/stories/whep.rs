//! WHEP (draft-murillo-whep): players watch by HTTP. One story per rule; what it shares with WHIP is told in `whip`.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::whip::assert_answer;
use crate::harness::live::{
    Broadcast, CHROMIUM_WATCH, Events, FFMPEG_PUBLISH, PLAYERS, Player, Session, Stage, TRICKLE,
};
use crate::harness::{
    Claims, Encoding, Fault, FaultProxy, Http, HttpReply,
    postgres::{Syncs, database, server_of},
    within,
};

const LAYER: &str = "urn:ietf:params:whep:ext:core:layer";
const EVENTS: &str = "urn:ietf:params:whep:ext:core:server-sent-events";

/// The viewers of a live as everybody sees them.
async fn viewers(stage: &Stage) -> u64 {
    stage.seen().await["viewers"]["current"].as_u64().expect("a number")
}

async fn viewers_become(stage: &Stage, count: u64) {
    within("the number of viewers", async {
        while viewers(stage).await != count {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

async fn delete(http: &Http, path: &str, token: Option<&str>) -> u16 {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.as_deref().map(|bearer| ("authorization", bearer)).into_iter().collect();
    http.request(Method::DELETE, path, &headers, Vec::new()).await.status
}

#[tokio::test]
async fn every_player_gets_an_answer_that_sends() {
    let stage = Stage::begin(&[]).await;
    let _broadcast = stage.goes_live().await;
    for (client, offer) in PLAYERS {
        let reply = stage.watch(offer).await;
        assert_eq!(reply.status, 201, "{client}: {}", reply.text());
        assert_eq!(reply.content_type, "application/sdp");
        let answer = Session::of(&reply).answer;
        assert_answer(client, offer, &answer, "sendonly");
        let streams: HashSet<_> =
            answer.lines().filter_map(|line| line.strip_prefix("a=msid:")?.split(' ').next()).collect();
        assert_eq!(streams.len(), 1, "{client}: one MediaStream");
        let links = reply.all("link").join(", ");
        assert!(links.contains(LAYER) && links.contains(EVENTS), "{client}: {links}");
    }
}

#[tokio::test]
async fn what_only_sends_or_does_nothing_cannot_watch() {
    let stage = Stage::begin(&[]).await;
    let _broadcast = stage.goes_live().await;
    for (direction, status) in [("recvonly", 201), ("sendrecv", 201), ("sendonly", 422), ("inactive", 422)] {
        let offer = CHROMIUM_WATCH.replace("a=recvonly", &format!("a={direction}"));
        let reply = stage.watch(&offer).await;
        assert_eq!(reply.status, status, "{direction}: {}", reply.text());
        if status == 201 {
            assert_answer(direction, &offer, &reply.text(), "sendonly");
        }
    }
    let deaf = CHROMIUM_WATCH.replace(" VP8/", " VP7/").replace(" vp8/", " VP7/");
    stage.watch(&deaf).await.problem(422, "invalid");
}

#[tokio::test]
async fn an_endpoint_can_be_known_without_watching() {
    let stage = Stage::begin(&[]).await;
    for method in [Method::HEAD, Method::GET] {
        let reply = stage.http.request(method.clone(), &stage.whep(), &[], Vec::new()).await;
        assert_eq!((reply.status, reply.bytes.len()), (200, 0), "{method}");
        assert_eq!(reply.content_type, "application/sdp");
    }
}

#[tokio::test]
async fn before_the_first_picture_players_are_told_when_to_ask_again() {
    let stage = Stage::begin(&[]).await;
    let waits = async || {
        let reply = stage.watch(CHROMIUM_WATCH).await;
        reply.problem(409, "conflict");
        let seconds: u64 = reply.header("retry-after").expect("when").parse().expect("seconds");
        assert!((1..=10).contains(&seconds), "{seconds}");
    };
    waits().await;
    // Nor while an encoder has been answered and sends nothing.
    stage.session().await;
    waits().await;
    stage.watch("nonsense").await.problem(400, "bad_request");
    let _broadcast = stage.goes_live().await;
    assert_eq!(stage.watch(CHROMIUM_WATCH).await.status, 201);
}

#[tokio::test]
async fn after_the_end_nobody_is_asked_back() {
    let mut stage = Stage::begin(&[]).await;
    let _broadcast = stage.goes_live().await;
    let player = Player::start(&stage, None).await;
    stage.owner.ok("live.stop", json!({"live_id": stage.live})).await;
    player.hears_goodbye().await;
    let reply = stage.watch(CHROMIUM_WATCH).await;
    reply.problem(409, "conflict");
    assert_eq!(reply.header("retry-after"), None);
}

#[tokio::test]
async fn a_live_that_pauses_can_still_be_watched() {
    let stage = Stage::begin(&[]).await;
    stage.goes_live().await.vanish();
    stage.becomes("interrupted").await;
    let mut player = Player::start(&stage, None).await;
    let _again = stage.goes_live().await;
    player.sees(20).await;
}

#[tokio::test]
async fn a_broadcaster_whose_camera_comes_late_is_heard_first_and_seen_then() {
    let stage = Stage::begin(&["live.sound_alone_ms=500"]).await;
    let broadcast = Broadcast::with_sound_alone(&stage).await;
    stage.becomes("live").await;
    let mut player = Player::start(&stage, None).await;
    player.sees(20).await;
    broadcast.turn_camera_on();
    player.sees_pictures(20).await;
    assert_eq!(stage.seen().await["state"], "live");
}

#[tokio::test]
async fn who_may_not_see_a_live_cannot_watch_it() {
    let mut stage = Stage::begin(&[]).await;
    let mut fan = stage.server.client("fan", Encoding::Json).await;
    let mut foe = stage.server.client("foe", Encoding::Json).await;
    let owner_id = stage.owner.user_id();
    fan.follows(&owner_id, true).await;
    foe.blocks(&owner_id, true).await;
    let ask = async |stage: &Stage, path: &str, name: Option<&str>| {
        let token = name.map(|name| Claims::of(name).sign());
        stage.http.offer(path, token.as_deref(), CHROMIUM_WATCH).await
    };
    let public = stage.whep();
    ask(&stage, &public, Some("foe")).await.problem(404, "not_found");
    ask(&stage, "/v1/live/nonsense/whep", None).await.problem(404, "not_found");
    ask(&stage, "/v1/live/0199c82c-c000-7000-8000-000000000011/whep", None).await.problem(404, "not_found");

    let key = stage.http.offer(&public, Some(&stage.key), CHROMIUM_WATCH).await;
    key.problem(401, "unauthenticated");
    stage.http.offer(&public, Some("nonsense"), CHROMIUM_WATCH).await.problem(401, "unauthenticated");

    stage.owner.ok("live.stop", json!({"live_id": stage.live})).await;
    for (visibility, guest, stranger, follower) in [("followers", 401, 404, 409), ("private", 404, 404, 404)]
    {
        let (live, _) = stage.owner.starts_live(&stage.community, visibility).await;
        let path = format!("/v1/live/{live}/whep");
        assert_eq!(ask(&stage, &path, None).await.status, guest, "{visibility}");
        assert_eq!(ask(&stage, &path, Some("stranger")).await.status, stranger, "{visibility}");
        assert_eq!(ask(&stage, &path, Some("fan")).await.status, follower, "{visibility}");
        assert_eq!(ask(&stage, &path, Some("owner")).await.status, 409, "{visibility}: nothing to see yet");
        stage.owner.ok("live.stop", json!({"live_id": live})).await;
    }
}

#[tokio::test]
async fn who_was_banned_cannot_watch() {
    let mut stage = Stage::begin(&[]).await;
    let pest = stage.server.client("pest", Encoding::Json).await;
    let pest_id = pest.user_id();
    stage.owner.ok("live.ban", json!({"live_id": stage.live, "user_id": pest_id, "on": true})).await;
    let token = Claims::of("pest").sign();
    stage.http.offer(&stage.whep(), Some(&token), "nonsense").await.problem(403, "forbidden");
}

#[tokio::test]
async fn without_guests_a_token_is_needed() {
    let stage = Stage::begin(&["auth.guests=off"]).await;
    let reply = stage.watch(CHROMIUM_WATCH).await;
    reply.problem(401, "unauthenticated");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    let token = Claims::of("somebody").sign();
    assert_eq!(stage.http.offer(&stage.whep(), Some(&token), CHROMIUM_WATCH).await.status, 409);
}

#[tokio::test]
async fn a_player_is_counted_until_it_is_deleted_and_hears_goodbye() {
    let stage = Stage::begin(&[]).await;
    let _broadcast = stage.goes_live().await;
    let mut player = Player::start(&stage, None).await;
    player.sees(20).await;
    viewers_become(&stage, 1).await;
    // A guest's session is its address: no token is asked for.
    let headers = [("if-match", player.session.etag.as_str())];
    assert_eq!(stage.http.fragment(&player.session.path, &headers, TRICKLE).await.status, 204);
    let path = player.session.path.clone();
    assert_eq!(delete(&stage.http, &path, None).await, 200);
    assert!(player.hears_goodbye().await < Duration::from_secs(1));
    viewers_become(&stage, 0).await;
    assert_eq!(delete(&stage.http, &path, None).await, 404);
}

#[tokio::test]
async fn a_session_with_a_token_is_its_persons() {
    let stage = Stage::begin(&[]).await;
    let _broadcast = stage.goes_live().await;
    let (viewer, other) = (Claims::of("viewer").sign(), Claims::of("other").sign());
    let reply = stage.http.offer(&stage.whep(), Some(&viewer), CHROMIUM_WATCH).await;
    let path = Session::of(&reply).path;
    assert_eq!(delete(&stage.http, &path, None).await, 401);
    assert_eq!(delete(&stage.http, &path, Some(&other)).await, 403);
    assert_eq!(delete(&stage.http, &path, Some(&stage.key)).await, 403);
    let bearer = format!("Bearer {other}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for extension in ["layer", "events"] {
        let path = format!("{path}/{extension}");
        stage.http.request(Method::POST, &path, &headers, Vec::new()).await.problem(403, "forbidden");
    }
    assert_eq!(delete(&stage.http, &path, Some(&Claims::of("viewer").ending_in(60).sign())).await, 200);
}

#[tokio::test]
async fn a_restart_of_ice_interrupts_no_picture() {
    let stage = Stage::begin(&[]).await;
    let _broadcast = stage.goes_live().await;
    let mut player = Player::start(&stage, None).await;
    player.sees(30).await;
    let restart = "a=ice-ufrag:freshname\r\na=ice-pwd:afreshpassword0123456789\r\n";
    let reply = stage.http.fragment(&player.session.path, &[("if-match", "*")], restart).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_ne!(reply.header("etag"), Some(player.session.etag.as_str()));
    player.sees_pictures(30).await;
    // Until it comes with the new ones; then they alone count, and the picture follows to where it is now.
    assert!(!player.restarts(restart, &reply.text()).await, "the former credentials are void");
    player.sees_pictures(60).await;
    viewers_become(&stage, 1).await;
}

#[tokio::test]
async fn the_owner_sees_how_viewers_joined_and_how_each_is_served() {
    let mut stage = Stage::begin(&[]).await;
    let figures = format!("analytics:live:{}", stage.live);
    stage.owner.subscribe(&figures).await;
    let _broadcast = stage.goes_live().await;
    let viewer = stage.server.client("viewer", Encoding::Json).await.user_id();
    let mut player = Player::start(&stage, Some(&Claims::of("viewer").sign())).await;
    player.sees_pictures(40).await;

    let is_served = |data: &Value| data["peers"][0]["bitrate"].as_u64() > Some(0);
    let told = stage.owner.state(&figures, "live.figures", is_served).await["data"].clone();
    let phases =
        ["answer", "connect", "media", "picture", "total"].map(|phase| &told["join_ms"][phase]["p95"]);
    let [answer, connect, media, picture, total] = phases.map(|ms| ms.as_u64().expect("milliseconds"));
    assert!(answer.max(connect).max(media) <= total, "{told}");
    assert!(total + picture < 20_000, "{told}");
    let peer = &told["peers"][0];
    assert_eq!((&peer["user_id"], &peer["layer"], &peer["freezes"]), (&json!(viewer), &json!(""), &json!(0)));

    let stopped = stage.owner.ok("live.stop", json!({"live_id": stage.live})).await;
    let report = &stopped["report"];
    assert_eq!(report["join_phases"]["total"], report["join_ms"]);
    assert_eq!(report["join_phases"]["picture"], told["join_ms"]["picture"]);
}

#[tokio::test]
async fn a_full_live_says_when_to_ask_again() {
    let stage = Stage::begin(&["live.viewers=1"]).await;
    let _broadcast = stage.goes_live().await;
    let _first = Player::start(&stage, None).await;
    asked_back(&stage.watch(CHROMIUM_WATCH).await);
}

#[tokio::test]
async fn a_full_node_says_when_to_ask_again() {
    let stage = Stage::begin(&["live.peers=2", "live.selftest=off"]).await;
    let _broadcast = stage.goes_live().await;
    let _first = Player::start(&stage, None).await;
    asked_back(&stage.watch(CHROMIUM_WATCH).await);
}

#[tokio::test]
async fn while_the_database_is_away_players_are_told_when_to_ask_again() {
    let store = tokio::task::spawn_blocking(|| database(Syncs::Nothing)).await.expect("a database");
    let before = FaultProxy::before(server_of(&store)).await;
    let store = store.replace(&server_of(&store).to_string(), &before.address().to_string());
    let stage = Stage::begin(&[&format!("store.url={store}"), "limits.command_ms=1000"]).await;
    let _broadcast = stage.goes_live().await;
    for fault in [Fault::Cut, Fault::Frozen] {
        before.set(fault);
        asked_back(&stage.watch(CHROMIUM_WATCH).await);
        asked_back(&stage.publish(FFMPEG_PUBLISH).await);
        before.set(Fault::None);
        within("a player to be taken again", async {
            while stage.watch(CHROMIUM_WATCH).await.status != 201 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
}

/// A refusal for now: with a time, as clients of WHEP and WHIP need it.
fn asked_back(reply: &HttpReply) {
    reply.problem(503, "unavailable");
    let seconds: u64 = reply.header("retry-after").expect("when").parse().expect("seconds");
    assert!((1..=10).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_player_that_falls_silent_is_let_go() {
    let stage = Stage::begin(&[]).await;
    let _broadcast = stage.goes_live().await;
    let mut player = Player::start(&stage, None).await;
    player.sees(20).await;
    viewers_become(&stage, 1).await;
    let path = player.session.path.clone();
    // Its socket stays open and silent: no consent (RFC 7675). It is counted for 15 s, and gone within 30.
    let silent = tokio::time::Instant::now();
    while stage.http.get(&path).await.status == 200 {
        assert!(silent.elapsed() < Duration::from_secs(45), "it is still there");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(viewers(&stage).await, 0);
    drop(player);
}

fn target(links: &[String], urn: &str) -> String {
    let link = links.iter().find(|link| link.contains(&format!("rel=\"{urn}\""))).expect("the extension");
    link[1..link.find('>').expect("an address")].to_owned()
}

#[tokio::test]
async fn a_player_hears_of_the_live_by_events() {
    let mut stage = Stage::begin(&[]).await;
    let broadcast = stage.goes_live().await;
    let mut player = Player::start(&stage, None).await;
    player.sees(20).await;
    let events = target(&player.links, EVENTS);
    let link = player.links.iter().find(|link| link.contains(EVENTS)).expect("it is told");
    assert!(link.contains("events=\"active,inactive,layers,reconnect,viewercount\""), "{link}");
    let json = [("content-type", "application/json")];
    let post =
        async |body: Value| stage.http.request(Method::POST, &events, &json, body.to_string().into()).await;

    post(json!(["active", "scte35"])).await.problem(400, "invalid");
    post(json!({"events": []})).await.problem(400, "bad_request");
    let text = [("content-type", "text/plain")];
    let reply = stage.http.request(Method::POST, &events, &text, b"[]".to_vec()).await;
    reply.problem(415, "unsupported_type");
    let made = post(json!(["active", "inactive", "viewercount"])).await;
    assert_eq!((made.status, made.bytes.len()), (201, 0), "{}", made.text());
    let path = made.header("location").expect("where").to_owned();

    let mut reading = Events::open(&stage.http, &path).await;
    assert_eq!(reading.next().await, Some(("active".into(), json!({}))));
    assert!(reading.next_of("viewercount").await["viewercount"].is_u64());
    let second = Player::start(&stage, None).await;
    while reading.next_of("viewercount").await != json!({"viewercount": 2}) {}
    broadcast.vanish();
    assert_eq!(reading.next_of("inactive").await, json!({}));
    let again = stage.goes_live().await;
    assert_eq!(reading.next_of("active").await, json!({}));

    // A new reader takes the stream over, which a reloaded page needs; who deletes it ends it.
    let mut newer = Events::open(&stage.http, &path).await;
    while reading.next().await.is_some() {}
    assert_eq!(newer.next_of("active").await, json!({}));
    assert_eq!(delete(&stage.http, &path, None).await, 200);
    while newer.next().await.is_some() {}
    stage.http.get(&path).await.problem(404, "not_found");

    // All streams end with the session.
    let made = stage.http.request(Method::POST, &events, &[], Vec::new()).await;
    let path = made.header("location").expect("where").to_owned();
    let mut reading = Events::open(&stage.http, &path).await;
    stage.owner.ok("live.stop", json!({"live_id": stage.live})).await;
    while reading.next().await.is_some() {}
    stage.http.get(&path).await.problem(404, "not_found");
    drop((second, again));
}

#[tokio::test]
async fn a_session_has_few_event_streams() {
    let stage = Stage::begin(&[]).await;
    let _broadcast = stage.goes_live().await;
    let session = Session::of(&stage.watch(CHROMIUM_WATCH).await);
    let events = format!("{}/events", session.path);
    let mut last = String::new();
    for _ in 0..4 {
        let made = stage.http.request(Method::POST, &events, &[], Vec::new()).await;
        assert_eq!(made.status, 201);
        last = made.header("location").expect("where").to_owned();
    }
    stage.http.request(Method::POST, &events, &[], Vec::new()).await.problem(422, "limit_exceeded");
    assert_eq!(delete(&stage.http, &last, None).await, 200);
    assert_eq!(stage.http.request(Method::POST, &events, &[], Vec::new()).await.status, 201);
}

#[tokio::test]
async fn a_drain_asks_players_to_come_back() {
    let mut stage = Stage::begin(&["node.drain_ms=1000"]).await;
    let _broadcast = stage.goes_live().await;
    let player = Player::start(&stage, None).await;
    let made = stage.http.request(Method::POST, &target(&player.links, EVENTS), &[], Vec::new()).await;
    let mut reading = Events::open(&stage.http, made.header("location").expect("where")).await;
    reading.next_of("active").await;
    stage.server.terminate();
    let mut names = Vec::new();
    while let Some((name, _)) = reading.next().await {
        names.push(name);
    }
    stage.server.ended().await;
    assert!(names.contains(&"reconnect".into()), "{names:?}");
}

#[tokio::test]
async fn a_player_chooses_what_it_gets() {
    let stage = Stage::begin(&[]).await;
    let broadcast = stage.goes_live().await;
    let mut player = Player::start(&stage, None).await;
    player.sees(40).await;
    let layer = target(&player.links, LAYER);
    let json = [("content-type", "application/json")];
    let choose = async |body: &str| stage.http.request(Method::POST, &layer, &json, body.into()).await;
    for wish in ["{}", r#"{"mediaId":"1","maxHeight":360}"#, r#"{"maxWidth":1280}"#, r#"{"mediaId":"1"}"#, ""]
    {
        let reply = choose(wish).await;
        assert_eq!((reply.status, reply.bytes.len()), (200, 0), "{wish}: {}", reply.text());
    }
    for (wish, field) in [
        (r#"{"rid":"none"}"#, "rid"),
        (r#"{"encodingId":"none"}"#, "rid"),
        (r#"{"mediaId":"0"}"#, "mediaId"),
        (r#"{"mediaId":"7"}"#, "mediaId"),
        (r#"{"spatialLayerId":1}"#, "spatialLayerId"),
    ] {
        assert_eq!(choose(wish).await.problem(422, "invalid")["field"], field, "{wish}");
    }
    for nonsense in ["[", "1", r#"{"maxWidth":"wide"}"#] {
        choose(nonsense).await.problem(400, "bad_request");
    }
    choose(&format!("{{\"rid\":\"{}\"}}", "x".repeat(70_000))).await.problem(413, "too_large");
    player.sees(40).await;
    // An encoder's session has neither layers nor events.
    let bearer = format!("Bearer {}", stage.key);
    let headers = [("authorization", bearer.as_str())];
    for extension in ["layer", "events"] {
        let path = format!("{}/{extension}", broadcast.session.path);
        stage.http.request(Method::POST, &path, &headers, Vec::new()).await.problem(404, "not_found");
    }
}
