//! Composition: builds each part, wires the traits that go upward, opens the listeners, and drains in order.
//!
//! The only place that knows every part. It holds no rule of the product.

pub mod doctor;
mod instance;
mod logging;
mod node;
mod settings;
mod stop;

pub use instance::{DataFolder, DataFolderError};

use crate::{config::Config, tasks::Tasks};
use node::Node;
use std::{io::Write, net::SocketAddr, time::Duration};

/// Time that is left to connections after the drain to write their last words.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Time for background work to end once nobody is connected: a publication or a page of the log, no more.
const LAST_WORK: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or Ctrl-C, then drains: tells everybody to come back elsewhere, closes spread over
/// `node.drain_ms`, and returns when what was acknowledged is on disk.
///
/// # Errors
/// Where the data folder, the store or a listener cannot be opened; each error says what to do.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    logging::start(&config.log)?;
    raise_open_files();
    let folder = DataFolder::hold(&config.store.data)?;
    let connections = Tasks::default();
    let services = Tasks::default();
    let node = Node::build(&config, &folder, &connections, &services).await?;
    let listeners = node.open(&config)?;
    announce(&listeners)?;
    listeners.run(&node, &connections);

    let signal = stop::asked().await?;
    let drain = Duration::from_millis(config.node.drain_ms);
    tracing::info!(signal, sessions = node.hub.session_count(), ?drain, "stopping");
    node.readiness.stop();
    node.hub.drain(drain);
    node.hub.emptied(drain).await;
    let cut = connections.stop(LAST_WORDS).await;
    let left = services.stop(LAST_WORK).await;
    let unfinished = node.close().await;
    if cut + left + usize::from(unfinished) > 0 {
        tracing::warn!(connections = cut, services = left, "ended before everything had finished");
    }
    tracing::info!("stopped; everything acknowledged is on disk");
    Ok(())
}
