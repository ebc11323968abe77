//! Where a shard's server is at the moment.

use super::{link::Connector, url::Address};
use redis::{PushInfo, RedisError, aio::MultiplexedConnection};
use std::fmt;

/// How a server is found.
pub(super) enum Place {
    /// It is always there.
    Fixed(Address),
}

impl Place {
    /// Connects for commands.
    pub(super) async fn connect(&self, connector: &Connector) -> Result<MultiplexedConnection, RedisError> {
        connector.connect(&self.locate().await?).await
    }

    /// Connects for subscriptions.
    pub(super) async fn listen(
        &self,
        connector: &Connector,
        hear: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, RedisError> {
        connector.listen(&self.locate().await?, hear).await
    }

    async fn locate(&self) -> Result<Address, RedisError> {
        match self {
            Self::Fixed(address) => Ok(address.clone()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(address) => address.fmt(f),
        }
    }
}
