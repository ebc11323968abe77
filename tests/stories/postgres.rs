//! The same product on PostgreSQL: what was acknowledged is there after `kill -9`, and two nodes show the same.

use serde_json::json;

use crate::harness::{
    Encoding, Server, assert_whole, list,
    postgres::{self, Syncs, database},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_the_node_was_killed() {
    let setting = format!("store.url={}", database(Syncs::Disk));
    let mut server = Server::with(&[&setting]).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let community = bob.makes_community("Kept").await;
    let feed = format!("feed:{community}");
    let start = bob.subscribe(&feed).await;
    for number in 1..=5 {
        bob.posts(&community, &format!("number {number}")).await;
    }
    let post = bob.posts(&community, "talk").await;
    bob.comments(&post, "said").await;
    server.kill_and_restart().await;
    let mut bob = server.client("bob", Encoding::MessagePack).await;
    let position = json!({"channel": feed, "epoch": start["epoch"], "offset": start["offset"]});
    let back = bob.ok("subscribe", position).await;
    let first = start["offset"].as_u64().expect("an offset") + 1;
    assert_whole(&list(&back["publications"]), first, first + 5);
    assert_eq!(bob.counts(&post).await["comments"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_one_database_show_the_same_people_and_posts() {
    let setting = format!("store.url={}", database(Syncs::Nothing));
    let (one, other) = (Server::with(&[&setting]).await, Server::with(&[&setting]).await);
    let mut bob = one.client("bob", Encoding::Json).await;
    let community = bob.makes_community("Shared").await;
    let post = bob.posts(&community, "from the first node").await;
    let mut again = other.client("bob", Encoding::MessagePack).await;
    again.comments(&post, "from the second").await;
    assert_eq!(bob.all_comments(&post).await.len(), 1);
    assert_eq!(bob.counts(&post).await["comments"], 1);
    assert_eq!(again.feed(json!({"community_id": community})).await, [post]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_reaches_the_database_over_tls_and_says_why_where_it_does_not_trust_it() {
    let own = tokio::task::block_in_place(|| postgres::Server::start(Syncs::Disk));
    let (name, port) = (own.database(), own.address().port());
    let name = name.rsplit('/').next().expect("a name");
    let certificate = own.secure("s3cret");
    let certificate = std::fs::read(certificate).expect("it is there");
    let folder = tempfile::tempdir().expect("a folder");
    let trusted = folder.path().join("server.crt");
    std::fs::write(&trusted, certificate).expect("a copy");
    let told = async |host: &str, more: &str| {
        let setting = format!("store.url=postgres://postgres:s3cret@{host}:{port}/{name}{more}");
        let output = Server::prepared(&[&setting]).command(&["doctor"]).output().await.expect("doctor runs");
        let told = String::from_utf8(output.stdout).expect("text");
        assert!(!told.contains("s3cret"), "{told}");
        told.lines().filter(|line| line.contains("store")).collect::<Vec<_>>().join("\n")
    };
    let verified = format!("?sslmode=verify-full&sslrootcert={}", trusted.display());
    for (host, more) in [("localhost", verified.as_str()), ("127.0.0.1", "?sslmode=require")] {
        let found = told(host, more).await;
        assert!(!found.starts_with("FAIL") && found.contains("synced a write"), "{host} {more}: {found}");
    }
    for (host, more, why) in [
        ("localhost", "", "no encryption"),
        ("127.0.0.1", verified.as_str(), "certificate"),
        ("localhost", "?sslmode=verify-full", "certificate"),
        ("localhost", "?sslmode=verify-full&sslrootcert=/nowhere", "sslrootcert /nowhere"),
    ] {
        let found = told(host, more).await;
        assert!(found.starts_with("FAIL") && found.contains(why), "{host} {more}: {found}");
    }
    let setting = format!("store.url=postgres://postgres:s3cret@localhost:{port}/{name}{verified}");
    let server = Server::with(&[&setting]).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    bob.makes_community("Secured").await;
}
