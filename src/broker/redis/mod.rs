//! The broker of several nodes, on Redis pub/sub.
//!
//! What a node publishes it delivers to its own sessions at once and sends to the others through Redis, whose word it
//! does not need: publishing never waits for Redis, and a subscription stands without it. What Redis loses is read from
//! the log; this module says when that may have happened ([`LinkState`], heads). The only place that names the crate
//! `redis`; it knows nothing of what a message means.

mod examine;
mod gossip;
mod inbound;
mod interest;
mod link;
mod names;
mod node;
mod outbound;
mod place;
mod shard;
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
use communiconnect_protocol::Channel;
use gossip::Gossip;
use interest::Interest;
use link::Connector;
use names::{Lane, Names};
use node::{NodeParts, Probes};
use outbound::Refused;
use place::Place;
use shard::Shard;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Time that a start waits for Redis before it goes on without.
const FIRST_CONNECT: Duration = Duration::from_secs(2);

/// Time that a subscription waits for a server that seems to be there.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// Delivers between nodes of one store through Redis.
pub struct RedisBroker {
    node: Arc<NodeParts>,
    shard: Arc<Shard>,
    gossip: Gossip,
}

impl RedisBroker {
    /// Connects in the background; returns once Redis delivers, or after two seconds without. `store` names the store whose
    /// nodes hear each other: letters, digits, dashes.
    ///
    /// # Errors
    /// Where the URL names an arrangement that is not supported.
    pub async fn open(
        url: &RedisUrl,
        store: &str,
        deliver: Arc<dyn Deliver>,
        tasks: &Tasks,
    ) -> Result<Arc<Self>, WrongUrl> {
        let url::Arrangement::Standalone(address) = &url.arrangement else {
            return Err(WrongUrl::unsupported());
        };
        let node = Arc::new(NodeParts {
            sender: rand::random(),
            names: Names::of(store),
            connector: Connector::to_servers(url),
            deliver,
            interest: Interest::new(),
            probes: Probes::default(),
        });
        // Always listened to, so that a node which nobody is connected to can tell whether Redis delivers.
        let lanes: Vec<_> = Lane::all().collect();
        node.interest.enter(lanes[0]).keep();
        let shard = Shard::start(&node, Place::Fixed(address.clone()), lanes, tasks);
        if timeout(FIRST_CONNECT, shard.listening()).await.is_err() {
            tracing::warn!("Redis does not answer yet; this node serves alone until it does");
        }
        let broker = Arc::new(Self { node, shard, gossip: Gossip::default() });
        tasks.spawn(Arc::clone(&broker).tell_heads(tasks.clone()));
        Ok(broker)
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
                let _ = self.shard.outbound.add(Lane::of(channel), |frame| frame.head(channel, *offset));
            }
            if !heads.is_empty() {
                self.shard.outbound.flush();
            }
        }
    }

    fn send(&self, broadcast: &Broadcast) -> Result<(), Refused> {
        let outbound = &self.shard.outbound;
        match broadcast {
            Broadcast::Publication(publication) => {
                self.gossip.note(publication);
                outbound.add(Lane::of(&publication.channel), |frame| frame.publication(publication))
            }
            Broadcast::Signal(signal) => {
                outbound.add(Lane::of(&signal.channel), |frame| frame.signal(signal))
            }
            Broadcast::State(state) => by_lane(state).into_iter().try_for_each(|(lane, channels)| {
                outbound.add(lane, |frame| frame.state(state, channels.into_iter()))
            }),
        }
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
        self.shard.outbound.flush();
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
        Box::pin(self.shard.probe())
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
