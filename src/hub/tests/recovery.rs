//! No hole, nothing twice: subscribing, resuming, paging, and what the broker lost.

use super::fixture::{Client, EPOCH, World, person, plain, test_channel};
use crate::{
    broker::{Broadcast, Deliver},
    hub::HubSettings,
    publication::State,
};
use communiconnect_protocol::{
    Channel, Code, Data, History, Position, PostId, Presence, Recovered, SubscribeOutcome, Sync, SyncChannel,
};
use std::{pin::pin, sync::atomic::Ordering, time::Duration};

fn world() -> World {
    World::new(HubSettings::default())
}

#[tokio::test]
async fn a_new_subscription_begins_at_the_head() {
    let (world, channel) = (world(), test_channel("a"));
    (0..3).for_each(|_| world.publish(&channel));
    let mut client = world.guest().await;
    let subscribed = client.subscribe(&channel, None).await.expect("subscribed");
    assert_eq!(
        (subscribed.recovered, subscribed.offset, subscribed.publications.len()),
        (Recovered::New, 3, 0)
    );
    world.publish(&channel);
    assert_eq!(client.at(&channel), Some(4));
}

#[tokio::test]
async fn a_position_brings_exactly_what_was_missed() {
    let (world, channel) = (world(), test_channel("a"));
    (0..10).for_each(|_| world.publish(&channel));
    let mut client = world.guest().await;
    let subscribed = client.subscribe(&channel, Some(4)).await.expect("subscribed");
    assert_eq!((subscribed.recovered, subscribed.more), (Recovered::Ok, false));
    assert_eq!(
        subscribed.publications.iter().map(|item| item.offset()).collect::<Vec<_>>(),
        [5, 6, 7, 8, 9, 10]
    );
    world.publish(&channel);
    assert_eq!(client.at(&channel), Some(11));
}

#[tokio::test]
async fn what_is_no_longer_kept_is_named_and_the_rest_follows() {
    let (world, channel) = (world(), test_channel("a"));
    (0..10).for_each(|_| world.publish(&channel));
    world.log.trim_to(&channel, 7);
    let mut client = world.guest().await;
    let subscribed = client.subscribe(&channel, Some(2)).await.expect("subscribed");
    assert_eq!(subscribed.recovered, Recovered::Gap);
    assert_eq!(subscribed.gap.map(|gap| (gap.from, gap.to)), Some((3, 6)));
    assert_eq!(client.at(&channel), Some(10));
}

#[tokio::test]
async fn another_epoch_or_an_offset_beyond_the_head_is_a_reset() {
    let (world, channel) = (world(), test_channel("a"));
    world.publish(&channel);
    let client = world.guest().await;
    for (epoch, offset) in [("other", 1), (EPOCH, 2)] {
        let from = Position { epoch: epoch.into(), offset };
        let subscribed = client.ask(&channel, Some(from)).await.expect("subscribed");
        assert_eq!((subscribed.recovered, subscribed.offset), (Recovered::Reset, 1), "{epoch} {offset}");
    }
}

#[tokio::test]
async fn publications_of_the_meantime_come_once_and_after_the_reply() {
    // Whatever is written, delivered late, or overtakes the subscription at any of its steps.
    for delay in 0..12 {
        let (world, channel) = (world(), test_channel("a"));
        (0..5).for_each(|_| world.publish(&channel));
        let mut client = world.guest().await;
        let late = async {
            let mut waiting = Vec::new();
            for step in 0..12 {
                waiting.push(world.write(&channel, |offset| plain(&channel, offset)));
                if step >= delay {
                    world.deliver(waiting.drain(..));
                }
                tokio::task::yield_now().await;
            }
            waiting
        };
        let (subscribed, rest) = tokio::join!(client.subscribe(&channel, Some(2)), late);
        subscribed.expect("subscribed");
        world.deliver(rest);
        assert_eq!(client.at(&channel), Some(17), "delay {delay}");
        assert_eq!(client.seen.gaps, []);
    }
}

#[tokio::test]
async fn while_a_reader_pages_live_pushes_wait_for_the_last_page() {
    let (world, channel) = (world(), test_channel("a"));
    (0..600).for_each(|_| world.publish(&channel));
    let mut client = world.guest().await;
    let subscribed = client.subscribe(&channel, Some(0)).await.expect("subscribed");
    assert!(subscribed.more);
    assert_eq!(subscribed.publications.len(), 256);
    (0..10).for_each(|_| world.publish(&channel));
    assert_eq!(client.at(&channel), Some(256), "nothing overtakes the pages");
    let pages = client.catch_up(&channel).await;
    assert!(pages >= 2);
    (0..10).for_each(|_| world.publish(&channel));
    assert_eq!(client.at(&channel), Some(620));
    assert_eq!(client.seen.gaps, []);
}

#[tokio::test]
async fn what_cannot_be_held_is_a_gap_after_the_last_page() {
    let world = World::new(HubSettings { hold_bytes: 2_000, ..HubSettings::default() });
    let channel = test_channel("a");
    (0..300).for_each(|_| world.publish(&channel));
    let mut client = world.guest().await;
    assert!(client.subscribe(&channel, Some(0)).await.expect("subscribed").more);
    let command = History { channel: channel.to_string(), after: Some(256), before: None, limit: None };
    let page = world.hub.history(&client.caller(), command).await.expect("the last page");
    assert!(!page.more);
    // The page is read, its reply is not queued yet: this is what is held.
    (0..200).for_each(|_| world.publish(&channel));
    client.handle.reply(communiconnect_protocol::encode_ok(communiconnect_protocol::Format::Json, 2, &()));
    client.seen.page(&channel.to_string(), &page.publications);
    assert_eq!(client.at(&channel), Some(500), "held or named");
    assert_eq!(client.seen.gaps.len(), 1);
    assert_eq!(client.seen.gaps[0].2, "slow");
}

#[tokio::test]
async fn subscribing_again_answers_afresh() {
    let (world, channel) = (world(), test_channel("a"));
    let mut client = world.guest().await;
    client.subscribe(&channel, None).await.expect("subscribed");
    (0..5).for_each(|_| world.publish(&channel));
    let subscribed = client.subscribe(&channel, Some(1)).await.expect("subscribed again");
    assert_eq!(subscribed.publications.len(), 4);
    world.publish(&channel);
    assert_eq!(client.at(&channel), Some(6), "what waited before the second reply is not sent again");
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_lost_is_read_from_the_log_before_anything_later() {
    let (world, channel) = (world(), test_channel("a"));
    let mut client = world.guest().await;
    client.subscribe(&channel, None).await.expect("subscribed");
    world.publish(&channel);
    for _ in 0..3 {
        world.write(&channel, |offset| plain(&channel, offset));
    }
    world.publish(&channel);
    assert_eq!(client.at(&channel), Some(1), "the fifth waits for three");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.at(&channel), Some(5));
    assert_eq!(client.seen.gaps, []);
}

#[tokio::test(start_paused = true)]
async fn publications_that_overtook_each_other_need_no_repair() {
    let (world, channel) = (world(), test_channel("a"));
    let mut client = world.guest().await;
    client.subscribe(&channel, None).await.expect("subscribed");
    world.publish(&channel);
    let two = world.write(&channel, |offset| plain(&channel, offset));
    let three = world.write(&channel, |offset| plain(&channel, offset));
    world.log.is_down.store(true, Ordering::Relaxed);
    world.deliver([three.clone()]);
    world.deliver([two]);
    world.deliver([three]);
    assert_eq!(client.at(&channel), Some(3));
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.log.is_down.store(false, Ordering::Relaxed);
    world.publish(&channel);
    assert_eq!(client.at(&channel), Some(4));
}

#[tokio::test(start_paused = true)]
async fn a_repair_waits_for_a_log_that_is_away_and_names_what_it_no_longer_has() {
    let (world, channel) = (world(), test_channel("a"));
    let mut client = world.guest().await;
    client.subscribe(&channel, None).await.expect("subscribed");
    world.publish(&channel);
    for _ in 0..5 {
        world.write(&channel, |offset| plain(&channel, offset));
    }
    world.log.is_down.store(true, Ordering::Relaxed);
    world.publish(&channel);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(client.at(&channel), Some(1));
    world.log.trim_to(&channel, 4);
    world.log.is_down.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.at(&channel), Some(7));
    assert_eq!(client.seen.gaps, [(2, 3, "expired".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_tail_is_found_by_comparing_heads() {
    let (world, channel) = (world(), test_channel("a"));
    let mut client = world.guest().await;
    client.subscribe(&channel, None).await.expect("subscribed");
    for _ in 0..3 {
        world.write(&channel, |offset| plain(&channel, offset));
    }
    assert!(world.hub.check_all_heads().await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.at(&channel), Some(3));
}

#[tokio::test]
async fn history_reads_both_ways_and_says_what_is_gone() {
    let (world, channel) = (world(), test_channel("a"));
    (0..20).for_each(|_| world.publish(&channel));
    world.log.trim_to(&channel, 6);
    let client = world.guest().await;
    let ask = async |after, before, limit| {
        let command = History { channel: channel.to_string(), after, before, limit };
        let page = world.hub.history(&client.caller(), command).await.expect("a page");
        let offsets: Vec<_> = page.publications.iter().map(|item| item.offset()).collect();
        (offsets, page.gap.map(|gap| (gap.from, gap.to)), page.more)
    };
    assert_eq!(ask(Some(17), None, None).await, (vec![18, 19, 20], None, false));
    assert_eq!(ask(Some(2), None, Some(2)).await, (vec![6, 7], Some((3, 5)), true));
    assert_eq!(ask(Some(6), Some(9), None).await, (vec![7, 8], None, false));
    assert_eq!(ask(None, None, Some(2)).await, (vec![20, 19], None, true));
    assert_eq!(ask(None, Some(8), None).await, (vec![7, 6], Some((1, 5)), false));
    assert_eq!(ask(Some(20), None, Some(0)).await, (vec![], None, false));
}

#[tokio::test]
async fn sync_answers_in_the_order_asked_and_within_its_bytes() {
    let world = world();
    let names = ["b", "a", "c"];
    for name in names {
        (0..50).for_each(|_| world.publish(&test_channel(name)));
    }
    let mut client = world.guest().await;
    let channels = names
        .map(|name| SyncChannel {
            channel: format!("test:{name}"),
            epoch: Some(EPOCH.into()),
            offset: Some(0),
        })
        .into_iter()
        .chain([SyncChannel { channel: "nonsense".into(), epoch: None, offset: None }])
        .collect();
    let synced = world.hub.sync(&client.caller(), Sync { channels, bytes: Some(60) }).await.expect("synced");
    client.handle.reply(communiconnect_protocol::encode_ok(communiconnect_protocol::Format::Json, 2, &()));
    let outcomes: Vec<_> = synced
        .subscriptions
        .iter()
        .map(|outcome| match outcome {
            communiconnect_protocol::SubscribeOutcome::Subscribed(subscribed) => {
                client.seen.offsets.insert(subscribed.channel.to_string(), 0);
                client.seen.begin(subscribed);
                (subscribed.channel.to_string(), subscribed.publications.len(), subscribed.more)
            }
            communiconnect_protocol::SubscribeOutcome::Refused(refused) => {
                assert_eq!(refused.error.code, Code::Invalid);
                assert_eq!(refused.error.field.as_deref(), Some("channels.3.channel"));
                (refused.channel.clone().unwrap_or_default(), 0, false)
            }
        })
        .collect();
    let expected = [("test:b", 50, false), ("test:a", 10, true), ("test:c", 0, true), ("nonsense", 0, false)];
    assert_eq!(outcomes, expected.map(|(name, count, more)| (name.to_owned(), count, more)));
    for name in names {
        let channel = test_channel(name);
        world.publish(&channel);
        if name != "b" {
            client.catch_up(&channel).await;
        }
        assert_eq!(client.at(&channel), Some(51), "{name}");
    }
}

#[tokio::test]
async fn a_stalled_reader_changes_nothing_for_others_and_ends_in_the_same_place() {
    let world = World::new(HubSettings { outbox_bytes: 10_000, outbox_count: 200, ..HubSettings::default() });
    let channel = test_channel("a");
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..2 {
        let mut client = world.guest().await;
        client.subscribe(&channel, None).await.expect("subscribed");
        clients.push(client);
    }
    for _ in 0..2_000 {
        world.publish(&channel);
        assert!(clients[0].at(&channel).is_some());
        assert!(clients[1].handle.waiting_bytes() <= 10_000);
    }
    assert_eq!(clients[0].seen.gaps, []);
    assert_eq!(clients[1].at(&channel), Some(2_000));
    assert!(!clients[1].seen.gaps.is_empty());
    assert_eq!(clients[1].seen.others.last().map(String::as_str), Some("flow"), "told of the recovery");
}

#[tokio::test]
async fn a_subscribe_that_fails_leaves_what_was_before() {
    let world = world();
    let ann = person("ann");
    let own = Channel::User(ann.user_id().expect("ann"));
    let mut ann = world.connect(ann).await;
    world.publish(&own);
    world.log.is_down.store(true, Ordering::Relaxed);
    let error = ann.ask(&own, Some(Position { epoch: EPOCH.into(), offset: 0 })).await.expect_err("no log");
    assert_eq!(error.code, Code::Unavailable);
    let other = test_channel("a");
    assert_eq!(ann.ask(&other, None).await.expect_err("no log").code, Code::Unavailable);
    world.log.is_down.store(false, Ordering::Relaxed);
    world.publish(&own);
    world.publish(&other);
    assert_eq!(ann.at(&own), Some(2), "what waited is still there, and what comes follows");
    assert_eq!(ann.handle.channels(), [own], "the other was never begun");
    assert_eq!(world.hub.channels().len(), 1);
}

#[tokio::test]
async fn a_reader_who_pages_pages_on_after_a_subscribe_that_failed() {
    let (world, channel) = (world(), test_channel("a"));
    (0..300).for_each(|_| world.publish(&channel));
    let mut client = world.guest().await;
    assert!(client.subscribe(&channel, Some(0)).await.expect("subscribed").more);
    world.publish(&channel);
    world.log.is_down.store(true, Ordering::Relaxed);
    assert!(client.ask(&channel, None).await.is_err());
    world.log.is_down.store(false, Ordering::Relaxed);
    world.publish(&channel);
    assert_eq!(client.at(&channel), Some(256), "nothing overtakes the pages");
    client.catch_up(&channel).await;
    assert_eq!(client.at(&channel), Some(302));
    assert_eq!(client.seen.gaps, []);
}

#[tokio::test]
async fn a_subscribe_that_is_given_up_half_way_leaves_nothing() {
    let (world, channel) = (world(), test_channel("a"));
    let client = world.guest().await;
    world.log.is_stuck.store(true, Ordering::Relaxed);
    let asked = client.ask(&channel, None);
    assert!(tokio::time::timeout(Duration::from_millis(1), asked).await.is_err());
    assert_eq!(client.handle.channels(), []);
    assert_eq!(world.hub.channels(), [], "and nobody is kept for it");
}

#[tokio::test]
async fn a_sync_that_is_refused_begins_none_of_its_channels() {
    let (world, channel) = (world(), test_channel("a"));
    let client = world.guest().await;
    let channels = vec![SyncChannel { channel: channel.to_string(), epoch: None, offset: None }];
    world.hub.sync(&client.caller(), Sync { channels, bytes: None }).await.expect("synced");
    // Its reply was too late.
    client.handle.refuse(communiconnect_protocol::encode_ok(communiconnect_protocol::Format::Json, 2, &()));
    assert_eq!(client.handle.channels(), []);
    assert_eq!(world.hub.channels(), []);
}

#[tokio::test]
async fn states_count_against_the_bytes_of_a_sync_and_come_behind_the_last_page() {
    let world = world();
    let names = [1, 2].map(|id| Channel::Post(communiconnect_protocol::PostId::new(id)));
    for version in 1..=3 {
        let (event, key) = ("post.counts".into(), format!("key-{version}"));
        let data = communiconnect_protocol::Data::of(&"x".repeat(100));
        world.rights.states.lock().push(communiconnect_protocol::StateItem { event, key, version, data });
    }
    let mut client = world.guest().await;
    let wish = |channel: &Channel, offset: Option<u64>| SyncChannel {
        channel: channel.to_string(),
        epoch: offset.map(|_| EPOCH.into()),
        offset,
    };
    let channels = vec![wish(&names[0], None), wish(&names[1], Some(0))];
    let synced = world.hub.sync(&client.caller(), Sync { channels, bytes: Some(800) }).await.expect("synced");
    client.handle.reply(communiconnect_protocol::encode_ok(communiconnect_protocol::Format::Json, 2, &()));
    let told: Vec<_> = synced
        .subscriptions
        .iter()
        .map(|outcome| match outcome {
            SubscribeOutcome::Subscribed(subscribed) => (subscribed.states.len(), subscribed.more),
            SubscribeOutcome::Refused(refused) => panic!("{refused:?}"),
        })
        .collect();
    assert_eq!(told, [(3, false), (0, true)]);
    client.seen.offsets.insert(names[1].to_string(), 0);
    assert!(client.read().states.is_empty(), "not before the last page");
    client.catch_up(&names[1]).await;
    assert_eq!(client.read().states, [1, 2, 3]);
}

/// A state under a key of its own, which no answer to `subscribe` brings.
fn tell_state(world: &World, channel: &Channel, version: u64) {
    let state = State {
        channels: vec![channel.clone()],
        event: "post.counts".into(),
        key: version.to_string(),
        version,
        data: Data::of(&version),
        actor: None,
    };
    world.hub.deliver(vec![Broadcast::State(state)]);
}

#[tokio::test]
async fn who_subscribes_again_misses_no_state_and_stays_present() {
    let (world, channel) = (world(), Channel::Post(PostId::new(1)));
    let mut client = world.guest().await;
    client.subscribe(&channel, Some(0)).await.expect("subscribed");
    world.publish(&channel);
    tell_state(&world, &channel, 1);
    {
        let mut again = pin!(client.ask(&channel, Some(Position { epoch: EPOCH.into(), offset: 0 })));
        assert!(futures_util::poll!(&mut again).is_pending());
        (2..=300).for_each(|version| tell_state(&world, &channel, version));
        let command = Presence { channel: channel.to_string(), cursor: None };
        assert_eq!(world.hub.presence(&client.caller(), command).await.expect("a page").count, 1);
        let subscribed = again.await.expect("subscribed");
        assert_eq!(subscribed.publications.len(), 1, "the answer tells what waited");
    }
    client.seen.offsets.insert(channel.to_string(), 1);
    assert_eq!(client.read().states, (1..=300).collect::<Vec<_>>());
}
