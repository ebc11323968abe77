//! Embedded accounts over HTTP: register, log in, rotate, log out; and tokens of outside issuers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Claims, Client, Encoding, Http, Server, password_of, text, with};

fn registration(username: &str) -> Value {
    json!({
        "username": username,
        "email": format!("{username}@example.org"),
        "password": "a fine password",
        "name": "A Name",
    })
}

async fn connected(server: &Server, token: &Value) -> Client {
    let mut client = Client::open(server.http_address(), Encoding::Json, "account").await;
    client.connect(&text(token)).await;
    client
}

#[tokio::test]
async fn registering_logging_in_and_connecting_are_one_person() {
    let server = Server::start().await;
    let http = server.http();
    let made = http.register("amelie").await;
    assert_eq!(made["user"]["username"], "amelie");
    assert_eq!(made["user"]["role"], "user");
    assert!(made["user"]["email"].is_null(), "a user has no e-mail address for others: {made}");
    assert!(made["expires_at"].as_i64().expect("milliseconds") > 1_600_000_000_000);
    let password = password_of("amelie");
    for login in [json!({"username": "amelie"}), json!({"email": "amelie@example.org"})] {
        let again = http.post("/v1/auth/login", &with(login, json!({"password": password}))).await.ok();
        assert_eq!(again["user"]["id"], made["user"]["id"]);
        assert_ne!(again["refresh_token"], made["refresh_token"]);
        let mut client = connected(&server, &again["access_token"]).await;
        assert_eq!(client.user_id(), text(&made["user"]["id"]));
        let profile = client.ok("profile.get", json!({"user_id": client.user_id()})).await["profile"].clone();
        assert_eq!(profile["email"], "amelie@example.org");
        assert_eq!(profile["counts"], json!({"posts": 0, "followers": 0, "following": 0}));
        assert!(profile["version"].is_number() && profile["created_at"].is_number());
    }
    let community = json!({"op": "first", "name": "By curl"});
    let token = text(&made["access_token"]);
    http.command(Encoding::Json, "community.create", Some(&token), &community).await.ok();
}

#[tokio::test]
async fn a_wrong_registration_names_its_field_and_makes_nobody() {
    let server = Server::start().await;
    let http = server.http();
    let cases = [
        ("username", json!("ab")),
        ("username", json!("a".repeat(33))),
        ("username", json!("with space")),
        ("username", json!("../../etc")),
        ("username", json!("é_accent")),
        ("username", Value::Null),
        ("username", json!(5)),
        ("email", json!("no address")),
        ("email", json!("")),
        ("email", Value::Null),
        ("password", json!("short12")),
        ("password", json!("x".repeat(129))),
        ("password", Value::Null),
        ("name", json!("x".repeat(1000))),
        ("name", json!(["a"])),
    ];
    for (field, value) in cases {
        let body = with(registration("somebody"), json!({field: value}));
        let error = http.post("/v1/auth/register", &body).await.problem(400, "invalid");
        assert_eq!(error["field"], field, "{value}: {error}");
        // The name to show is the username where none is given.
        if field == "name" {
            continue;
        }
        let mut missing = registration("somebody");
        missing.as_object_mut().expect("a map").remove(field);
        let error = http.post("/v1/auth/register", &missing).await.problem(400, "invalid");
        assert_eq!(error["field"], field);
    }
    http.post("/v1/auth/register", &registration("somebody")).await.json_with(StatusCode::CREATED);
    let taken = http.post("/v1/auth/register", &registration("somebody")).await.problem(409, "conflict");
    assert_eq!(taken["field"], "username", "{taken}");
    let other_case = with(registration("SomeBody"), json!({"email": "other@example.org"}));
    http.post("/v1/auth/register", &other_case).await.problem(409, "conflict");
    let same_address = with(registration("another"), json!({"email": "somebody@example.org"}));
    let taken = http.post("/v1/auth/register", &same_address).await.problem(409, "conflict");
    assert_eq!(taken["field"], "email", "{taken}");
}

#[tokio::test]
async fn a_wrong_registration_tells_everything_that_is_wrong() {
    let server = Server::start().await;
    let http = server.http();
    let body = json!({"username": "a b", "email": "nowhere", "name": "x".repeat(81)});
    let error = http.post("/v1/auth/register", &body).await.problem(400, "invalid");
    let all = error["errors"].as_array().expect("a list");
    let fields: Vec<_> = all.iter().map(|fault| text(&fault["field"])).collect();
    // What is missing or no text comes first, as in every command.
    assert_eq!(fields, ["password", "username", "email", "name"], "{error}");
    assert_eq!((&error["field"], &error["message"]), (&all[0]["field"], &all[0]["message"]));
    // Other refusals have no such list.
    let error = http.post("/v1/auth/login", &json!({"username": "a", "password": "b"})).await;
    assert!(error.problem(401, "unauthenticated")["errors"].is_null());
}

#[tokio::test]
async fn a_failed_login_does_not_tell_whether_the_person_exists() {
    let server = Server::start().await;
    let http = server.http();
    http.register("amelie").await;
    let wrong = json!({"username": "amelie", "password": "not her password"});
    let unknown = json!({"username": "nobody", "password": "not her password"});
    let wrong = http.post("/v1/auth/login", &wrong).await.problem(401, "unauthenticated");
    let unknown = http.post("/v1/auth/login", &unknown).await.problem(401, "unauthenticated");
    assert_eq!(wrong, unknown);
    http.post("/v1/auth/login", &json!({"password": "a password"})).await.problem(400, "invalid");
    let error = http.post("/v1/auth/login", &json!({"username": "amelie"})).await.problem(400, "invalid");
    assert_eq!(error["field"], "password");
    http.request(Method::POST, "/v1/auth/login", &[("content-type", "application/json")], b"{".to_vec())
        .await
        .problem(400, "bad_request");
}

async fn refresh(http: &Http, token: &Value) -> crate::harness::HttpReply {
    http.post("/v1/auth/refresh", &json!({"refresh_token": token})).await
}

#[tokio::test]
async fn a_refresh_token_rotates_and_its_reuse_ends_the_whole_login() {
    let server = Server::start().await;
    let http = server.http();
    let first = http.register("amelie").await;
    let login = json!({"username": "amelie", "password": password_of("amelie")});
    let elsewhere = http.post("/v1/auth/login", &login).await.ok();
    let mut other_device = connected(&server, &elsewhere["access_token"]).await;

    let second = refresh(&http, &first["refresh_token"]).await.ok();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(second["user"]["id"], first["user"]["id"]);
    let mut socket = connected(&server, &second["access_token"]).await;
    let third = refresh(&http, &second["refresh_token"]).await.ok();

    // A thief and the owner cannot be told apart: the login ends for both, with its sockets.
    refresh(&http, &first["refresh_token"]).await.problem(401, "unauthenticated");
    assert_eq!(socket.close_code().await, 4501);
    refresh(&http, &third["refresh_token"]).await.problem(401, "unauthenticated");
    other_device.still_there().await;
    refresh(&http, &elsewhere["refresh_token"]).await.ok();
    for nonsense in [json!("nonsense"), first["access_token"].clone()] {
        refresh(&http, &nonsense).await.problem(401, "unauthenticated");
    }
    http.post("/v1/auth/refresh", &json!({})).await.problem(400, "invalid");
}

#[tokio::test]
async fn a_rotation_survives_kill_9() {
    let mut server = Server::start().await;
    let first = server.http().register("amelie").await;
    let second = refresh(&server.http(), &first["refresh_token"]).await.ok();
    server.kill_and_restart().await;
    // The access token's signature still holds, for the secret is in the store or a setting.
    connected(&server, &second["access_token"]).await;
    let third = refresh(&server.http(), &second["refresh_token"]).await.ok();
    refresh(&server.http(), &first["refresh_token"]).await.problem(401, "unauthenticated");
    refresh(&server.http(), &third["refresh_token"]).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn logging_out_closes_the_sockets_of_that_login_with_4501() {
    let server = Server::start().await;
    let http = server.http();
    let here = http.register("amelie").await;
    let login = json!({"username": "amelie", "password": password_of("amelie")});
    let there = http.post("/v1/auth/login", &login).await.ok();
    let mut one = connected(&server, &here["access_token"]).await;
    let mut two = connected(&server, &here["access_token"]).await;
    let mut other = connected(&server, &there["access_token"]).await;
    let reply = http.post("/v1/auth/logout", &json!({"refresh_token": here["refresh_token"]})).await;
    assert!((200..300).contains(&reply.status), "{}", reply.text());
    assert_eq!(one.close_code().await, 4501);
    assert_eq!(two.close_code().await, 4501);
    other.still_there().await;
    refresh(&http, &here["refresh_token"]).await.problem(401, "unauthenticated");
    // The access token of the ended login opens nothing more.
    let mut late = Client::open(server.http_address(), Encoding::Json, "late").await;
    late.refused("connect", json!({"token": here["access_token"]}), "unauthenticated").await;
    assert_eq!(late.close_code().await, 4501);
}

#[tokio::test]
async fn registration_attempts_are_limited() {
    let server = Server::with(&["limits.rates=on"]).await;
    let http = server.http();
    let wrong = json!({"username": "nobody", "password": "not the password"});
    let limited = crate::harness::within("a limit on logins", async {
        loop {
            let reply = http.post("/v1/auth/login", &wrong).await;
            if reply.status != 401 {
                return reply;
            }
        }
    })
    .await;
    let error = limited.problem(429, "rate_limited");
    assert!(error["retry_after_ms"].as_u64().expect("when to come back") > 0);
    let retry: u64 = limited.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!(retry >= 1);
}

/// The private key of RFC 8037 appendix A.1, as PKCS#8: a published key, so no secret of anybody.
fn published_ed25519_key() -> (EncodingKey, Value) {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64");
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend(seed);
    let public = json!({
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "rfc8037",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    (EncodingKey::from_ed_der(&der), public)
}

/// The P-256 key of RFC 6979 appendix A.2.5, likewise.
fn published_p256_key() -> (EncodingKey, Value) {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let d = URL_SAFE_NO_PAD.decode("ya-p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyE").expect("base64");
    let (x, y) =
        ("YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y", "eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk");
    let mut point = vec![0x04];
    point.extend(URL_SAFE_NO_PAD.decode(x).expect("base64"));
    point.extend(URL_SAFE_NO_PAD.decode(y).expect("base64"));
    let mut der = vec![
        0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01,
        0x04, 0x20,
    ];
    der.extend(d);
    der.extend([0xa1, 0x44, 0x03, 0x42, 0x00]);
    der.extend(point);
    let public =
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "rfc6979", "x": x, "y": y});
    (EncodingKey::from_ec_der(&der), public)
}

fn header_of(algorithm: Algorithm, key_id: &str) -> Header {
    Header { kid: Some(key_id.to_string()), ..Header::new(algorithm) }
}

#[tokio::test]
async fn tokens_of_a_key_file_are_taken_and_others_refused() {
    let mut server = Server::prepared(&[]);
    let (ed, ed_public) = published_ed25519_key();
    let (ec, ec_public) = published_p256_key();
    let file = server.home().join("keys.json");
    std::fs::write(&file, json!({"keys": [ed_public, ec_public]}).to_string()).expect("a key file");
    server.set(&format!("auth.jwks_file={}", file.display()));
    server.restart().await;
    let claims = Claims::of("zoe");
    for (algorithm, key_id, key) in [(Algorithm::EdDSA, "rfc8037", &ed), (Algorithm::ES256, "rfc6979", &ec)] {
        let mut zoe = Client::open(server.http_address(), Encoding::MessagePack, "zoe").await;
        zoe.connect(&claims.sign_as(&header_of(algorithm, key_id), key)).await;
    }
    let refused = [
        claims.sign_as(&header_of(Algorithm::ES256, "unknown"), &ec),
        claims.sign_as(&header_of(Algorithm::ES256, "rfc8037"), &ec),
        // The classic confusion: the public key's text as an HMAC secret.
        claims.sign_as(
            &header_of(Algorithm::HS256, "rfc6979"),
            &EncodingKey::from_secret(b"YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y"),
        ),
    ];
    for token in refused {
        let mut stranger = Client::open(server.http_address(), Encoding::Json, "stranger").await;
        stranger.refused("connect", json!({"token": token}), "unauthenticated").await;
        assert_eq!(stranger.close_code().await, 4501);
    }
}

/// Another site's key set over HTTP, and how often it was asked for.
async fn key_server(keys: Value) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/keys.json", listener.local_addr().expect("bound"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = tcp.read(&mut head).await;
            count.fetch_add(1, Ordering::SeqCst);
            let body = keys.to_string();
            let kind = "Content-Type: application/json\r\nConnection: close";
            let answer = format!("HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = tcp.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn keys_behind_an_address_are_fetched_once_and_kept() {
    let (ec, ec_public) = published_p256_key();
    let (url, asked) = key_server(json!({"keys": [ec_public]})).await;
    let server = Server::with(&[&format!("auth.jwks_url={url}")]).await;
    for number in 0..10 {
        let token =
            Claims::of(&format!("person{number}")).sign_as(&header_of(Algorithm::ES256, "rfc6979"), &ec);
        let mut person = Client::open(server.http_address(), Encoding::MessagePack, "person").await;
        person.connect(&token).await;
    }
    assert!(asked.load(Ordering::SeqCst) >= 1);
    // Made-up key ids are no way to make the server ask the other site again and again.
    for number in 0..20 {
        let token = Claims::of("x").sign_as(&header_of(Algorithm::ES256, &format!("made-up-{number}")), &ec);
        let mut stranger = Client::open(server.http_address(), Encoding::Json, "stranger").await;
        stranger.refused("connect", json!({"token": token}), "unauthenticated").await;
    }
    let times = asked.load(Ordering::SeqCst);
    assert!(times <= 3, "asked {times} times");
}

#[tokio::test]
async fn an_existing_site_plugs_in_by_its_claim_names() {
    let server = Server::with(&["auth.claim_sub=user_id"]).await;
    let token =
        Claims::of("x").with("sub", Value::Null).with("user_id", 1234).with("name", "Django's Ann").sign();
    let mut ann = Client::open(server.http_address(), Encoding::Json, "ann").await;
    let connected = ann.connect(&token).await;
    assert_eq!(connected["user"]["name"], "Django's Ann");
    let moderator = Claims::of("x").with("user_id", "mod").with("role", "moderator").sign();
    let mut other = Client::open(server.http_address(), Encoding::Json, "mod").await;
    assert_eq!(other.connect(&moderator).await["user"]["role"], "moderator");
}

#[tokio::test]
async fn a_moderator_of_the_site_may_delete_anywhere() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let community = alice.makes_community("Order").await;
    let post_id = alice.posts(&community, "spam").await;
    let comment = alice.comments(&post_id, "more spam").await;
    let token = Claims::of("guardian").with("role", "moderator").sign();
    let mut guardian = Client::open(server.http_address(), Encoding::Json, "guardian").await;
    guardian.connect(&token).await;
    assert_eq!(guardian.ok("comment.delete", json!({"comment_id": comment})).await["removed"], 1);
    guardian.ok("post.delete", json!({"post_id": post_id})).await;
}
