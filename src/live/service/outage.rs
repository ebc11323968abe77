//! Lives while the store is away, and those that a dead node has left behind.

use super::{
    testing::{Between, door_with},
    tests::{PUBLISH, World, offered},
    *,
};
use crate::hub::Neighbour;
use crate::store::lives::LivePulse;
use communiconnect_protocol::PostId;
use std::sync::atomic::Ordering;

/// A live of another node, which renews no lease.
async fn left_behind(world: &World, op: &str) -> LiveId {
    let lease = Lease { node: "dead".into(), until: now_ms() };
    let live = crate::store::lives::LiveChange {
        id: world.start(world.ada, op).await.live.id,
        state: LiveState::Created,
        reason: None,
        lease,
        at: now_ms(),
    };
    world.stores.lives.change(live.clone()).await.expect("it is the other node's now");
    live.id
}

/// Another door on the store of a world, through what can be away.
async fn other_door(world: &World) -> (LiveService, Arc<Between>) {
    let (stores, between) = Between::stores(&world.stores);
    let settings = LiveSettings { node: "other".into(), ..LiveSettings::default() };
    (door_with(settings, (&stores, &world.hub), None, &world.tasks).await, between)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_whatever_becomes_meanwhile_of_what_its_former_run_has_left() {
    let world = World::new().await;
    let (stores, store) = Between::stores(&world.stores);
    let left = left_behind(&world, "a").await;
    let before = Lease { node: "dead".into(), until: 0 };
    // A post that was deleted since, and a lease that was renewed since.
    *store.outdated.lock() = [LiveId::NOTHING, left].map(|id| Held { id, lease: before.clone() }).to_vec();
    let settings = LiveSettings { node: "dead".into(), ..LiveSettings::default() };
    door_with(settings, (&stores, &world.hub), None, &world.tasks).await;
    assert_eq!(world.state_of(left).await, (LiveState::Ended, Some(LiveReason::Lost)));
    world.tasks.stop(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leases_of_all_lives_are_seen_however_few_are_told_at_once() {
    let world = World::new().await;
    let mut all =
        [world.start(world.ada, "a").await, world.start(world.bob, "b").await].map(|begun| begun.live.id);
    all.sort();
    for limit in 1..=3 {
        let pages = abandoned::leases(&world.stores, limit).await.expect("leases");
        let seen: Vec<_> = pages.iter().flat_map(|page| &page.held).map(|held| held.id).collect();
        assert_eq!(seen, all, "{limit} at once");
    }
    world.tasks.stop(Duration::from_millis(1)).await;
}

/// One that does nothing by itself: time passes for it as it is told.
async fn idle_door(world: &World) -> (LiveService, Arc<Between>) {
    let (stores, between) = Between::stores(&world.stores);
    let settings = LiveSettings { node: "other".into(), ..LiveSettings::default() };
    let tasks = Tasks::default();
    tasks.begin_stop();
    (door_with(settings, (&stores, &world.hub), None, &tasks).await, between)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_has_expired_until_the_store_has_answered_for_a_lease() {
    let world = World::new().await;
    let (other, store) = idle_door(&world).await;
    let id = left_behind(&world, "a").await;
    let runs = async || world.state_of(id).await.0 != LiveState::Ended;
    let begun = Instant::now();
    other.end_abandoned(begun).await;
    assert!(runs().await, "its node may not have had the time to renew");
    store.is_away.store(true, Ordering::Relaxed);
    other.end_abandoned(begun + LEASE * 2).await;
    store.is_away.store(false, Ordering::Relaxed);
    other.end_abandoned(begun + LEASE * 2).await;
    other.end_abandoned(begun + LEASE * 3 - Duration::from_millis(1)).await;
    assert!(runs().await, "nobody could renew while the store was away");
    other.end_abandoned(begun + LEASE * 4).await;
    assert_eq!(world.state_of(id).await, (LiveState::Ended, Some(LiveReason::Lost)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_off_by_a_minute_keeps_its_lives_as_long_as_it_renews() {
    const MINUTE: i64 = 60_000;
    let world = World::new().await;
    let (other, _) = idle_door(&world).await;
    for (op, off) in [("late", -MINUTE), ("early", MINUTE)] {
        let id = left_behind(&world, op).await;
        let (begun, begun_ms) = (Instant::now(), now_ms());
        let renew = async |passed: Duration| {
            let until = begun_ms + off + (passed + LEASE).as_millis() as i64;
            let pulse = LivePulse { id, viewers: Default::default(), report: None };
            let lease = Lease { node: "dead".into(), until };
            world.stores.lives.pulse(lease, vec![pulse]).await.expect("renewed");
        };
        for renewals in 0..10 {
            let passed = LEASE / 3 * renewals;
            renew(passed).await;
            other.end_abandoned(begun + passed).await;
            let refused = other.stop(world.ada, id).await.expect_err("its node is there");
            assert!(refused.message.contains("carried by node dead"), "{op}: {}", refused.message);
        }
        other.end_abandoned(begun + LEASE * 3).await;
        other.end_abandoned(begun + LEASE * 5).await;
        assert_eq!(world.state_of(id).await, (LiveState::Ended, Some(LiveReason::Lost)), "{op}");
    }
    world.tasks.stop(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_of_a_live_whose_node_is_dead_stops_it_or_starts_another() {
    let world = World::new().await;
    let (other, _) = other_door(&world).await;
    let id = left_behind(&world, "a").await;
    let early = other.stop(world.ada, id).await.expect_err("who knows whether its node is dead?");
    assert_eq!(early.code, Code::Unavailable);
    let carrier = Carrier { node: "dead".into(), url: None, silent: false };
    assert_eq!(early.carrier.as_deref(), Some(&carrier), "it has announced no address");
    let reached = elsewhere::Word::Reached { node: "dead".into(), url: "http://dead".into() };
    other.heard(&rmp_serde::to_vec_named(&reached).expect("encoded"));
    until("the word of where it is", async || is_known(&other, "dead")).await;
    let url = Some("http://dead".to_owned());
    let led = other.join(world.bob.into(), SessionId::new(1), id).await.expect_err("it is carried there");
    assert_eq!(led.carrier.as_deref(), Some(&Carrier { url, ..carrier.clone() }));
    let eight_seconds_ago =
        Instant::now().checked_sub(Duration::from_secs(8)).expect("a machine that runs for a minute");
    other.parts.others.note("dead".into(), "http://dead".into(), eight_seconds_ago);
    let late = other.join(world.bob.into(), SessionId::new(1), id).await.expect_err("it has missed a word");
    assert_eq!(
        late.carrier.as_deref(),
        Some(&Carrier { silent: true, ..carrier.clone() }),
        "who asks asks again"
    );
    assert_eq!(other.led_to(Sought::Live(id)).await, Ok(None));
    let early = other.stop(world.ada, id).await.expect_err("its lease is not old enough");
    assert_eq!(early.code, Code::Unavailable);
    // Silent, and not gone yet.
    let a_while_ago = || Instant::now().checked_sub(LEASE * 3 / 4).expect("a machine that runs for a minute");
    other.end_abandoned(a_while_ago()).await;

    let lost = other.join(world.bob.into(), SessionId::new(1), id).await.expect_err("who would carry it?");
    assert_eq!(lost.carrier.as_deref(), Some(&Carrier { silent: true, ..carrier }), "nobody is led to it");
    let stopped = other.stop(world.ada, id).await.expect("nobody else could");
    assert_eq!(world.state_of(id).await, (LiveState::Ended, Some(LiveReason::Stopped)));
    assert_eq!(other.stop(world.ada, id).await, Ok(stopped), "again, it answers the same");

    let id = left_behind(&world, "b").await;
    other.end_abandoned(a_while_ago()).await;
    let begun = other.start(world.ada, world.wish("c", Visibility::Public), now_ms()).await.expect("begun");
    assert!(begun.changed && begun.live.id != id);
    assert_eq!(world.state_of(id).await, (LiveState::Ended, Some(LiveReason::Lost)));
    let key = begun.stream_key.0.clone();
    let answered = other.publish(Sender::Key(key, begun.live.id), offered(PUBLISH)).await;
    assert!(answered.is_ok(), "{answered:?}");
    world.tasks.stop(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_could_not_be_noted_is_noted_when_the_store_is_back() {
    let world = World::new().await;
    let (other, store) = other_door(&world).await;
    let begun = other.start(world.ada, world.wish("a", Visibility::Public), now_ms()).await.expect("begun");
    let live = other.parts.registry.live(begun.live.id).expect("it is carried here");
    store.is_away.store(true, Ordering::Relaxed);
    let owner = PeerOwner::User(world.ada.user);
    let answered = live.ask(|answer| Ask::Publish(offered(PUBLISH), owner, answer)).await;
    assert!(answered.is_ok(), "media needs no store: {answered:?}");
    // Whatever is asked next waits until the state could not be noted.
    live.ask(Ask::Report).await.expect("a report");
    assert_eq!(world.state_of(live.id).await.0, LiveState::Created);
    store.is_away.store(false, Ordering::Relaxed);
    world.comes_to(live.id, LiveState::Connecting).await;
    world.tasks.stop(Duration::from_millis(1)).await;
}

/// Whether a node has said where it is.
fn is_known(door: &LiveService, node: &str) -> bool {
    matches!(door.parts.others.place(node, Instant::now(), false), elsewhere::Place::At(_))
}

/// Waits for what comes soon.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn however_many_words_are_too_many_everything_is_looked_at_once() {
    let world = World::new().await;
    let (other, store) = other_door(&world).await;
    other.start(world.ada, world.wish("a", Visibility::Public), now_ms()).await.expect("begun");
    let before = store.asked.load(Ordering::Relaxed);
    let asked = || store.asked.load(Ordering::Relaxed) - before;
    let of_no_live = elsewhere::Word::Removed { post: PostId::NOTHING };
    let of_no_live = rmp_serde::to_vec_named(&of_no_live).expect("encoded");
    // Nobody acts on any of them before all are there: there is one thread, and it does not wait.
    (0..10_000).for_each(|_| other.heard(&of_no_live));
    until("a look", async || asked() > 0).await;
    let last = elsewhere::Word::Reached { node: "last".into(), url: "http://last".into() };
    let last = rmp_serde::to_vec_named(&last).expect("encoded");
    until("all words acted on", async || {
        other.heard(&last);
        is_known(&other, "last")
    })
    .await;
    assert!(asked() <= 2, "the store was asked {} times", asked());
    world.tasks.stop(Duration::from_millis(1)).await;
}

#[tokio::test]
async fn nobody_is_led_to_what_is_no_address() {
    let world = World::new().await;
    let (other, _) = other_door(&world).await;
    for (node, url) in [("liar", "http://a\r\nb"), ("vague", "example.org"), ("last", "http://last")] {
        let word = elsewhere::Word::Reached { node: node.into(), url: url.into() };
        other.heard(&rmp_serde::to_vec_named(&word).expect("encoded"));
    }
    // They are acted on in their order.
    until("the last word", async || is_known(&other, "last")).await;
    assert_eq!(["liar", "vague"].map(|node| is_known(&other, node)), [false, false]);
    world.tasks.stop(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_right_could_not_be_read_after_something_was_missed_is_judged_when_the_store_is_back() {
    let world = World::new().await;
    let (other, store) = other_door(&world).await;
    let begun = other.start(world.ada, world.wish("a", Visibility::Public), now_ms()).await.expect("begun");
    let id = begun.live.id;
    other.join(world.bob.into(), SessionId::new(1), id).await.expect("joined");
    let ban = Ban { live_id: id, user: world.bob.user, on: true, at: now_ms() };
    world.stores.chat.set_ban(world.ada, ban, Box::new(|_| Ok(()))).await.expect("banned by another node");
    store.is_away.store(true, Ordering::Relaxed);
    let before = store.asked.load(Ordering::Relaxed);
    other.missed();
    until("a look in vain", async || store.asked.load(Ordering::Relaxed) > before + 1).await;
    let live = other.parts.registry.live(id).expect("it is carried here");
    assert_eq!(live.ask(Ask::Report).await.expect("so far").leaves, 0);
    store.is_away.store(false, Ordering::Relaxed);
    until("a cut", async || live.ask(Ask::Report).await.expect("so far").leaves == 1).await;
    world.tasks.stop(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_banned_elsewhere_is_cut_off_while_everything_is_still_looked_at() {
    let world = World::new().await;
    let (other, store) = other_door(&world).await;
    let slow = other.start(world.ada, world.wish("a", Visibility::Public), now_ms()).await.expect("begun");
    let begun = other.start(world.bob, world.wish("b", Visibility::Public), now_ms()).await.expect("begun");
    let id = begun.live.id;
    other.join(world.ada.into(), SessionId::new(1), id).await.expect("joined");
    let ban = Ban { live_id: id, user: world.ada.user, on: true, at: now_ms() };
    world.stores.chat.set_ban(world.bob, ban, Box::new(|_| Ok(()))).await.expect("banned by another node");
    *store.stuck.lock() = Some(slow.live.id);
    let before = store.asked.load(Ordering::Relaxed);
    other.missed();
    until("a look that takes long", async || store.asked.load(Ordering::Relaxed) > before).await;
    let word = elsewhere::Word::Banned { live: id, user: world.ada.user };
    other.heard(&rmp_serde::to_vec_named(&word).expect("encoded"));
    let live = other.parts.registry.live(id).expect("it is carried here");
    until("a cut", async || live.ask(Ask::Report).await.expect("so far").leaves == 1).await;
    world.tasks.stop(Duration::from_millis(1)).await;
}
