//! H8: readers that stop reading, or read slowly, beside others who notice nothing of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::harness::{Client, Encoding, Http, Incoming, Server, Socket, offsets, within};

const CHANNEL: &str = "test:crowd";
/// Bytes of one signal. All of them are far more than the buffers of both kernels and the outbox together.
const SIGNAL: usize = 200_000;
const SIGNALS: u64 = 160;
/// So many of them fill all buffers: from then on the server may need no more memory.
const SETTLED: u64 = 60;
const STATES: u64 = 50;
const PUBLICATIONS: u64 = 40;
/// Bytes of one publication: a few of them are the budget of an outbox.
const PUBLICATION: usize = 30_000;

#[tokio::test]
async fn h8_slow_readers_are_degraded_in_order_and_end_with_the_same_state() {
    let settings = [
        "admin.test_channels=on",
        "http.body_bytes=1048576",
        "limits.outbox_bytes=65536",
        // It takes memory of its own while it runs.
        "live.selftest=off",
        // What is shown here takes its time on a busy machine; closing them for it is another story.
        "ws.write_timeout_ms=600000",
        "ws.ping_ms=600000",
    ];
    let server = Server::with(&settings).await;
    let operator = Operator(server.admin());
    let mut stuck = SlowReader::open(&server, Encoding::Json).await;
    let mut sipping = SlowReader::open(&server, Encoding::MessagePack).await;
    let mut others =
        [server.guest(Encoding::Json).await, server.client("alice", Encoding::MessagePack).await];
    for other in &mut others {
        other.subscribe(CHANNEL).await;
    }

    let mut memory = 0;
    for number in 1..=SIGNALS {
        if number == SETTLED {
            memory = server.resident_bytes();
        }
        operator.publish("C", "tick", json!({"n": number, "fill": "x".repeat(SIGNAL)}), json!({})).await;
        for other in &mut others {
            assert_eq!(other.push("signal").await["data"]["n"], number, "the others get each in its turn");
        }
        if number % 8 == 0 {
            sipping.read_one().await;
        }
    }
    let grown = server.resident_bytes().saturating_sub(memory);
    let sent = (SIGNALS - SETTLED) * SIGNAL as u64;
    assert!(grown < sent / 2, "{grown} bytes more for {sent} that two readers did not take");

    for version in 1..=STATES {
        let state = json!({"key": "score", "version": version});
        operator.publish("B", "score", json!({"goals": version}), state).await;
        for other in &mut others {
            assert_eq!(other.push("state").await["version"], version);
        }
    }
    for number in 1..=PUBLICATIONS {
        operator.publish("A", "said", json!({"n": number, "fill": "x".repeat(PUBLICATION)}), json!({})).await;
        for other in &mut others {
            assert_eq!(other.event(CHANNEL, "said").await["offset"], number);
        }
        if number % 8 == 0 {
            sipping.read_one().await;
        }
    }
    for other in &mut others {
        let strange = other.leftovers();
        assert!(strange.is_empty(), "nobody else hears of it: {strange:?}");
    }

    for reader in [&mut stuck, &mut sipping] {
        reader.read_to_the_end().await;
        assert!((1..SIGNALS).contains(&reader.signals), "of {SIGNALS} signals some came: {}", reader.signals);
        assert!(reader.states.len() < STATES as usize, "states were coalesced: {:?}", reader.states);
        assert_eq!(reader.states.last(), Some(&STATES), "and the latest came");
        assert!(!reader.gaps.is_empty(), "publications were cut");
        assert!(reader.levels.contains(&3) && reader.levels.last() == Some(&0), "{:?}", reader.levels);
    }
    assert_eq!(stuck.levels, [1, 2, 3, 0], "signals are given up first, publications last");
    let rises = |pair: &[u64]| pair[1] > pair[0] || pair[1] == 0;
    assert!(sipping.levels.windows(2).all(rises), "{:?}", sipping.levels);

    operator.publish("A", "said", json!({"n": PUBLICATIONS + 1}), json!({})).await;
    let whole = said(&others[0].all_history(CHANNEL, 0).await);
    assert_eq!(whole.len() as u64, PUBLICATIONS + 1);
    for mut reader in [stuck, sipping] {
        while reader.last < PUBLICATIONS + 1 {
            reader.read_one().await;
        }
        let gaps = std::mem::take(&mut reader.gaps);
        let mut said_to_it = reader.said.clone();
        let mut client = reader.into_client();
        for (from, to) in gaps {
            let missed: Vec<Value> = client.all_history(CHANNEL, from - 1).await;
            said_to_it.extend(said(&missed).into_iter().filter(|(offset, _)| *offset <= to));
        }
        assert_eq!(said_to_it, whole, "with what the gaps named it has all that the others have");
    }
}

/// Publishes on the channel of the story.
struct Operator(Http);

impl Operator {
    async fn publish(&self, class: &str, event: &str, data: Value, more: Value) {
        let body = json!({"channel": CHANNEL, "event": event, "data": data, "class": class});
        self.0.post("/v1/admin/publish", &crate::harness::with(body, more)).await.ok();
    }
}

/// A socket that reads when it is told to, with little room in its kernel.
struct SlowReader {
    socket: Socket,
    signals: u64,
    /// Versions in order of arrival.
    states: Vec<u64>,
    levels: Vec<u64>,
    gaps: Vec<(u64, u64)>,
    /// What publications said, by offset.
    said: BTreeMap<u64, Value>,
    /// The last offset that it was told of.
    last: u64,
}

impl SlowReader {
    async fn open(server: &Server, encoding: Encoding) -> Self {
        let tcp = TcpSocket::new_v4().expect("a socket");
        tcp.set_recv_buffer_size(4_096).expect("a small buffer");
        let tcp = tcp.connect(server.http_address()).await.expect("the server listens");
        let mut socket = Socket::over(tcp, encoding).await;
        socket.send(1, "connect", &json!({})).await.expect("sent");
        assert!(matches!(socket.next().await, Incoming::Envelope(1, kind, _) if kind == "ok"));
        socket.send(2, "subscribe", &json!({"channel": CHANNEL})).await.expect("sent");
        assert!(matches!(socket.next().await, Incoming::Envelope(2, kind, _) if kind == "ok"));
        let (states, levels, gaps, said) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Self { socket, signals: 0, states, levels, gaps, said, last: 0 }
    }

    async fn read_one(&mut self) {
        let number = |body: &Value, key: &str| body[key].as_u64().expect("a number");
        let (kind, body) = match within("a push", self.socket.next()).await {
            Incoming::Envelope(0, kind, body) => (kind, body),
            other => panic!("a reader that reads is never closed for being slow: {other:?}"),
        };
        match kind.as_str() {
            "signal" => self.signals += 1,
            "state" => self.states.push(number(&body, "version")),
            "flow" => self.levels.push(number(&body, "level")),
            "gap" => {
                assert_eq!(body["reason"], "slow");
                let (from, to) = (number(&body, "from"), number(&body, "to"));
                assert_eq!(from, self.last + 1, "what was not sent is named, in its place");
                self.gaps.push((from, to));
                self.last = to;
            }
            "publication" => {
                let offset = number(&body, "offset");
                assert_eq!(offset, self.last + 1, "in order, without a hole that no gap names");
                self.said.insert(offset, body["data"]["n"].clone());
                self.last = offset;
            }
            other => panic!("{other} {body}"),
        }
    }

    /// Reads until everything that was published has come or been named.
    async fn read_to_the_end(&mut self) {
        while self.last < PUBLICATIONS || self.levels.last() != Some(&0) {
            self.read_one().await;
        }
    }

    /// From now on it reads like everybody.
    fn into_client(self) -> Client {
        Client::over(self.socket, "slow")
    }
}

fn said(items: &[Value]) -> BTreeMap<u64, Value> {
    offsets(items).into_iter().zip(items.iter().map(|item| item["data"]["n"].clone())).collect()
}
