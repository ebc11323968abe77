//! Very many readers of a busy channel: what is said in quick succession goes out together, whole and in order.

use super::fixture::{Client, World, plain, test_channel};
use crate::{
    broker::{Broadcast, Deliver, LinkState},
    hub::HubSettings,
    publication::{Publication, State},
};
use communiconnect_protocol::{Channel, Data, PostId, event};
use std::time::Duration;

/// Their pause is 20 ms: longer than a test takes to say something ten times.
const READERS: usize = 1_000;

/// A pause that ends by the timer alone.
fn world() -> World {
    World::new(HubSettings { flush_ms: 1_000, ..HubSettings::default() })
}

async fn readers(world: &World, channel: &Channel) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..READERS {
        let mut client = world.guest().await;
        client.subscribe(channel, None).await.expect("subscribed");
        clients.push(client);
    }
    clients
}

/// Lets a pause pass: real time, for the channel asks the real clock.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn what_follows_closely_waits_and_comes_whole() {
    let (world, channel) = (world(), test_channel("a"));
    let mut clients = readers(&world, &channel).await;
    (0..10).for_each(|_| world.publish(&channel));
    let at = clients[0].at(&channel);
    assert!(at < Some(10), "the first at once, the others after the pause; {at:?} came");
    pause().await;
    for client in &mut clients {
        assert_eq!(client.at(&channel), Some(10));
        assert_eq!(client.seen.gaps, []);
    }
}

#[tokio::test]
async fn one_that_joins_in_the_pause_misses_nothing_and_gets_nothing_twice() {
    let (world, channel) = (world(), test_channel("a"));
    let _clients = readers(&world, &channel).await;
    (0..4).for_each(|_| world.publish(&channel));
    let mut late = world.guest().await;
    let subscribed = late.subscribe(&channel, Some(1)).await.expect("subscribed");
    assert_eq!((subscribed.publications.len(), subscribed.more), (3, false));
    pause().await;
    world.publish(&channel);
    pause().await;
    assert_eq!(late.at(&channel), Some(5));
    assert_eq!(late.seen.gaps, []);
}

#[tokio::test]
async fn what_waits_is_not_taken_for_lost() {
    let (world, channel) = (world(), test_channel("a"));
    let mut clients = readers(&world, &channel).await;
    (0..4).for_each(|_| world.publish(&channel));
    let reads = world.log.reads.load(std::sync::atomic::Ordering::Relaxed);
    world.hub.heads(vec![(channel.clone(), 4)]);
    assert_eq!(clients[0].at(&channel), Some(4), "it goes out as soon as somebody asks for it");
    pause().await;
    assert_eq!(world.log.reads.load(std::sync::atomic::Ordering::Relaxed), reads, "nothing was repaired");
}

#[tokio::test]
async fn a_hole_is_repaired_beside_what_waits() {
    let (world, channel) = (world(), test_channel("a"));
    let mut clients = readers(&world, &channel).await;
    world.publish(&channel);
    world.write(&channel, |offset| plain(&channel, offset));
    (0..3).for_each(|_| world.publish(&channel));
    tokio::time::timeout(Duration::from_secs(10), async {
        while clients[0].at(&channel) < Some(5) {
            pause().await;
        }
    })
    .await
    .expect("the hole is repaired");
    assert_eq!(clients[0].seen.gaps, []);
}

#[tokio::test]
async fn states_keep_their_place_and_only_the_newest_is_told() {
    let (world, channel) = (world(), test_channel("a"));
    let mut clients = readers(&world, &channel).await;
    world.publish(&channel);
    for version in [2, 3, 1] {
        let data = Data::of(&version);
        let channels = vec![channel.clone()];
        let state = State { channels, event: "s".into(), key: "k".into(), version, data, actor: None };
        world.hub.deliver(vec![Broadcast::State(state)]);
    }
    pause().await;
    assert_eq!(clients[0].read().states, [3]);
}

#[tokio::test]
async fn what_waits_when_the_broker_loses_something_came_before_that() {
    let world = world();
    let channel = Channel::Post(PostId::new(1_700_000_000_000));
    let mut clients = readers(&world, &channel).await;
    world.publish(&channel);
    let state = State {
        channels: vec![channel.clone()],
        event: "s".into(),
        key: "k".into(),
        version: 9,
        data: Data::of(&9),
        actor: None,
    };
    world.hub.deliver(vec![Broadcast::State(state)]);
    world.hub.link(LinkState::Returning);
    pause().await;
    assert_eq!(clients[0].read().states, [9]);
}

#[tokio::test]
async fn the_end_of_a_post_waits_for_nothing_and_overtakes_nothing() {
    let (world, channel) = (world(), Channel::Post(PostId::new(1_700_000_000_000)));
    let mut clients = readers(&world, &channel).await;
    (0..3).for_each(|_| world.publish(&channel));
    let deleted = world.write(&channel, |offset| Publication {
        event: event::POST_DELETED.into(),
        ..plain(&channel, offset)
    });
    let last = deleted.offset;
    world.deliver([deleted]);
    for client in &mut clients {
        let seen = client.read();
        assert_eq!(seen.ended, [(channel.to_string(), "deleted".to_owned())]);
        assert_eq!(seen.gaps, []);
    }
    assert_eq!(last, 4);
    pause().await;
    assert_eq!(clients[0].read().ended.len(), 1);
}
