//! The door: who may pass it, and what it answers when the rest is too slow.

use super::*;
use crate::{
    auth::Identity,
    config::Config,
    hub::{Access, HubParts, HubSettings},
    live,
    social::{Settings, SocialAccess},
    store::{
        Stores,
        sql::{SqlSettings, SqlStore},
    },
    tasks::Tasks,
};
use communiconnect_protocol::{Channel, Format, StateItem, UserId, decode_body};
use tokio::sync::mpsc;

/// What a guest without a session gets for each command about things that are not there.
const GUEST_OVER_HTTP: &[(&str, &str, Result<(), Code>)] = &[
    ("connect", r#"{}"#, Err(Code::BadRequest)),
    ("refresh", r#"{"token": "x"}"#, Err(Code::BadRequest)),
    ("subscribe", r#"{"channel": "feed:x"}"#, Err(Code::BadRequest)),
    ("unsubscribe", r#"{"channel": "feed:x"}"#, Err(Code::BadRequest)),
    ("sync", r#"{"channels": []}"#, Err(Code::BadRequest)),
    ("history", r#"{"channel": "feed:x"}"#, Err(Code::NotFound)),
    ("presence", r#"{"channel": "post:x"}"#, Err(Code::NotFound)),
    ("community.create", r#"{"op": "a", "name": "x"}"#, Err(Code::Unauthenticated)),
    ("community.get", r#"{"community_id": "x"}"#, Err(Code::NotFound)),
    ("community.list", r#"{}"#, Ok(())),
    ("community.join", r#"{"community_id": "x"}"#, Err(Code::Unauthenticated)),
    ("community.leave", r#"{"community_id": "x"}"#, Err(Code::Unauthenticated)),
    (
        "post.create",
        r#"{"op": "a", "community_id": "x", "kind": "info", "content": "x", "visibility": "public"}"#,
        Err(Code::Unauthenticated),
    ),
    ("post.edit", r#"{"post_id": "x", "version": 1, "content": "x"}"#, Err(Code::Unauthenticated)),
    ("post.delete", r#"{"post_id": "x"}"#, Err(Code::Unauthenticated)),
    ("post.get", r#"{"post_id": "x"}"#, Err(Code::NotFound)),
    ("post.view", r#"{"post_id": "x"}"#, Err(Code::NotFound)),
    ("post.counts", r#"{"post_ids": ["x"]}"#, Ok(())),
    ("feed.list", r#"{"home": true}"#, Err(Code::Unauthenticated)),
    ("reaction.set", r#"{"post_id": "x", "kind": "like"}"#, Err(Code::Unauthenticated)),
    ("comment.add", r#"{"op": "a", "post_id": "x", "content": "x"}"#, Err(Code::Unauthenticated)),
    ("comment.edit", r#"{"comment_id": "x", "content": "x"}"#, Err(Code::Unauthenticated)),
    ("comment.delete", r#"{"comment_id": "x"}"#, Err(Code::Unauthenticated)),
    ("comment.list", r#"{"post_id": "x"}"#, Err(Code::NotFound)),
    ("share.add", r#"{"post_id": "x", "kind": "share"}"#, Err(Code::Unauthenticated)),
    ("share.remove", r#"{"post_id": "x", "kind": "share"}"#, Err(Code::Unauthenticated)),
    ("share.list", r#"{"post_id": "x"}"#, Err(Code::NotFound)),
    ("external_share.add", r#"{"post_id": "x", "platform": "x"}"#, Err(Code::Unauthenticated)),
    ("external_share.list", r#"{"post_id": "x"}"#, Err(Code::NotFound)),
    ("analytics.post", r#"{"post_id": "x"}"#, Err(Code::Unauthenticated)),
    ("profile.get", r#"{"user_id": "x"}"#, Err(Code::NotFound)),
    ("profile.edit", r#"{"name": "x", "version": 1}"#, Err(Code::Unauthenticated)),
    ("follow.set", r#"{"user_id": "x", "on": true}"#, Err(Code::Unauthenticated)),
    ("block.set", r#"{"user_id": "x", "on": true}"#, Err(Code::Unauthenticated)),
    ("notification.list", r#"{}"#, Err(Code::Unauthenticated)),
    ("notification.read", r#"{"all": true}"#, Err(Code::Unauthenticated)),
    ("notification.preferences", r#"{}"#, Err(Code::Unauthenticated)),
    (
        "live.start",
        r#"{"op": "a", "title": "x", "community_id": "x", "visibility": "public"}"#,
        Err(Code::Unauthenticated),
    ),
    ("live.stop", r#"{"live_id": "x"}"#, Err(Code::Unauthenticated)),
    ("live.list", r#"{}"#, Ok(())),
    ("live.get", r#"{"live_id": "x"}"#, Err(Code::NotFound)),
    ("live.join", r#"{"live_id": "x"}"#, Err(Code::BadRequest)),
    ("live.leave", r#"{"live_id": "x"}"#, Err(Code::BadRequest)),
    ("live.report", r#"{"live_id": "x"}"#, Err(Code::Unauthenticated)),
    ("live.key.rotate", r#"{}"#, Err(Code::Unauthenticated)),
    ("live.key.get", r#"{}"#, Err(Code::Unauthenticated)),
    ("live.defaults", r#"{}"#, Err(Code::Unauthenticated)),
    ("live.ban", r#"{"live_id": "x", "user_id": "x", "on": true}"#, Err(Code::Unauthenticated)),
    ("live.bans", r#"{"live_id": "x"}"#, Err(Code::Unauthenticated)),
    ("live.react", r#"{"live_id": "x", "kind": "like"}"#, Err(Code::Unauthenticated)),
    ("chat.send", r#"{"op": "a", "live_id": "x", "content": "x"}"#, Err(Code::Unauthenticated)),
    ("chat.delete", r#"{"message_id": "x"}"#, Err(Code::Unauthenticated)),
    ("chat.slow_mode", r#"{"live_id": "x", "seconds": 0}"#, Err(Code::Unauthenticated)),
    ("rtc.publish", r#"{"live_id": "x", "sdp": "v=0"}"#, Err(Code::BadRequest)),
    ("rtc.watch", r#"{"live_id": "x", "sdp": "v=0"}"#, Err(Code::BadRequest)),
    ("rtc.trickle", r#"{"peer_id": "x", "candidate": null}"#, Err(Code::BadRequest)),
    ("rtc.restart", r#"{"peer_id": "x", "sdp": "v=0"}"#, Err(Code::BadRequest)),
    ("rtc.layer", r#"{"peer_id": "x", "max_height": "auto"}"#, Err(Code::BadRequest)),
    ("rtc.close", r#"{"peer_id": "x"}"#, Err(Code::BadRequest)),
    ("rtc.probe", r#"{"sdp": "v=0"}"#, Err(Code::BadRequest)),
];

const GUEST: Caller = Caller { identity: Identity::Guest, session: None, format: Format::Json };

/// A store in a folder of its own, which nobody writes to.
fn store() -> (Stores, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let (committed, _) = mpsc::channel(1);
    let store = SqlStore::in_folder(folder.path(), SqlSettings::default(), committed).expect("a store");
    (Arc::new(store).stores(), folder)
}

async fn door(stores: &Stores, access: Arc<dyn Access>) -> Handlers {
    let tasks = Tasks::default();
    let log = stores.log.clone();
    let hub = Hub::new(HubParts { settings: HubSettings::default(), access, log, tasks: tasks.clone() });
    let config = Config::with([]).expect("the defaults");
    let lives = live::service::testing::door(stores, &hub, None, &tasks).await;
    Handlers::new(Social::new(stores, Settings::of(&config)), hub, lives, Duration::from_secs(5))
}

/// Rights that are never told.
struct Stuck;

#[async_trait::async_trait]
impl Access for Stuck {
    async fn may_read(&self, _: &Reader, _: &Channel) -> Result<(), ErrorBody> {
        std::future::pending().await
    }

    async fn states(&self, _: &Reader, _: &Channel) -> Result<Vec<StateItem>, ErrorBody> {
        std::future::pending().await
    }

    async fn blocked_with(&self, _: UserId) -> Result<Vec<UserId>, ErrorBody> {
        std::future::pending().await
    }

    async fn unnamed_in(&self, _: &Channel) -> Result<Option<UserId>, ErrorBody> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_guest_without_a_session_reads_and_does_nothing_else() {
    let (stores, _folder) = store();
    let door = door(&stores, Arc::new(SocialAccess::new(&stores))).await;
    for name in Command::NAMES {
        let listed = GUEST_OVER_HTTP.iter().find(|(listed, ..)| listed == name);
        let (_, body, expected) = listed.unwrap_or_else(|| panic!("{name} is not in the table"));
        let command = decode_body(Format::Json, name, body.as_bytes()).expect("a valid body");
        let answer = door.run(&GUEST, command).await.map(|_| ()).map_err(|refusal| refusal.code);
        assert_eq!(answer, *expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_takes_too_long_is_answered_unavailable() {
    let (stores, _folder) = store();
    let door = door(&stores, Arc::new(Stuck)).await;
    let body = br#"{"channel": "feed:01970000-0000-7000-8000-000000000000"}"#;
    let command = decode_body(Format::Json, "history", body).expect("a valid body");
    let began = tokio::time::Instant::now();
    let refusal = door.run(&GUEST, command).await.expect_err("nobody answers");
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Unavailable, Some(RETRY_AFTER_MS)));
    assert_eq!(began.elapsed().as_secs(), 5, "of virtual time");
}
