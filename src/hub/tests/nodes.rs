//! Two nodes of one store, a real Redis between them, and everything that happens to it: no reader sees a hole, none sees
//! anything twice, and all end where the log ends.

use super::fixture::{Client, World, plain, test_channel};
use crate::{
    broker::{
        Broadcast, RedisBroker, RedisUrl, SharedBroker,
        redis_testing::{Fault, FaultProxy, Redis},
    },
    hub::HubSettings,
};
use communiconnect_protocol::Channel;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{net::SocketAddr, time::Duration};

/// Bounds a failure.
const PATIENCE: Duration = Duration::from_secs(20);

struct Node {
    world: World,
    broker: SharedBroker,
}

impl Node {
    async fn new(world: World, redis: SocketAddr) -> Self {
        let url = RedisUrl::parse(&format!("redis://{redis}")).expect("a URL");
        let opened = RedisBroker::open(&url, "store", world.hub.clone(), &world.tasks).await;
        let broker: SharedBroker = opened.expect("supported");
        world.hub.attach(broker.clone());
        world.tasks.spawn(world.hub.clone().tend());
        Self { world, broker }
    }

    /// Writes to the log and publishes.
    async fn publish(&self, channel: &Channel) {
        let publication = self.world.write(channel, |offset| plain(channel, offset));
        // Whether Redis takes it or not: it is in the log.
        let _ = self.broker.publish(vec![Broadcast::Publication(publication)]).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.world.tasks.begin_stop();
    }
}

async fn reaches(client: &mut Client, channel: &Channel, head: u64, what: &str) {
    let there = async {
        while client.at(channel) != Some(head) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let is_there = tokio::time::timeout(PATIENCE, there).await.is_ok();
    assert!(is_there, "{what}: at {:?} of {head}", client.at(channel));
}

#[tokio::test]
async fn both_nodes_write_one_channel_and_every_reader_sees_one_order() {
    let redis = Redis::start().await;
    let (a, channel) = (World::new(HubSettings::default()), test_channel("a"));
    let b = Node::new(a.beside(), redis.address()).await;
    let a = Node::new(a, redis.address()).await;
    let (mut left, mut right) = (a.world.guest().await, b.world.guest().await);
    left.subscribe(&channel, None).await.expect("subscribed");
    right.subscribe(&channel, None).await.expect("subscribed");
    for _ in 0..500 {
        a.publish(&channel).await;
        b.publish(&channel).await;
        tokio::task::yield_now().await;
    }
    reaches(&mut left, &channel, 1_000, "left").await;
    reaches(&mut right, &channel, 1_000, "right").await;
}

#[tokio::test]
async fn whatever_happens_to_redis_every_reader_ends_where_the_log_ends() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let redis = Redis::start().await;
    let channels = [test_channel("a"), test_channel("b"), test_channel("c")];
    let world = World::new(HubSettings::default());
    let (before_a, before_b) =
        (FaultProxy::before(redis.address()).await, FaultProxy::before(redis.address()).await);
    let b = Node::new(world.beside(), before_b.address()).await;
    let a = Node::new(world, before_a.address()).await;
    let (mut left, mut right) = (a.world.guest().await, b.world.guest().await);
    let mut heads = [0; 3];
    for channel in &channels {
        left.subscribe(channel, None).await.expect("subscribed");
        right.subscribe(channel, None).await.expect("subscribed");
    }
    for _ in 0..40 {
        let proxy = if random.random() { &before_a } else { &before_b };
        proxy.set(match random.random_range(0..6) {
            0 => Fault::Cut,
            1 => Fault::Frozen,
            2 => Fault::Delay(Duration::from_millis(random.random_range(1..30))),
            3 => Fault::ResetAfter(random.random_range(0..2_000)),
            _ => Fault::None,
        });
        for _ in 0..random.random_range(1..20) {
            let place = random.random_range(0..channels.len());
            let node = if random.random() { &a } else { &b };
            node.publish(&channels[place]).await;
            heads[place] += 1;
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..80))).await;
        // Reading checks that nothing is missing and nothing comes twice.
        left.read();
        right.read();
    }
    before_a.set(Fault::None);
    before_b.set(Fault::None);
    for (channel, head) in channels.iter().zip(heads) {
        reaches(&mut left, channel, head, "left").await;
        reaches(&mut right, channel, head, "right").await;
    }
    assert!(left.seen.gaps.is_empty() && right.seen.gaps.is_empty(), "nothing is given up");
}
