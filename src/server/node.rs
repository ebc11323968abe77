//! One node: every part, built leaf to root and let go root to leaf.

use super::{DataFolder, broker, listeners::Media, settings, store};
use crate::{
    analytics, auth,
    config::Config,
    handlers::Handlers,
    http::{HttpSettings, HttpState, Pace, Readiness, Slots, Wishes, ws::Door},
    hub::{Hub, HubParts, publisher::Publisher},
    live::{
        plane::MediaPlane,
        selftest::{self, Status},
        service::{LiveParts, LiveService},
    },
    media, metrics,
    social::{self, MediaService, Social, SocialAccess},
    store::sql::SqlStore,
    tasks::Tasks,
};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// Group commits that may wait for the publisher before the writer waits for it; each is bounded by `store.batch`.
const COMMITS: usize = 64;

/// The store's secret that stream keys are made with.
const LIVE_SECRET: &str = "live-keys";

/// Time for the writer to bring what is queued to disk, and for the publisher to tell it.
const LAST_COMMITS: Duration = Duration::from_secs(5);

/// Time for the broker to hand over what it was given; other nodes read from the log what it could not.
const LAST_MESSAGES: Duration = Duration::from_secs(1);

/// The parts of a running process that its end is about.
pub(super) struct Node {
    pub(super) hub: Arc<Hub>,
    pub(super) http: Arc<HttpState>,
    plane: MediaPlane,
    /// Hears of ended sessions, and of other nodes, while the node lives; the hub holds it weakly.
    _listener: Arc<LiveService>,
    store: Arc<SqlStore>,
    /// Ends once the store's writer has gone and everything committed was published.
    publisher: Tasks,
    /// What carries publications to other nodes: ends after the publisher.
    carriers: Tasks,
}

impl Node {
    /// Builds the parts. Sockets and requests run among `connections`, which the drain ends; what they need among
    /// `services`, which end after them.
    pub(super) async fn build(
        config: &Config,
        folder: &DataFolder,
        (plane, events): Media,
        (connections, services): (&Tasks, &Tasks),
    ) -> anyhow::Result<Self> {
        let metrics = metrics::install()?;
        metrics::tend(metrics.clone(), services);
        let (committed, commits) = mpsc::channel(COMMITS);
        let store = store::open(config, folder.path(), committed)?;
        let stores = store.stores();
        let name = config.node.id.clone().map_or_else(|| folder.node_id(), Ok)?;

        let hub = Hub::new(HubParts {
            settings: settings::hub(config, name.clone()),
            access: Arc::new(SocialAccess::new(&stores)),
            log: stores.log.clone(),
            tasks: services.clone(),
        });
        let (publisher, carriers) = (Tasks::default(), Tasks::default());
        let broker = broker::open(config, &*stores.log, &hub, &carriers).await?;
        hub.attach(broker.clone());
        publisher.spawn(Publisher::new(broker.clone()).deriving(analytics::figures_of).run(commits));
        services.spawn(hub.clone().tend());
        social::keep_house(&stores, services);

        let (authenticator, accounts) = auth::open(&settings::auth(config), stores.accounts.clone()).await?;
        let command_limit = Duration::from_millis(config.limits.command_ms);
        let rules = Social::new(&stores, social::Settings::of(config));
        if config.store.url.as_str() != "sqlite" && config.media.url.as_str() == "data" {
            tracing::warn!(
                "the store is a server, but pictures are in this node's data folder: right for a single node; several would not find each other's: give all of them one folder by media.url (file:///folder)"
            );
        }
        let library = media::Library::open(media::Settings::of(config, folder.path()))?;
        let media = Arc::new(MediaService::new(&stores, library, &rules.rates, config.media.alt_chars));
        media.keep_house(services);
        hub.share(rules.rates.clone());
        let lives = LiveService::open(
            LiveParts {
                settings: settings::live(config, name),
                secret: stores.accounts.secret(LIVE_SECRET).await?,
                stores: stores.clone(),
                rates: rules.rates.clone(),
                plane: plane.clone(),
                broker: broker.clone(),
                hub: hub.clone(),
                tasks: services.clone(),
            },
            events,
        )
        .await?;
        let listener = Arc::new(lives.clone());
        let weak: Weak<LiveService> = Arc::downgrade(&listener);
        hub.tell_ends_to(weak.clone());
        hub.tell_words_to(weak);
        let door = Arc::new(Door {
            hub: hub.clone(),
            auth: authenticator,
            dispatch: Arc::new(Handlers::new(rules, hub.clone(), lives.clone(), command_limit)),
            tasks: connections.clone(),
        });
        let readiness = Readiness::watch(stores.log.clone(), broker.clone(), services).await;
        let settings = HttpSettings::of(config);
        let (pace, signalling_pace) = (Pace::of_commands(config), Pace::of_signalling(config));
        let http = Arc::new(HttpState {
            door,
            accounts,
            log: stores.log,
            broker,
            live: lives,
            media,
            media_pace: Pace::of_media(config),
            pace,
            signalling_pace,
            behind_proxies: Slots::behind_proxies(config),
            readiness,
            wishes: Wishes::default(),
            selftest: test_live(config, &plane, services),
            metrics,
            settings,
        });
        Ok(Self { hub, http, plane, _listener: listener, store, publisher, carriers })
    }

    /// Brings what is queued to disk and publishes it; whether that did not end in time.
    pub(super) async fn close(self) -> bool {
        let Self { hub, http, plane, _listener, store, publisher, carriers } = self;
        // Peers hear a good-bye; waiting for it must not hold up the runtime.
        let _ = tokio::task::spawn_blocking(move || plane.stop()).await;
        drop((hub, http, _listener));
        store.close().await;
        let unpublished = publisher.stop(LAST_COMMITS).await > 0;
        carriers.stop(LAST_MESSAGES).await;
        unpublished
    }
}

/// Publishes and watches a test stream in the background, where that is wished.
fn test_live(config: &Config, plane: &MediaPlane, services: &Tasks) -> watch::Receiver<Status> {
    if config.live.selftest {
        selftest::begin(plane.clone(), config.live.udp, services)
    } else {
        selftest::off()
    }
}
