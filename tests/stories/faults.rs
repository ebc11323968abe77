//! Two nodes under load, and what happens to what they stand on: what was acknowledged is there once, and every reader sees
//! one order without a hole.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};

use crate::harness::{
    Claims, Client, Encoding, Fault, FaultProxy, Redis, Server, assert_whole, list, op, postgres, text,
    within,
};

/// Two nodes on one Redis and one PostgreSQL of their own, a network before each.
struct Two {
    redis: Redis,
    before_redis: FaultProxy,
    database: postgres::Server,
    before_database: FaultProxy,
    left: Server,
    right: Server,
    author: Client,
    post: String,
}

impl Two {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let before_redis = FaultProxy::before(redis.address()).await;
        let database = tokio::task::block_in_place(|| postgres::Server::start(postgres::Syncs::Disk));
        let before_database = FaultProxy::before(database.address()).await;
        let store = database
            .database()
            .replace(&database.address().to_string(), &before_database.address().to_string());
        let settings =
            [format!("store.url={store}"), format!("broker.url=redis://{}", before_redis.address())];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let (left, right) = (Server::with(&settings).await, Server::with(&settings).await);
        let mut author = left.client("author", Encoding::Json).await;
        let community = author.makes_community("Faults").await;
        let post = author.posts(&community, "one post").await;
        Self { redis, before_redis, database, before_database, left, right, author, post }
    }

    fn channel(&self) -> String {
        format!("post:{}", self.post)
    }

    /// Somebody who reads on a node, and where they begin.
    async fn reader(&self, node: &Server, name: &str) -> (Client, u64) {
        let mut reader = node.client(name, Encoding::MessagePack).await;
        let start = reader.subscribe(&self.channel()).await["offset"].as_u64().expect("an offset");
        (reader, start)
    }

    /// Somebody who comments on and on, at the first of these nodes and at the next where that one dies.
    fn writer(&self, name: &str, nodes: &[&Server]) -> Writer {
        let stop = Arc::new(AtomicBool::new(false));
        let nodes: Vec<SocketAddr> = nodes.iter().map(|node| node.http_address()).collect();
        let writing = write(name.to_owned(), nodes, self.post.clone(), Arc::clone(&stop));
        Writer { stop, writing: tokio::spawn(writing) }
    }

    /// Everybody has stopped: the readers have seen everything once, in one order, and it is what was acknowledged.
    async fn settles(&mut self, writers: Vec<Writer>, readers: Vec<(Client, u64)>) {
        let mut acknowledged = BTreeSet::new();
        for writer in writers {
            writer.stop.store(true, Ordering::Relaxed);
            let written = within("a writer to end", writer.writing).await.expect("no panic");
            assert!(!written.is_empty(), "nothing was written");
            acknowledged.extend(written);
        }
        let channel = self.channel();
        let mut orders: Vec<Vec<Value>> = Vec::new();
        for (mut reader, start) in readers {
            let mut seen = Vec::new();
            for _ in 0..acknowledged.len() {
                seen.push(reader.event(&channel, "comment.added").await);
            }
            assert_whole(&seen, start + 1, start + acknowledged.len() as u64);
            reader.still_there().await;
            let more = reader.leftovers();
            assert!(!more.iter().any(|push| format!("{push:?}").contains("comment.added")), "{more:?}");
            orders.push(seen.into_iter().map(|push| push["data"]["comment"]["content"].clone()).collect());
        }
        assert!(orders.iter().all(|order| *order == orders[0]), "one order for all");
        let kept: Vec<String> = self
            .author
            .all_comments(&self.post)
            .await
            .iter()
            .map(|comment| text(&comment["content"]))
            .collect();
        assert_eq!(kept.len(), acknowledged.len(), "none is there twice");
        assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), acknowledged);
    }
}

struct Writer {
    stop: Arc<AtomicBool>,
    writing: JoinHandle<BTreeSet<String>>,
}

async fn write(
    name: String,
    nodes: Vec<SocketAddr>,
    post: String,
    stop: Arc<AtomicBool>,
) -> BTreeSet<String> {
    let connect = async |place: usize| {
        let mut client = Client::open(nodes[place], Encoding::MessagePack, &name).await;
        client.connect(&Claims::of(&name).sign()).await;
        client
    };
    let (mut place, mut client) = (0, connect(0).await);
    let mut acknowledged = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        let content = format!("{name} {}", acknowledged.len());
        let body = json!({"op": op(), "post_id": post, "content": content});
        loop {
            let id = client.send("comment.add", &body);
            match client.reply_or_end(id).await {
                Some(reply) if reply.is_ok => break,
                Some(reply) => {
                    assert_eq!(reply.code(), "unavailable", "{}", reply.body);
                    sleep(Duration::from_millis(50)).await;
                }
                None => {
                    place += 1;
                    client = connect(place).await;
                }
            }
        }
        acknowledged.insert(content);
        sleep(Duration::from_millis(5)).await;
    }
    acknowledged
}

/// Time for a fault to be felt, and for what is felt to heal.
const A_WHILE: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_whatever_happens_to_the_database_what_was_acknowledged_is_there_once() {
    let mut two = Two::start().await;
    let readers = vec![two.reader(&two.left, "ada").await, two.reader(&two.right, "bob").await];
    let writers = vec![two.writer("eve", &[&two.left]), two.writer("dan", &[&two.right])];
    for fault in [
        Fault::Swallow("COMMIT"),
        Fault::ResetAfter(5_000),
        Fault::Cut,
        Fault::Frozen,
        Fault::Swallow("COMMIT"),
    ] {
        sleep(A_WHILE).await;
        two.before_database.set(fault);
        sleep(A_WHILE).await;
        two.before_database.set(Fault::None);
    }
    sleep(A_WHILE).await;
    tokio::task::block_in_place(|| {
        two.database.kill();
        two.database.restart();
    });
    sleep(A_WHILE).await;
    two.settles(writers, readers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_whatever_happens_to_redis_what_was_acknowledged_is_there_once() {
    let mut two = Two::start().await;
    let readers = vec![two.reader(&two.left, "ada").await, two.reader(&two.right, "bob").await];
    let writers = vec![two.writer("eve", &[&two.left]), two.writer("dan", &[&two.right])];
    for fault in [Fault::ResetAfter(5_000), Fault::Cut, Fault::Delay(Duration::from_millis(100))] {
        sleep(A_WHILE).await;
        two.before_redis.set(fault);
        sleep(A_WHILE).await;
        two.before_redis.set(Fault::None);
    }
    sleep(A_WHILE).await;
    two.redis.kill();
    sleep(A_WHILE).await;
    two.redis.restart().await;
    sleep(A_WHILE).await;
    // As long as a machine may take that swaps, or a disk that hangs.
    two.redis.freeze();
    sleep(Duration::from_secs(20)).await;
    two.redis.thaw();
    sleep(A_WHILE).await;
    two.settles(writers, readers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_a_node_killed_under_load_takes_nothing_along_that_was_acknowledged() {
    let mut two = Two::start().await;
    let readers = vec![two.reader(&two.left, "ada").await];
    let writers = vec![two.writer("eve", &[&two.left]), two.writer("dan", &[&two.right, &two.left])];
    sleep(A_WHILE).await;
    // Somebody reads on the node that dies, and goes on at the other from where they were.
    let channel = two.channel();
    let mut bob = two.right.client("bob", Encoding::MessagePack).await;
    let begun = bob.subscribe(&channel).await;
    let start = begun["offset"].as_u64().expect("an offset");
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(bob.event(&channel, "comment.added").await);
    }
    two.right.kill().await;
    let mut bob = two.left.client("bob", Encoding::MessagePack).await;
    let place = json!({"channel": channel, "epoch": begun["epoch"], "offset": start + 10});
    let back = bob.ok("subscribe", place).await;
    assert_eq!(back["recovered"], "ok", "{back}");
    seen.extend(list(&back["publications"]));
    for _ in 0..10 {
        seen.push(bob.event(&channel, "comment.added").await);
    }
    assert_whole(&seen, start + 1, start + seen.len() as u64);
    sleep(A_WHILE).await;
    two.right.restart().await;
    sleep(A_WHILE).await;
    two.settles(writers, readers).await;
}

/// A retry of what was done, though nobody was told: one effect, the same answer, and whoever listens hears of it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h5_a_commit_whose_answer_was_lost_counts_once_when_it_is_sent_again() {
    let mut two = Two::start().await;
    let channel = two.channel();
    let (mut reader, start) = two.reader(&two.right, "ada").await;
    let mut writer = two.left.client("eve", Encoding::Json).await;
    let body = json!({"op": op(), "post_id": two.post, "content": "once"});
    two.before_database.set(Fault::Swallow("COMMIT"));
    let lost = writer.command("comment.add", body.clone()).await;
    assert_eq!(lost.code(), "unavailable", "{}", lost.body);
    two.before_database.set(Fault::None);
    let heard = reader.event(&channel, "comment.added").await;
    assert_whole(std::slice::from_ref(&heard), start + 1, start + 1);
    let again = within("the retry to be answered", async {
        loop {
            let reply = writer.command("comment.add", body.clone()).await;
            if reply.is_ok {
                return reply.body;
            }
            assert_eq!(reply.code(), "unavailable", "{}", reply.body);
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(again["comment"]["id"], heard["data"]["comment"]["id"]);
    assert_eq!(two.author.all_comments(&two.post).await.len(), 1);
    writer.comments(&two.post, "twice").await;
    let next = reader.event(&channel, "comment.added").await;
    assert_whole(&[next], start + 2, start + 2);
}

/// Whoever goes live needs the database for the beginning and the end; what lies between outlives its outage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_a_live_outlasts_an_outage_of_the_database_that_its_lease_does_not() {
    let mut two = Two::start().await;
    let community = two.author.makes_community("Lives").await;
    let wish = json!({"op": op(), "title": "Long", "community_id": community, "visibility": "public"});
    let live = text(&two.author.ok("live.start", wish).await["live"]["id"]);
    two.before_database.set(Fault::Cut);
    sleep(Duration::from_secs(17)).await;
    two.before_database.set(Fault::None);
    for server in [&two.left, &two.right] {
        within("both to be ready again", async {
            while server.http().get("/readyz").await.status != 200 {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
    // Longer than two looks of either node for lives that nobody carries.
    for _ in 0..12 {
        let found = two.author.ok("live.get", json!({"live_id": live})).await;
        assert_eq!(found["live"]["state"], "created", "{found}");
        sleep(Duration::from_secs(1)).await;
    }
    assert!(list(&two.author.ok("live.list", json!({})).await["lives"]).len() == 1);
    two.author.ok("live.stop", json!({"live_id": live})).await;
}
