//! H9: Redis gone, stuck, and back again, beside people who go on.

use std::time::Duration;

use crate::harness::{Encoding, Redis, Server, free_port, in_both_encodings, within};

in_both_encodings!(
    h9_redis_killed_and_started_again_beside_people_who_go_on,
    h9_redis_stuck_and_going_on_beside_people_who_go_on,
);

/// Waits until `/readyz` answers so.
async fn readyz(server: &Server, status: u16) {
    within(&format!("/readyz to answer {status}"), async {
        while server.http().get("/readyz").await.status != status {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(server.http().get("/healthz").await.status, 200, "the process lives all the while");
}

async fn h9_redis_killed_and_started_again_beside_people_who_go_on(encoding: Encoding) {
    let mut redis = Redis::start().await;
    let server = Server::with(&[&format!("broker.url={}", redis.url())]).await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let community = bob.makes_community("Outage").await;
    let feed = format!("feed:{community}");
    alice.subscribe(&feed).await;
    bob.posts(&community, "before").await;
    let mut last = alice.event(&feed, "post.created").await["offset"].as_u64().expect("an offset");

    redis.kill();
    for number in 0..3 {
        bob.posts(&community, &format!("without {number}")).await;
        last += 1;
        assert_eq!(alice.event(&feed, "post.created").await["offset"], last, "nobody here needs Redis");
    }
    let mut late = server.client("late", encoding).await;
    late.subscribe(&feed).await;
    bob.posts(&community, "for a late one").await;
    last += 1;
    for reader in [&mut alice, &mut late] {
        assert_eq!(reader.event(&feed, "post.created").await["offset"], last);
    }
    readyz(&server, 503).await;

    redis.restart().await;
    readyz(&server, 200).await;
    bob.posts(&community, "after").await;
    for reader in [&mut alice, &mut late] {
        assert_eq!(reader.event(&feed, "post.created").await["offset"], last + 1);
    }
}

async fn h9_redis_stuck_and_going_on_beside_people_who_go_on(encoding: Encoding) {
    let redis = Redis::start().await;
    let server = Server::with(&[&format!("broker.url={}", redis.url())]).await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Stuck").await;
    let feed = format!("feed:{community}");
    alice.subscribe(&feed).await;
    redis.freeze();
    alice.posts(&community, "meanwhile").await;
    alice.event(&feed, "post.created").await;
    readyz(&server, 503).await;
    redis.thaw();
    readyz(&server, 200).await;
    alice.posts(&community, "after").await;
    alice.event(&feed, "post.created").await;
}

#[tokio::test]
async fn a_node_starts_without_redis_and_says_that_it_is_not_ready() {
    let mut redis = Redis::start().await;
    redis.kill();
    let server = Server::with(&[&format!("broker.url={}", redis.url())]).await;
    readyz(&server, 503).await;
    let mut alice = server.client("alice", Encoding::Json).await;
    alice.makes_community("Alone").await;
    redis.restart().await;
    readyz(&server, 200).await;
}

#[tokio::test]
async fn a_node_reaches_redis_over_tls_as_a_user_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = std::process::Command::new("openssl")
        .current_dir(folder.path())
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=redis"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let (certificate, key, port) = (file("cert.pem"), file("key.pem"), free_port().to_string());
    let redis = Redis::with(&[
        "--tls-port",
        &port,
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &certificate,
    ])
    .await;
    redis
        .command(&["ACL", "SETUSER", "hub", "on", ">p@ss", "resetchannels", "&communiconnect:*", "+@all"])
        .await;
    let mut server = Server::prepared(&[&format!("broker.url=rediss://hub:p%40ss@127.0.0.1:{port}")]);
    server.set_variable("SSL_CERT_FILE", &certificate);
    server.restart().await;
    readyz(&server, 200).await;
    assert!(redis.command(&["CLIENT", "LIST"]).await.contains("user=hub"));
    assert!(!server.log().contains("p@ss") && !server.log().contains("p%40ss"), "{}", server.log());
}

#[tokio::test]
async fn redis_beside_sqlite_starts_with_a_warning() {
    let redis = Redis::start().await;
    let server = Server::with(&[&format!("broker.url={}", redis.url())]).await;
    assert!(server.log().contains("nobody can share this node's store"), "{}", server.log());
}

#[tokio::test]
async fn the_doctor_tries_whether_redis_delivers_and_asks_for_its_version_and_its_eviction() {
    let redis = Redis::start().await;
    let doctor = async |url: &str| {
        let setting = format!("broker.url={url}");
        let output = Server::prepared(&[&setting]).command(&["doctor"]).output().await.expect("doctor runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let told = doctor(&redis.url()).await;
    assert!(told.lines().any(|line| line.starts_with("ok") && line.contains("broker: Redis ")), "{told}");
    redis
        .command(&[
            "ACL",
            "SETUSER",
            "shy",
            "on",
            ">secret",
            "&communiconnect:*",
            "+@all",
            "-info",
            "-config",
        ])
        .await;
    let told = doctor(&redis.url().replace("redis://", "redis://shy:secret@")).await;
    let unknown = "broker: Redis of unknown version delivers";
    assert!(told.lines().any(|line| line.starts_with("ok") && line.contains(unknown)), "{told}");
    redis.command(&["ACL", "SETUSER", "shy", "-subscribe"]).await;
    let told = doctor(&redis.url().replace("redis://", "redis://shy:secret@")).await;
    assert!(told.lines().any(|line| line.contains("may this user PUBLISH and SUBSCRIBE")), "{told}");
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    let told = doctor(&redis.url()).await;
    assert!(told.lines().any(|line| line.starts_with("warn") && line.contains("allkeys-lru")), "{told}");
}
