//! Where the server is, and how it is spoken to.

use super::{Session, tls::Security, told};
use crate::store::sql::{OpenError, db};
use futures_util::{FutureExt, future::BoxFuture};
use std::{fmt, str::FromStr, time::Duration};
use tokio_postgres::{Client, Config, NoTls, config::Host};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Time to connect to a server; one that is there answers in milliseconds.
const CONNECT: Duration = Duration::from_secs(3);

/// What the server itself puts an end to, in milliseconds: a statement; the wait for a turn; a transaction whose node fell
/// silent, so that a node which hangs holds up the others for so long and no longer. Every statement finds few rows by an
/// index; without figures of a table that has just grown, the planner would sometimes rather read all of it.
const OPTIONS: &str = "-c statement_timeout=10000 -c lock_timeout=8000 -c idle_in_transaction_session_timeout=10000 \
                       -c synchronous_commit=on -c jit=off -c enable_hashjoin=off -c enable_mergejoin=off";

/// The lock that nodes which start at once bring the tables up to date under; any number that is ours alone.
const MIGRATION_LOCK: i64 = 0x636f_6d6d_756e_6901;

mod embedded {
    refinery::embed_migrations!("src/store/sql/postgres/migrations");
}

/// A server and a database on it.
pub(in crate::store::sql) struct Server {
    config: Config,
    /// Secures connections; none where they are plain.
    tls: Option<MakeRustlsConnect>,
}

impl Server {
    /// Reads an address like `postgres://user:password@host:5432/database?sslmode=verify-full`.
    pub(in crate::store::sql) fn at(url: &str) -> Result<Self, OpenError> {
        let (security, url) = Security::of(url);
        let tls = security.connector()?;
        let mut config = Config::from_str(&url).map_err(|error| OpenError::Address(error.to_string()))?;
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(Duration::from_secs(15))
            .keepalives_idle(Duration::from_secs(15))
            .application_name("communiconnect");
        add_options(&mut config, OPTIONS);
        Ok(Self { config, tls })
    }

    /// Opens a connection.
    pub(in crate::store::sql) fn open(&self) -> Result<Session, OpenError> {
        Session::open(self.connect(&self.config)).map_err(|error| self.refused(error))
    }

    /// Connects; what is answered beside the client must be driven for it to move.
    async fn connect(
        &self,
        config: &Config,
    ) -> Result<(Client, BoxFuture<'static, ()>), tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                Ok((client, connection.map(drop).boxed()))
            }
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                Ok((client, connection.map(drop).boxed()))
            }
        }
    }

    /// Brings the tables up to date; of several nodes that start at once one does, and the others find them so.
    pub(in crate::store::sql) fn migrate(&self) -> Result<(), OpenError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut config = self.config.clone();
            // A migration takes the time that it takes, and so does the wait for another node's.
            add_options(&mut config, "-c statement_timeout=0 -c lock_timeout=0");
            let (mut client, connection) =
                self.connect(&config).await.map_err(|error| self.refused(error.into()))?;
            runtime.spawn(connection);
            client
                .execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])
                .await
                .map_err(|error| self.refused(error.into()))?;
            // The lock ends with the connection.
            let run = embedded::migrations::runner().run_async(&mut client).await;
            run.map(drop).map_err(|error| OpenError::migration(error, self.to_string()))
        })
    }

    fn refused(&self, error: db::Error) -> OpenError {
        let cause = match &error {
            db::Error::Postgres(error) => told(error),
            error => error.to_string(),
        };
        OpenError::Server { place: self.to_string(), cause }
    }
}

/// Adds to the options that a connection begins with, such as those of the address; of two words on one setting the later counts.
fn add_options(config: &mut Config, more: &str) {
    let before = config.get_options().map(|options| format!("{options} ")).unwrap_or_default();
    config.options(format!("{before}{more}"));
}

/// Host and database, as an operator reads them; never the password.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => String::new(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        write!(f, "{host}:{port}/{}", self.config.get_dbname().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::{OPTIONS, Server};

    #[test]
    fn options_of_the_address_are_kept_before_our_own() {
        let server = Server::at("postgres://db/hub?options=-csearch_path%3Dhub").expect("an address");
        assert_eq!(server.config.get_options(), Some(format!("-csearch_path=hub {OPTIONS}").as_str()));
        let server = Server::at("postgres://db/hub").expect("an address");
        assert_eq!(server.config.get_options(), Some(OPTIONS));
    }
}
