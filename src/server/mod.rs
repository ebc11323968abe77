//! Composition: builds each part, wires the traits that go upward, opens the listeners, and drains in order.
//!
//! The only place that knows every part. It holds no rule of the product.

mod broker;
pub mod doctor;
mod instance;
mod listeners;
mod logging;
mod node;
mod settings;
mod stop;
mod store;
mod tokens;

pub use instance::{DataFolder, DataFolderError};
pub use tokens::{TokenWish, check_token, sign_token};

use crate::{config::Config, tasks::Tasks};
use listeners::Listeners;
use node::Node;
use std::time::Duration;

/// Time that is left to connections after the drain to write their last words.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Time for background work to end once nobody is connected: a publication or a page of the log, no more.
const LAST_WORK: Duration = Duration::from_secs(5);

/// How often the drain looks whether everybody has gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Serves until SIGTERM or Ctrl-C, then drains: tells everybody to come back, closes spread over `node.drain_ms`, and
/// returns when what was acknowledged is on disk. A second signal ends the process at once, which loses nothing either.
///
/// # Errors
/// Where the data folder, the store or a listener cannot be opened; each error says what to do.
pub async fn serve(mut config: Config) -> anyhow::Result<()> {
    logging::start(&config.log)?;
    raise_open_files();
    let folder = DataFolder::hold(&config.store.data)?;
    let (listeners, media) = match Listeners::open(&config) {
        Ok(open) => open,
        Err(error) => {
            folder.give_back();
            return Err(error);
        }
    };
    if config.http.public_url.is_none()
        && (!config.http.listen.ip().is_loopback() || config.store.url.as_str() != "sqlite")
    {
        tracing::warn!(
            "links to posts that people hand on begin with this node's own address, where others hardly find it: set http.public_url to the address that people open"
        );
    }
    // What was asked for may have been port 0; links of ours need the one that was taken.
    config.http.listen = listeners.page()?;
    let (connections, services) = (Tasks::default(), Tasks::default());
    // Before anything is waited for: the first process of a container is not ended by a signal that it does not handle.
    let asked = stop::Asked::listen()?;
    let build = Node::build(&config, &folder, media, (&connections, &services));
    let (node, mut asked) = asked.or_end_before(build, &services).await;
    let node = node?;
    listeners.announce()?;
    listeners.run(&node, &connections);

    let (signal, _) = asked.next().await;
    tracing::info!(signal, sessions = node.hub.session_count(), drain_ms = config.node.drain_ms, "stopping");
    tokio::select! {
        () = drain(node, Duration::from_millis(config.node.drain_ms), &connections, &services) => Ok(()),
        (signal, code) = asked.next() => {
            tracing::warn!(signal, "stopped at once; everything acknowledged is on disk");
            std::process::exit(code)
        }
    }
}

/// Sends everybody away, waits for the work under way, and closes what is open, from the root to the leaves.
async fn drain(node: Node, spread: Duration, connections: &Tasks, services: &Tasks) {
    node.http.readiness.stop();
    let everybody_gone = async {
        while node.hub.session_count() > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let everybody_gone = async { tokio::join!(node.http.send_everybody_away(spread), everybody_gone) };
    let _ = tokio::time::timeout(spread + LAST_WORDS, everybody_gone).await;
    let cut = connections.stop(LAST_WORDS).await;
    let left = services.stop(LAST_WORK).await;
    let unpublished = node.close().await;
    tracing::info!(cut, left, unpublished, "stopped; everything acknowledged is on disk");
}

/// One descriptor per connection: the usual soft limit of 1,024 is for programs that use `select`.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the open-file limit stays as it is");
    }
}
