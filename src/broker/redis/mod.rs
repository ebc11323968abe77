//! The broker of several nodes, on Redis pub/sub.
//!
//! What a node publishes it delivers to its own sessions at once and sends to the others through Redis, whose word it
//! does not need: publishing never waits for Redis, and a subscription stands without it. What Redis loses is read from
//! the log; this module says when that may have happened ([`LinkState`], heads). The only place that names the crate
//! `redis`; it knows nothing of what a message means.

mod cluster;
mod examine;
mod gossip;
mod inbound;
mod interest;
mod link;
mod links;
mod names;
mod node;
mod outbound;
mod place;
mod shard;
mod shards;
mod url;
mod wire;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use examine::{Examined, Unusable};
pub use url::{RedisUrl, WrongUrl};

use super::{Broadcast, Broker, BrokerError, Carried, Deliver};
use crate::{publication::State, tasks::Tasks};
use cluster::Cluster;
use communiconnect_protocol::Channel;
use gossip::Gossip;
use interest::Interest;
use link::Connector;
use links::Links;
use names::{Lane, Names};
use node::{Dialect, NodeParts, Probes};
use outbound::Refused;
use place::{Place, Sentinels};
use shard::Shard;
use shards::Shards;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};
use url::Arrangement;
use wire::Frame;

/// Time that a start waits for Redis before it goes on without.
const FIRST_CONNECT: Duration = Duration::from_secs(2);

/// Time that a subscription waits for a server that seems to be there.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// Delivers between nodes of one store through Redis.
pub struct RedisBroker {
    node: Arc<NodeParts>,
    shards: Arc<Shards>,
    gossip: Gossip,
}

impl RedisBroker {
    /// Connects in the background; returns once Redis delivers, or after two seconds without. `store` names the store whose
    /// nodes hear each other: letters, digits, dashes.
    pub async fn open(url: &RedisUrl, store: &str, deliver: Arc<dyn Deliver>, tasks: &Tasks) -> Arc<Self> {
        let is_cluster = matches!(url.arrangement, Arrangement::Cluster(_));
        let node = Arc::new(NodeParts {
            sender: rand::random(),
            names: Names::of(store),
            dialect: if is_cluster { Dialect::Sharded } else { Dialect::Plain },
            connector: Connector::to_servers(url),
            links: Arc::new(Links::new(&deliver)),
            deliver,
            interest: Interest::new(),
            probes: Probes::default(),
            doubt: Notify::new(),
            untold: AtomicBool::new(false),
        });
        let shards = Arc::new(Shards::none());
        let one = |place| shards.set(vec![Shard::start(&node, place, Lane::all().collect(), tasks)]);
        match &url.arrangement {
            Arrangement::Standalone(address) => one(Place::Fixed(address.clone())),
            Arrangement::Sentinel { sentinels, service } => {
                one(Place::Watched(Box::new(Sentinels::new(url, sentinels, service))));
            }
            Arrangement::Cluster(seeds) => {
                tasks.spawn(Cluster::new(&node, &shards, seeds).follow(tasks.clone()));
            }
        }
        if timeout(FIRST_CONNECT, shards.listening()).await.is_err() {
            tracing::warn!("Redis does not answer yet; this node serves alone until it does");
        }
        let broker = Arc::new(Self { node, shards, gossip: Gossip::default() });
        tasks.spawn(Arc::clone(&broker).tell_heads(tasks.clone()));
        broker
    }

    async fn tell_heads(self: Arc<Self>, tasks: Tasks) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(gossip::PACE) => {}
                () = tasks.stopping() => return,
            }
            let heads = self.gossip.take();
            for (channel, offset) in &heads {
                // What cannot be told now is found by comparing with the store.
                let _ = self.add(Lane::of(channel), |frame| frame.head(channel, *offset));
            }
            if !heads.is_empty() {
                self.flush();
            }
        }
    }

    fn send(&self, broadcast: &Broadcast) -> Result<(), Refused> {
        match broadcast {
            Broadcast::Publication(publication) => {
                self.gossip.note(publication);
                self.add(Lane::of(&publication.channel), |frame| frame.publication(publication))
            }
            Broadcast::Signal(signal) => self.add(Lane::of(&signal.channel), |frame| frame.signal(signal)),
            Broadcast::Memo(memo) => self.add(Lane::of(&memo.channel), |frame| frame.memo(memo)),
            Broadcast::State(state) => by_lane(state).into_iter().try_for_each(|(lane, channels)| {
                self.add(lane, |frame| frame.state(state, channels.into_iter()))
            }),
        }
    }

    fn add(&self, lane: Lane, write: impl FnOnce(&mut Frame)) -> Result<(), Refused> {
        self.shards.with(lane, |shard| shard.outbound.add(lane, write)).unwrap_or_else(|| {
            self.node.untold.store(true, Ordering::Relaxed);
            Err(Refused::Disconnected)
        })
    }

    fn flush(&self) {
        self.shards.all().iter().for_each(|shard| shard.outbound.flush());
    }
}

impl Broker for RedisBroker {
    fn publish(&self, batch: Vec<Broadcast>) -> Carried<'_> {
        let mut refused = None;
        for broadcast in &batch {
            if let Err(reason) = self.send(broadcast) {
                refused = Some(reason);
            }
        }
        self.flush();
        self.node.deliver.deliver(batch);
        let outcome = match refused {
            None => Ok(()),
            Some(Refused::Disconnected) => {
                Err(BrokerError::Unavailable("other nodes cannot be told: Redis cannot be reached".into()))
            }
            Some(Refused::Full) => {
                Err(BrokerError::Unavailable("other nodes cannot be told: Redis is too slow".into()))
            }
        };
        Box::pin(std::future::ready(outcome))
    }

    fn subscribe(&self, channel: &Channel) -> Carried<'_> {
        let lane = Lane::of(channel);
        Box::pin(async move {
            let entry = self.node.interest.enter(lane);
            // A server that takes longer is as good as away: heads are compared meanwhile.
            let _ = timeout(SETTLE_TIME, self.node.interest.settled(lane)).await;
            entry.keep();
            Ok(())
        })
    }

    fn unsubscribe(&self, channel: &Channel) -> Carried<'_> {
        self.node.interest.leave(Lane::of(channel));
        Box::pin(std::future::ready(Ok(())))
    }

    fn probe(&self) -> Carried<'_> {
        Box::pin(self.shards.probe())
    }
}

/// A state's channels by the lane that carries them.
fn by_lane(state: &State) -> Vec<(Lane, Vec<&Channel>)> {
    let mut lanes: Vec<(Lane, Vec<&Channel>)> = Vec::new();
    for channel in &state.channels {
        let lane = Lane::of(channel);
        match lanes.iter_mut().find(|(known, _)| *known == lane) {
            Some((_, channels)) => channels.push(channel),
            None => lanes.push((lane, vec![channel])),
        }
    }
    lanes
}
