//! The door: who may pass it, and what it answers when the rest is too slow.

use super::*;
use crate::{
    auth::Identity,
    config::Config,
    hub::{HubParts, HubSettings},
    social::{Settings, SocialAccess},
    store::sqlite::{SqliteSettings, SqliteStore},
    tasks::Tasks,
};
use communiconnect_protocol::{Format, decode_body};
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
    ("profile.get", r#"{"user_id": "x"}"#, Err(Code::NotFound)),
    ("follow.set", r#"{"user_id": "x", "on": true}"#, Err(Code::Unauthenticated)),
    ("block.set", r#"{"user_id": "x", "on": true}"#, Err(Code::Unauthenticated)),
    ("notification.list", r#"{}"#, Err(Code::Unauthenticated)),
    ("notification.read", r#"{"all": true}"#, Err(Code::Unauthenticated)),
    ("notification.preferences", r#"{}"#, Err(Code::Unauthenticated)),
];

const GUEST: Caller = Caller { identity: Identity::Guest, session: None, format: Format::Json };

/// The door with everything behind it. The folder goes with it.
fn door(limit: Duration) -> (Handlers, tempfile::TempDir, mpsc::Receiver<crate::publication::Committed>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (committed, commits) = mpsc::channel(64);
    let store = SqliteStore::open(folder.path(), SqliteSettings::default(), committed).expect("a store");
    let stores = Arc::new(store).stores();
    let hub = Hub::new(HubParts {
        settings: HubSettings::default(),
        access: Arc::new(SocialAccess::new(&stores)),
        log: stores.log.clone(),
        tasks: Tasks::default(),
    });
    let config = Config::with([]).expect("the defaults");
    (Handlers::new(Social::new(&stores, Settings::of(&config)), hub, limit), folder, commits)
}

#[tokio::test]
async fn a_guest_without_a_session_reads_and_does_nothing_else() {
    let (door, _folder, _commits) = door(Duration::from_secs(60));
    for name in Command::NAMES {
        let listed = GUEST_OVER_HTTP.iter().find(|(listed, ..)| listed == name);
        let (_, body, expected) = listed.unwrap_or_else(|| panic!("{name} is not in the table"));
        let command = decode_body(Format::Json, name, body.as_bytes()).expect("a valid body");
        let answer = door.run(&GUEST, command).await.map(|_| ()).map_err(|refusal| refusal.code);
        assert_eq!(answer, *expected, "{name}");
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_answered_unavailable() {
    let (door, _folder, _commits) = door(Duration::ZERO);
    let command = decode_body(Format::Json, "community.list", b"{}").expect("a valid body");
    let refusal = door.run(&GUEST, command).await.expect_err("no time at all");
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Unavailable, Some(RETRY_AFTER_MS)));
}
