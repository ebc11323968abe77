//! The broker on a real Redis, with what networks do to it.

use super::{RedisBroker, RedisUrl, testing::Redis};
use crate::{
    broker::{
        Broadcast, Deliver, LinkState, SharedBroker,
        conformance::{self, Inbox, channel, publication},
    },
    fault_proxy::{Fault, FaultProxy},
    tasks::Tasks,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// A node's broker and the tasks that it runs.
struct Node {
    broker: Arc<RedisBroker>,
    inbox: Arc<Inbox>,
    tasks: Tasks,
}

impl Node {
    async fn at(address: SocketAddr) -> Self {
        Self::of_store(address, "one").await
    }

    async fn of_store(address: SocketAddr, store: &str) -> Self {
        Self::open(&format!("redis://{address}"), store).await
    }

    async fn open(url: &str, store: &str) -> Self {
        let (inbox, tasks) = (Arc::new(Inbox::default()), Tasks::default());
        let url = RedisUrl::parse(url).expect("a URL");
        let broker = RedisBroker::open(&url, store, inbox.clone(), &tasks).await;
        Self { broker, inbox, tasks }
    }

    fn shared(&self) -> SharedBroker {
        self.broker.clone()
    }

    async fn publish(&self, name: &str, offset: u64) -> Result<(), crate::broker::BrokerError> {
        self.shared().publish(vec![Broadcast::Publication(publication(name, offset))]).await
    }

    async fn join(&self, name: &str) {
        self.shared().subscribe(&channel(name)).await.expect("joins");
    }

    /// Waits until Redis has delivered, however often it takes.
    async fn works(&self) {
        while self.shared().probe().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.begin_stop();
    }
}

#[tokio::test]
async fn redis_is_a_broker() {
    let redis = Redis::start().await;
    let tasks = Tasks::default();
    let url = RedisUrl::parse(&redis.url()).expect("a URL");
    let open = async |deliver: Arc<dyn Deliver>| {
        RedisBroker::open(&url, "one", deliver, &tasks).await as SharedBroker
    };
    conformance::run(&open).await;
    conformance::between_nodes(&open).await;
    tasks.begin_stop();
}

#[tokio::test]
async fn a_cluster_is_a_broker() {
    let servers = Redis::cluster(3).await;
    let tasks = Tasks::default();
    let url = RedisUrl::parse(&cluster_url(&servers)).expect("a URL");
    let open = async |deliver: Arc<dyn Deliver>| {
        RedisBroker::open(&url, "one", deliver, &tasks).await as SharedBroker
    };
    conformance::run(&open).await;
    conformance::between_nodes(&open).await;
    tasks.begin_stop();
}

#[tokio::test]
async fn lanes_follow_slots_that_move_within_a_cluster() {
    let servers = Redis::cluster(3).await;
    let (a, b) =
        (Node::open(&cluster_url(&servers), "one").await, Node::open(&cluster_url(&servers), "one").await);
    let names: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    for name in &names {
        b.join(name).await;
    }
    a.works().await;
    b.works().await;
    let [first, second, third] = servers.as_slice() else { panic!("three were asked for") };
    for server in [first, second, third] {
        server.must(&["CLUSTER", "DELSLOTSRANGE", "0", "5460"]).await;
    }
    second.must(&["CLUSTER", "ADDSLOTSRANGE", "0", "5460"]).await;
    second.command(&["CLUSTER", "BUMPEPOCH"]).await;
    let arrives = async {
        for (name, offset) in names.iter().zip(1_000..) {
            // Until both know where the lane is; what was lost meanwhile is the hub's to repair.
            loop {
                let _ = a.publish(name, offset).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                if b.inbox.arrived().contains(&Broadcast::Publication(publication(name, offset))) {
                    break;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), arrives).await.expect("every lane is found again");
    a.works().await;
    b.works().await;
}

#[tokio::test]
async fn a_primary_of_a_cluster_that_dies_is_replaced_by_its_replica() {
    let mut servers = Redis::cluster(3).await;
    let replica = servers[0].stand_in().await;
    let url = cluster_url(&servers);
    let (a, b) = (Node::open(&url, "one").await, Node::open(&url, "one").await);
    let names: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    for name in &names {
        b.join(name).await;
    }
    a.works().await;
    b.works().await;
    servers[0].kill();
    b.inbox.wait_for_link(LinkState::Lost).await;
    let works = async {
        while !replica.command(&["INFO", "replication"]).await.contains("role:master") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        b.inbox.wait_for_link(LinkState::Returned).await;
        a.works().await;
    };
    tokio::time::timeout(Duration::from_secs(30), works).await.expect("the replica takes over");
    for (name, offset) in names.iter().zip(1_000..) {
        a.publish(name, offset).await.expect("publishes");
        let sent = Broadcast::Publication(publication(name, offset));
        b.inbox.wait_until(|arrived| arrived.contains(&sent)).await;
    }
}

#[tokio::test]
async fn one_server_of_a_cluster_that_is_back_is_not_the_whole_cluster() {
    let servers = Redis::cluster(3).await;
    for server in &servers {
        // Those that are there serve on without the others.
        server.must(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await;
    }
    let node = Node::open(&cluster_url(&servers), "one").await;
    node.works().await;
    servers[0].freeze();
    node.inbox.wait_for_link(LinkState::Lost).await;
    servers[1].command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    node.inbox.wait_until_links(|links| links.ends_with(&[LinkState::Returning, LinkState::Missed])).await;
    servers[0].thaw();
    node.inbox.wait_for_link(LinkState::Returned).await;
    node.works().await;
}

#[tokio::test]
async fn what_was_published_before_a_cluster_was_found_is_told_as_lost() {
    let servers = Redis::cluster(3).await;
    let seed = FaultProxy::before(servers[0].address()).await;
    seed.set(Fault::Cut);
    let b = Node::open(&cluster_url(&servers), "one").await;
    b.works().await;
    let a = Node::open(&format!("redis-cluster://{}", seed.address()), "one").await;
    a.publish("x", 1).await.expect_err("no server is known that would carry it");
    assert!(!b.inbox.links().ends_with(&[LinkState::Missed]), "{:?}", b.inbox.links());
    seed.set(Fault::None);
    b.inbox.wait_for_link(LinkState::Missed).await;
}

#[tokio::test]
async fn a_fail_over_by_sentinels_is_followed() {
    let mut primary = Redis::start().await;
    let port = primary.address().port().to_string();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &port]).await;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        sentinels.push(Redis::sentinel(&primary).await);
    }
    // They find each other and the replica through the primary.
    for sentinel in &sentinels {
        let knows = async |what: &str, count: &str| {
            let known = sentinel.command(&["SENTINEL", "CKQUORUM", "main"]).await;
            let replicas = sentinel.command(&["SENTINEL", what, "main"]).await;
            known.starts_with("+OK 3") && replicas == count
        };
        while !knows("REPLICAS", "*1").await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let addresses: Vec<_> = sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect();
    let url = format!("redis-sentinel://{}/main", addresses.join(","));
    let (a, b) = (Node::open(&url, "one").await, Node::open(&url, "one").await);
    b.join("x").await;
    a.works().await;
    a.publish("x", 1).await.expect("publishes");
    b.inbox.wait_for(1).await;
    primary.kill();
    b.inbox.wait_for_link(LinkState::Lost).await;
    let works = async {
        a.works().await;
        b.works().await;
    };
    tokio::time::timeout(Duration::from_secs(30), works).await.expect("the replica takes over");
    assert_eq!(replica.command(&["ROLE"]).await, "*3");
    a.publish("x", 2).await.expect("publishes");
    b.inbox.wait_until(|arrived| arrived.contains(&Broadcast::Publication(publication("x", 2)))).await;
}

fn cluster_url(servers: &[Redis]) -> String {
    let addresses: Vec<_> = servers.iter().map(|server| server.address().to_string()).collect();
    format!("redis-cluster://{}", addresses.join(","))
}

#[tokio::test]
async fn nodes_of_different_stores_never_hear_each_other() {
    let redis = Redis::start().await;
    let (a, b) = (Node::of_store(redis.address(), "a").await, Node::of_store(redis.address(), "b").await);
    let same = Node::of_store(redis.address(), "a").await;
    for node in [&a, &b, &same] {
        node.join("x").await;
    }
    a.publish("x", 1).await.expect("publishes");
    same.inbox.wait_for(1).await;
    b.works().await;
    assert!(b.inbox.arrived().is_empty());
}

#[tokio::test]
async fn a_redis_that_is_killed_is_left_at_once_and_found_again() {
    let mut redis = Redis::start().await;
    let (a, b) = (Node::at(redis.address()).await, Node::at(redis.address()).await);
    b.join("x").await;
    a.works().await;
    b.works().await;
    redis.kill();
    b.inbox.wait_for_link(LinkState::Lost).await;
    while a.publish("x", 1).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(b.shared().probe().await.is_err());
    // Without Redis a subscription stands all the same, and is brought to Redis when it returns.
    b.join("y").await;
    redis.restart().await;
    a.works().await;
    b.works().await;
    a.publish("y", 7).await.expect("publishes");
    b.inbox.wait_until(|arrived| arrived.contains(&Broadcast::Publication(publication("y", 7)))).await;
    let links = b.inbox.links();
    let lost = links.iter().rposition(|link| *link == LinkState::Lost);
    assert!(links.iter().rposition(|link| *link == LinkState::Returned) > lost, "{links:?}");
}

#[tokio::test]
async fn a_frozen_redis_is_given_up_and_found_again() {
    let redis = Redis::start().await;
    let (a, b) = (Node::at(redis.address()).await, Node::at(redis.address()).await);
    b.join("x").await;
    a.works().await;
    redis.freeze();
    b.inbox.wait_for_link(LinkState::Lost).await;
    assert!(a.shared().probe().await.is_err());
    redis.thaw();
    a.works().await;
    b.works().await;
    a.publish("x", 9).await.expect("publishes");
    b.inbox.wait_until(|arrived| arrived.contains(&Broadcast::Publication(publication("x", 9)))).await;
}

#[tokio::test]
async fn a_connection_reset_in_the_middle_of_a_message_loses_no_later_one() {
    let redis = Redis::start().await;
    let proxy = FaultProxy::before(redis.address()).await;
    let (a, b) = (Node::at(redis.address()).await, Node::at(proxy.address()).await);
    b.join("x").await;
    a.works().await;
    proxy.set(Fault::ResetAfter(100));
    let large = Broadcast::Publication(conformance::large_publication("x", 1, 50_000));
    a.shared().publish(vec![large]).await.expect("publishes");
    b.inbox.wait_for_link(LinkState::Lost).await;
    proxy.set(Fault::None);
    b.works().await;
    a.publish("x", 2).await.expect("publishes");
    b.inbox.wait_until(|arrived| arrived.contains(&Broadcast::Publication(publication("x", 2)))).await;
    assert!(!b.inbox.arrived().iter().any(|broadcast| {
        matches!(broadcast, Broadcast::Publication(publication) if publication.offset == 1)
    }));
}

#[tokio::test]
async fn a_node_that_redis_threw_out_for_reading_slowly_says_that_it_lost() {
    let redis = Redis::start().await;
    redis.command(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 100kb 50kb 1"]).await;
    let proxy = FaultProxy::before(redis.address()).await;
    let (a, b) = (Node::at(redis.address()).await, Node::at(proxy.address()).await);
    b.join("x").await;
    a.works().await;
    // The proxy's and the kernel's buffers take the first megabytes.
    proxy.set(Fault::Frozen);
    for offset in 1..=400 {
        let large = Broadcast::Publication(conformance::large_publication("x", offset, 60_000));
        a.shared().publish(vec![large]).await.expect("publishes");
        tokio::task::yield_now().await;
    }
    b.inbox.wait_for_link(LinkState::Lost).await;
    proxy.set(Fault::None);
    b.works().await;
    b.inbox.wait_for_link(LinkState::Returned).await;
    a.works().await;
    a.publish("x", 401).await.expect("publishes");
    b.inbox.wait_until(|arrived| arrived.contains(&Broadcast::Publication(publication("x", 401)))).await;
}

#[tokio::test]
async fn a_node_that_is_behind_keeps_its_connections() {
    let redis = Redis::start().await;
    let proxy = FaultProxy::before(redis.address()).await;
    let (a, b) = (Node::at(redis.address()).await, Node::at(proxy.address()).await);
    b.join("x").await;
    a.works().await;
    b.works().await;
    // Pieces of 16 KiB: four megabytes take five seconds.
    proxy.set(Fault::Delay(Duration::from_millis(20)));
    let sent: Vec<_> = (1..=70)
        .map(|offset| Broadcast::Publication(conformance::large_publication("x", offset, 60_000)))
        .collect();
    a.shared().publish(sent.clone()).await.expect("publishes");
    assert!(b.shared().probe().await.is_err(), "it waits behind what comes");
    assert_eq!(b.inbox.wait_for(sent.len()).await, sent);
    let lost = b.inbox.links().into_iter().filter(|link| *link == LinkState::Lost).count();
    assert_eq!(lost, 1, "before it began alone: {:?}", b.inbox.links());
}

#[tokio::test]
async fn a_server_that_answers_without_delivering_is_left() {
    let (old, new) = (Redis::start().await, Redis::start().await);
    let proxy = FaultProxy::before(old.address()).await;
    let node = Node::at(proxy.address()).await;
    node.works().await;
    // What a fail-over can do: the connection to listen on ends at another server than the one to publish on.
    proxy.lead_to(new.address());
    old.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    node.inbox.wait_for_link(LinkState::Lost).await;
    node.inbox.wait_for_link(LinkState::Returned).await;
    assert!(node.shared().probe().await.is_err(), "published on one server, listened to on the other");
    node.works().await;
}

#[tokio::test]
async fn a_redis_that_refuses_subscriptions_leaves_no_return_open() {
    let redis = Redis::start().await;
    redis.command(&["ACL", "SETUSER", "mute", "on", ">secret", "allchannels", "+@all", "-subscribe"]).await;
    let node = Node::open(&format!("redis://mute:secret@{}", redis.address()), "one").await;
    node.inbox.wait_until_links(|links| links.contains(&LinkState::Returning)).await;
    // The hub holds publications up from the one word to the other.
    node.inbox.wait_for_link(LinkState::Lost).await;
    redis.command(&["ACL", "SETUSER", "mute", "+subscribe"]).await;
    node.works().await;
    node.inbox.wait_for_link(LinkState::Returned).await;
}

#[tokio::test]
async fn heads_are_told_to_whoever_missed_the_last_publication() {
    let redis = Redis::start().await;
    let (a, b) = (Node::at(redis.address()).await, Node::at(redis.address()).await);
    b.join("x").await;
    a.publish("x", 5).await.expect("publishes");
    b.inbox.wait_for_head(&channel("x"), 5).await;
}
