//! Which shard carries which lane at the moment.

use super::{
    names::{LANES, Lane},
    shard::Shard,
};
use crate::broker::BrokerError;
use arc_swap::ArcSwap;
use futures_util::future::try_join_all;
use std::{sync::Arc, time::Duration};

/// Between two looks whether there are shards, while there are none.
const LOOK_PACE: Duration = Duration::from_millis(20);

/// The shards of a node's Redis: one, or those of a cluster.
pub(super) struct Shards {
    routes: ArcSwap<Routes>,
}

#[derive(Default)]
struct Routes {
    shards: Arc<[Arc<Shard>]>,
    /// By lane: a place among `shards`.
    of_lane: Vec<Option<usize>>,
}

impl Shards {
    /// None yet.
    pub(super) fn none() -> Self {
        Self { routes: ArcSwap::from_pointee(Routes::default()) }
    }

    /// From now on these.
    pub(super) fn set(&self, shards: Vec<Arc<Shard>>) {
        let mut of_lane = vec![None; usize::from(LANES)];
        for (place, shard) in shards.iter().enumerate() {
            shard.lanes().iter().for_each(|lane| of_lane[lane.index()] = Some(place));
        }
        self.routes.store(Arc::new(Routes { shards: shards.into(), of_lane }));
    }

    /// All of them.
    pub(super) fn all(&self) -> Arc<[Arc<Shard>]> {
        Arc::clone(&self.routes.load().shards)
    }

    /// Resolves once every lane is listened to.
    pub(super) async fn listening(&self) {
        loop {
            let shards = self.all();
            for shard in shards.iter() {
                shard.listening().await;
            }
            if !shards.is_empty() {
                return;
            }
            tokio::time::sleep(LOOK_PACE).await;
        }
    }

    /// Tries every shard.
    pub(super) async fn probe(&self) -> Result<(), BrokerError> {
        let shards = self.all();
        if shards.is_empty() {
            return Err(BrokerError::Unavailable("no server of the Redis cluster answers".into()));
        }
        try_join_all(shards.iter().map(|shard| shard.probe())).await.map(drop)
    }

    /// Calls `take` with the shard that carries a lane, if any does.
    pub(super) fn with<T>(&self, lane: Lane, take: impl FnOnce(&Shard) -> T) -> Option<T> {
        let routes = self.routes.load();
        let place = routes.of_lane.get(lane.index()).copied().flatten()?;
        Some(take(&routes.shards[place]))
    }
}
