//! Where a shard's server is at the moment.

use super::{
    link::{ANSWER_TIME, Connector},
    url::{Address, RedisUrl},
};
use parking_lot::Mutex;
use redis::{PushInfo, RedisError, aio::MultiplexedConnection};
use std::{fmt, io};
use tokio::time::timeout;

/// How a server is found.
pub(super) enum Place {
    /// It is always there.
    Fixed(Address),
    /// Sentinels know.
    Watched(Box<Sentinels>),
}

/// Sentinels, and what they said last.
pub(super) struct Sentinels {
    connector: Connector,
    addresses: Vec<Address>,
    service: String,
    /// The primary that was connected to last.
    primary: Mutex<Option<Address>>,
    /// An open connection to one of them.
    open: tokio::sync::Mutex<Option<MultiplexedConnection>>,
}

impl Place {
    /// Connects for commands.
    pub(super) async fn connect(&self, connector: &Connector) -> Result<MultiplexedConnection, RedisError> {
        let connection = connector.connect(&self.locate().await?).await?;
        self.check(connection).await
    }

    /// Connects for subscriptions.
    pub(super) async fn listen(
        &self,
        connector: &Connector,
        hear: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, RedisError> {
        let connection = connector.listen(&self.locate().await?, hear).await?;
        self.check(connection).await
    }

    /// Whether it may be somewhere else one day without breaking connections: a primary that lost its rank serves on.
    pub(super) fn may_move(&self) -> bool {
        matches!(self, Self::Watched(_))
    }

    /// Whether it is somewhere else than where it was connected to.
    pub(super) async fn has_moved(&self) -> bool {
        let Self::Watched(sentinels) = self else { return false };
        let connected = sentinels.primary.lock().clone();
        let found = sentinels.ask().await;
        connected.is_some_and(|connected| found.is_ok_and(|found| found != connected))
    }

    async fn locate(&self) -> Result<Address, RedisError> {
        match self {
            Self::Fixed(address) => Ok(address.clone()),
            Self::Watched(sentinels) => {
                let found = sentinels.ask().await?;
                *sentinels.primary.lock() = Some(found.clone());
                Ok(found)
            }
        }
    }

    /// Sentinels may name a server that is none the wiser yet ("Guidelines for Redis clients with support for Sentinel").
    async fn check(
        &self,
        mut connection: MultiplexedConnection,
    ) -> Result<MultiplexedConnection, RedisError> {
        if let Self::Watched(_) = self {
            let asked = redis::cmd("ROLE");
            let answer = timeout(ANSWER_TIME, asked.query_async(&mut connection)).await;
            let role: Vec<redis::Value> = answer.map_err(io::Error::from)??;
            let is_primary =
                matches!(role.first(), Some(redis::Value::BulkString(role)) if role == b"master");
            if !is_primary {
                return Err(io::Error::other("it is not the primary yet").into());
            }
        }
        Ok(connection)
    }
}

impl Sentinels {
    pub(super) fn new(url: &RedisUrl, addresses: &[Address], service: &str) -> Self {
        Self {
            connector: Connector::to_sentinels(url),
            addresses: addresses.to_vec(),
            service: service.to_owned(),
            primary: Mutex::default(),
            open: tokio::sync::Mutex::default(),
        }
    }

    /// Where the primary is, by the first of them that knows.
    async fn ask(&self) -> Result<Address, RedisError> {
        let mut open = self.open.lock().await;
        if let Some(connection) = open.as_mut()
            && let Ok(found) = ask_one(connection, &self.service).await
        {
            return Ok(found);
        }
        *open = None;
        let mut failure = io::Error::other("no Sentinel is named").into();
        for address in &self.addresses {
            let asked = async {
                let mut connection = self.connector.connect(address).await?;
                let found = ask_one(&mut connection, &self.service).await?;
                Ok((connection, found))
            };
            match asked.await {
                Ok((connection, found)) => {
                    *open = Some(connection);
                    return Ok(found);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

async fn ask_one(connection: &mut MultiplexedConnection, service: &str) -> Result<Address, RedisError> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
    let found: Option<(String, u16)> = command.query_async(connection).await?;
    let (host, port) =
        found.ok_or_else(|| io::Error::other("this Sentinel knows no service of this name"))?;
    Ok(Address { host, port })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(address) => address.fmt(f),
            Self::Watched(sentinels) => match &*sentinels.primary.lock() {
                Some(address) => write!(f, "{address} ({})", sentinels.service),
                None => f.write_str(&sentinels.service),
            },
        }
    }
}
