//! Nobody receives what they may not read, and losing a right ends the subscription.

use super::fixture::{World, person, plain, test_channel};
use crate::{
    broker::{Broadcast, Deliver},
    hub::{Closing, HubSettings},
    publication::{Audience, Signal, State},
};
use communiconnect_protocol::{
    Channel, CloseCode, Code, Data, History, LiveId, LogItem, PostDeleted, PostId, Presence, Unsubscribe,
    UnsubscribeReason, UserControl, UserId, event,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

fn world() -> World {
    World::new(HubSettings::default())
}

fn post() -> (PostId, Channel) {
    let id = PostId::new(1_700_000_000_000);
    (id, Channel::Post(id))
}

/// Lets tasks that the hub started come to rest.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

impl World {
    /// An entry for the server in somebody's log.
    fn control(&self, user: UserId, control: &UserControl) {
        let channel = Channel::User(user);
        let entry = self.write(&channel, |offset| crate::publication::Publication {
            data: Data::of(control),
            audience: Audience::Server,
            ..plain(&channel, offset)
        });
        self.deliver([entry]);
    }

    /// What `actor` did in a channel.
    fn publish_by(&self, channel: &Channel, actor: UserId) {
        let entry = self.write(channel, |offset| crate::publication::Publication {
            actor: Some(actor),
            ..plain(channel, offset)
        });
        self.deliver([entry]);
    }
}

#[tokio::test]
async fn what_may_not_be_read_does_not_exist() {
    let world = world();
    let (_, channel) = post();
    world.rights.forbid(None, &channel);
    let mut guest = world.guest().await;
    let error = guest.subscribe(&channel, None).await.expect_err("forbidden");
    assert_eq!(error.code, Code::NotFound);
    world.publish(&channel);
    guest.read();
    assert!(guest.seen.others.is_empty(), "nothing of it is sent: {:?}", guest.seen.others);
    assert_eq!(world.hub.channels(), [], "and nobody is kept for it");
}

#[tokio::test]
async fn anothers_own_channel_is_not_found_and_ones_own_is_always_there() {
    let world = world();
    let (ann, bob) = (person("ann"), person("bob"));
    let anns = Channel::User(ann.user_id().expect("a person"));
    let mut ann = world.connect(ann).await;
    let mut bob = world.connect(bob).await;
    assert_eq!(bob.subscribe(&anns, None).await.expect_err("not bob's").code, Code::NotFound);
    world.publish(&anns);
    assert_eq!(ann.at(&anns), Some(1));
    let command = Unsubscribe { channel: anns.to_string() };
    let error = world.hub.unsubscribe(&ann.caller(), command).await.expect_err("it stays");
    assert_eq!(error.code, Code::Forbidden);
}

#[tokio::test]
async fn after_unsubscribing_nothing_comes_even_of_what_waited() {
    let (world, channel) = (world(), test_channel("a"));
    let mut guest = world.guest().await;
    guest.subscribe(&channel, None).await.expect("subscribed");
    world.publish(&channel);
    let command = Unsubscribe { channel: channel.to_string() };
    assert!(world.hub.unsubscribe(&guest.caller(), command.clone()).await.expect("left").changed);
    assert!(!world.hub.unsubscribe(&guest.caller(), command).await.expect("left already").changed);
    world.publish(&channel);
    assert_eq!(guest.at(&channel), Some(0), "the reader stays where it was");
    assert_eq!(world.hub.channels(), []);
}

#[tokio::test]
async fn a_blocked_pair_gets_skips_live_and_in_pages() {
    let world = world();
    let (ann, bob) = (person("ann"), person("bob"));
    let (ann_id, bob_id) = (ann.user_id().expect("ann"), bob.user_id().expect("bob"));
    let channel = Channel::Feed(communiconnect_protocol::CommunityId::new(1));
    world.rights.blocked.lock().insert(bob_id, vec![ann_id]);
    let mut bob = world.connect(bob).await;
    let mut ann = world.connect(ann).await;
    for client in [&mut ann, &mut bob] {
        client.subscribe(&channel, None).await.expect("subscribed");
    }
    world.publish_by(&channel, ann_id);
    world.publish(&channel);
    assert_eq!((ann.at(&channel), bob.at(&channel)), (Some(2), Some(2)));
    assert_eq!((ann.seen.skips.clone(), bob.seen.skips.clone()), (vec![], vec![1]));
    let command = History { channel: channel.to_string(), after: Some(0), before: None, limit: None };
    let page = world.hub.history(&bob.caller(), command).await.expect("a page");
    assert_eq!(page.publications[0], LogItem::skip(1));
}

#[tokio::test]
async fn states_of_a_blocked_persons_named_things_are_left_out() {
    let world = world();
    let (ann, bob) = (person("ann"), person("bob"));
    let (ann_id, bob_id) = (ann.user_id().expect("ann"), bob.user_id().expect("bob"));
    let channel = Channel::Feed(communiconnect_protocol::CommunityId::new(1));
    world.rights.blocked.lock().insert(bob_id, vec![ann_id]);
    let mut bob = world.connect(bob).await;
    let mut ann = world.connect(ann).await;
    for client in [&mut ann, &mut bob] {
        client.subscribe(&channel, None).await.expect("subscribed");
    }
    for (key, version, actor) in [("named", 1, Some(ann_id)), ("unnamed", 2, None)] {
        let state = State {
            channels: vec![channel.clone()],
            event: "post.counts".into(),
            key: key.into(),
            version,
            data: Data::of(&version),
            actor,
        };
        world.hub.deliver(vec![Broadcast::State(state)]);
    }
    assert_eq!(ann.read().states, [1, 2]);
    assert_eq!(bob.read().states, [2], "what is unnamed is touched by no block");
    assert!(bob.seen.skips.is_empty(), "a state has no place in the log that could be skipped");
}

#[tokio::test]
async fn a_block_acts_at_once_and_ends_what_was_lost_with_it() {
    let world = world();
    let (ann, bob) = (person("ann"), person("bob"));
    let (ann_id, bob_id) = (ann.user_id().expect("ann"), bob.user_id().expect("bob"));
    let (feed, author) =
        (Channel::Feed(communiconnect_protocol::CommunityId::new(1)), Channel::Author(ann_id));
    let mut bob = world.connect(bob).await;
    for channel in [&feed, &author] {
        bob.subscribe(channel, None).await.expect("subscribed");
    }
    world.rights.forbid(Some(bob_id), &author);
    world.control(bob_id, &UserControl::Blocked { other: ann_id, on: true });
    world.publish_by(&feed, ann_id);
    settle().await;
    world.publish(&author);
    bob.read();
    assert_eq!(bob.seen.ended, [(author.to_string(), "forbidden".to_owned())]);
    assert_eq!(bob.seen.skips, [1, 1], "the entry for the server, and what ann did");
    world.control(bob_id, &UserControl::Blocked { other: ann_id, on: false });
    world.publish_by(&feed, ann_id);
    assert_eq!(bob.at(&feed), Some(2));
    assert_eq!(bob.seen.skips, [1, 1, 2]);
}

#[tokio::test]
async fn a_right_lost_between_check_and_reply_ends_the_subscription_after_the_reply() {
    let world = world();
    let ann = person("ann");
    let ann_id = ann.user_id().expect("ann");
    let channel = Channel::Author(UserId::new(5));
    let mut ann = world.connect(ann).await;
    let command =
        communiconnect_protocol::Subscribe { channel: channel.to_string(), epoch: None, offset: None };
    let subscribed = world.hub.subscribe(&ann.caller(), command).await.expect("checked in time");
    world.rights.forbid(Some(ann_id), &channel);
    world.control(ann_id, &UserControl::Unfollowed { author: UserId::new(5) });
    settle().await;
    world.publish(&channel);
    assert_eq!(ann.read().ended, [], "not before the reply");
    ann.handle.reply(communiconnect_protocol::encode_ok(communiconnect_protocol::Format::Json, 2, &()));
    ann.seen.begin(&subscribed);
    ann.read();
    assert_eq!(ann.seen.ended, [(channel.to_string(), "forbidden".to_owned())]);
}

#[tokio::test]
async fn the_end_of_a_login_closes_its_sockets_alone() {
    let world = world();
    let ann = person("ann");
    let ann_id = ann.user_id().expect("ann");
    let crate::auth::Identity::Person(mut elsewhere) = ann.clone() else { panic!("a person") };
    elsewhere.login = Some("another".into());
    let here = world.connect(ann).await;
    let there = world.connect(crate::auth::Identity::Person(elsewhere)).await;
    world.control(ann_id, &UserControl::LoggedOut { login: "login-ann".into() });
    assert_eq!(here.handle.closing(), Some(Closing { code: CloseCode::InvalidToken, after_ms: 0 }));
    assert_eq!(there.handle.closing(), None);
}

#[tokio::test]
async fn a_deleted_post_ends_its_channel_after_saying_so() {
    let world = world();
    let (post_id, channel) = post();
    let mut guest = world.guest().await;
    guest.subscribe(&channel, None).await.expect("subscribed");
    let entry = world.write(&channel, |offset| crate::publication::Publication {
        event: event::POST_DELETED.into(),
        data: Data::of(&PostDeleted { post_id }),
        ..plain(&channel, offset)
    });
    world.deliver([entry]);
    guest.read();
    assert_eq!(guest.seen.ended, [(channel.to_string(), "deleted".to_owned())]);
    assert_eq!(world.hub.channels(), []);
}

#[tokio::test]
async fn presence_counts_people_once_and_never_names_an_anonymous_author() {
    let world = world();
    let (_, channel) = post();
    let (ann, bob) = (person("ann"), person("bob"));
    *world.rights.unnamed.lock() = bob.user_id();
    let mut clients = Vec::new();
    for identity in [ann.clone(), ann, bob, crate::auth::Identity::Guest] {
        let mut client = world.connect(identity).await;
        client.subscribe(&channel, None).await.expect("subscribed");
        clients.push(client);
    }
    let ask = async || {
        let command = Presence { channel: channel.to_string(), cursor: None };
        let page = world.hub.presence(&clients[3].caller(), command).await.expect("a page");
        (page.count, page.users.into_iter().map(|user| user.username).collect::<Vec<_>>())
    };
    assert_eq!(ask().await, (2, vec!["ann".to_owned()]));
    world.hub.leave(&clients[0].handle);
    assert_eq!(ask().await, (2, vec!["ann".to_owned()]), "her other tab is still there");
    world.hub.leave(&clients[1].handle);
    assert_eq!(ask().await, (1, vec![]));
}

#[tokio::test]
async fn presence_comes_in_pages() {
    let world = world();
    let (_, channel) = post();
    for number in 0..150 {
        let mut client = world.connect(person(&format!("p{number}"))).await;
        client.subscribe(&channel, None).await.expect("subscribed");
    }
    let guest = world.guest().await;
    let mut names = std::collections::BTreeSet::new();
    let mut cursor = None;
    loop {
        let command = Presence { channel: channel.to_string(), cursor };
        let page = world.hub.presence(&guest.caller(), command).await.expect("a page");
        assert_eq!(page.count, 150);
        names.extend(page.users.into_iter().map(|user| user.username));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names.len(), 150);
}

#[tokio::test]
async fn so_many_sessions_of_a_person_and_subscriptions_of_a_session() {
    let world =
        World::new(HubSettings { connections_per_user: 1, subscriptions: 2, ..HubSettings::default() });
    let ann = person("ann");
    let mut first = world.connect(ann.clone()).await;
    let second = world.hub.open(communiconnect_protocol::Format::Json);
    let denied = world.hub.admit(&second, ann.clone()).expect_err("one is enough");
    assert_eq!(denied.close, CloseCode::TooManyConnections);
    for name in ["a", "b"] {
        first.subscribe(&test_channel(name), None).await.expect("within the limit");
    }
    let error = first.subscribe(&test_channel("c"), None).await.expect_err("too many");
    assert_eq!(error.code, Code::LimitExceeded);
    first.subscribe(&test_channel("a"), None).await.expect("again is not more");
    world.hub.leave(&first.handle);
    world.hub.admit(&second, ann).expect("there is room again");
}

#[tokio::test]
async fn a_token_of_somebody_else_changes_nothing() {
    let world = world();
    let ann = world.connect(person("ann")).await;
    let error = world.hub.refresh(&ann.handle, person("bob")).expect_err("not hers");
    assert_eq!(error.code, Code::Forbidden);
    assert_eq!(ann.handle.identity().person().map(|person| person.user.username.as_str()), Some("ann"));
    let guest = world.guest().await;
    assert!(world.hub.refresh(&guest.handle, person("bob")).is_err(), "a guest stays one");
}

#[tokio::test]
async fn a_drain_gives_each_its_own_slot() {
    let world = world();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(world.guest().await);
    }
    world.hub.drain(Duration::from_secs(10));
    let mut slots: Vec<_> = clients
        .iter_mut()
        .map(|client| {
            assert_eq!(client.read().others, ["reconnect"]);
            let closing = client.handle.closing().expect("is to close");
            assert_eq!(closing.code, CloseCode::Drain);
            closing.after_ms
        })
        .collect();
    slots.sort_unstable();
    assert_eq!(slots, [0, 2_000, 4_000, 6_000, 8_000]);
}

#[tokio::test]
async fn who_ceases_to_follow_gets_nothing_that_came_after() {
    let world = world();
    let ann = person("ann");
    let ann_id = ann.user_id().expect("ann");
    let author = UserId::new(6);
    let channel = Channel::Author(author);
    let mut ann = world.connect(ann).await;
    ann.subscribe(&channel, None).await.expect("subscribed");
    world.control(ann_id, &UserControl::Unfollowed { author });
    world.publish(&channel);
    assert_eq!(ann.read().ended, [(channel.to_string(), "forbidden".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_right_that_cannot_be_judged_is_judged_later() {
    let world = world();
    let ann = person("ann");
    let ann_id = ann.user_id().expect("ann");
    let (kept, lost) = (Channel::Author(UserId::new(5)), Channel::Post(PostId::new(6)));
    let mut ann = world.connect(ann).await;
    for channel in [&kept, &lost] {
        ann.subscribe(channel, None).await.expect("subscribed");
    }
    world.rights.is_down.store(true, Ordering::Relaxed);
    world.rights.forbid(Some(ann_id), &lost);
    world.control(ann_id, &UserControl::Unfollowed { author: UserId::new(6) });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ann.read().ended, [], "no answer is no refusal");
    world.rights.is_down.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ann.read().ended, [(lost.to_string(), "forbidden".to_owned())]);
    world.publish(&kept);
    assert_eq!(ann.at(&kept), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_right_that_cannot_be_judged_for_long_sends_its_holder_round_again() {
    let world = world();
    let ann = person("ann");
    let ann_id = ann.user_id().expect("ann");
    let mut ann = world.connect(ann).await;
    for channel in [Channel::Post(PostId::new(6)), Channel::Live(LiveId::new(7))] {
        ann.subscribe(&channel, None).await.expect("subscribed");
    }
    world.rights.is_down.store(true, Ordering::Relaxed);
    let before = world.rights.asked.load(Ordering::Relaxed);
    for number in 0..100 {
        world.control(ann_id, &UserControl::Unfollowed { author: UserId::new(number) });
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(ann.handle.closing(), None, "a moment without an answer is nothing to send people away for");
    let asked = world.rights.asked.load(Ordering::Relaxed) - before;
    assert!((10..50).contains(&asked), "asked {asked} times: again and again, but for all changes at once");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let closing = ann.handle.closing().expect("nobody could say for very long whether she may read on");
    assert_eq!(closing.code, CloseCode::ServerError);
}

#[tokio::test]
async fn behind_the_end_of_a_subscription_nothing_is_pushed() {
    let world = Arc::new(world());
    let channel = Channel::Post(PostId::new(6));
    let is_over = Arc::new(AtomicBool::new(false));
    let crowd = std::thread::spawn({
        let (world, channel, is_over) = (Arc::clone(&world), channel.clone(), Arc::clone(&is_over));
        move || {
            while !is_over.load(Ordering::Relaxed) {
                let signal = Signal { channel: channel.clone(), event: "e".into(), data: Data::of(&1) };
                world.hub.deliver(vec![Broadcast::Signal(signal)]);
            }
        }
    });
    let mut guest = world.guest().await;
    let mut late = Vec::new();
    for round in 0..3_000 {
        guest.subscribe(&channel, None).await.expect("subscribed");
        if round % 2 == 0 {
            world.hub.kick(&guest.handle, &channel, UnsubscribeReason::Forbidden);
        } else {
            let command = Unsubscribe { channel: channel.to_string() };
            world.hub.unsubscribe(&guest.caller(), command).await.expect("left");
        }
        // What tells that there was no room for more is news of the connection, and may come at any time.
        late.extend(guest.read().others.drain(..).filter(|kind| kind == "signal"));
    }
    is_over.store(true, Ordering::Relaxed);
    crowd.join().expect("the crowd has gone");
    assert!(late.is_empty(), "{} times", late.len());
}

#[tokio::test]
async fn a_subscription_that_ends_with_its_reply_leaves_no_channel_behind() {
    let world = world();
    let (post_id, channel) = post();
    let guest = world.guest().await;
    let command =
        communiconnect_protocol::Subscribe { channel: channel.to_string(), epoch: None, offset: None };
    world.hub.subscribe(&guest.caller(), command).await.expect("subscribed");
    let entry = world.write(&channel, |offset| crate::publication::Publication {
        event: event::POST_DELETED.into(),
        data: Data::of(&PostDeleted { post_id }),
        ..plain(&channel, offset)
    });
    world.deliver([entry]);
    guest.handle.reply(communiconnect_protocol::encode_ok(communiconnect_protocol::Format::Json, 2, &()));
    assert_eq!(world.hub.channels(), []);
}

#[tokio::test]
async fn who_comes_in_while_the_node_stops_is_sent_on_at_once() {
    let world = world();
    world.hub.drain(Duration::from_secs(10));
    let late = world.hub.open(communiconnect_protocol::Format::Json);
    assert_eq!(late.closing(), Some(Closing { code: CloseCode::Drain, after_ms: 0 }));
}
