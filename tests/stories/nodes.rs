//! Several nodes on one PostgreSQL and one Redis: to people they are one place.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Client, Encoding, Redis, Server, assert_whole, in_both_encodings, list, post,
    postgres::{Syncs, database},
    within,
};

in_both_encodings!(
    h6_two_nodes_write_one_channel_and_every_reader_sees_one_order,
    h7_whoever_changes_to_another_node_goes_on_where_they_were,
    h9_nodes_that_lose_redis_go_on_and_tell_each_other_when_it_is_back,
);

/// Two nodes, a community with a post, and its author on the first.
struct Pair {
    redis: Redis,
    left: Server,
    right: Server,
    author: Client,
    post: String,
}

impl Pair {
    async fn start(encoding: Encoding) -> Self {
        let redis = Redis::start().await;
        let store = tokio::task::spawn_blocking(|| database(Syncs::Nothing)).await.expect("a database");
        let settings = [format!("store.url={store}"), format!("broker.url={}", redis.url())];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let (left, right) = (Server::with(&settings).await, Server::with(&settings).await);
        let mut author = left.client("author", encoding).await;
        let community = author.makes_community("Two places").await;
        let post = author.posts(&community, "one post").await;
        Self { redis, left, right, author, post }
    }

    fn channel(&self) -> String {
        format!("post:{}", self.post)
    }

    /// Somebody on each node, both subscribed to the post.
    async fn readers(&self, encoding: Encoding) -> [Client; 2] {
        let mut readers = [self.left.client("ada", encoding).await, self.right.client("bob", encoding).await];
        for reader in &mut readers {
            reader.subscribe(&self.channel()).await;
        }
        readers
    }
}

/// The next comments of a channel.
async fn comments(reader: &mut Client, channel: &str, count: usize) -> Vec<Value> {
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        all.push(reader.event(channel, "comment.added").await);
    }
    all
}

async fn h6_two_nodes_write_one_channel_and_every_reader_sees_one_order(encoding: Encoding) {
    const EACH: usize = 40;
    let pair = Pair::start(encoding).await;
    let channel = pair.channel();
    let mut readers = pair.readers(encoding).await;
    let (mut eve, mut dan) =
        (pair.left.client("eve", encoding).await, pair.right.client("dan", encoding).await);
    let write = async |writer: &mut Client| {
        for number in 0..EACH {
            writer.comments(&pair.post, &format!("{number}")).await;
        }
    };
    tokio::join!(write(&mut eve), write(&mut dan));
    let mut orders = Vec::new();
    for reader in &mut readers {
        let seen = comments(reader, &channel, 2 * EACH).await;
        let first = seen[0]["offset"].as_u64().expect("an offset");
        assert_whole(&seen, first, first + 2 * EACH as u64 - 1);
        orders.push(
            seen.into_iter().map(|comment| comment["data"]["comment"]["id"].clone()).collect::<Vec<_>>(),
        );
    }
    assert_eq!(orders[0], orders[1]);
}

async fn h7_whoever_changes_to_another_node_goes_on_where_they_were(encoding: Encoding) {
    let mut pair = Pair::start(encoding).await;
    let channel = pair.channel();
    let mut ada = pair.right.client("ada", encoding).await;
    let start = ada.subscribe(&channel).await;
    pair.author.comments(&pair.post, "seen").await;
    let last = ada.event(&channel, "comment.added").await["offset"].as_u64().expect("an offset");
    pair.right.kill().await;
    for number in 0..3 {
        pair.author.comments(&pair.post, &format!("missed {number}")).await;
    }
    let mut ada = pair.left.client("ada", encoding).await;
    let position = json!({"channel": channel, "epoch": start["epoch"], "offset": last});
    let back = ada.ok("subscribe", position).await;
    assert_eq!(back["recovered"], "ok", "{back}");
    assert_whole(&list(&back["publications"]), last + 1, last + 3);
}

async fn h9_nodes_that_lose_redis_go_on_and_tell_each_other_when_it_is_back(encoding: Encoding) {
    let mut pair = Pair::start(encoding).await;
    let channel = pair.channel();
    let mut readers = pair.readers(encoding).await;
    pair.author.comments(&pair.post, "before").await;
    let mut last = 0;
    for reader in &mut readers {
        last = comments(reader, &channel, 1).await[0]["offset"].as_u64().expect("an offset");
    }
    pair.redis.kill();
    for number in 1..=3 {
        pair.author.comments(&pair.post, &format!("without {number}")).await;
        for reader in &mut readers {
            assert_whole(&comments(reader, &channel, 1).await, last + number, last + number);
        }
    }
    pair.author.reacts(&pair.post, "like").await;
    pair.redis.restart().await;
    for reader in &mut readers {
        // The other node's came by no publication: it is read when Redis is back.
        reader.state(&channel, "post.counts", |data| data["reactions"]["like"] == 1).await;
    }
    for server in [&pair.left, &pair.right] {
        within("both to be ready again", async {
            while server.http().get("/readyz").await.status != 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
    pair.author.comments(&pair.post, "after").await;
    for reader in &mut readers {
        assert_whole(&comments(reader, &channel, 1).await, last + 4, last + 4);
    }
}

#[tokio::test]
async fn f6_3_two_simultaneous_likes_of_one_person_on_two_nodes_are_one() {
    let mut pair = Pair::start(Encoding::Json).await;
    let channel = pair.channel();
    let mut readers = pair.readers(Encoding::Json).await;
    let (mut here, mut there) =
        (pair.left.client("eve", Encoding::Json).await, pair.right.client("eve", Encoding::Json).await);
    let (first, second) = tokio::join!(here.reacts(&pair.post, "like"), there.reacts(&pair.post, "like"));
    let changes = [&first, &second].into_iter().filter(|answer| answer["changed"] == true).count();
    assert_eq!(changes, 1, "{first} {second}");
    assert_eq!(pair.author.counts(&pair.post).await["reactions"]["like"], 1);
    for reader in &mut readers {
        reader.state(&channel, "post.counts", |data| data["reactions"]["like"] == 1).await;
    }
}

#[tokio::test]
async fn h10_a_follow_that_ends_on_one_node_ends_the_channel_on_the_other() {
    let pair = Pair::start(Encoding::Json).await;
    let author = pair.author.user_id();
    let mut fan = pair.right.client("fan", Encoding::Json).await;
    let mut fan_elsewhere = pair.left.client("fan", Encoding::Json).await;
    assert!(fan_elsewhere.follows(&author, true).await);
    fan.subscribe(&format!("author:{author}")).await;
    assert!(fan_elsewhere.follows(&author, false).await);
    assert_eq!(fan.push("unsubscribed").await["reason"], "forbidden");
}

#[tokio::test]
async fn people_are_counted_over_both_nodes_and_leave_with_a_node_that_is_killed() {
    let mut pair = Pair::start(Encoding::Json).await;
    let channel = pair.channel();
    let mut readers = pair.readers(Encoding::Json).await;
    let who = json!({"channel": channel});
    within("both to be counted", async {
        while readers[0].ok("presence", who.clone()).await["count"] != 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    pair.right.kill().await;
    // What the other node said a moment ago is good for a moment.
    within("the other's to leave", async {
        loop {
            let left = readers[0].ok("presence", who.clone()).await;
            assert_eq!(left["count"].as_u64(), Some(list(&left["users"]).len() as u64), "{left}");
            if left["count"] == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn posts_of_one_person_on_two_nodes_share_one_limit() {
    let redis = Redis::start().await;
    let store = tokio::task::spawn_blocking(|| database(Syncs::Nothing)).await.expect("a database");
    let settings = [
        format!("store.url={store}"),
        format!("broker.url={}", redis.url()),
        "limits.rates=on".into(),
        "limits.posts_per_minute=4".into(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let (left, right) = (Server::with(&settings).await, Server::with(&settings).await);
    let mut here = left.client("eve", Encoding::Json).await;
    let mut there = right.client("eve", Encoding::Json).await;
    let community = here.makes_community("Limits").await;
    for number in 0..4 {
        here.posts(&community, &format!("{number}")).await;
    }
    let mut posted = 0;
    let refused = loop {
        let reply = there.command("post.create", post(&community, "there")).await;
        if !reply.is_ok {
            break reply;
        }
        posted += 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert_eq!(refused.code(), "rate_limited");
    assert!(posted < 4, "refused for what was posted on the other node, not for its own");
}
