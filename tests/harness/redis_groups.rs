//! Several Redis that belong together: Sentinels around a primary, the primaries of a cluster.

use std::time::Duration;

use super::server::{Redis, folder, free_port};

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
            let bus = free_port().to_string();
            let server = Self::with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-node-timeout",
                "2000",
                "--cluster-port",
                &bus,
            ])
            .await;
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

    /// Runs a command that must answer `OK`.
    pub async fn must(&self, arguments: &[&str]) {
        let answer = self.command(arguments).await;
        assert_eq!(answer, "+OK", "{arguments:?}");
    }
}
