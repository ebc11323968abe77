//! The plane's bounds and times, each with its reason.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// How a plane is opened.
#[derive(Clone, Debug)]
pub struct PlaneSettings {
    /// Where the UDP sockets are bound. An unspecified IPv4 address has `[::]` bound beside it on the same port, where
    /// the machine has IPv6. Port 0 picks one.
    pub udp: SocketAddr,
    /// Addresses told to peers in place of the machine's own (behind NAT); with port 0 they get the bound one.
    pub announce: Vec<SocketAddr>,
    /// Whether answers name loopback addresses: where the HTTP listener is on loopback, or clients there find nothing.
    pub offers_loopback: bool,
    /// Threads that carry media; 0 is one per core.
    pub shards: usize,
    /// Peers of all kinds at a time. Each has about 32 KiB.
    pub peers: usize,
    /// Peers of one client address (one /64 of IPv6) that were answered and have not connected: enough for a lecture
    /// hall behind one NAT, little enough to hold. Loopback is exempt.
    pub half_open: usize,
    /// Media that a publisher may send, in bits per second. 1080p at 60 frames needs 8-9 Mbit/s.
    pub publisher_bitrate: u64,
    /// Time over `publisher_bitrate` until it is warned, and again until it is closed: a key frame is no reason.
    pub bitrate_patience: Duration,
    /// Time that a publisher's sound flows without any video packet, though video was agreed, until it counts as started:
    /// longer than a camera needs.
    pub sound_alone: Duration,
    /// Bytes of packets that all lives together keep; over it those with the smallest audience keep less.
    pub ring_bytes: usize,
    /// What the machine's line carries outward, in bits per second: replays may take a quarter of it.
    pub egress_bitrate: u64,
    /// Time without RTP after which a publisher is stalled: longer than any pause that an encoder makes.
    pub stalled_after: Duration,
    /// Time of silence after which a viewer does not count as watching; consent checks come every 5 s.
    pub absent_after: Duration,
    /// Time of silence after which a peer is removed (RFC 7675, section 5.1).
    pub silence: Duration,
}

impl PlaneSettings {
    /// The defaults, bound to an address.
    pub fn at(udp: SocketAddr) -> Self {
        Self {
            udp,
            announce: Vec::new(),
            offers_loopback: udp.ip().is_loopback(),
            shards: 0,
            peers: 20_000,
            half_open: 256,
            publisher_bitrate: 12_000_000,
            bitrate_patience: Duration::from_secs(5),
            sound_alone: Duration::from_secs(3),
            ring_bytes: 1 << 30,
            egress_bitrate: 10_000_000_000,
            stalled_after: Duration::from_secs(2),
            absent_after: Duration::from_secs(15),
            silence: Duration::from_secs(30),
        }
    }

    /// How many shards that is.
    pub(crate) fn shard_count(&self) -> usize {
        match self.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        }
    }
}

/// What stands for a client in the bound on half-open peers: an IPv4 address, or 64 bits of IPv6, which one customer
/// usually has whole. None for loopback.
pub(crate) fn client_group(client: IpAddr) -> Option<IpAddr> {
    match client.to_canonical() {
        client if client.is_loopback() => None,
        IpAddr::V6(address) => Some(IpAddr::V6((address.to_bits() >> 64 << 64).into())),
        address => Some(address),
    }
}
