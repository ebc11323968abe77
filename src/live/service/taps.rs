//! Reactions, and what they cost: who watches is known to the live, and the store is left in peace.

use super::{testing::door, tests::World, *};
use crate::store::{
    CommunityFacts, Rule,
    lives::{LiveChange, LivePulse, Lives as LiveStore},
};
use communiconnect_protocol::{LiveReport, ReactionKind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A store of lives that counts how often it was asked for one.
struct Counting {
    store: Arc<dyn LiveStore>,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl LiveStore for Counting {
    async fn start(
        &self,
        actor: Actor,
        op: Op,
        new: NewLive,
        rule: Rule<CommunityFacts>,
    ) -> crate::store::Result<(LiveView, bool)> {
        self.store.start(actor, op, new, rule).await
    }

    async fn get(&self, reader: Reader, which: WhichLive) -> crate::store::Result<Option<LiveView>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.store.get(reader, which).await
    }

    async fn list(&self, reader: Reader, query: LiveQuery) -> crate::store::Result<Vec<LiveView>> {
        self.store.list(reader, query).await
    }

    async fn change(&self, change: LiveChange) -> crate::store::Result<()> {
        self.store.change(change).await
    }

    async fn end(&self, end: LiveEnd) -> crate::store::Result<LiveReport> {
        self.store.end(end).await
    }

    async fn pulse(&self, lease: Lease, pulses: Vec<LivePulse>) -> crate::store::Result<Vec<LiveId>> {
        self.store.pulse(lease, pulses).await
    }

    async fn abandon(&self, which: Abandoned, at: i64) -> crate::store::Result<Vec<LiveId>> {
        self.store.abandon(which, at).await
    }

    async fn report(&self, id: LiveId) -> crate::store::Result<Option<LiveReport>> {
        self.store.report(id).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_taps_without_a_look_into_the_store_until_they_are_cut_off() {
    let world = World::new().await;
    let counting = Arc::new(Counting { store: world.stores.lives.clone(), asked: AtomicUsize::new(0) });
    let stores = Stores { lives: counting.clone(), ..world.stores.clone() };
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
