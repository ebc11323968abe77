//! H11, and the signs of life that keep the others connected.

use serde_json::json;

use crate::harness::{Claims, Encoding, Incoming, Server, Socket, in_both_encodings, within};

in_both_encodings!(h11_a_silent_peer_is_removed_and_its_presence_with_it, the_ping_tells_heads_that_moved);

async fn h11_a_silent_peer_is_removed_and_its_presence_with_it(encoding: Encoding) {
    let server = Server::with(&["ws.ping_ms=300", "ws.pong_ms=700"]).await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Vigil").await;
    let post_id = alice.posts(&community, "who is here?").await;
    let channel = format!("post:{post_id}");
    alice.subscribe(&channel).await;

    let mut silent = Socket::open(server.http_address(), encoding).await;
    silent.send(1, "connect", &json!({"token": Claims::of("silent").sign()})).await.expect("sent");
    assert!(matches!(silent.next().await, Incoming::Envelope(1, kind, _) if kind == "ok"));
    silent.send(2, "subscribe", &json!({"channel": channel})).await.expect("sent");
    loop {
        if matches!(silent.next().await, Incoming::Envelope(2, kind, _) if kind == "ok") {
            break;
        }
    }
    // Nobody reads this socket any more, so no ping is answered.
    let present = alice.ok("presence", json!({"channel": channel})).await;
    assert_eq!(present["count"], 2, "{present}");
    within("the silent peer to be gone from the presence", async {
        while alice.ok("presence", json!({"channel": channel})).await["count"] != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let present = alice.ok("presence", json!({"channel": channel})).await;
    assert_eq!(present["users"][0]["id"], alice.user_id());
    let code = within("the close", async {
        loop {
            match silent.next().await {
                Incoming::Close(code, _) => return code,
                Incoming::Lost(why) => panic!("ended without a close code: {why}"),
                Incoming::Envelope(..) => continue,
            }
        }
    })
    .await;
    assert_eq!(code, 4002);
    alice.still_there().await;
}

#[tokio::test]
async fn h11_a_socket_that_is_cut_leaves_the_presence() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let community = alice.makes_community("Coming and going").await;
    let post_id = alice.posts(&community, "who is here?").await;
    let channel = format!("post:{post_id}");
    alice.subscribe(&channel).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let mut second = server.client("bob", Encoding::MessagePack).await;
    bob.subscribe(&channel).await;
    second.subscribe(&channel).await;
    let mut guest = server.guest(Encoding::Json).await;
    guest.subscribe(&channel).await;
    let named = |present: &serde_json::Value| present["users"].as_array().expect("a list").len();
    let present = alice.ok("presence", json!({"channel": channel})).await;
    assert_eq!(named(&present), 2, "two sockets of one person are one person: {present}");
    bob.cut();
    second.cut();
    within("bob to be gone", async {
        while named(&alice.ok("presence", json!({"channel": channel})).await) != 1 {}
    })
    .await;
}

#[tokio::test]
async fn a_socket_that_never_connects_is_closed_with_4502() {
    let server = Server::with(&["ws.connect_ms=200"]).await;
    let mut mute = Socket::open(server.http_address(), Encoding::Json).await;
    match within("the close", mute.next()).await {
        Incoming::Close(code, _) => assert_eq!(code, 4502),
        other => panic!("{other:?}"),
    }
}

async fn the_ping_tells_heads_that_moved(encoding: Encoding) {
    let server = Server::with(&["ws.ping_ms=300"]).await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Heads").await;
    let feed = format!("feed:{community}");
    alice.subscribe(&feed).await;
    alice.posts(&community, "moved").await;
    let offset = alice.event(&feed, "post.created").await["offset"].clone();
    let ping = alice.push_where("ping", |body| !body["heads"][&feed].is_null()).await;
    assert_eq!(ping["heads"][&feed], offset);
    assert!(ping["at"].is_i64() || ping["at"].is_u64());
    // A head that stands still is not told again.
    let next = alice.push("ping").await;
    assert!(next["heads"][&feed].is_null(), "{next}");
}
