//! H13 and H14: a node that stops, and everybody who comes back at once.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use loadtest::{
    crowd::Names,
    oracle::Ledger,
    publish::{Class, Work, publish},
};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use crate::harness::{Claims, Client, Encoding, Incoming, Server, Socket, assert_whole, list, two_nodes};

/// How many come back to one node.
const CROWD: usize = 2_000;
/// How many change from one node to another.
const MOVING: usize = 300;
/// Publications that they have missed.
const MISSED: u64 = 5;
/// Groups of the crowd, each with channels of its own.
const GROUPS: usize = 100;
/// Channels of a group. All of its members stood at different positions there, so that no two ask the log for the same.
const EACH: usize = 2;
/// Publications of each of these channels: one for each position.
const LOGGED: usize = CROWD / GROUPS;
/// What a crowd may take, in a build without optimisation beside whatever else this machine does.
const PATIENCE: Duration = Duration::from_secs(120);
/// Settings for it: the waiting is the machine's, not the product's.
const UNHURRIED: &[&str] =
    &["limits.command_ms=60000", "ws.connect_ms=60000", "ws.ping_ms=600000", "live.selftest=off"];

/// A socket for each of a crowd, besides everything else.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the soft limit may be the hard one");
}

/// One of a crowd: every second is a guest, of the others four share a person, as people have several tabs.
struct Member {
    token: Option<String>,
    encoding: Encoding,
}

impl Member {
    fn number(number: usize) -> Self {
        let token = number.is_multiple_of(2).then(|| Claims::of(&format!("member{}", number / 8)).sign());
        Self { token, encoding: Encoding::BOTH[number / 2 % 2] }
    }

    /// Comes in with what it remembers once everybody is at the door, and must be let in; what `connect` answered.
    async fn comes(self, server: SocketAddr, resume: Value, door: Arc<Barrier>) -> (Socket, Value) {
        let mut socket = Socket::open(server, self.encoding).await;
        door.wait().await;
        let mut body = json!({"resume": resume});
        if let Some(token) = self.token {
            body["token"] = json!(token);
        }
        socket.send(1, "connect", &body).await.expect("sent");
        loop {
            match socket.next().await {
                Incoming::Envelope(1, kind, body) => {
                    assert_eq!(kind, "ok", "{body}");
                    return (socket, body);
                }
                Incoming::Envelope(0, ..) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Everybody at once, each with what they remember, in this order.
async fn all_come(count: usize, server: SocketAddr, resume: impl Fn(usize) -> Value) -> Vec<(Socket, Value)> {
    let (mut coming, door) = (JoinSet::new(), Arc::new(Barrier::new(count)));
    for number in 0..count {
        let came = Member::number(number).comes(server, resume(number), Arc::clone(&door));
        coming.spawn(async move { (number, came.await) });
    }
    let all = async { coming.join_all().await };
    let mut all = tokio::time::timeout(PATIENCE, all).await.expect("in bounded time");
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, came)| came).collect()
}

/// Each was told exactly what it missed.
fn assert_recovered(crowd: &[(Socket, Value)], channel: &str, position: &Value) {
    let last = position["offset"].as_u64().expect("an offset");
    for (_, connected) in crowd {
        let subscribed = &connected["subscriptions"][channel];
        assert_eq!(subscribed["recovered"], "ok", "{connected}");
        assert_whole(&list(&subscribed["publications"]), last + 1, last + MISSED);
    }
}

/// Each gets the next publication of a channel, and nothing of it before.
async fn assert_all_hear(crowd: Vec<(Socket, Value)>, channel: &str, offset: u64) {
    let mut hearing = JoinSet::new();
    for (mut socket, _) in crowd {
        let channel = channel.to_owned();
        hearing.spawn(async move {
            loop {
                match socket.next().await {
                    Incoming::Envelope(0, kind, body)
                        if kind == "publication" && body["channel"] == channel =>
                    {
                        assert_eq!(body["offset"], offset, "{body}");
                        return;
                    }
                    Incoming::Envelope(..) => {}
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    tokio::time::timeout(PATIENCE, hearing.join_all()).await.expect("all hear it");
}

/// The channels of everybody's group, filled, and their epochs.
async fn groups(server: &Server, reader: &mut Client) -> Vec<(String, Value)> {
    let names = Arc::new(Names::new((0..GROUPS * EACH).map(|number| format!("test:group-{number}"))));
    let work = Work {
        admin: server.admin_address(),
        names: Arc::clone(&names),
        ledger: Arc::new(Ledger::new(names.len())),
        class: Class::A,
        rate: (names.len() * LOGGED) as f64,
        duration: Duration::from_secs(1),
        size: 64,
    };
    let published = publish(work).await.expect("the operators' listener");
    assert!(published.findings.is_clean(), "{}", published.findings);
    let mut groups = Vec::with_capacity(names.len());
    for number in 0..names.len() as u32 {
        let channel = names.name(number);
        let start = reader.subscribe(channel).await;
        assert_eq!(start["offset"], LOGGED, "{start}");
        groups.push((channel.to_owned(), start["epoch"].clone()));
    }
    groups
}

/// Where a member stood in each of its group's channels.
fn stood(groups: &[(String, Value)], number: usize) -> impl Iterator<Item = (&str, Value)> {
    let (group, offset) = (number % GROUPS, number / GROUPS);
    let channels = groups.iter().skip(group * EACH).take(EACH);
    channels.map(move |(channel, epoch)| (channel.as_str(), json!({"epoch": epoch, "offset": offset})))
}

async fn begun(client: &mut Client, name: &str) -> (String, String, Value) {
    let community = client.makes_community(name).await;
    let feed = format!("feed:{community}");
    let start = client.subscribe(&feed).await;
    let position = json!({"epoch": start["epoch"], "offset": start["offset"]});
    (community, feed, position)
}

#[tokio::test]
async fn h14_a_crowd_that_comes_back_at_once_after_a_restart_recovers_without_one_error() {
    raise_open_files();
    // One reader of the store, so that a crowd of different questions has to wait for it.
    let own = ["admin.test_channels=on", "limits.rates=off", "store.readers=1"];
    let settings: Vec<&str> = UNHURRIED.iter().copied().chain(own).collect();
    let mut server = Server::with(&settings).await;
    let mut author = server.client("author", Encoding::Json).await;
    let (community, feed, position) = begun(&mut author, "Storm").await;
    let groups = groups(&server, &mut author).await;
    let crowd = all_come(CROWD, server.http_address(), |_| json!({feed.clone(): position})).await;
    for number in 0..MISSED {
        author.posts(&community, &number.to_string()).await;
    }
    server.kill_and_restart().await;
    // Their old connections end while the new ones come.
    let resume = |number: usize| {
        let mut resume = json!({feed.clone(): position});
        for (channel, position) in stood(&groups, number) {
            resume[channel] = position;
        }
        resume
    };
    let (back, ()) = tokio::join!(all_come(CROWD, server.http_address(), resume), async { drop(crowd) });
    assert_recovered(&back, &feed, &position);
    for (number, (_, connected)) in back.iter().enumerate() {
        for (channel, position) in stood(&groups, number) {
            let subscribed = &connected["subscriptions"][channel];
            assert_eq!(subscribed["recovered"], "ok", "{connected}");
            let last = position["offset"].as_u64().expect("an offset");
            assert_whole(&list(&subscribed["publications"]), last + 1, LOGGED as u64);
        }
    }
    let metrics = server.admin().get("/metrics").await.text();
    let value =
        |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    assert_eq!(value("communiconnect_hub_sessions "), Some(CROWD as f64));
    assert_eq!(value("communiconnect_http_connections_refused_total "), None, "nobody was sent away");

    // Half of them are cut at once while as many others come: the dead hold nobody up.
    let mut back = back;
    let cut = back.split_off(CROWD / 2);
    let (others, ()) = tokio::join!(all_come(CROWD / 2, server.http_address(), resume), async { drop(cut) });
    back.extend(others);
    let mut author = server.client("author", Encoding::Json).await;
    author.posts(&community, "for everybody").await;
    let next = position["offset"].as_u64().expect("an offset") + MISSED + 1;
    assert_all_hear(back, &feed, next).await;
}

#[tokio::test]
async fn h13_h14_a_node_of_two_that_stops_sends_its_people_to_the_other_and_nobody_misses_anything() {
    raise_open_files();
    let settings: Vec<&str> = UNHURRIED.iter().copied().chain(["node.drain_ms=1000"]).collect();
    let (_redis, mut left, right) = two_nodes(&settings).await;
    let mut author = right.client("author", Encoding::Json).await;
    let (community, feed, position) = begun(&mut author, "Two nodes").await;
    let crowd = all_come(MOVING, left.http_address(), |_| json!({feed.clone(): position})).await;
    left.terminate();
    let mut leaving = JoinSet::new();
    for (mut socket, _) in crowd {
        leaving.spawn(async move {
            let mut slot = None;
            loop {
                match socket.next().await {
                    Incoming::Envelope(0, kind, body) if kind == "reconnect" => {
                        slot = body["after_ms"].as_u64();
                    }
                    Incoming::Envelope(..) => {}
                    Incoming::Close(code, _) => {
                        assert_eq!(code, 4000);
                        return slot.expect("told before");
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    for number in 0..MISSED {
        author.posts(&community, &number.to_string()).await;
    }
    let mut slots = tokio::time::timeout(PATIENCE, leaving.join_all()).await.expect("all are sent away");
    slots.sort_unstable();
    let count = MOVING as u64;
    let spread: Vec<u64> = (0..count).map(|place| place * 1_000 / count).collect();
    assert_eq!(slots, spread, "spread over the drain");
    assert_eq!(left.ended().await.code(), Some(0));

    let back = all_come(MOVING, right.http_address(), |_| json!({feed.clone(): position})).await;
    assert_recovered(&back, &feed, &position);
    author.posts(&community, "for everybody").await;
    let next = position["offset"].as_u64().expect("an offset") + MISSED + 1;
    assert_all_hear(back, &feed, next).await;

    // The same without a good-bye.
    left.restart().await;
    let crowd = all_come(MOVING, left.http_address(), |_| json!({})).await;
    left.kill().await;
    drop(crowd);
    let back = all_come(
        MOVING,
        right.http_address(),
        |_| json!({feed.clone(): {"epoch": position["epoch"], "offset": next - MISSED}}),
    )
    .await;
    let from = json!({"epoch": position["epoch"], "offset": next - MISSED});
    assert_recovered(&back, &feed, &from);
}
