//! Looks at a Redis as a start would, for `doctor`: by what the product does there, which is to hear itself.

use super::{
    RedisBroker, RedisUrl,
    link::{Connector, ping},
    place::{Place, Sentinels},
    url::Arrangement,
};
use crate::{
    broker::{Broadcast, Broker, BrokerError, Deliver},
    tasks::Tasks,
};
use redis::{RedisError, aio::MultiplexedConnection};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// The oldest version that is looked for faults on: RESP3 came with 6.0, sharded pub/sub with 7.0.
const OLDEST: (u32, u32) = (7, 0);

/// How long it is asked again whether it delivers: connections may take longer to stand than a node waits for them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time between two such questions.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Time for connections to end.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a Redis says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// `redis_version`, where this user may ask for it.
    pub version: Option<String>,
    /// Whether the version is one that this product was tried with, or newer, as far as it is known.
    pub is_new_enough: bool,
    /// `maxmemory-policy`, where this user may ask for it.
    pub eviction: Option<String>,
    /// Time of one question and its answer.
    pub round_trip: Duration,
}

/// A Redis that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be reached, or does not let this user in.
    #[error("Redis at {place}: {source}")]
    Closed {
        /// Which server.
        place: String,
        /// What it says.
        source: RedisError,
    },
    /// It lets this user in, and a node would hear nothing by it.
    #[error(
        "{0}: may this user PUBLISH and SUBSCRIBE (in a cluster SPUBLISH and SSUBSCRIBE) on channels like communiconnect:*?"
    )]
    Mute(BrokerError),
}

/// Hears nothing: what a broker of its own says to itself is all that is asked.
struct Nobody;

impl Deliver for Nobody {
    fn deliver(&self, _batch: Vec<Broadcast>) {}
}

/// The name of a store that no node has.
const NO_STORE: &str = "doctor";

impl RedisUrl {
    /// Connects, publishes to itself through every server, and asks the first for what it is.
    ///
    /// # Errors
    /// Where it cannot be reached, does not let this user in, or does not deliver.
    pub async fn examine(&self) -> Result<Examined, Unusable> {
        let place = match &self.arrangement {
            Arrangement::Standalone(address) => Place::Fixed(address.clone()),
            Arrangement::Sentinel { sentinels, service } => {
                Place::Watched(Box::new(Sentinels::new(self, sentinels, service)))
            }
            Arrangement::Cluster(seeds) => Place::Fixed(seeds[0].clone()),
        };
        let told = |source| Unusable::Closed { place: place.to_string(), source };
        let mut connection = place.connect(&Connector::to_servers(self)).await.map_err(told)?;
        let begun = Instant::now();
        ping(&mut connection).await.map_err(told)?;
        let round_trip = begun.elapsed();
        self.hears_itself().await.map_err(Unusable::Mute)?;
        let version = version(&mut connection).await;
        let is_new_enough = version.as_deref().is_none_or(|version| numbers(version) >= Some(OLDEST));
        let eviction = eviction(&mut connection).await;
        Ok(Examined { version, is_new_enough, eviction, round_trip })
    }

    async fn hears_itself(&self) -> Result<(), BrokerError> {
        let tasks = Tasks::default();
        let broker = RedisBroker::open(self, NO_STORE, Arc::new(Nobody), &tasks).await;
        let begun = Instant::now();
        let mut heard = broker.probe().await;
        while heard.is_err() && begun.elapsed() < PATIENCE {
            tokio::time::sleep(ASK_AGAIN).await;
            heard = broker.probe().await;
        }
        tasks.stop(GOODBYE).await;
        heard
    }
}

/// None where it is not for this user to know.
async fn version(connection: &mut MultiplexedConnection) -> Option<String> {
    let text: Result<String, _> = redis::cmd("INFO").arg("server").query_async(connection).await;
    let text = text.ok()?;
    text.lines().find_map(|line| line.trim().strip_prefix("redis_version:")).map(str::to_owned)
}

/// None where it is not for this user to know.
async fn eviction(connection: &mut MultiplexedConnection) -> Option<String> {
    const SETTING: &str = "maxmemory-policy";
    let answer: Result<HashMap<String, String>, _> =
        redis::cmd("CONFIG").arg("GET").arg(SETTING).query_async(connection).await;
    answer.ok()?.remove(SETTING)
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(numbers("7.0.15") >= Some(OLDEST) && numbers("10.2") >= Some(OLDEST));
        assert!(numbers("6.2.14") < Some(OLDEST) && numbers("unknown").is_none());
    }
}
