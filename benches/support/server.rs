//! The hub on a listener, with a log that keeps nothing: what is measured is the way from a publication to the sockets.

use super::{cpu_ns, raise_open_files, resident_bytes};
use communiconnect::{
    auth::Identity,
    broker::{Broadcast, Deliver},
    http::ws::{Door, serve},
    hub::{Access, Authenticate, Caller, Denied, Dispatch, Hub, HubParts, HubSettings},
    publication::{Audience, Publication},
    store::{
        self, Reader,
        log::{Entry, Log, LogPage, PageSize, Range},
    },
    tasks::Tasks,
};
use communiconnect_protocol::{Channel, Code, Command, Data, ErrorBody, Format, Reply, StateItem, UserId};
use std::{io::BufRead, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Runs until its input ends. `publish COUNT BATCH READERS` answers CPU nanoseconds, frames and writes; `memory` answers
/// resident bytes and sessions.
pub(crate) fn run() {
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let tasks = Tasks::default();
    let settings = HubSettings { test_channels: true, ping_ms: 3_600_000, ..HubSettings::default() };
    let parts =
        HubParts { settings, access: Arc::new(Everybody), log: Arc::new(Nothing), tasks: tasks.clone() };
    let hub = Hub::new(parts);
    let dispatch = Arc::new(Channels { hub: Arc::clone(&hub) });
    let door =
        Arc::new(Door { hub: Arc::clone(&hub), auth: Arc::new(Everybody), dispatch, tasks: tasks.clone() });
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    let accepting = tasks.clone();
    let entered = runtime.enter();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            accepting.spawn(upgrade(stream, Arc::clone(&door)));
        }
    });
    drop(entered);
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let mut words = line.split_whitespace();
        let name = words.next();
        let numbers: Vec<u64> = words.map(|word| word.parse().expect("a number")).collect();
        match (name, numbers.as_slice()) {
            (Some("publish"), &[count, batch, readers]) => {
                let (frames, writes) = (hub.traffic().frames(), hub.traffic().writes());
                let cpu = cpu_ns();
                runtime.block_on(publish(&hub, count, batch, readers));
                let (frames, writes) = (hub.traffic().frames() - frames, hub.traffic().writes() - writes);
                println!("{} {frames} {writes}", cpu_ns() - cpu);
            }
            (Some("memory"), []) => println!("{} {}", resident_bytes(), hub.session_count()),
            other => panic!("what is {other:?}?"),
        }
    }
}

/// Answers the handshake by hand and lets go of all that it needed, as the accept loop of the product does.
async fn upgrade(mut stream: TcpStream, door: Arc<Door>) {
    if handshake(&mut stream).await.is_ok() {
        let tasks = door.tasks.clone();
        tasks.spawn(serve(stream, bytes::Bytes::new(), Format::Json, door));
    }
}

async fn handshake(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head);
    let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap_or_default();
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await
}

/// Publishes at saturation: two batches are on their way at any time, so sockets are never out of work and never behind.
async fn publish(hub: &Hub, count: u64, batch: u64, readers: u64) {
    let channel: Channel = "test:a".parse().expect("a test channel");
    let data = Data::of(&"x".repeat(128));
    let before = hub.traffic().frames();
    let mut head = 0;
    while head < count {
        let upto = (head + batch).min(count);
        let publication = |offset| Publication {
            channel: channel.clone(),
            offset,
            event: "chat.message".into(),
            data: data.clone(),
            at: 1_700_000_000_000,
            actor: None,
            audience: Audience::Readers,
        };
        hub.deliver((head + 1..=upto).map(|offset| Broadcast::Publication(publication(offset))).collect());
        head = upto;
        while hub.traffic().frames() - before + batch * readers < head * readers {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    while hub.traffic().frames() - before < count * readers {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Everybody may do everything.
struct Everybody;

#[async_trait::async_trait]
impl Access for Everybody {
    async fn may_read(&self, _reader: &Reader, _channel: &Channel) -> Result<(), ErrorBody> {
        Ok(())
    }

    async fn states(&self, _channel: &Channel) -> Result<Vec<StateItem>, ErrorBody> {
        Ok(Vec::new())
    }

    async fn blocked_with(&self, _user: UserId) -> Result<Vec<UserId>, ErrorBody> {
        Ok(Vec::new())
    }

    async fn unnamed_in(&self, _channel: &Channel) -> Result<Option<UserId>, ErrorBody> {
        Ok(None)
    }
}

#[async_trait::async_trait]
impl Authenticate for Everybody {
    async fn authenticate(&self, _token: Option<&str>, _now: i64) -> Result<Identity, Denied> {
        Ok(Identity::Guest)
    }

    async fn confirm(&self, _identity: &Identity, _now: i64) -> Result<(), Denied> {
        Ok(())
    }
}

/// The commands of channels.
struct Channels {
    hub: Arc<Hub>,
}

#[async_trait::async_trait]
impl Dispatch for Channels {
    async fn run(&self, caller: &Caller, command: Command) -> Result<Reply, ErrorBody> {
        match command {
            Command::Subscribe(command) => self.hub.subscribe(caller, command).await.map(Reply::Subscribed),
            _ => Err(ErrorBody::new(Code::UnknownCommand, "this bench subscribes only")),
        }
    }
}

/// A log without an entry.
struct Nothing;

#[async_trait::async_trait]
impl Log for Nothing {
    async fn page(&self, _channel: &Channel, _range: Range, _size: PageSize) -> store::Result<LogPage> {
        Ok(LogPage { epoch: "bench".into(), head: 0, first: 1, publications: Vec::new(), more: false })
    }

    async fn heads(&self, channels: Vec<Channel>) -> store::Result<Vec<u64>> {
        Ok(vec![0; channels.len()])
    }

    async fn append(&self, _entry: Entry) -> store::Result<u64> {
        Ok(0)
    }

    async fn trim(&self, _now: i64) -> store::Result<usize> {
        Ok(0)
    }

    async fn probe(&self, _now: i64) -> store::Result<()> {
        Ok(())
    }
}
