//! A cluster: which server carries which lanes, asked again and again, and at once when one does not do as expected.

use super::{
    link::Connector,
    links::Link,
    names::{LANES, SLOTS},
    node::NodeParts,
    place::Place,
    shard::Shard,
    shards::Shards,
    url::Address,
};
use crate::tasks::Tasks;
use redis::{RedisError, Value, aio::MultiplexedConnection};
use std::{
    io,
    ops::Range,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Between two looks at where lanes are.
const LOOK_PACE: Duration = Duration::from_secs(2);
/// Between two looks while one after the other gives reason for another.
const SHORTEST_PACE: Duration = Duration::from_millis(100);

/// Keeps the shards of a cluster as the cluster has them.
pub(super) struct Cluster {
    node: Arc<NodeParts>,
    shards: Arc<Shards>,
    seeds: Vec<Address>,
    /// Lost while there are lanes that no server carries.
    rest: Link,
}

/// A primary and the hash slots that it serves.
type Served = (Address, Vec<Range<u16>>);

impl Cluster {
    pub(super) fn new(node: &Arc<NodeParts>, shards: &Arc<Shards>, seeds: &[Address]) -> Self {
        let rest = Link::of(&node.links);
        Self { node: Arc::clone(node), shards: Arc::clone(shards), seeds: seeds.to_vec(), rest }
    }

    /// Looks and follows, until the process stops.
    pub(super) async fn follow(self, tasks: Tasks) {
        loop {
            self.look(&tasks).await;
            tokio::select! {
                () = tokio::time::sleep(LOOK_PACE) => {}
                () = self.node.doubt.notified() => tokio::time::sleep(SHORTEST_PACE).await,
                () = tasks.stopping() => return,
            }
        }
    }

    async fn look(&self, tasks: &Tasks) {
        let known = self.shards.all();
        let known = known.iter().filter_map(|shard| shard.address().cloned());
        for address in known.chain(self.seeds.iter().cloned()) {
            match ask(&self.node.connector, &address).await {
                Ok(served) => return self.take(served, tasks),
                Err(error) => tracing::debug!(server = %address, %error, "it does not say who serves what"),
            }
        }
        tracing::debug!("no server of the cluster says who serves what; trying on");
    }

    fn take(&self, served: Vec<Served>, tasks: &Tasks) {
        let before = self.shards.all();
        let mut shards = Vec::with_capacity(served.len());
        for (address, slots) in served {
            let lanes = self.node.names.in_slots(&slots);
            let known = before.iter().find(|shard| shard.address() == Some(&address));
            shards.push(match known {
                Some(shard) => {
                    shard.carry(lanes);
                    Arc::clone(shard)
                }
                None => Shard::start(&self.node, Place::Fixed(address), lanes, tasks),
            });
        }
        for gone in before.iter().filter(|old| !shards.iter().any(|new| Arc::ptr_eq(old, new))) {
            gone.end();
        }
        let carried: usize = shards.iter().map(|shard| shard.lanes().len()).sum();
        let first = shards.first().cloned();
        self.shards.set(shards);
        if carried < usize::from(LANES) {
            self.rest.lost();
        } else {
            self.rest.found();
        }
        // Servers that took nothing can tell nobody; one that takes something can.
        if let Some(shard) = first
            && self.node.untold.swap(false, Ordering::Relaxed)
        {
            shard.outbound.lost();
            shard.outbound.flush();
        }
    }
}

async fn ask(connector: &Connector, address: &Address) -> Result<Vec<Served>, RedisError> {
    let mut connection: MultiplexedConnection = connector.connect(address).await?;
    let answer: Vec<Vec<Value>> = redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
    let mut served: Vec<Served> = Vec::new();
    for entry in answer {
        let (slots, primary) = read_entry(&entry, address)
            .ok_or_else(|| io::Error::other("CLUSTER SLOTS answered something unknown"))?;
        match served.iter_mut().find(|(known, _)| *known == primary) {
            Some((_, known)) => known.push(slots),
            None => served.push((primary, vec![slots])),
        }
    }
    if served.is_empty() {
        return Err(io::Error::other("this server serves no slots").into());
    }
    Ok(served)
}

/// `[first slot, last slot, [host, port, …], replicas …]`; no host is the one that was asked.
fn read_entry(entry: &[Value], asked: &Address) -> Option<(Range<u16>, Address)> {
    let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = entry else { return None };
    let [host, Value::Int(port), ..] = primary.as_slice() else { return None };
    let host = match host {
        Value::BulkString(host) if !host.is_empty() => String::from_utf8(host.clone()).ok()?,
        _ => asked.host.clone(),
    };
    let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
    let slots = first..last.checked_add(1).filter(|end| *end <= SLOTS)?;
    Some((slots, Address { host, port: u16::try_from(*port).ok()? }))
}
