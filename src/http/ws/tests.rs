//! A socket as a client sees it, over a pipe in memory and in virtual time.

use super::*;
use crate::{
    auth::Identity,
    hub::{
        Caller, Denied, HubSettings,
        tests::fixture::{World, person, test_channel},
    },
};
use communiconnect_protocol::{Changed, Reply, Subscribe};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::DuplexStream,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// `ann` is a person, anything else is not; `ann-soon` ends in 100 seconds, the login of `ann-left` while it is judged.
struct Tokens;

#[async_trait::async_trait]
impl Authenticate for Tokens {
    async fn authenticate(&self, token: Option<&str>, now: i64) -> Result<Identity, Denied> {
        let name = match token {
            None => return Ok(Identity::Guest),
            Some(name) => name,
        };
        if !name.starts_with("ann") {
            let error = ErrorBody::new(Code::Unauthenticated, "no such token");
            return Err(Denied { error, close: CloseCode::InvalidToken });
        }
        let Identity::Person(mut ann) = person("ann") else { panic!("a person") };
        ann.user.id = communiconnect_protocol::UserId::from_bytes([7; 16]);
        ann.expires_at = (name == "ann-soon").then(|| now + 100_000);
        ann.login = Some(name.to_owned());
        Ok(Identity::Person(ann))
    }

    async fn confirm(&self, identity: &Identity, _now: i64) -> Result<(), Denied> {
        let login = identity.person().and_then(|person| person.login.as_deref());
        if login == Some("ann-left") {
            let error = ErrorBody::new(Code::Unauthenticated, "this login has ended");
            return Err(Denied { error, close: CloseCode::InvalidToken });
        }
        Ok(())
    }
}

/// `subscribe` goes to the hub, `community.join` waits for a permit, `history` is a bug.
struct Commands {
    hub: Arc<Hub>,
    permits: Semaphore,
    finished: Semaphore,
}

#[async_trait::async_trait]
impl Dispatch for Commands {
    async fn run(&self, caller: &Caller, command: Command) -> Result<Reply, ErrorBody> {
        match command {
            Command::Subscribe(command) => self.hub.subscribe(caller, command).await.map(Reply::Subscribed),
            Command::CommunityJoin(_) => {
                self.permits.acquire().await.expect("open").forget();
                self.finished.add_permits(1);
                Ok(Reply::Changed(Changed { changed: true }))
            }
            _ => panic!("a bug in a handler"),
        }
    }
}

struct Server {
    world: World,
    commands: Arc<Commands>,
    door: Arc<Door>,
}

impl Server {
    fn new(settings: HubSettings) -> Self {
        let world = World::new(settings);
        let commands = Arc::new(Commands {
            hub: Arc::clone(&world.hub),
            permits: Semaphore::new(0),
            finished: Semaphore::new(0),
        });
        let door = Arc::new(Door {
            hub: Arc::clone(&world.hub),
            auth: Arc::new(Tokens),
            dispatch: commands.clone(),
            tasks: world.tasks.clone(),
        });
        Self { world, commands, door }
    }

    /// A socket whose pipe holds `room` bytes.
    async fn open(&self, format: Format, room: usize) -> Client {
        let (near, far) = tokio::io::duplex(room);
        let door = Arc::clone(&self.door);
        self.world.tasks.spawn(serve(far, Bytes::new(), format, door));
        Client { socket: WebSocketStream::from_raw_socket(near, Role::Client, None).await }
    }

    async fn connected(&self) -> Client {
        let mut client = self.open(Format::Json, 1 << 20).await;
        let reply = client.ask(json!([1, "connect", {"token": "ann"}])).await;
        assert_eq!(reply[1], "ok", "{reply}");
        client
    }
}

struct Client {
    socket: WebSocketStream<DuplexStream>,
}

impl Client {
    async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("sends");
    }

    /// The next message; a close as its code.
    async fn next(&mut self) -> Value {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => return json!(u16::from(code)),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends a command and reads up to its reply, past pushes.
    async fn ask(&mut self, message: Value) -> Value {
        self.send(message).await;
        self.reply().await
    }

    async fn reply(&mut self) -> Value {
        loop {
            let message = self.next().await;
            if message[0] != 0 || message[1] == "error" || !message.is_array() {
                return message;
            }
        }
    }

    async fn push(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            assert!(message.is_array(), "closed with {message} before {kind}");
            if message[0] == 0 && message[1] == kind {
                return message[2].clone();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connect_subscribe_and_hear() {
    let server = Server::new(HubSettings::default());
    let mut client = server.open(Format::Json, 1 << 20).await;
    let reply = client.ask(json!([7, "connect", {"token": "ann"}])).await;
    assert_eq!((&reply[0], &reply[1]), (&json!(7), &json!("ok")));
    assert_eq!(reply[2]["user"]["username"], "ann");
    assert_eq!(reply[2]["subscriptions"].as_object().expect("a map").len(), 1, "one's own channel");
    let reply = client.ask(json!([8, "subscribe", {"channel": "test:a"}])).await;
    assert_eq!((&reply[0], &reply[2]["recovered"]), (&json!(8), &json!("new")));
    server.world.publish(&test_channel("a"));
    assert_eq!(client.push("publication").await["offset"], 1);
}

#[tokio::test(start_paused = true)]
async fn both_encodings_say_the_same() {
    let server = Server::new(HubSettings::default());
    let mut client = server.open(Format::Msgpack, 1 << 20).await;
    let connect = rmp_serde::to_vec_named(&json!([1, "connect", {}])).expect("encodes");
    client.socket.send(Message::binary(connect)).await.expect("sends");
    let Some(Ok(Message::Binary(bytes))) = client.socket.next().await else { panic!("no binary reply") };
    let reply: Value = rmp_serde::from_slice(&bytes).expect("MessagePack");
    assert_eq!((&reply[1], &reply[2]["user"]), (&json!("ok"), &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_before_connect_and_not_saying_it_closes() {
    let server = Server::new(HubSettings::default());
    let mut client = server.open(Format::Json, 1 << 20).await;
    let reply = client.ask(json!([3, "subscribe", {"channel": "test:a"}])).await;
    assert_eq!((&reply[0], &reply[2]["code"]), (&json!(3), &json!("unauthenticated")));
    assert_eq!(client.next().await, 4502);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_taken_is_an_error_then_a_close() {
    let server = Server::new(HubSettings::default());
    let mut client = server.open(Format::Json, 1 << 20).await;
    let reply = client.ask(json!([1, "connect", {"token": "forged"}])).await;
    assert_eq!(reply[2]["code"], "unauthenticated");
    assert_eq!(client.next().await, 4501);
}

#[tokio::test(start_paused = true)]
async fn pushes_go_on_while_a_command_runs_and_the_next_command_waits() {
    let server = Server::new(HubSettings::default());
    let mut client = server.connected().await;
    client.ask(json!([2, "subscribe", {"channel": "test:a"}])).await;
    client.send(json!([3, "community.join", {"community_id": "c"}])).await;
    client.send(json!([4, "subscribe", {"channel": "test:b"}])).await;
    sleep(Duration::from_millis(10)).await;
    server.world.publish(&test_channel("a"));
    assert_eq!(client.push("publication").await["offset"], 1);
    server.commands.permits.add_permits(1);
    assert_eq!(client.reply().await[0], 3);
    assert_eq!(client.reply().await[0], 4);
}

#[tokio::test(start_paused = true)]
async fn a_late_command_is_unavailable_and_still_done() {
    let server = Server::new(HubSettings::default());
    let mut client = server.connected().await;
    let reply = client.ask(json!([2, "community.join", {"community_id": "c"}])).await;
    assert_eq!((&reply[2]["code"], &reply[2]["retry_after_ms"]), (&json!("unavailable"), &json!(1_000)));
    assert_eq!(client.ask(json!([3, "subscribe", {"channel": "test:a"}])).await[1], "ok");
    server.commands.permits.add_permits(1);
    server.commands.finished.acquire().await.expect("done after all").forget();
}

#[tokio::test(start_paused = true)]
async fn a_command_goes_on_when_its_caller_is_gone() {
    let server = Server::new(HubSettings::default());
    let mut client = server.connected().await;
    client.send(json!([2, "community.join", {"community_id": "c"}])).await;
    sleep(Duration::from_millis(10)).await;
    drop(client);
    for session in server.world.hub.sessions() {
        session.close(Closing { code: CloseCode::Operator, after_ms: 0 });
    }
    sleep(Duration::from_millis(10)).await;
    server.commands.permits.add_permits(1);
    server.commands.finished.acquire().await.expect("done after all").forget();
}

#[tokio::test(start_paused = true)]
async fn a_bug_in_a_handler_is_an_internal_error_and_the_socket_stays() {
    let server = Server::new(HubSettings::default());
    let mut client = server.connected().await;
    let reply = client.ask(json!([2, "history", {"channel": "test:a"}])).await;
    assert_eq!(reply[2]["code"], "internal");
    assert_eq!(client.ask(json!([3, "subscribe", {"channel": "test:a"}])).await[1], "ok");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_envelope_is_answered_and_twenty_close() {
    let server = Server::new(HubSettings::default());
    let mut client = server.connected().await;
    client.socket.send(Message::binary(vec![1, 2, 3])).await.expect("sends");
    let reply = client.reply().await;
    assert_eq!(
        (&reply[0], &reply[2]["code"]),
        (&json!(0), &json!("bad_request")),
        "binary on a JSON connection"
    );
    for _ in 0..18 {
        client.socket.send(Message::text("{")).await.expect("sends");
        assert_eq!(client.reply().await[2]["code"], "bad_request");
    }
    assert_eq!(client.ask(json!([3, "subscribe", {"channel": "test:a"}])).await[1], "ok");
    client.socket.send(Message::text("[")).await.expect("sends");
    assert_eq!(client.reply().await[2]["code"], "bad_request");
    assert_eq!(client.next().await, 4500);
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_refused_from_its_header() {
    let server = Server::new(HubSettings::default());
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let served = serve(far, Bytes::new(), Format::Json, Arc::clone(&server.door));
    let client = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        // A text frame that declares one byte more than is taken, masked with zeros, and brings none of it yet.
        let length: u64 = (64 << 10) + 1;
        let head = [&[0x81, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4]].concat();
        near.write_all(&head).await.expect("sends");
        let mut close = [0; 4];
        near.read_exact(&mut close).await.expect("a close frame");
        assert_eq!(close[0], 0x88);
        assert_eq!(u16::from_be_bytes([close[2], close[3]]), 4505);
        near.write_all(&[0; 1 << 16]).await.expect("the rest is taken and thrown away");
        drop(near);
    };
    tokio::join!(served, client);
}

#[tokio::test]
async fn who_goes_on_sending_too_much_still_learns_why_it_was_closed() {
    use crate::http::websocket::Watched;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::new(HubSettings::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut near =
        tokio::net::TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connects");
    let (far, _) = listener.accept().await.expect("accepts");
    let watched = Watched::new(far, Bytes::new(), 64 << 10);
    server.world.tasks.spawn(serve(watched, Bytes::new(), Format::Json, Arc::clone(&server.door)));
    // Eight times what the kernel keeps: a close without listening on would answer it with a reset.
    let length: u64 = 32 << 20;
    near.write_all(&[&[0x81, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4]].concat()).await.expect("sends");
    let piece = vec![0; 1 << 20];
    for _ in 0..32 {
        near.write_all(&piece).await.expect("is taken and thrown away");
    }
    let mut close = [0; 4];
    near.read_exact(&mut close).await.expect("a close frame");
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 4505));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_closed_and_leaves() {
    let server = Server::new(HubSettings::default());
    let client = server.connected().await;
    assert_eq!(server.world.hub.session_count(), 1);
    // It reads nothing, so it answers no ping.
    sleep(Duration::from_secs(50)).await;
    assert_eq!(server.world.hub.session_count(), 0);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays_and_hears_of_moved_heads() {
    let server = Server::new(HubSettings::default());
    let mut client = server.connected().await;
    client.ask(json!([2, "subscribe", {"channel": "test:a"}])).await;
    server.world.publish(&test_channel("a"));
    client.push("publication").await;
    assert_eq!(client.push("ping").await["heads"], json!({"test:a": 1}));
    assert_eq!(client.push("ping").await["heads"], json!({}), "only what moved");
    for _ in 0..20 {
        client.push("ping").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_announced_then_closes_unless_it_is_refreshed() {
    let server = Server::new(HubSettings::default());
    let mut staying = server.open(Format::Json, 1 << 20).await;
    let mut leaving = server.open(Format::Json, 1 << 20).await;
    for client in [&mut staying, &mut leaving] {
        client.ask(json!([1, "connect", {"token": "ann-soon"}])).await;
    }
    // Both read all the time, or they would not answer pings.
    tokio::join!(staying.push("token.expiring"), leaving.push("token.expiring"));
    let refused = staying.ask(json!([2, "refresh", {"token": "forged"}])).await;
    assert_eq!(refused[2]["code"], "unauthenticated");
    assert_eq!(staying.ask(json!([3, "refresh", {"token": "ann"}])).await[1], "ok");
    let goes_on = async { while staying.next().await.is_array() {} };
    let closes = async { while leaving.next().await != 4004 {} };
    tokio::select! {
        () = goes_on => panic!("the refreshed one was closed"),
        () = closes => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_nothing_is_let_go_and_one_that_reads_slowly_is_not() {
    let server = Server::new(HubSettings { ping_ms: 3_600_000, ..HubSettings::default() });
    let mut slow = server.open(Format::Json, 2_000).await;
    let mut stuck = server.open(Format::Json, 2_000).await;
    for client in [&mut slow, &mut stuck] {
        client.ask(json!([1, "connect", {}])).await;
        client.ask(json!([2, "subscribe", {"channel": "test:a"}])).await;
    }
    (0..500).for_each(|_| server.world.publish(&test_channel("a")));
    for offset in 1..=200 {
        // Five a second: what one read of the pipe brings lasts for less than the time-out.
        sleep(Duration::from_millis(if offset % 5 == 0 { 1_000 } else { 0 })).await;
        assert_eq!(slow.push("publication").await["offset"], offset);
    }
    assert_eq!(server.world.hub.session_count(), 1);
    while slow.push("publication").await["offset"] != 500 {}
    drop(stuck);
}

#[tokio::test(start_paused = true)]
async fn a_drain_says_when_to_come_back_and_closes_with_4000() {
    let server = Server::new(HubSettings::default());
    let mut clients = [server.connected().await, server.connected().await];
    server.world.hub.drain(Duration::from_secs(4));
    for client in &mut clients {
        assert_eq!(client.push("reconnect").await["code"], 4000);
        let close = timeout(Duration::from_secs(5), client.next()).await.expect("in time");
        assert_eq!(close, 4000);
    }
    assert_eq!(server.world.hub.session_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_is_answered_and_forgotten() {
    let server = Server::new(HubSettings::default());
    let mut client = server.connected().await;
    client.socket.close(None).await.expect("closes");
    while let Some(Ok(_)) = client.socket.next().await {}
    sleep(Duration::from_millis(10)).await;
    assert_eq!(server.world.hub.session_count(), 0);
    assert_eq!(server.world.hub.channels(), []);
}

#[test]
fn the_command_of_a_test_is_one_of_the_protocol() {
    let subscribe = Subscribe { channel: "test:a".into(), epoch: None, offset: None };
    let bytes = serde_json::to_vec(&json!([8, "subscribe", {"channel": "test:a"}])).expect("encodes");
    assert_eq!(decode_command(Format::Json, &bytes), Ok((8, Command::Subscribe(subscribe))));
}

#[test]
fn the_state_of_a_socket_stays_small() {
    let size = size_of::<Driver<tokio::net::TcpStream>>();
    assert!(size <= 1_200, "{size} bytes of every connection");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ended_while_it_connected_or_refreshed_is_closed() {
    let server = Server::new(HubSettings::default());
    let mut client = server.open(Format::Json, 1 << 20).await;
    let reply = client.ask(json!([1, "connect", {"token": "ann-left"}])).await;
    assert_eq!(reply[2]["code"], "unauthenticated");
    assert_eq!(client.next().await, 4501);
    let mut client = server.connected().await;
    let reply = client.ask(json!([2, "refresh", {"token": "ann-left"}])).await;
    assert_eq!(reply[2]["code"], "unauthenticated");
    assert_eq!(client.next().await, 4501);
}

#[tokio::test(start_paused = true)]
async fn a_subscribe_that_was_too_late_has_not_begun() {
    let server = Server::new(HubSettings::default());
    let mut client = server.connected().await;
    server.world.log.is_stuck.store(true, std::sync::atomic::Ordering::Relaxed);
    let reply = client.ask(json!([2, "subscribe", {"channel": "test:a"}])).await;
    assert_eq!(reply[2]["code"], "unavailable");
    server.world.log.is_stuck.store(false, std::sync::atomic::Ordering::Relaxed);
    sleep(Duration::from_secs(1)).await;
    let channels: Vec<_> = server.world.hub.channels().into_iter().map(|(channel, _)| channel).collect();
    assert!(!channels.contains(&test_channel("a")), "nobody is kept for it: {channels:?}");
    assert_eq!(client.ask(json!([3, "subscribe", {"channel": "test:a"}])).await[1], "ok");
    server.world.publish(&test_channel("a"));
    assert_eq!(client.push("publication").await["offset"], 1);
}
