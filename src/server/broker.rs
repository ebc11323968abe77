//! Which broker the settings name.

use crate::{
    broker::{Examined, RedisBroker, RedisUrl, SharedBroker, memory::MemoryBroker},
    config::Config,
    hub::Hub,
    store::log::{Log, PageSize, Range},
    tasks::Tasks,
};
use anyhow::Context;
use communiconnect_protocol::Channel;
use std::sync::Arc;

/// The broker that delivers to this hub; its tasks run among `tasks`, which must outlive whoever publishes.
///
/// # Errors
/// Where the URL is wrong or the store does not answer. A Redis that does not answer is no error: it is waited for.
pub(super) async fn open(
    config: &Config,
    log: &dyn Log,
    hub: &Arc<Hub>,
    tasks: &Tasks,
) -> anyhow::Result<SharedBroker> {
    let is_store_shared = config.store.url.as_str() != "sqlite";
    if is_store_shared {
        hub.log_may_move_alone();
    }
    let Some(url) = redis_url(config)? else {
        if is_store_shared {
            tracing::warn!(
                "the store is a server, but broker.url is memory: right for a single node; several would hear each other late, and not of each other's states: give all of them one Redis"
            );
        }
        return Ok(Arc::new(MemoryBroker::new(hub.clone())));
    };
    if !is_store_shared {
        tracing::warn!(
            "broker.url names a Redis, but nobody can share this node's store, which is SQLite in its data folder: other nodes have other people and posts"
        );
    }
    let store = store_id(log).await.context("the store does not answer")?;
    Ok(RedisBroker::open(&url, &store, hub.clone(), tasks).await)
}

/// What `doctor` learns of the broker; none of the one in memory.
///
/// # Errors
/// What is wrong with the URL, or why Redis cannot be used.
pub(super) async fn examine(config: &Config) -> anyhow::Result<Option<Examined>> {
    match redis_url(config)? {
        None => Ok(None),
        Some(url) => Ok(Some(url.examine().await?)),
    }
}

fn redis_url(config: &Config) -> anyhow::Result<Option<RedisUrl>> {
    match config.broker.url.as_str() {
        "memory" => Ok(None),
        url => Ok(Some(RedisUrl::parse(url)?)),
    }
}

/// The store's epoch: every node of one store reads the same, and a store restored from a backup has another.
async fn store_id(log: &dyn Log) -> anyhow::Result<Arc<str>> {
    let any = Channel::Test("any".into());
    Ok(log.page(&any, Range::After(0), PageSize { items: 1, bytes: 1 }).await?.epoch)
}
