//! The sockets of one shard: whole batches in, runs of equal packets out.
//!
//! Owns address families, socket options and offloads. Knows bytes and addresses alone.

use crate::live::rtc::ice::Tuple;
use mio::{Interest, Registry, Token, net::UdpSocket};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Bytes of the kernel's buffers of one socket: 30 ms of 1 Gbit/s. The kernel may grant less.
const KERNEL_BUFFER: usize = 4 << 20;

/// Bytes of one receive buffer: the most that the kernel joins of one sender.
const RECEIVE: usize = 64 * 1024;

/// The most bytes of one run, headers of IP and UDP left room for.
const RUN_BYTES: usize = 65_000;

/// Binds the sockets of every shard to one port; an unspecified IPv4 address has `[::]` beside it where there is IPv6.
///
/// # Errors
/// Where the address is not the machine's, or taken.
pub(in crate::live) fn bind(address: SocketAddr, shards: usize) -> io::Result<Vec<Sockets>> {
    // Sockets that share a port would share it with another process of ours just as well, and steal from it.
    let port = {
        let alone = open(address)?;
        alone.bind(&address.into())?;
        alone.local_addr()?.as_socket().map_or(address.port(), |bound| bound.port())
    };
    let first = SocketAddr::new(address.ip(), port);
    let second = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Some(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)),
        _ => None,
    };
    (0..shards)
        .map(|_| {
            let mut faces = vec![Face::bind(first)?];
            faces.extend(second.and_then(|address| Face::bind(address).ok()));
            Ok(Sockets { faces, port })
        })
        .collect()
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// The sockets of one shard, one of each address family.
pub(in crate::live) struct Sockets {
    faces: Vec<Face>,
    port: u16,
}

struct Face {
    socket: UdpSocket,
    state: UdpSocketState,
    is_ipv6: bool,
    /// The socket may hold more than was read; mio tells of new datagrams alone.
    is_readable: bool,
}

impl Face {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = open(address)?;
        socket.set_reuse_port(true)?;
        // Refused sizes are cut by the kernel, which is no reason not to start.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        socket.bind(&address.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let socket = UdpSocket::from_std(socket.into());
        Ok(Self { socket, state, is_ipv6: address.is_ipv6(), is_readable: true })
    }
}

/// What became of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Packets that the kernel took.
    pub(super) packets: u64,
    /// Packets that it refused: its buffer is full, or the way is too narrow.
    pub(super) refused: u64,
    /// System calls.
    pub(super) calls: u64,
}

impl Sockets {
    /// The one port of all shards.
    pub(in crate::live) fn port(&self) -> u16 {
        self.port
    }

    /// Whether one of them is IPv6.
    pub(in crate::live) fn has_ipv6(&self) -> bool {
        self.faces.iter().any(|face| face.is_ipv6)
    }

    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        for (place, face) in self.faces.iter_mut().enumerate() {
            registry.register(&mut face.socket, Token(place), Interest::READABLE)?;
        }
        Ok(())
    }

    /// Notes that a socket has something to read.
    pub(super) fn set_readable(&mut self, token: Token) {
        if let Some(face) = self.faces.get_mut(token.0) {
            face.is_readable = true;
        }
    }

    /// Whether a socket may still hold something.
    pub(super) fn is_readable(&self) -> bool {
        self.faces.iter().any(|face| face.is_readable)
    }

    /// How many sockets there are.
    pub(super) fn len(&self) -> usize {
        self.faces.len()
    }

    /// Receives one batch of a socket, if it may hold something.
    pub(super) fn receive(&mut self, place: usize, buffers: &mut ReceiveBuffers) {
        buffers.count = 0;
        let face = &mut self.faces[place];
        if !face.is_readable {
            return;
        }
        let mut chunks = buffers.bytes.chunks_exact_mut(RECEIVE);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
            IoSliceMut::new(chunks.next().expect("there is a chunk for each of a batch"))
        });
        match face.state.recv(UdpSockRef::from(&face.socket), &mut slices, &mut buffers.meta) {
            Ok(count) => buffers.count = count,
            // Anything but an empty socket is a peer's ICMP error: the next call goes on behind it.
            Err(error) => face.is_readable = error.kind() != io::ErrorKind::WouldBlock,
        }
        buffers.local = SocketAddr::new(
            if face.is_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() },
            self.port,
        );
    }

    /// Sends one datagram.
    pub(super) fn send(&self, tuple: Tuple, datagram: &[u8]) -> Sent {
        self.send_run(tuple, datagram, datagram.len())
    }

    /// Sends packets of `size` bytes that lie one behind the other; the last may be shorter.
    pub(super) fn send_run(&self, tuple: Tuple, run: &[u8], size: usize) -> Sent {
        let mut sent = Sent::default();
        let Some(face) = self.faces.iter().find(|face| face.is_ipv6 == tuple.remote.is_ipv6()) else {
            return sent;
        };
        let mut rest = run;
        while !rest.is_empty() {
            let segments = face.state.max_gso_segments().min(RUN_BYTES / size).max(1);
            let (now, later) = rest.split_at(rest.len().min(segments * size));
            let count = now.len().div_ceil(size) as u64;
            sent.calls += 1;
            match face.try_send(tuple, now, size) {
                Ok(()) => sent.packets += count,
                // A kernel or driver that cannot cut runs gets each packet alone.
                Err(error) if count > 1 && error.kind() != io::ErrorKind::WouldBlock => {
                    for packet in now.chunks(size) {
                        sent.calls += 1;
                        match face.try_send(tuple, packet, size) {
                            Ok(()) => sent.packets += 1,
                            Err(_) => sent.refused += 1,
                        }
                    }
                }
                Err(_) => sent.refused += count,
            }
            rest = later;
        }
        sent
    }
}

impl Face {
    fn try_send(&self, tuple: Tuple, contents: &[u8], size: usize) -> io::Result<()> {
        let transmit = Transmit {
            destination: tuple.remote,
            ecn: None,
            contents,
            segment_size: (contents.len() > size).then_some(size),
            src_ip: (!tuple.local.ip().is_unspecified()).then_some(tuple.local.ip()),
        };
        self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
    }
}

/// Where a batch is received: reused for each.
pub(super) struct ReceiveBuffers {
    bytes: Vec<u8>,
    meta: [RecvMeta; BATCH_SIZE],
    count: usize,
    local: SocketAddr,
}

impl ReceiveBuffers {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVE * BATCH_SIZE],
            meta: [RecvMeta::default(); BATCH_SIZE],
            count: 0,
            local: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        }
    }

    /// The datagrams of the batch, those that the kernel joined taken apart.
    pub(super) fn each(&mut self, mut each: impl FnMut(Tuple, &mut [u8])) {
        let chunks = self.bytes.chunks_exact_mut(RECEIVE);
        for (meta, chunk) in self.meta[..self.count].iter().zip(chunks) {
            let mut local = self.local;
            local.set_ip(meta.dst_ip.unwrap_or(local.ip()));
            let tuple = Tuple { local, remote: meta.addr };
            for datagram in chunk[..meta.len].chunks_mut(meta.stride.max(1)) {
                each(tuple, datagram);
            }
        }
    }
}
