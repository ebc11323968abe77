//! Who is in a channel of one node, however often somebody asks.

use super::fixture::{World, person};
use crate::{auth::Identity, hub::HubSettings};
use communiconnect_protocol::{Channel, PostId, Presence};
use std::time::Duration;

async fn count(world: &World, caller: &super::fixture::Client, channel: &Channel) -> u64 {
    let command = Presence { channel: channel.to_string(), cursor: None };
    world.hub.presence(&caller.caller(), command).await.expect("a page").count
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_or_goes_is_seen_at_once_among_few() {
    let (world, channel) = (World::new(HubSettings::default()), Channel::Post(PostId::new(1)));
    let mut guest = world.guest().await;
    assert_eq!(count(&world, &guest, &channel).await, 0);
    guest.subscribe(&channel, None).await.expect("subscribed");
    assert_eq!(count(&world, &guest, &channel).await, 1);
    let mut ann = world.connect(person("ann")).await;
    ann.subscribe(&channel, None).await.expect("subscribed");
    assert_eq!(count(&world, &guest, &channel).await, 2);
    world.hub.leave(&ann.handle);
    assert_eq!(count(&world, &guest, &channel).await, 1);
}

#[tokio::test(start_paused = true)]
async fn among_many_it_takes_a_moment() {
    const MANY: u64 = 1_001;
    let (world, channel) = (World::new(HubSettings::default()), Channel::Post(PostId::new(1)));
    let mut clients = Vec::new();
    for _ in 0..MANY {
        let mut client = world.connect(Identity::Guest).await;
        client.subscribe(&channel, None).await.expect("subscribed");
        clients.push(client);
    }
    assert_eq!(count(&world, &clients[0], &channel).await, MANY);
    world.hub.leave(&clients[1].handle);
    assert_eq!(
        count(&world, &clients[0], &channel).await,
        MANY,
        "it is not put in order for everybody who moves"
    );
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(count(&world, &clients[0], &channel).await, MANY - 1);
}
