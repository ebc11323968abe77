//! The open sockets of a process, and the line that tells of them.

use super::{node::Node, settings};
use crate::{
    config::Config,
    http::{self, Bounds, Listener, Proxies},
    live::plane::{MediaEvent, MediaPlane},
    tasks::Tasks,
};
use anyhow::Context;
use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
};
use tokio::sync::mpsc;

/// The media plane, with what it tells.
pub(super) type Media = (MediaPlane, mpsc::Receiver<MediaEvent>);

/// Everything that is bound before anybody is told, so that a start either stands as a whole or fails as a whole.
pub(super) struct Listeners {
    public: Listener,
    admin: Option<Listener>,
    /// Where media comes to.
    media: SocketAddr,
}

impl Listeners {
    /// Opens every listener; port 0 takes a free one.
    ///
    /// # Errors
    /// The setting, the address and the system's reason, for the first that cannot be opened.
    pub(super) fn open(config: &Config) -> anyhow::Result<(Self, Media)> {
        let bounds = Bounds::of(config);
        let listen = |setting: &str, address: SocketAddr| {
            Listener::bind(address, bounds).with_context(|| cannot_listen(setting, address))
        };
        let media = MediaPlane::open(settings::plane(config)?)
            .with_context(|| cannot_listen("live.udp", config.live.udp))?;
        let listeners = Self {
            public: listen("http.listen", config.http.listen)?.behind(Proxies::of(config)),
            admin: config.admin.listen.map(|address| listen("admin.listen", address)).transpose()?,
            media: SocketAddr::new(config.live.udp.ip(), media.0.port()),
        };
        Ok((listeners, media))
    }

    /// Where people on this machine find the page.
    pub(super) fn page(&self) -> io::Result<SocketAddr> {
        Ok(reachable(self.public.address()?))
    }

    /// Prints the ready line for programs, and below it the page's address for people.
    pub(super) fn announce(&self) -> anyhow::Result<()> {
        let http = self.public.address()?;
        let udp = self.media;
        let admin = match &self.admin {
            Some(listener) => listener.address()?.to_string(),
            None => "off".into(),
        };
        let mut out = io::stdout().lock();
        writeln!(out, "ready http={http} udp={udp} admin={admin} pid={}", std::process::id())?;
        writeln!(out, "Open http://{}/ in a browser. Stop with Ctrl-C.", reachable(http))?;
        out.flush()?;
        Ok(())
    }

    /// Serves until the tasks are told to stop.
    pub(super) fn run(self, node: &Node, connections: &Tasks) {
        let Self { public, admin, media: _ } = self;
        connections.spawn(public.run(http::public_router(node.http.clone()), connections.clone()));
        if let Some(admin) = admin {
            connections.spawn(admin.run(http::admin_router(node.http.clone()), connections.clone()));
        }
    }
}

fn cannot_listen(setting: &str, address: SocketAddr) -> String {
    format!(
        "cannot listen on {address}; stop what listens there, or set {setting} to another address (port 0 takes a free one)"
    )
}

/// An address that a browser on this machine can open.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
