//! A door to lives in tests: real store, real hub, real media plane on a free port.

use super::*;
use crate::{
    broker::memory::MemoryBroker,
    live::plane::PlaneSettings,
    social::Rates,
    store::{
        CommunityFacts, Result, Rule, StoreError,
        lives::{LiveChange, LivePulse, Lives as LiveStore},
    },
};
use parking_lot::Mutex;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// On this store and hub, carrying on `tasks`.
pub(crate) async fn door(
    stores: &Stores,
    hub: &Arc<Hub>,
    rates: Option<Rates>,
    tasks: &Tasks,
) -> LiveService {
    door_with(LiveSettings::default(), (stores, hub), rates, tasks).await
}

/// One of other settings, such as another node's.
pub(crate) async fn door_with(
    live: LiveSettings,
    (stores, hub): (&Stores, &Arc<Hub>),
    rates: Option<Rates>,
    tasks: &Tasks,
) -> LiveService {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let settings = PlaneSettings { shards: 1, ..PlaneSettings::at(loopback) };
    let (plane, events) = MediaPlane::open(settings).expect("a free port");
    let parts = LiveParts {
        settings: live,
        stores: stores.clone(),
        secret: [7; 32],
        rates: Arc::new(RateLimits::new(rates)),
        plane,
        broker: Arc::new(MemoryBroker::new(hub.clone())),
        hub: hub.clone(),
        tasks: tasks.clone(),
    };
    LiveService::open(parts, events).await.expect("an empty store")
}

/// Stands between a door and its store: counts how often it was asked for one live, and can be away, keep people waiting or
/// tell what has changed meanwhile.
pub(crate) struct Between {
    store: Arc<dyn LiveStore>,
    pub(crate) asked: AtomicUsize,
    pub(crate) is_away: AtomicBool,
    /// Whoever asks for this live waits for good.
    pub(crate) stuck: Mutex<Option<LiveId>>,
    /// Leases as they stood before: told first.
    pub(crate) outdated: Mutex<Vec<Held>>,
}

impl Between {
    /// These stores with itself between.
    pub(crate) fn stores(stores: &Stores) -> (Stores, Arc<Self>) {
        let (asked, is_away) = (AtomicUsize::new(0), AtomicBool::new(false));
        let between = Self {
            store: stores.lives.clone(),
            asked,
            is_away,
            stuck: Mutex::default(),
            outdated: Mutex::default(),
        };
        let between = Arc::new(between);
        (Stores { lives: between.clone(), ..stores.clone() }, between)
    }

    fn store(&self) -> Result<&dyn LiveStore> {
        match self.is_away.load(Ordering::Relaxed) {
            true => Err(StoreError::Unavailable("it is away".into())),
            false => Ok(&*self.store),
        }
    }
}

#[async_trait::async_trait]
impl LiveStore for Between {
    async fn start(
        &self,
        actor: Actor,
        op: Op,
        new: NewLive,
        rule: Rule<CommunityFacts>,
    ) -> Result<(LiveView, bool)> {
        self.store()?.start(actor, op, new, rule).await
    }

    async fn get(&self, reader: Reader, which: WhichLive) -> Result<Option<LiveView>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let stuck = *self.stuck.lock();
        if stuck.is_some_and(|live| which == WhichLive::Id(live)) {
            std::future::pending::<()>().await;
        }
        self.store()?.get(reader, which).await
    }

    async fn list(&self, reader: Reader, query: LiveQuery) -> Result<Vec<LiveView>> {
        self.store()?.list(reader, query).await
    }

    async fn change(&self, change: LiveChange) -> Result<()> {
        self.store()?.change(change).await
    }

    async fn end(&self, end: LiveEnd) -> Result<LiveReport> {
        self.store()?.end(end).await
    }

    async fn pulse(&self, lease: Lease, pulses: Vec<LivePulse>) -> Result<Vec<LiveId>> {
        self.store()?.pulse(lease, pulses).await
    }

    async fn leases(&self) -> Result<Vec<Held>> {
        let mut held = std::mem::take(&mut *self.outdated.lock());
        held.extend(self.store()?.leases().await?);
        Ok(held)
    }

    async fn report(&self, id: LiveId) -> Result<Option<LiveReport>> {
        self.store()?.report(id).await
    }
}
