//! Looks at a Redis as a start would, for `doctor`.

use super::{
    RedisUrl,
    link::{Connector, ping},
    place::{Place, Sentinels},
    url::Arrangement,
};
use redis::{RedisError, aio::MultiplexedConnection};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The oldest version that is looked for faults on: RESP3 came with 6.0, sharded pub/sub with 7.0.
const OLDEST: (u32, u32) = (7, 0);

/// What a Redis says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// `redis_version`.
    pub version: String,
    /// Whether the version is one that this product was tried with, or newer.
    pub is_new_enough: bool,
    /// `maxmemory-policy`, where this user may ask for it.
    pub eviction: Option<String>,
    /// Time of one question and its answer.
    pub round_trip: Duration,
}

/// A Redis that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("Redis at {place}: {source}")]
pub struct Unusable {
    place: String,
    source: RedisError,
}

impl RedisUrl {
    /// Connects and asks; of several servers the first.
    ///
    /// # Errors
    /// Where it cannot be reached, or does not let this user in.
    pub async fn examine(&self) -> Result<Examined, Unusable> {
        let place = match &self.arrangement {
            Arrangement::Standalone(address) => Place::Fixed(address.clone()),
            Arrangement::Sentinel { sentinels, service } => {
                Place::Watched(Box::new(Sentinels::new(self, sentinels, service)))
            }
            Arrangement::Cluster(seeds) => Place::Fixed(seeds[0].clone()),
        };
        let told = |source| Unusable { place: place.to_string(), source };
        let mut connection = place.connect(&Connector::to_servers(self)).await.map_err(told)?;
        let begun = Instant::now();
        ping(&mut connection).await.map_err(told)?;
        let round_trip = begun.elapsed();
        let version = version(&mut connection).await.map_err(told)?;
        let is_new_enough = numbers(&version).is_some_and(|numbers| numbers >= OLDEST);
        let eviction = eviction(&mut connection).await;
        Ok(Examined { version, is_new_enough, eviction, round_trip })
    }
}

async fn version(connection: &mut MultiplexedConnection) -> Result<String, RedisError> {
    let text: String = redis::cmd("INFO").arg("server").query_async(connection).await?;
    let version = text.lines().find_map(|line| line.trim().strip_prefix("redis_version:"));
    Ok(version.unwrap_or("unknown").to_owned())
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
