//! The same product on PostgreSQL: what was acknowledged is there after `kill -9`, and two nodes show the same.

use serde_json::json;

use crate::harness::{
    Encoding, Server, assert_whole, list,
    postgres::{Syncs, database},
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
