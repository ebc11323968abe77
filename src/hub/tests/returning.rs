//! A broker that lost something: heads, rights, blocks, states, in the order that leaks nothing.

use super::fixture::{Client, World, person, plain, test_channel};
use crate::{
    broker::{Broadcast, Deliver, LinkState},
    hub::HubSettings,
    publication::{Publication, State},
};
use communiconnect_protocol::{Channel, Data, PostId, StateItem, UserId};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};

/// A hub whose housekeeping runs, behind a broker that may lose.
fn world() -> World {
    let world = World::new(HubSettings::default());
    world.tasks.spawn(world.hub.clone().tend());
    world.hub.link(LinkState::Returned);
    world
}

fn post() -> Channel {
    Channel::Post(PostId::new(1))
}

async fn listening(world: &World, channel: &Channel, name: &str) -> Client {
    let mut client = world.connect(person(name)).await;
    client.subscribe(channel, None).await.expect("subscribed");
    client
}

/// Long enough for everything that is due at once.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_another_node_tells_brings_the_lost_tail_by_one_read() {
    let (world, channel) = (world(), test_channel("a"));
    let mut clients = Vec::new();
    for name in ["a", "b", "c"] {
        clients.push(listening(&world, &channel, name).await);
    }
    a_moment().await;
    let reads = world.log.reads.load(Relaxed);
    (0..3).for_each(|_| drop(world.write(&channel, |offset| plain(&channel, offset))));
    for _ in 0..3 {
        world.hub.heads(vec![(channel.clone(), 3)]);
    }
    a_moment().await;
    for client in &mut clients {
        assert_eq!(client.at(&channel), Some(3));
    }
    assert_eq!(world.log.reads.load(Relaxed), reads + 1);
}

#[tokio::test(start_paused = true)]
async fn a_publication_that_only_overtook_another_reads_nothing() {
    let (world, channel) = (world(), test_channel("a"));
    let mut client = listening(&world, &channel, "a").await;
    a_moment().await;
    let reads = world.log.reads.load(Relaxed);
    let first = world.write(&channel, |offset| plain(&channel, offset));
    let second = world.write(&channel, |offset| plain(&channel, offset));
    world.deliver([second]);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(client.at(&channel), Some(0), "held for the one before");
    world.deliver([first]);
    assert_eq!(client.at(&channel), Some(2));
    a_moment().await;
    assert_eq!(world.log.reads.load(Relaxed), reads);
}

#[tokio::test(start_paused = true)]
async fn while_the_broker_is_away_the_log_brings_everything_within_a_second() {
    let (world, channel) = (world(), test_channel("a"));
    let mut client = listening(&world, &channel, "a").await;
    world.hub.link(LinkState::Lost);
    for head in 1..=3 {
        world.write(&channel, |offset| plain(&channel, offset));
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(client.at(&channel), Some(head));
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_another_node_overtook_is_not_told_after_the_newer_one() {
    let (world, channel) = (world(), post());
    let mut client = listening(&world, &channel, "a").await;
    for (key, version) in [("k", 1), ("k", 3), ("k", 2), ("other", 2), ("k", 4)] {
        world.hub.deliver(vec![Broadcast::State(State {
            channels: vec![channel.clone()],
            event: "s".into(),
            key: key.into(),
            version,
            data: Data::of(&1),
            actor: None,
        })]);
        client.read();
    }
    assert_eq!(client.seen.states, [1, 3, 2, 4], "two is the other's");
}

#[tokio::test(start_paused = true)]
async fn a_broker_of_which_a_part_is_back_is_still_away() {
    let (world, channel) = (world(), test_channel("a"));
    let mut client = listening(&world, &channel, "a").await;
    world.hub.link(LinkState::Lost);
    for head in 1..=2 {
        world.hub.link(LinkState::Returning);
        world.hub.link(LinkState::Missed);
        a_moment().await;
        world.write(&channel, |offset| plain(&channel, offset));
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(client.at(&channel), Some(head), "all channels are looked at each second");
    }
}

/// A commit stands whose answer was lost on the way: whoever sent it is answered by the retry, which publishes nothing.
#[tokio::test(start_paused = true)]
async fn what_nobody_published_comes_from_the_log_also_beside_a_broker_that_loses_nothing() {
    let (world, channel) = (World::new(HubSettings::default()), test_channel("a"));
    world.tasks.spawn(world.hub.clone().tend());
    let mut client = listening(&world, &channel, "a").await;
    world.write(&channel, |offset| plain(&channel, offset));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(client.at(&channel), Some(0), "a log of one's own never moves alone, and nobody looks");
    world.hub.log_may_move_alone();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(client.at(&channel), Some(1));
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_right_meanwhile_is_told_so_and_nothing_else() {
    let (world, channel) = (world(), post());
    let (mut loser, mut keeper) =
        (listening(&world, &channel, "loser").await, listening(&world, &channel, "keeper").await);
    world.hub.link(LinkState::Lost);
    a_moment().await;
    world.rights.forbid(loser.handle.user_id(), &channel);
    world.write(&channel, |offset| plain(&channel, offset));
    world.hub.link(LinkState::Returning);
    // There is no hole between what was missed and what comes first, once it is repaired; nor any before it was judged.
    world.publish(&channel);
    world.hub.link(LinkState::Returned);
    a_moment().await;
    assert_eq!(keeper.at(&channel), Some(2));
    assert_eq!(loser.at(&channel), None);
    assert_eq!(loser.seen.ended, [(channel.to_string(), "forbidden".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_before_rights_could_be_judged() {
    let (world, channel) = (world(), post());
    let mut client = listening(&world, &channel, "a").await;
    world.rights.is_down.store(true, Relaxed);
    world.hub.link(LinkState::Returning);
    world.publish(&channel);
    world.hub.link(LinkState::Returned);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(client.at(&channel), Some(0));
    world.rights.is_down.store(false, Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.at(&channel), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_return_that_breaks_off_holds_nothing_up() {
    let (world, channel) = (world(), post());
    let mut client = listening(&world, &channel, "a").await;
    world.hub.link(LinkState::Returning);
    world.publish(&channel);
    world.hub.link(LinkState::Lost);
    a_moment().await;
    assert_eq!(client.at(&channel), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_block_that_was_missed_filters_what_was_missed() {
    let (world, channel) = (world(), post());
    let mut client = listening(&world, &channel, "a").await;
    let user = client.handle.user_id().expect("a person");
    let other = UserId::new(7);
    world.hub.link(LinkState::Lost);
    a_moment().await;
    world.rights.blocked.lock().insert(user, vec![other]);
    world.write(&channel, |offset| Publication { actor: Some(other), ..plain(&channel, offset) });
    world.hub.link(LinkState::Returning);
    world.hub.link(LinkState::Returned);
    a_moment().await;
    assert_eq!(client.at(&channel), Some(1));
    assert_eq!(client.seen.skips, [1], "its place is told, not what it says");
}

#[tokio::test(start_paused = true)]
async fn states_of_other_nodes_come_also_while_the_broker_is_away_and_each_once() {
    let (world, channel) = (world(), post());
    let mut client = listening(&world, &channel, "a").await;
    world.hub.link(LinkState::Lost);
    a_moment().await;
    for version in [5, 6] {
        let state = StateItem { event: "s".into(), key: "k".into(), version, data: Data::of(&1) };
        *world.rights.states.lock() = vec![state];
        tokio::time::sleep(Duration::from_secs(4)).await;
        client.read();
    }
    assert_eq!(client.seen.states, [5, 6]);
}

#[tokio::test(start_paused = true)]
async fn states_are_read_again_after_the_return() {
    let (world, channel) = (world(), post());
    let mut client = listening(&world, &channel, "a").await;
    let state = StateItem { event: "s".into(), key: "k".into(), version: 5, data: Data::of(&1) };
    world.hub.link(LinkState::Lost);
    a_moment().await;
    world.rights.states.lock().push(state);
    world.hub.link(LinkState::Returning);
    world.hub.link(LinkState::Returned);
    a_moment().await;
    assert_eq!(client.read().states, [5]);
}
