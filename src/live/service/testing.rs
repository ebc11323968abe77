//! A door to lives in tests: real store, real hub, real media plane on a free port.

use super::*;
use crate::{broker::memory::MemoryBroker, live::plane::PlaneSettings, social::Rates};
use std::net::{Ipv4Addr, SocketAddr};

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
