//! Pushes without a socket: the same session of the hub, as server-sent events.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use socket2::{SockFilter, SockRef};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{Claims, Client, Encoding, Events, Http, Server, assert_whole, list, op, text, with};

/// The publications among the next events, as many as asked for.
async fn publications(events: &mut Events, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    while all.len() < count {
        let event = events.event().await;
        if event.kind == "publication" {
            assert!(event.has_id, "each tells the reader's new place");
            all.push(event.data);
        }
    }
    all
}

#[tokio::test]
async fn h7_a_stream_that_comes_back_with_its_last_event_id_gets_exactly_what_it_missed() {
    let mut server = Server::start().await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let community = bob.makes_community("Streamed").await;
    let post = bob.posts(&community, "first").await;
    let (feed, channel) = (format!("feed:{community}"), format!("post:{post}"));
    let query = format!("channels={feed},{channel}");

    let mut events = Events::open(server.http_address(), &query, &[]).await;
    let connected = events.find("connected").await;
    assert!(events.retry.is_some_and(|ms| (500..=3_000).contains(&ms)), "{:?}", events.retry);
    assert_eq!(connected["user"], Value::Null);
    let begun = &connected["subscriptions"][&feed];
    assert_eq!((&begun["recovered"], &begun["offset"]), (&json!("new"), &json!(1)), "{connected}");
    bob.posts(&community, "second").await;
    bob.comments(&post, "said").await;
    let seen = publications(&mut events, 2).await;
    let at = |channel: &str| {
        let of = seen.iter().find(|push| push["channel"] == channel).expect("one of each");
        of["offset"].as_u64().expect("an offset")
    };
    let (in_feed, in_post) = (at(&feed), at(&channel));
    let place = events.last_id.clone();
    drop(events);
    for number in 0..3 {
        bob.posts(&community, &format!("missed {number}")).await;
        bob.comments(&post, &format!("missed {number}")).await;
    }
    for killed in [false, true] {
        if killed {
            server.kill_and_restart().await;
            bob = server.client("bob", Encoding::Json).await;
        }
        // As a browser sends it, and as whoever opens a stream anew can say it.
        let headers = [("Last-Event-ID", place.as_str())];
        let in_query = format!("{query}&last_event_id={place}");
        let (query, headers) = if killed { (&in_query, &[][..]) } else { (&query, &headers[..]) };
        let mut back = Events::open(server.http_address(), query, headers).await;
        let connected = back.find("connected").await;
        assert_eq!(connected["subscriptions"][&feed]["recovered"], "ok", "{connected}");
        assert_eq!(connected["subscriptions"][&feed]["publications"], json!([]), "they follow as events");
        let missed = publications(&mut back, 6).await;
        for (channel, last) in [(&feed, in_feed), (&channel, in_post)] {
            let of: Vec<Value> = missed.iter().filter(|push| push["channel"] == **channel).cloned().collect();
            assert_whole(&of, last + 1, last + 3);
        }
        let content = if killed { "after the kill" } else { "live again" };
        bob.comments(&post, content).await;
        let next = publications(&mut back, 1).await;
        let expected = in_post + 4 + u64::from(killed);
        if killed {
            // The comment of the first round was missed as well.
            assert_eq!(next[0]["offset"], expected - 1);
            assert_eq!(publications(&mut back, 1).await[0]["offset"], expected);
        } else {
            assert_eq!(next[0]["offset"], expected);
        }
    }
}

#[tokio::test]
async fn h7_a_stream_that_missed_more_than_a_page_gets_all_of_it_before_what_is_new() {
    let server = Server::start().await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let community = bob.makes_community("Long absence").await;
    let post = bob.posts(&community, "talk").await;
    let query = format!("channels=post:{post}");
    let mut events = Events::open(server.http_address(), &query, &[]).await;
    let connected = events.find("connected").await;
    let base = connected["subscriptions"][format!("post:{post}")]["offset"].as_u64().expect("an offset");
    let place = events.last_id.clone();
    drop(events);
    for number in 0..600 {
        bob.comments(&post, &number.to_string()).await;
    }
    let mut back = Events::open(server.http_address(), &query, &[("Last-Event-ID", &place)]).await;
    bob.comments(&post, "meanwhile").await;
    let all = publications(&mut back, 601).await;
    assert_whole(&all, base + 1, base + 601);
}

/// Pages in which nothing is left to tell but that it is gone.
#[tokio::test]
async fn h7_a_stream_whose_missed_pages_were_erased_goes_on_behind_them() {
    const ERASED: u64 = 600;
    let server = Server::start().await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let community = bob.makes_community("Erased").await;
    let post = bob.posts(&community, "talk").await;
    let (channel, feed) = (format!("post:{post}"), format!("feed:{community}"));
    // Two channels, so that one page follows upon another's last.
    let query = format!("channels={channel},{feed}");
    let mut events = Events::open(server.http_address(), &query, &[]).await;
    let connected = events.find("connected").await;
    let base = connected["subscriptions"][&channel]["offset"].as_u64().expect("an offset");
    let in_feed = connected["subscriptions"][&feed]["offset"].as_u64().expect("an offset");
    let place = events.last_id.clone();
    drop(events);
    let root = bob.comments(&post, "root").await;
    for number in 1..ERASED {
        bob.replies(&post, &root, &number.to_string()).await;
    }
    for number in 0..300 {
        let gone = bob.posts(&community, &format!("gone {number}")).await;
        bob.ok("post.delete", json!({"post_id": gone})).await;
    }
    bob.ok("comment.delete", json!({"comment_id": root})).await;

    let mut back = Events::open(server.http_address(), &query, &[("Last-Event-ID", &place)]).await;
    bob.comments(&post, "meanwhile").await;
    bob.posts(&community, "meanwhile").await;
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    // Of each channel what was erased, what says so, and what came meanwhile.
    let expected = BTreeMap::from([(channel.clone(), ERASED as usize + 2), (feed.clone(), 601)]);
    while expected.iter().any(|(name, count)| told.get(name).is_none_or(|told| told.len() < *count)) {
        let event = back.event().await;
        if ["publication", "skip"].contains(&event.kind.as_str()) {
            assert!(event.has_id, "each tells the reader's new place");
            told.entry(text(&event.data["channel"])).or_default().push(event.data);
        }
    }
    assert_whole(&told[&channel], base + 1, base + ERASED + 2);
    assert_whole(&told[&feed], in_feed + 1, in_feed + 601);
    let names = |channel: &str| -> Vec<String> {
        told[channel].iter().filter_map(|push| push["event"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names(&channel), ["comment.deleted", "comment.added"], "the rest is skipped");
    assert!(!names(&feed)[..300].contains(&"post.created".into()), "{:?}", names(&feed));
}

#[tokio::test]
async fn a_stream_that_cannot_be_is_refused_with_its_reason() {
    let server = Server::with(&["limits.subscriptions=2", "limits.connections_per_user=1"]).await;
    let mut ada = server.client("ada", Encoding::Json).await;
    let community = ada.makes_community("Rights").await;
    let private = ada.posts_with(&community, json!({"visibility": "private"})).await;
    let private = format!("post:{}", text(&private["post"]["id"]));
    let http = server.http();
    let refused = async |query: &str, status: u16, code: &str| {
        http.get(&format!("/v1/sse?{query}")).await.problem(status, code)
    };
    assert_eq!(refused("", 400, "invalid").await["field"], "channels");
    assert_eq!(refused("channels=test", 400, "invalid").await["field"], "channels.0");
    refused("channels=post:nothing", 404, "not_found").await;
    refused(&format!("channels={private}"), 404, "not_found").await;
    refused(&format!("channels=user:{}", ada.user_id()), 404, "not_found").await;
    refused(&format!("channels=feed:{community}&access_token=wrong"), 401, "unauthenticated").await;
    let expired = Claims::of("bob").ending_in(-5).sign();
    refused(&format!("channels=feed:{community}&access_token={expired}"), 401, "token_expired").await;
    let again = Claims::of("ada").sign();
    refused(&format!("access_token={again}"), 422, "limit_exceeded").await;
    let id = format!("channels=feed:{community}&last_event_id=nonsense");
    assert_eq!(refused(&id, 400, "invalid").await["field"], "last_event_id");
    let mut events = Events::open(server.http_address(), &format!("channels=feed:{community}"), &[]).await;
    events.find("connected").await;
    let of_others = format!("channels={private}&last_event_id={}", events.last_id);
    assert_eq!(refused(&of_others, 400, "invalid").await["field"], "last_event_id");
    let bob = Claims::of("bob").sign();
    let headers = [("authorization", format!("Bearer {bob}"))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let both = http.request(Method::GET, &format!("/v1/sse?access_token={bob}"), &headers, Vec::new()).await;
    both.problem(400, "bad_request");
    let head =
        http.request(Method::HEAD, &format!("/v1/sse?channels=feed:{community}"), &[], Vec::new()).await;
    assert_eq!((head.status, head.content_type.as_str()), (200, "text/event-stream"));
    http.request(Method::POST, "/v1/sse", &[], Vec::new()).await.problem(405, "bad_request");

    // Of several channels those stand that may.
    let query = format!("channels=feed:{community},{private}");
    let mut some = Events::open(server.http_address(), &query, &[]).await;
    let connected = some.find("connected").await;
    assert_eq!(connected["subscriptions"][&private]["error"]["code"], "not_found", "{connected}");
    ada.posts(&community, "heard").await;
    assert_eq!(publications(&mut some, 1).await[0]["data"]["post"]["content"], "heard");
}

#[tokio::test]
async fn a_persons_stream_brings_their_own_channel_and_ends_with_their_login() {
    let server = Server::start().await;
    let account = server.http().register("amelie").await;
    let token = text(&account["access_token"]);
    let mut bob = server.client("bob", Encoding::Json).await;
    let bearer = format!("Bearer {token}");
    let mut events = Events::open(server.http_address(), "", &[("Authorization", &bearer)]).await;
    let connected = events.find("connected").await;
    assert_eq!(connected["user"]["username"], "amelie");
    let mut amelie = Client::open(server.http_address(), Encoding::Json, "amelie").await;
    amelie.connect(&token).await;
    let community = amelie.makes_community("Own").await;
    let post = amelie.posts(&community, "look").await;
    bob.reacts(&post, "like").await;
    let told = publications(&mut events, 1).await;
    assert_eq!(told[0]["event"], "notification", "{told:?}");

    let logout = json!({"refresh_token": account["refresh_token"]});
    server.http().post("/v1/auth/logout", &logout).await.ok();
    assert_eq!(events.closed().await["code"], 4501);

    let short = Claims::of("carol").ending_in(2).sign();
    let mut carol = Events::open(server.http_address(), &format!("access_token={short}"), &[]).await;
    carol.find("token.expiring").await;
    assert_eq!(carol.closed().await["code"], 4004);
}

#[tokio::test]
async fn h10_a_right_that_is_lost_ends_that_channel_of_a_stream_and_no_other() {
    let server = Server::start().await;
    let mut author = server.client("author", Encoding::Json).await;
    let community = author.makes_community("Followed").await;
    let mut fan = server.client("fan", Encoding::Json).await;
    assert!(fan.follows(&author.user_id(), true).await);
    let (feed, named) = (format!("feed:{community}"), format!("author:{}", author.user_id()));
    let token = Claims::of("fan").sign();
    let query = format!("channels={feed},{named}&access_token={token}");
    let mut events = Events::open(server.http_address(), &query, &[]).await;
    events.find("connected").await;
    assert!(fan.follows(&author.user_id(), false).await);
    let ended = events.find("unsubscribed").await;
    assert_eq!((&ended["channel"], &ended["reason"]), (&json!(named), &json!("forbidden")));
    author.posts(&community, "to everybody").await;
    assert_eq!(publications(&mut events, 1).await[0]["channel"], json!(feed));

    let session = server.admin().get(&format!("/v1/admin/sessions?user_id={}", fan.user_id())).await.ok();
    let streams: Vec<Value> = list(&session["listed"])
        .into_iter()
        .filter(|session| session["session_id"] != fan.connected()["session_id"])
        .collect();
    let wish = json!({"session_id": streams[0]["session_id"], "reason": "enough"});
    server.admin().post("/v1/admin/disconnect", &wish).await.ok();
    assert_eq!(events.closed().await, json!({"code": 4507, "reason": "enough"}));
}

#[tokio::test]
async fn h13_a_drain_tells_a_stream_its_slot_and_ends_it() {
    let mut server = Server::with(&["node.drain_ms=400", "ws.ping_ms=300"]).await;
    let mut ada = server.client("ada", Encoding::Json).await;
    let community = ada.makes_community("Drained").await;
    let query = format!("channels=feed:{community}");
    let mut events = Events::open(server.http_address(), &query, &[]).await;
    events.find("connected").await;
    events.find("ping").await;
    assert!(events.heartbeats > 0, "a comment, for whoever looks at bytes alone");
    server.terminate();
    let slot = events.find("reconnect").await;
    assert_eq!(slot["code"], 4000);
    assert!(slot["after_ms"].as_u64().is_some_and(|ms| ms < 400), "{slot}");
    assert_eq!(events.closed().await["code"], 4000);
    assert_eq!(ada.close_code().await, 4000);
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn h8_a_slow_stream_is_bounded_like_a_socket_and_told_what_it_did_not_get() {
    const CHANNEL: &str = "test:crowd";
    const SIGNALS: u64 = 160;
    const SIGNAL: usize = 200_000;
    const PUBLICATIONS: u64 = 60;
    const PUBLICATION: usize = 30_000;
    let settings = [
        "admin.test_channels=on",
        "http.body_bytes=1048576",
        "limits.outbox_bytes=65536",
        "live.selftest=off",
        "ws.write_timeout_ms=600000",
        "ws.ping_ms=600000",
    ];
    let server = Server::with(&settings).await;
    let admin = server.admin();
    let mut other = server.guest(Encoding::MessagePack).await;
    other.subscribe(CHANNEL).await;
    let tcp = TcpSocket::new_v4().expect("a socket");
    tcp.set_recv_buffer_size(4_096).expect("a small buffer");
    let tcp = tcp.connect(server.http_address()).await.expect("the server listens");
    let mut slow = Events::over(tcp, &format!("channels={CHANNEL}"), &[]).await;
    slow.find("connected").await;
    // Signals, since a log would take memory of its own.
    let mut memory = 0;
    for number in 1..=SIGNALS {
        if number == SIGNALS / 3 {
            memory = server.resident_bytes();
        }
        publish(&admin, CHANNEL, "C", json!({"n": number, "fill": "x".repeat(SIGNAL)}), json!({})).await;
        assert_eq!(other.push("signal").await["data"]["n"], number, "the others notice nothing");
    }
    let grown = server.resident_bytes().saturating_sub(memory);
    let sent = SIGNALS * 2 / 3 * SIGNAL as u64;
    assert!(grown < sent / 2, "{grown} bytes more for {sent} that one reader did not take");
    for version in 1..=30 {
        let state = json!({"key": "k", "version": version});
        publish(&admin, CHANNEL, "B", json!({"goals": version}), state).await;
    }
    for number in 1..=PUBLICATIONS {
        publish(&admin, CHANNEL, "A", json!({"n": number, "fill": "x".repeat(PUBLICATION)}), json!({})).await;
        assert_eq!(other.event(CHANNEL, "e").await["offset"], number);
    }

    let (mut last, mut cut, mut states) = (0, 0, Vec::new());
    let mut place = BTreeMap::new();
    while last < PUBLICATIONS || states.last() != Some(&30) {
        let event = slow.event().await;
        let number = |key: &str| event.data[key].as_u64().expect("a number");
        match event.kind.as_str() {
            "publication" => {
                assert_eq!(number("offset"), last + 1, "in order, without a hole that no gap names");
                last = number("offset");
            }
            "gap" => {
                assert_eq!((number("from"), &event.data["reason"]), (last + 1, &json!("slow")));
                cut += number("to") - last;
                last = number("to");
            }
            "state" => states.push(number("version")),
            "flow" | "signal" => {}
            other => panic!("{other} {}", event.data),
        }
        place.insert(last, slow.last_id.clone());
    }
    assert!(cut > PUBLICATIONS / 2, "most was cut: {cut}");
    assert!(states.len() < 30, "states were coalesced: {states:?}");
    // The place behind a gap is a place like any other.
    let query = format!("channels={CHANNEL}&last_event_id={}", place[&PUBLICATIONS]);
    let mut back = Events::open(server.http_address(), &query, &[]).await;
    let connected = back.find("connected").await;
    assert_eq!(connected["subscriptions"][CHANNEL]["recovered"], "ok", "{connected}");
    publish(&admin, CHANNEL, "A", json!({}), json!({})).await;
    assert_eq!(publications(&mut back, 1).await[0]["offset"], PUBLICATIONS + 1);
}

async fn publish(admin: &Http, channel: &str, class: &str, data: Value, more: Value) {
    let body = json!({"channel": channel, "event": "e", "data": data, "class": class});
    admin.post("/v1/admin/publish", &with(body, more)).await.ok();
}

#[tokio::test]
async fn a_stream_whose_reader_takes_nothing_is_cut_off() {
    let settings = [
        "admin.test_channels=on",
        "http.body_bytes=1048576",
        "ws.write_timeout_ms=500",
        "limits.outbox_bytes=65536",
    ];
    let server = Server::with(&settings).await;
    let admin = server.admin();
    let tcp = TcpSocket::new_v4().expect("a socket");
    tcp.set_recv_buffer_size(4_096).expect("a small buffer");
    let tcp = tcp.connect(server.http_address()).await.expect("the server listens");
    let mut stuck = Events::over(tcp, "channels=test:a", &[]).await;
    stuck.find("connected").await;
    let sessions = async || admin.get("/v1/admin/sessions").await.ok()["sessions"].clone();
    assert_eq!(sessions().await, 1);
    let fill = "x".repeat(30_000);
    crate::harness::within("the stream to be given up", async {
        while sessions().await != 0 {
            publish(&admin, "test:a", "A", json!({"op": op(), "fill": fill}), json!({})).await;
        }
    })
    .await;
}

#[tokio::test]
async fn h11_a_stream_whose_reader_is_gone_without_a_word_is_let_go() {
    let settings = ["ws.ping_ms=300", "ws.pong_ms=500", "ws.write_timeout_ms=1000", "admin.test_channels=on"];
    let server = Server::with(&settings).await;
    let tcp = std::net::TcpStream::connect(server.http_address()).expect("the server listens");
    tcp.set_nonblocking(true).expect("a socket");
    let reader = TcpStream::from_std(tcp.try_clone().expect("a second handle")).expect("a socket");
    let mut events = Events::over(reader, "channels=test:a", &[]).await;
    events.find("connected").await;
    let sessions = async || server.admin().get("/v1/admin/sessions").await.ok()["sessions"].clone();
    assert_eq!(sessions().await, 1);
    // As if its cable was cut: nothing reaches it any more, so that nothing is acknowledged, and it says nothing itself.
    let drop_everything = SockFilter::new(0x06, 0, 0, 0);
    SockRef::from(&tcp).attach_filter(&[drop_everything]).expect("a filter");
    crate::harness::within("the stream to be given up", async {
        while sessions().await != 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}
