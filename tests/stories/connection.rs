//! H1 and H2, seen on a socket: who may connect, what a guest may do, how a token ends.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{
    Claims, Client, Encoding, Incoming, SECRET, Server, in_both_encodings, op, post, text, unsigned,
};

in_both_encodings!(
    h1_a_bad_token_is_refused_before_any_data,
    h1_a_guest_reads_what_is_public_and_changes_nothing,
    h1_nothing_works_before_connect,
    h2_refresh_keeps_the_session_and_its_subscriptions,
);

async fn h1_a_bad_token_is_refused_before_any_data(encoding: Encoding) {
    let server = Server::start().await;
    let claims = Claims::of("alice");
    let account = server.http().register("amelie").await;
    let good = claims.sign();
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let tampered = {
        let (header, _) = head.split_once('.').expect("three parts");
        let payload = URL_SAFE_NO_PAD.encode(claims.clone().with("role", "admin").value().to_string());
        format!("{header}.{payload}.{signature}")
    };
    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    let cases = [
        ("another secret", claims.sign_as(&Header::default(), &EncodingKey::from_secret(b"guessed")), 4501),
        ("HS512 with our secret", claims.sign_as(&Header::new(Algorithm::HS512), &secret), 4501),
        ("alg none", unsigned(&json!({"alg": "none", "typ": "JWT"}), &claims), 4501),
        ("alg None", unsigned(&json!({"alg": "None"}), &claims), 4501),
        ("HS256 without a signature", unsigned(&json!({"alg": "HS256"}), &claims), 4501),
        ("a changed payload", tampered, 4501),
        ("no exp", claims.clone().with("exp", Value::Null).sign(), 4501),
        ("no sub", claims.clone().with("sub", Value::Null).sign(), 4501),
        ("a refresh token", text(&account["refresh_token"]), 4501),
        ("no JWT at all", "open sesame".to_string(), 4501),
        ("nothing", String::new(), 4501),
        ("expired a second ago", claims.clone().ending_in(-1).sign(), 4004),
    ];
    for (what, token, close) in cases {
        let mut stranger = Client::open(server.http_address(), encoding, what).await;
        let code = if close == 4004 { "token_expired" } else { "unauthenticated" };
        stranger.refused("connect", json!({"token": token}), code).await;
        assert_eq!(stranger.close_code().await, close, "{what}");
        let more: Vec<Incoming> = stranger
            .leftovers()
            .into_iter()
            .filter(|incoming| matches!(incoming, Incoming::Envelope(..)))
            .collect();
        assert!(more.is_empty(), "{what}: nothing but the refusal was sent, yet {more:?}");
    }
    // The token they were made from is good: each refusal above had its own reason.
    server.client("alice", encoding).await;
}

async fn h1_a_guest_reads_what_is_public_and_changes_nothing(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Open house").await;
    let post_id = alice.posts(&community, "come in").await;
    let comment_id = alice.comments(&post_id, "first").await;
    let alice_id = alice.user_id();

    let mut guest = Client::open(server.http_address(), encoding, "guest").await;
    let connected = guest.connect_with(json!({})).await;
    assert!(connected["user"].is_null(), "a guest is nobody: {connected}");
    guest.subscribe(&format!("feed:{community}")).await;
    guest.subscribe(&format!("post:{post_id}")).await;
    assert_eq!(guest.ok("post.get", json!({"post_id": post_id})).await["post"]["content"], "come in");
    assert_eq!(guest.feed(json!({"community_id": community})).await, [post_id.as_str()]);
    assert_eq!(guest.all_comments(&post_id).await.len(), 1);
    guest.ok("community.list", json!({})).await;
    guest.ok("profile.get", json!({"user_id": alice_id})).await;
    assert_eq!(guest.ok("post.view", json!({"post_id": post_id})).await["counted"], true);

    let forbidden = [
        ("community.create", json!({"op": op(), "name": "Mine"})),
        ("community.join", json!({"community_id": community})),
        ("community.leave", json!({"community_id": community})),
        ("post.create", post(&community, "spam")),
        ("post.edit", json!({"post_id": post_id, "version": 1, "content": "x"})),
        ("post.delete", json!({"post_id": post_id})),
        ("reaction.set", json!({"post_id": post_id, "kind": "like"})),
        ("comment.add", json!({"op": op(), "post_id": post_id, "content": "x"})),
        ("comment.edit", json!({"comment_id": comment_id, "content": "x"})),
        ("comment.delete", json!({"comment_id": comment_id})),
        ("follow.set", json!({"user_id": alice_id, "on": true})),
        ("block.set", json!({"user_id": alice_id, "on": true})),
        ("feed.list", json!({"home": true})),
        ("notification.list", json!({})),
        ("notification.read", json!({"all": true})),
        ("notification.preferences", json!({"comment": false})),
    ];
    for (command, body) in forbidden {
        guest.refused(command, body, "unauthenticated").await;
    }
    alice.posts(&community, "still open").await;
    guest.event(&format!("feed:{community}"), "post.created").await;
    assert_eq!(alice.counts(&post_id).await["reactions"], json!({}), "the refusals changed nothing");
}

async fn h1_nothing_works_before_connect(encoding: Encoding) {
    let server = Server::start().await;
    let mut early = Client::open(server.http_address(), encoding, "early").await;
    early.refused("community.list", json!({}), "unauthenticated").await;
    early.refused("subscribe", json!({"channel": "feed:x"}), "unauthenticated").await;
    early.refused("refresh", json!({"token": Claims::of("alice").sign()}), "unauthenticated").await;
    let connected = early.connect(&Claims::of("alice").sign()).await;
    for key in ["session_id", "user", "node", "server_version", "expires_at", "ping_ms", "limits"] {
        assert!(!connected[key].is_null(), "connect tells {key}: {connected}");
    }
    assert_eq!(connected["limits"]["message_bytes"], 65_536);
    let user = &connected["user"];
    for key in ["id", "username", "name", "bio", "role"] {
        assert!(user[key].is_string(), "{key} of the user: {user}");
    }
    assert_eq!(user["role"], "user");
    assert!(user["photo"].is_null());
}

#[tokio::test]
async fn h1_guests_can_be_turned_off() {
    let server = Server::with(&["auth.guests=off"]).await;
    let mut stranger = Client::open(server.http_address(), Encoding::Json, "stranger").await;
    stranger.refused("connect", json!({}), "unauthenticated").await;
    assert_eq!(stranger.close_code().await, 4501);
}

#[tokio::test]
async fn a_person_is_the_same_on_every_connection_and_after_a_restart() {
    let mut server = Server::start().await;
    let first = server.client("alice", Encoding::Json).await.user_id();
    let second = server.client("alice", Encoding::MessagePack).await.user_id();
    let other = server.client("bob", Encoding::Json).await.user_id();
    assert_eq!(first, second);
    assert_ne!(first, other);
    server.kill_and_restart().await;
    assert_eq!(server.client("alice", Encoding::Json).await.user_id(), first);
    // A number as subject is read as text: the same person as the text.
    let numbered = Claims::of("x").with("sub", 42).sign();
    let lettered = Claims::of("x").with("sub", "42").sign();
    let mut ids = Vec::new();
    for token in [numbered, lettered] {
        let mut client = Client::open(server.http_address(), Encoding::Json, "42").await;
        client.connect(&token).await;
        ids.push(client.user_id());
    }
    assert_eq!(ids[0], ids[1]);
}

async fn h2_refresh_keeps_the_session_and_its_subscriptions(encoding: Encoding) {
    let server = Server::start().await;
    let mut bob = server.client("bob", encoding).await;
    let community = bob.makes_community("Clock").await;
    let feed = format!("feed:{community}");

    // The witness lets its token end: when it has been closed, the old token of alice has ended too.
    let ending = Claims::of("alice").ending_in(3);
    let mut witness = Client::open(server.http_address(), encoding, "witness").await;
    witness.connect(&ending.sign()).await;
    let mut alice = Client::open(server.http_address(), encoding, "alice").await;
    let connected = alice.connect(&ending.sign()).await;
    let expires_at = connected["expires_at"].as_i64().expect("when the token ends");
    assert_eq!(Some(expires_at / 1000), ending.value()["exp"].as_i64());
    alice.subscribe(&feed).await;
    let expiring = alice.push("token.expiring").await;
    assert_eq!(expiring["expires_at"], expires_at);

    alice.refused("refresh", json!({"token": Claims::of("bob").sign()}), "forbidden").await;
    alice.refused("refresh", json!({"token": "nonsense"}), "unauthenticated").await;
    alice.refused("refresh", json!({"token": ending.clone().ending_in(-5).sign()}), "token_expired").await;
    let refreshed = alice.ok("refresh", json!({"token": Claims::of("alice").sign()})).await;
    assert!(refreshed["expires_at"].as_i64().expect("the new end") > expires_at);

    assert_eq!(witness.close_code().await, 4004);
    alice.still_there().await;
    bob.posts(&community, "tick").await;
    alice.event(&feed, "post.created").await;
}

#[tokio::test]
async fn h2_a_token_that_ends_closes_the_socket_with_4004() {
    let server = Server::start().await;
    let mut alice = Client::open(server.http_address(), Encoding::Json, "alice").await;
    alice.connect(&Claims::of("alice").ending_in(2).sign()).await;
    alice.push("token.expiring").await;
    assert_eq!(alice.close_code().await, 4004);
}
