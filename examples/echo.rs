//! A WebSocket echo on the accept loop and the socket settings of the product, for conformance suites:
//! `cargo run --release --example echo -- --listen 127.0.0.1:9001`
//!
//! Text comes back as text, binary as binary, on any path; the first offered subprotocol is accepted, none is needed.

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use clap::Parser;
use communiconnect::{
    http::{
        Bounds, Handshake, Listener, Peer,
        websocket::{self, SocketBounds},
    },
    tasks::Tasks,
};
use futures_util::{SinkExt, StreamExt};
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};

#[derive(Parser)]
#[command(about = "Sends every WebSocket message back")]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
}

const SIXTEEN_MIB: usize = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(3);

const LISTENER: Bounds = Bounds {
    first_byte: Duration::from_secs(10),
    head: Duration::from_secs(10),
    head_bytes: 16 << 10,
    connections: 10_000,
    connections_per_address: 0,
};

const SOCKET: SocketBounds = SocketBounds {
    message_bytes: SIXTEEN_MIB,
    gather_bytes: 16 << 10,
    // One message with its frame header, and a pong beside it.
    unsent_bytes: SIXTEEN_MIB + (1 << 10),
};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = Listener::bind(Arguments::parse().listen, LISTENER)?;
    println!("ready http={}", listener.address()?);
    let tasks = Tasks::default();
    tasks.spawn(listener.run(Router::new().fallback(upgrade), tasks.clone()));
    tokio::signal::ctrl_c().await?;
    tasks.stop(PATIENCE).await;
    Ok(())
}

async fn upgrade(request: Request) -> Response {
    let (request, _) = request.into_parts();
    let handshake = match Handshake::read(&request) {
        Ok(handshake) => handshake,
        Err(problem) => return problem.into_response(),
    };
    let peer = request.extensions.get::<Peer>().expect("the listener names every peer");
    peer.take_over(echo);
    handshake.accept(handshake.offer.0.first().map(String::as_str))
}

async fn echo(stream: TcpStream, leftover: Bytes) {
    let mut socket = SOCKET.open(stream, leftover).await;
    let ended = loop {
        let sent = match socket.next().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => socket.send(message).await,
            // Pings and closes are answered beneath.
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(error),
            None => Err(Error::ConnectionClosed),
        };
        if let Err(error) = sent {
            break error;
        }
    };
    let why = websocket::close_for(&ended, 1009);
    websocket::finish(socket, why, PATIENCE).await;
}
