//! Opening sockets: from several addresses of this machine, as one has too few ports, and with the least of a handshake.

use anyhow::{Context, Result, bail, ensure};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Sockets from one source address: a kernel has 28,000 ports for them unless told otherwise, and other runs go on beside.
const FROM_ONE: usize = 5_000;

/// The longest head of an answer to a handshake.
const HEAD: usize = 8_192;

/// Opens the connection of reader `number`; `receive` is the size of its kernel buffer, where it should be another.
pub(super) async fn open(
    server: SocketAddr,
    number: usize,
    receive: Option<u32>,
    is_upgraded: bool,
) -> Result<TcpStream> {
    let mut stream = connect(server, number, receive).await?;
    if is_upgraded {
        upgrade(&mut stream, server).await?;
    }
    Ok(stream)
}

async fn connect(server: SocketAddr, number: usize, receive: Option<u32>) -> Result<TcpStream> {
    let socket = if server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = receive {
        socket.set_recv_buffer_size(bytes)?;
    }
    if server.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        let host = u8::try_from(number / FROM_ONE + 1).context("too many sockets")?;
        socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
    }
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Upgrades the connection to a WebSocket (RFC 6455, section 4) that speaks JSON.
async fn upgrade(stream: &mut TcpStream, server: SocketAddr) -> Result<()> {
    // The same key every time: it guards caches, and there is none between.
    let request = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: cc.v1.json\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < HEAD, "the answer to the handshake has no end");
        // The server speaks only when it is spoken to, so nothing follows the head.
        ensure!(stream.read_buf(&mut head).await? > 0, "the server closed during the handshake");
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        let text = String::from_utf8_lossy(&head);
        bail!("the handshake was answered {}", text.lines().next().unwrap_or_default());
    }
    Ok(())
}
