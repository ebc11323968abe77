//! Several Redis that belong together: Sentinels around a primary, the primaries of a cluster.

use std::time::Duration;

use super::{
    ports::free_port,
    server::{Redis, folder},
};

impl Redis {
    /// Starts a Sentinel that watches `primary` under the name `main` and needs one more to agree with.
    pub async fn sentinel(primary: &Self) -> Self {
        let (home, port) = (folder(), free_port());
        let settings = home.path().join("sentinel.conf");
        let lines = [
            format!("port {port}"),
            "bind 127.0.0.1".into(),
            format!("sentinel monitor main 127.0.0.1 {} 2", primary.address().port()),
            "sentinel down-after-milliseconds main 500".into(),
            "sentinel failover-timeout main 2000".into(),
        ];
        std::fs::write(&settings, lines.join("\n")).expect("a settings file");
        Self::launch(home, port, &[settings.to_str().expect("text"), "--sentinel"]).await
    }

    /// Starts the servers of a cluster, which share its slots evenly.
    pub async fn cluster(count: u16) -> Vec<Self> {
        let mut servers = Vec::new();
        let slots = 16_384 / count;
        for number in 0..count {
            let (server, bus) = Self::in_cluster().await;
            let first = number * slots;
            let last = if number + 1 == count { 16_383 } else { first + slots - 1 };
            server.must(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
            server.must(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
            servers.push((server, bus));
        }
        let (first, _) = &servers[0];
        for (server, bus) in &servers[1..] {
            first.must(&["CLUSTER", "MEET", "127.0.0.1", &server.address().port().to_string(), bus]).await;
        }
        for (server, _) in &servers {
            while !server.command(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        servers.into_iter().map(|(server, _)| server).collect()
    }

    /// Starts a server that takes over from this primary of a cluster when it dies, and waits until it could.
    pub async fn stand_in(&self) -> Self {
        let (server, _) = Self::in_cluster().await;
        let nodes = self.command(&["CLUSTER", "NODES"]).await;
        let own = nodes.lines().find(|line| line.contains("myself")).expect("every server knows itself");
        let (id, bus) = own
            .split_once(' ')
            .and_then(|(id, rest)| Some((id, rest.split_once('@')?.1.split([',', ' ']).next()?)))
            .expect("id host:port@bus");
        server.must(&["CLUSTER", "MEET", "127.0.0.1", &self.address().port().to_string(), bus]).await;
        while server.command(&["CLUSTER", "REPLICATE", id]).await != "+OK" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        while !server.command(&["INFO", "replication"]).await.contains("master_link_status:up") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }

    /// A server of a cluster that has none yet, and its port for others of it.
    async fn in_cluster() -> (Self, String) {
        let bus = free_port().to_string();
        let arguments =
            ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", &bus];
        (Self::with(&arguments).await, bus)
    }

    /// Runs a command that must answer `OK`.
    pub async fn must(&self, arguments: &[&str]) {
        let answer = self.command(arguments).await;
        assert_eq!(answer, "+OK", "{arguments:?}");
    }
}
