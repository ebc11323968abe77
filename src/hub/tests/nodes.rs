//! Two nodes of one store, a real Redis between them, and everything that happens to it: no reader sees a hole, none sees
//! anything twice, and all end where the log ends.

use super::fixture::{Client, World, person, plain, test_channel};
use crate::{
    auth::Identity,
    broker::{Broadcast, RedisBroker, RedisUrl, SharedBroker, redis_testing::Redis},
    fault_proxy::{Fault, FaultProxy},
    hub::HubSettings,
    publication::{Audience, Publication},
};
use communiconnect_protocol::{Channel, Code, Data, PostId, Presence, StateItem, UserControl};
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
        let broker: SharedBroker = RedisBroker::open(&url, "store", world.hub.clone(), &world.tasks).await;
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
    // Channels with rights: their readers are judged anew after every return, and what comes meanwhile waits for that.
    let channels = [1, 2, 3].map(|number| Channel::Post(PostId::new(number)));
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

/// Two nodes that know each other, and the network before the second.
async fn two_nodes(redis: &Redis, settings: HubSettings) -> (Node, Node, FaultProxy) {
    let before_b = FaultProxy::before(redis.address()).await;
    let world = World::new(settings);
    let b = Node::new(world.beside(), before_b.address()).await;
    let a = Node::new(world, redis.address()).await;
    for (node, other) in [(&a, &b), (&b, &a)] {
        let knows = async {
            while node.world.hub.peers.count() == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, knows).await.expect("they hear each other");
        assert!(!other.world.hub.whole.is_away());
    }
    (a, b, before_b)
}

#[tokio::test]
async fn presence_is_that_of_all_nodes_and_a_node_that_dies_takes_its_people_along() {
    let redis = Redis::start().await;
    let (a, b, before_b) = two_nodes(&redis, HubSettings::default()).await;
    let channel = Channel::Post(PostId::new(1));
    let mut clients = Vec::new();
    let (ann, bob) = (person("ann"), person("bob"));
    let guest = Identity::Guest;
    for (node, identity) in [(&a, ann.clone()), (&b, ann), (&b, bob), (&b, guest.clone()), (&a, guest)] {
        let mut client = node.world.connect(identity).await;
        client.subscribe(&channel, None).await.expect("subscribed");
        clients.push(client);
    }
    let ask = async || {
        let command = Presence { channel: channel.to_string(), cursor: None };
        let page = a.world.hub.presence(&clients[0].caller(), command).await.expect("a page");
        let mut names: Vec<_> = page.users.into_iter().map(|user| user.username).collect();
        names.sort();
        (page.count, names)
    };
    assert_eq!(ask().await, (4, vec!["ann".to_owned(), "bob".to_owned()]), "ann once, two guests");
    before_b.set(Fault::Cut);
    let gone = async {
        // What the other answered is good for a moment.
        while ask().await != (2, vec!["ann".to_owned()]) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("they are gone");
}

#[tokio::test]
async fn presence_of_many_on_two_nodes_comes_in_whole_pages() {
    let redis = Redis::start().await;
    let (a, b, _network) = two_nodes(&redis, HubSettings::default()).await;
    let channel = Channel::Post(PostId::new(1));
    for number in 0..250 {
        let node = if number % 5 == 0 { &a } else { &b };
        let mut client = node.world.connect(person(&format!("p{number}"))).await;
        client.subscribe(&channel, None).await.expect("subscribed");
    }
    let guest = a.world.guest().await;
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let command = Presence { channel: channel.to_string(), cursor };
        let page = a.world.hub.presence(&guest.caller(), command).await.expect("a page");
        assert_eq!(page.count, 250);
        assert!(page.users.len() <= 100);
        names.extend(page.users.into_iter().map(|user| user.username));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let told = names.len();
    names.sort();
    names.dedup();
    assert_eq!((told, names.len()), (250, 250), "each once");
}

#[tokio::test]
async fn presence_that_cannot_be_asked_elsewhere_is_unavailable_at_once() {
    let mut redis = Redis::start().await;
    let (a, _b, _network) = two_nodes(&redis, HubSettings::default()).await;
    let guest = a.world.guest().await;
    redis.kill();
    let away = async {
        while !a.world.hub.whole.is_away() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, away).await.expect("it is noticed");
    let command = Presence { channel: Channel::Post(PostId::new(1)).to_string(), cursor: None };
    let refused = a.world.hub.presence(&guest.caller(), command).await.expect_err("unavailable");
    assert_eq!((refused.code, refused.retry_after_ms), (Code::Unavailable, Some(1_000)));
}

#[tokio::test]
async fn what_concerns_a_person_reaches_their_sessions_on_every_node() {
    let redis = Redis::start().await;
    let (a, b, _network) = two_nodes(&redis, HubSettings::default()).await;
    let ann = person("ann");
    let (mut here, mut there) = (a.world.connect(ann.clone()).await, b.world.connect(ann).await);
    let user = here.handle.user_id().expect("a person");
    a.world.hub.message_to_user(user, "rtc.ended", &Data::of(&1));
    assert_eq!(here.read().others, ["message"]);
    let arrives = async {
        while there.read().others.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, arrives).await.expect("it comes");
    assert_eq!(there.seen.others, ["message"]);
}

#[tokio::test]
async fn a_logout_on_one_node_closes_the_sessions_of_that_login_on_the_other() {
    let redis = Redis::start().await;
    let (a, b, _network) = two_nodes(&redis, HubSettings::default()).await;
    let client = b.world.connect(person("ann")).await;
    let channel = Channel::User(client.handle.user_id().expect("a person"));
    let control = UserControl::LoggedOut { login: "login-ann".into() };
    let entry = a.world.write(&channel, |offset| Publication {
        data: Data::of(&control),
        audience: Audience::Server,
        ..plain(&channel, offset)
    });
    a.broker.publish(vec![Broadcast::Publication(entry)]).await.expect("publishes");
    let closes = async {
        while client.handle.closing().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, closes).await.expect("it closes");
}

#[tokio::test]
async fn commands_that_went_through_on_one_node_count_on_the_other() {
    const PER_SECOND: u32 = 100;
    let redis = Redis::start().await;
    let settings = HubSettings { commands_per_second_user: PER_SECOND, ..HubSettings::default() };
    let (a, b, _network) = two_nodes(&redis, settings).await;
    let ann = person("ann");
    let (here, there) = (a.world.connect(ann.clone()).await, b.world.connect(ann).await);
    // At one moment, so that nothing of the allowance comes back meanwhile.
    let now = 0;
    assert_eq!((0..200).filter(|_| here.handle.take_command(now, PER_SECOND).is_ok()).count(), 100);
    let mut taken = 0;
    while there.handle.take_command(now, PER_SECOND).is_ok() {
        taken += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(taken < PER_SECOND, "refused for what went through elsewhere, not for its own {taken}");
}

#[tokio::test]
async fn states_that_a_dead_node_did_not_tell_any_more_are_read_by_the_others() {
    let redis = Redis::start().await;
    let (a, _b, before_b) = two_nodes(&redis, HubSettings::default()).await;
    let channel = Channel::Post(PostId::new(1));
    let mut client = a.world.guest().await;
    client.subscribe(&channel, None).await.expect("subscribed");
    let state = StateItem { event: "s".into(), key: "k".into(), version: 5, data: Data::of(&1) };
    a.world.rights.states.lock().push(state);
    before_b.set(Fault::Cut);
    let shown = async {
        while client.read().states.last() != Some(&5) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.expect("it is shown");
}
