//! Operators' drains that do not run through: whoever asked for one has gone, or takes it back.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{
    Client, Encoding, Fault, FaultProxy, Server, op,
    postgres::{Syncs, database, server_of},
    within,
};

/// A node that cannot end its lives at the moment, since its database does not answer: half-way through whatever drains it.
struct Held {
    server: Server,
    before_database: FaultProxy,
    people: Vec<Client>,
    live: Value,
}

impl Held {
    async fn begin() -> Self {
        let store = tokio::task::spawn_blocking(|| database(Syncs::Nothing)).await.expect("a database");
        let before_database = FaultProxy::before(server_of(&store)).await;
        let store = store.replace(&server_of(&store).to_string(), &before_database.address().to_string());
        let server = Server::with(&[&format!("store.url={store}")]).await;
        let mut people = Vec::new();
        for number in 0..4 {
            people.push(server.client(&format!("person{number}"), Encoding::BOTH[number % 2]).await);
        }
        let community = people[0].makes_community("Moving").await;
        let wish = json!({"op": op(), "community_id": community, "title": "On air", "visibility": "public"});
        let live = people[0].ok("live.start", wish).await["live"]["id"].clone();
        before_database.set(Fault::Frozen);
        Self { server, before_database, people, live }
    }

    /// Writes requests of an operator who does not wait for answers, all at once.
    async fn wishes(&self, bodies: &[Value]) -> TcpStream {
        let mut requests = String::new();
        for body in bodies.iter().map(Value::to_string) {
            let length = body.len();
            requests.push_str(
                "POST /v1/admin/drain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
            );
            requests.push_str(&format!("Content-Length: {length}\r\n\r\n{body}"));
        }
        let mut tcp = TcpStream::connect(self.server.admin_address()).await.expect("the server listens");
        tcp.write_all(requests.as_bytes()).await.expect("sent");
        tcp
    }

    /// Waits until a figure of this node is such.
    async fn shows(&self, key: &str, wanted: Value) {
        within(&format!("{key} to be {wanted}"), async {
            while self.server.admin().get("/v1/admin/sessions").await.ok()[key] != wanted {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Lets the database answer, and waits until the live has ended with its reason.
    async fn lets_the_live_end(&self) {
        self.before_database.set(Fault::None);
        within("the live to end", async {
            loop {
                let body = json!({"live_id": self.live});
                let reply = self.server.http().command(Encoding::Json, "live.get", None, &body).await;
                if reply.status == 200 && reply.ok()["live"]["state"] == "ended" {
                    return assert_eq!(reply.ok()["live"]["reason"], "drain");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        self.shows("lives", json!(0)).await;
    }
}

#[tokio::test]
async fn a_drain_goes_on_when_whoever_asked_for_it_has_gone() {
    let mut held = Held::begin().await;
    let operator = held.wishes(&[json!({"over_ms": 400})]).await;
    held.shows("draining", json!(true)).await;
    drop(operator);
    let mut slots = Vec::new();
    for person in &mut held.people {
        slots.push(person.push("reconnect").await["after_ms"].as_u64().expect("a number"));
        assert_eq!(person.close_code().await, 4000);
    }
    slots.sort_unstable();
    assert_eq!(slots, [0, 100, 200, 300], "everybody, each with a slot of their own");
    held.lets_the_live_end().await;
    held.shows("sessions", json!(0)).await;
}

#[tokio::test]
async fn a_drain_that_is_taken_back_before_anybody_was_told_sends_nobody_away() {
    let mut held = Held::begin().await;
    // Both at once: what the second takes back has only begun to end lives.
    let _operator = held.wishes(&[json!({"over_ms": 0}), json!({"on": false})]).await;
    // What was begun is done: lives that are to end end.
    held.lets_the_live_end().await;
    held.shows("draining", json!(false)).await;
    for person in &mut held.people {
        person.still_there().await;
        assert!(!person.leftovers().iter().any(|push| format!("{push:?}").contains("reconnect")));
    }
    assert_eq!(held.server.http().get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_drain_that_is_taken_back_half_way_takes_newcomers_and_whoever_was_told_still_goes() {
    let server = Server::start().await;
    let admin = server.admin();
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(server.client(&format!("person{number}"), Encoding::BOTH[number % 2]).await);
    }
    admin.post("/v1/admin/drain", &json!({"over_ms": 2_000})).await.ok();
    let mut slots = Vec::new();
    for person in &mut people {
        slots.push(person.push("reconnect").await["after_ms"].as_u64().expect("a number"));
    }
    let back = admin.post("/v1/admin/drain", &json!({"on": false})).await.ok();
    assert_eq!((&back["changed"], &back["draining"]), (&json!(true), &json!(false)), "{back}");
    let mut newcomer = server.client("newcomer", Encoding::Json).await;
    for person in &mut people {
        assert_eq!(person.close_code().await, 4000, "they were told to");
    }
    slots.sort_unstable();
    assert_eq!(slots, [0, 500, 1_000, 1_500]);
    newcomer.still_there().await;
    let again = admin.post("/v1/admin/drain", &json!({"on": false})).await.ok();
    assert_eq!(again["changed"], false);
    assert_eq!(admin.get("/v1/admin/sessions").await.ok()["sessions"], 1);
    assert_eq!(server.http().get("/readyz").await.status, 200);
}
