//! A live on one of several nodes: players are led to the one that carries it, and what is decided elsewhere counts there.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::live::{CHROMIUM_WATCH, FFMPEG_PUBLISH, Player, Stage};
use crate::harness::{
    Claims, Client, Encoding, HttpReply, Redis, Server, op,
    postgres::{Syncs, database},
    within,
};

/// Until whoever was told to ask again does so: nobody has the patience of a client here.
const AGAIN: Duration = Duration::from_millis(50);

/// A live on one node, and another node.
struct Far {
    redis: Redis,
    stage: Stage,
    other: Server,
    /// The live's owner, at the other node.
    owner: Client,
}

impl Far {
    async fn begin() -> Self {
        let redis = Redis::start().await;
        let store = tokio::task::spawn_blocking(|| database(Syncs::Nothing)).await.expect("a database");
        let settings = [format!("store.url={store}"), format!("broker.url={}", redis.url())];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let own = [&settings[..], &["node.id=carrier", "node.url=https://carrier.example/"]].concat();
        let stage = Stage::begin(&own).await;
        let other = Server::with(&settings).await;
        let owner = other.client("owner", Encoding::Json).await;
        Self { redis, stage, other, owner }
    }

    /// Asks the other node until it leads to the carrier; its answer then. Until it has heard of the carrier, and while that
    /// seems silent because the machine is slow, it says to ask again.
    async fn led(&self, path: &str, token: Option<&str>, sdp: &str) -> HttpReply {
        within("the carrier's word of where it is", async {
            loop {
                let reply = self.other.http().offer(path, token, sdp).await;
                if reply.status != 503 {
                    return reply;
                }
                assert!(reply.header("retry-after").is_some(), "it may be led there then: {}", reply.text());
                tokio::time::sleep(AGAIN).await;
            }
        })
        .await
    }

    /// As [`Self::led`], as a page asks.
    async fn led_by_fields(&mut self, command: &str, body: Value) -> Value {
        within("the carrier's word of where it is", async {
            loop {
                let refused = self.owner.command(command, body.clone()).await;
                assert_eq!(refused.code(), "unavailable", "{command}: {}", refused.body);
                if !refused.body["url"].is_null() {
                    return refused.body;
                }
                assert!(refused.body["retry_after_ms"].is_u64(), "{command}: {}", refused.body);
                tokio::time::sleep(AGAIN).await;
            }
        })
        .await
    }

    /// What the carrier itself answers, as soon as it has the time to.
    async fn at_carrier(&self, path: &str, token: Option<&str>, sdp: &str) -> HttpReply {
        within("the carrier's time", async {
            loop {
                let reply = self.stage.http.offer(path, token, sdp).await;
                if reply.status != 503 {
                    return reply;
                }
                tokio::time::sleep(AGAIN).await;
            }
        })
        .await
    }

    async fn player(&self, name: &str) -> (Player, String) {
        let id = self.stage.server.client(name, Encoding::Json).await.user_id();
        let mut player = Player::start(&self.stage, Some(&Claims::of(name).sign())).await;
        player.sees(20).await;
        (player, id)
    }

    fn ban(&self, user: &str) -> Value {
        json!({"live_id": self.stage.live, "user_id": user, "on": true})
    }
}

#[tokio::test]
async fn who_asks_another_node_for_a_live_is_led_to_the_one_that_carries_it() {
    let mut far = Far::begin().await;
    let _broadcast = far.stage.goes_live().await;
    let (whep, whip) = (far.stage.whep(), far.stage.whip());
    let lasting = far.owner.ok("live.key.rotate", json!({})).await;
    let lasting = lasting["stream_key"].as_str().expect("a key").to_owned();
    for (path, token, sdp) in [
        (whep.as_str(), None, CHROMIUM_WATCH),
        (whip.as_str(), Some(far.stage.key.as_str()), FFMPEG_PUBLISH),
        ("/v1/whip", Some(far.stage.key.as_str()), FFMPEG_PUBLISH),
        ("/v1/whip", Some(lasting.as_str()), FFMPEG_PUBLISH),
    ] {
        let reply = far.led(path, token, sdp).await;
        assert_eq!(reply.status, 307, "{path}: {}", reply.text());
        assert_eq!(reply.header("location"), Some(format!("https://carrier.example{path}").as_str()));
        let body = reply.problem(307, "unavailable");
        assert_eq!([&body["node"], &body["url"]], ["carrier", "https://carrier.example"], "{body}");
        let there = far.at_carrier(path, token, sdp).await;
        assert!(matches!(there.status, 201 | 409), "{path} at the carrier: {}", there.text());
        let session = there.header("location").unwrap_or("https://carrier.example/");
        assert!(session.starts_with("https://carrier.example/"), "a session is this node's alone: {session}");
    }
    // A page is told by fields, whatever it asks for.
    for (command, body) in [
        ("live.join", json!({"live_id": far.stage.live})),
        ("rtc.watch", json!({"live_id": far.stage.live, "sdp": CHROMIUM_WATCH})),
        ("chat.send", json!({"op": op(), "live_id": far.stage.live, "content": "hello"})),
        ("live.stop", json!({"live_id": far.stage.live})),
    ] {
        let refused = far.led_by_fields(command, body).await;
        assert_eq!(
            [&refused["node"], &refused["url"], &refused["silent"]],
            [&json!("carrier"), &json!("https://carrier.example"), &Value::Null],
            "{command}: {refused}"
        );
    }
    far.led(&whip, Some("no key"), FFMPEG_PUBLISH).await.problem(401, "unauthenticated");
    far.led(&whep, None, "nonsense").await.problem(400, "bad_request");
    far.stage.owner.ok("live.stop", json!({"live_id": far.stage.live})).await;
    far.led(&whep, None, CHROMIUM_WATCH).await.problem(409, "conflict");
}

#[tokio::test]
async fn a_drained_node_still_leads_to_the_one_that_carries_the_live() {
    let far = Far::begin().await;
    let _broadcast = far.stage.goes_live().await;
    let (whep, whip) = (far.stage.whep(), far.stage.whip());
    far.led(&whep, None, CHROMIUM_WATCH).await;
    far.other.admin().post("/v1/admin/drain", &json!({"over_ms": 0})).await.ok();
    for (path, token, sdp) in
        [(&whep, None, CHROMIUM_WATCH), (&whip, Some(far.stage.key.as_str()), FFMPEG_PUBLISH)]
    {
        let reply = far.led(path, token, sdp).await;
        assert_eq!(reply.status, 307, "{path}: {}", reply.text());
        assert_eq!(reply.header("location"), Some(format!("https://carrier.example{path}").as_str()));
    }
}

#[tokio::test]
async fn what_is_decided_on_another_node_counts_where_the_live_is_carried() {
    let mut far = Far::begin().await;
    let _broadcast = far.stage.goes_live().await;
    let live = far.stage.live.clone();
    // Whoever waits for a good-bye reads meanwhile: in a full socket there is no room for it.
    let (pest, pest_id) = far.player("pest").await;
    let ban = far.ban(&pest_id);
    tokio::join!(far.owner.ok("live.ban", ban), pest.hears_goodbye());
    let (foe, foe_id) = far.player("foe").await;
    let block = json!({"user_id": foe_id, "on": true});
    tokio::join!(far.owner.ok("block.set", block), foe.hears_goodbye());

    far.owner.ok("chat.slow_mode", json!({"live_id": live, "seconds": 300})).await;
    let mut talker = far.stage.server.client("talker", Encoding::Json).await;
    within("the slow mode", async {
        let say = || json!({"op": op(), "live_id": live, "content": "and"});
        // Who may write five a second is told to wait a second at most, and who is slowed minutes.
        loop {
            let said = talker.command("chat.send", say()).await;
            assert!(["ok", "rate_limited"].contains(&said.code()), "{}", said.body);
            if said.body["retry_after_ms"].as_u64().is_some_and(|wait| wait > 10_000) {
                break;
            }
        }
    })
    .await;
    let mut guest = Player::start(&far.stage, None).await;
    guest.sees(20).await;
    let post = json!({"post_id": far.stage.seen().await["post_id"]});
    tokio::join!(far.owner.ok("post.delete", post), guest.hears_goodbye());
}

#[tokio::test]
async fn a_ban_reaches_the_carrier_also_while_nodes_cannot_hear_each_other() {
    let mut far = Far::begin().await;
    let _broadcast = far.stage.goes_live().await;
    let (pest, pest_id) = far.player("pest").await;
    far.redis.kill();
    let ban = far.ban(&pest_id);
    tokio::join!(far.owner.ok("live.ban", ban), pest.hears_goodbye());
}
