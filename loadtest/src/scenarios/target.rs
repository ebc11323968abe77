//! Which server is loaded.

use crate::api;
use anyhow::{Context, Result};
use std::net::SocketAddr;

/// A server on this machine, of one node or several.
#[derive(Clone, Debug, clap::Args)]
pub struct Target {
    /// A node, on this machine. Given again, the next readers connect to the next node in turn.
    #[arg(long = "url", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub urls: Vec<String>,
    /// The operators' listener that publications go in by; the server needs `--set admin.test_channels=on`.
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    pub admin: String,
    /// The server's process, for its CPU time and memory; given again for each node.
    #[arg(long = "pid", value_name = "PID")]
    pub pids: Vec<u32>,
}

impl Target {
    /// Where the nodes are.
    ///
    /// # Errors
    /// Where an address is none, or not of this machine.
    pub fn nodes(&self) -> Result<Vec<SocketAddr>> {
        self.urls.iter().map(|url| address(url)).collect()
    }

    /// Where operators come.
    ///
    /// # Errors
    /// Where the address is none, or not of this machine.
    pub fn admin(&self) -> Result<SocketAddr> {
        address(&self.admin)
    }

    /// What readers of each node are called in reports.
    pub(super) fn voices(&self) -> Vec<String> {
        match self.urls.as_slice() {
            [_] => vec!["readers".into()],
            urls => urls.iter().map(|url| format!("readers at {url}")).collect(),
        }
    }
}

fn address(url: &str) -> Result<SocketAddr> {
    let found = api::loopback(url)?.socket_addrs(|| None).with_context(|| url.to_owned())?;
    found.into_iter().next().with_context(|| format!("{url} has no address"))
}
