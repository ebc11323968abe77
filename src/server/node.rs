//! One node: every part, built leaf to root and closed root to leaf.

use super::{DataFolder, settings};
use crate::{
    auth,
    broker::{SharedBroker, memory::MemoryBroker},
    config::Config,
    handlers::Handlers,
    http::{self, Readiness},
    hub::{Hub, HubParts, publisher::Publisher},
    social::{self, Social, SocialAccess},
    store::{Stores, sqlite::SqliteStore},
    tasks::Tasks,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Group commits that may wait for the publisher before the writer waits for it; each is bounded by `store.batch`.
const COMMITS: usize = 64;

/// Every part of a running process.
pub(super) struct Node {
    pub(super) hub: Arc<Hub>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) routes: http::Routes,
    /// Ends once the store's writer has gone and everything committed was published.
    publisher: Tasks,
}

/// Time for the writer to bring what is queued to disk, and for the publisher to tell it.
const LAST_COMMITS: Duration = Duration::from_secs(5);

impl Node {
    /// Builds the parts. `connections` are ended by the drain, `services` after them.
    pub(super) async fn build(
        config: &Config,
        folder: &DataFolder,
        connections: &Tasks,
        services: &Tasks,
    ) -> anyhow::Result<Self> {
        let (committed, commits) = mpsc::channel(COMMITS);
        let store = Arc::new(SqliteStore::open(folder.path(), settings::store(config), committed)?);
        let stores = store.stores();
        let name = config.node.id.clone().map_or_else(|| folder.node_id(), Ok)?;
        let hub = Hub::new(HubParts {
            settings: settings::hub(config, name),
            access: Arc::new(SocialAccess::new(&stores)),
            log: stores.log.clone(),
            tasks: connections.clone(),
        });
        let broker: SharedBroker = Arc::new(MemoryBroker::new(hub.clone()));
        hub.attach(broker.clone());
        let publisher = Tasks::default();
        publisher.spawn(Publisher::new(broker.clone()).run(commits));
        services.spawn(hub.clone().tend());
        social::keep_house(&stores, services);

        let (authenticator, accounts) = auth::open(&settings::auth(config), stores.accounts.clone()).await?;
        let command_limit = Duration::from_millis(config.limits.command_ms);
        let social = Social::new(&stores, social::Settings::of(config));
        let handlers = Arc::new(Handlers::new(social, hub.clone(), command_limit));
        let readiness = Arc::new(Readiness::default());
        let routes = http::Routes { };
        Ok(Self { hub, readiness, routes, publisher })
    }

    /// Lets go of the store, so that its writer ends, and waits for the publisher; whether it did not end in time.
    pub(super) async fn close(self) -> bool {
        let Self { hub, routes, publisher, .. } = self;
        drop((hub, routes));
        publisher.stop(LAST_COMMITS).await > 0
    }
}
