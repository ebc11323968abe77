//! Several nodes of one place: a store and a Redis that they share.

use std::time::Duration;

use super::{
    Redis, Server, list,
    postgres::{Syncs, database},
    within,
};

/// Two nodes that hear each other, with settings of the story's own.
pub async fn two_nodes(settings: &[&str]) -> (Redis, Server, Server) {
    let redis = Redis::start().await;
    let store = tokio::task::spawn_blocking(|| database(Syncs::Nothing)).await.expect("a database");
    let shared = [format!("store.url={store}"), format!("broker.url={}", redis.url())];
    let settings: Vec<&str> = shared.iter().map(String::as_str).chain(settings.iter().copied()).collect();
    let nodes = (Server::with(&settings).await, Server::with(&settings).await);
    within("both nodes to hear each other", async {
        for node in [&nodes.0, &nodes.1] {
            let heard = async || list(&node.admin().get("/v1/admin/sessions").await.ok()["nodes"]).len();
            while heard().await < 2 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    })
    .await;
    (redis, nodes.0, nodes.1)
}
