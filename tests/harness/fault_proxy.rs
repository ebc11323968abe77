//! A small TCP proxy that does to a connection what networks do: cut, freeze, delay, reset in the middle of a message.
//!
//! Stands on tokio alone, since the library's own tests include it by path.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What the proxy does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: bytes go through.
    None,
    /// Connections are closed, new ones as well.
    Cut,
    /// Connections stay open and nothing goes through.
    Frozen,
    /// Every piece waits as long.
    Delay(Duration),
    /// Connections end after so many more bytes from the server.
    ResetAfter(usize),
    /// Connections end in place of the piece from the server that holds this text: what it says has happened.
    Swallow(&'static str),
}

/// A proxy before one server at a time.
pub struct FaultProxy {
    address: SocketAddr,
    server: watch::Sender<SocketAddr>,
    fault: watch::Sender<Fault>,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy on a free port that does nothing yet.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (fault, told) = watch::channel(Fault::None);
        let (server, place) = watch::channel(server);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = *place.borrow();
                if *told.borrow() != Fault::Cut {
                    tokio::spawn(join(client, server, told.clone()));
                }
            }
        });
        Self { address, server, fault, accepting }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to another server; open ones stay where they are.
    pub fn lead_to(&self, server: SocketAddr) {
        self.server.send_replace(server);
    }

    /// Changes what it does, to open connections as well.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.fault.send_replace(Fault::Cut);
    }
}

async fn join(client: TcpStream, server: SocketAddr, fault: watch::Receiver<Fault>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whichever way ends first ends both.
    tokio::select! {
        () = copy(from_client, to_server, fault.clone(), false) => {}
        () = copy(from_server, to_client, fault, true) => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut fault: watch::Receiver<Fault>,
    counts: bool,
) {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0;
    loop {
        let now = *fault.borrow_and_update();
        if now == Fault::Cut {
            return;
        }
        let length = tokio::select! {
            changed = fault.changed() => {
                if changed.is_err() {
                    return;
                }
                passed = 0;
                continue;
            }
            length = from.read(&mut buffer), if now != Fault::Frozen => match length {
                Ok(length) if length > 0 => length,
                _ => return,
            },
        };
        let mut goes_through = length;
        let now = *fault.borrow();
        match now {
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::Swallow(text) if counts && holds(&buffer[..length], text) => return,
            Fault::ResetAfter(limit) if counts => goes_through = length.min(limit.saturating_sub(passed)),
            _ => {}
        }
        passed += length;
        if to.write_all(&buffer[..goes_through]).await.is_err() || goes_through < length {
            return;
        }
    }
}

fn holds(piece: &[u8], text: &str) -> bool {
    piece.windows(text.len()).any(|part| part == text.as_bytes())
}
