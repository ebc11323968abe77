//! Reactions, and what they cost: who watches is known to the live, and the store is left in peace.

use super::{
    testing::{Between, door},
    tests::World,
    *,
};
use communiconnect_protocol::ReactionKind;
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_taps_without_a_look_into_the_store_until_they_are_cut_off() {
    let world = World::new().await;
    let (stores, counting) = Between::stores(&world.stores);
    let lives = door(&stores, &world.hub, None, &world.tasks).await;
    let wish = world.wish("a", Visibility::Public);
    let live_id = lives.start(world.ada, wish, now_ms()).await.expect("started").live.id;
    let react = async |by: Actor| lives.react(by, LiveReact { live_id, kind: ReactionKind::Love }).await;
    let asked = || counting.asked.swap(0, Ordering::Relaxed);

    assert_eq!(react(world.bob).await, Ok(Counted { counted: true }));
    assert!(asked() > 0, "whoever does not watch is judged");
    lives.join(world.bob.into(), SessionId::new(1), live_id).await.expect("joined");
    asked();
    for by in [world.bob, world.ada, world.bob] {
        assert_eq!(react(by).await, Ok(Counted { counted: true }));
    }
    assert_eq!(asked(), 0, "the live knows its owner and who watches");

    let ban = LiveBan { live_id, user_id: world.bob.user, on: true };
    lives.ban(world.ada, ban, now_ms()).await.expect("banned");
    assert_eq!(react(world.bob).await.expect_err("cut off").code, Code::Forbidden);
    lives.stop(world.ada, live_id).await.expect("stopped");
    assert_eq!(react(world.ada).await.expect_err("it is over").code, Code::Conflict);
}
