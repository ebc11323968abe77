//! One connection to one server: made within a time, RESP3, without Nagle's delay; and when to try again.

use super::url::{Address, Login, RedisUrl};
use rand::Rng;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo, RedisError,
    aio::MultiplexedConnection,
};
use std::time::Duration;

/// Time for a connection to stand, TLS and login included.
const CONNECT_TIME: Duration = Duration::from_secs(2);
/// Time for a server to answer; beyond it the connection is given up as dead, unless something else comes on it.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(2);
/// Time by which a connection to listen on may be behind; what waits for longer is sooner read from the log.
pub(super) const BEHIND: Duration = Duration::from_secs(10);
/// Between two looks whether a server that has nothing to say still answers.
pub(super) const PING_PACE: Duration = Duration::from_secs(1);

/// First and longest pause before another attempt.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How servers of one URL are connected to.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    login: Login,
    tls: bool,
}

impl Connector {
    /// To the servers that carry messages.
    pub(super) fn to_servers(url: &RedisUrl) -> Self {
        Self { login: url.login.clone(), tls: url.tls }
    }

    /// To the Sentinels that watch them.
    pub(super) fn to_sentinels(url: &RedisUrl) -> Self {
        Self { login: url.sentinel_login.clone(), tls: url.tls }
    }

    /// Connects for commands.
    pub(super) async fn connect(&self, address: &Address) -> Result<MultiplexedConnection, RedisError> {
        self.open(address, AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_TIME))).await
    }

    /// Connects for subscriptions; `hear` is called for every push and must not wait.
    pub(super) async fn listen(
        &self,
        address: &Address,
        hear: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, RedisError> {
        let hear = move |push| {
            hear(push);
            Ok::<_, std::convert::Infallible>(())
        };
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(BEHIND));
        self.open(address, config.set_push_sender(hear)).await
    }

    async fn open(
        &self,
        address: &Address,
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        let Address { host, port } = address.clone();
        let place = if self.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let info = place.into_connection_info()?;
        let mut settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        if let Some(user) = &self.login.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.login.password {
            settings = settings.set_password(password);
        }
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let client = Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp))?;
        let config = config.set_connection_timeout(Some(CONNECT_TIME));
        client.get_multiplexed_async_connection_with_config(&config).await
    }
}

/// Asks a server for a sign of life.
pub(super) async fn ping(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    redis::cmd("PING").exec_async(connection).await
}

/// Pauses that grow from attempt to attempt, each drawn from its upper half so that nodes do not return together.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: PAUSES.0 }
    }

    /// How long to pause now.
    pub(super) fn pause(&mut self) -> Duration {
        let longest = self.next;
        self.next = (longest * 2).min(PAUSES.1);
        rand::rng().random_range(longest / 2..=longest)
    }
}
