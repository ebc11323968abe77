//! The conformance suite on PostgreSQL, and what is PostgreSQL's alone.

use super::{
    super::{OpenError, SqlSettings, SqlStore, db::params},
    core::{channel, say},
};
use crate::{
    fault_proxy::{Fault, FaultProxy},
    ports,
    publication::Committed,
    store::{
        StoreError, Stores,
        conformance::{Backend, Bounds, World, suite},
        log::{Log, PageSize, Range},
    },
};
use server::Syncs;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

#[path = "../../../../tests/harness/postgres.rs"]
#[allow(dead_code, unreachable_pub)]
pub(super) mod server;

/// A database on the server of these tests.
struct Database(String);

#[async_trait::async_trait]
impl Backend for Database {
    async fn open(&self, bounds: Bounds, committed: mpsc::Sender<Committed>) -> Stores {
        let Bounds { keep_count, keep_ms } = bounds;
        let settings = SqlSettings { keep_count, keep_ms, ..SqlSettings::default() };
        Arc::new(SqlStore::on_server(&self.0, settings, committed).expect("a store")).stores()
    }
}

async fn world() -> World {
    World::open(Arc::new(Database(server::database(Syncs::Nothing)))).await
}

suite!(super::world);

/// Offsets of entries, and whether they still say something.
async fn said(store: &SqlStore, name: &str) -> Vec<(u64, bool)> {
    let size = PageSize { items: 100, bytes: 1 << 20 };
    let page = store.page(&channel(name), Range::After(0), size).await.expect("a page");
    page.publications.iter().map(|entry| (entry.offset, !entry.data.as_bytes().is_empty())).collect()
}

#[tokio::test]
async fn what_fails_late_leaves_no_trace_and_no_hole() {
    let store = open(&server::database(Syncs::Nothing)).expect("a store");
    // The failing one looks at the log, so that rows of those before it are written under its mark, and undone with it.
    let failing = store.write(|tx| {
        say(tx)?;
        tx.erase_subject(&[7; 16])?;
        Err::<u64, _>(StoreError::NotFound("luck"))
    });
    let broken = store.write(|tx| {
        say(tx)?;
        Ok(tx.sql("SELECT 1 FROM no_such_table")?.exists(params![])?)
    });
    let (first, failed, broken, last) = tokio::join!(store.write(say), failing, broken, store.write(say));
    assert_eq!((first, failed, last), (Ok(1), Err(StoreError::NotFound("luck")), Ok(2)));
    assert!(matches!(broken, Err(StoreError::Internal(_))), "{broken:?}");
    for name in ["old", "new"] {
        assert_eq!(said(&store, name).await, [(1, true), (2, true)], "{name}");
    }
}

/// A store that publishes to nobody.
pub(super) fn open(url: &str) -> Result<Arc<SqlStore>, OpenError> {
    SqlStore::on_server(url, SqlSettings::default(), mpsc::channel(100_000).0).map(Arc::new)
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_to_do_and_no_password() {
    for (url, words) in [
        ("postgres://ada:secret@127.0.0.1:1/db", ["127.0.0.1:1/db", "does it run"]),
        ("postgres://ada:secret@127.0.0.1:port/db", ["does not read", "postgres://user:password@host"]),
    ] {
        let refusal = open(url).err().expect("refused").to_string();
        for word in words {
            assert!(refusal.contains(word), "{word} is not in: {refusal}");
        }
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone() {
    let own = server::Server::start(Syncs::Nothing);
    let url = own.database();
    open(&url).expect("a store").close().await;
    own.run(
        &url,
        "INSERT INTO refinery_schema_history SELECT 900, 'later', applied_on, '7' FROM refinery_schema_history LIMIT 1",
    );
    let refusal = open(&url).err().expect("refused").to_string();
    for words in
        ["V900 \"later\" of the tables is unknown", "another version of this program", "Start it with"]
    {
        assert!(refusal.contains(words), "{words} is not in: {refusal}");
    }
}

#[tokio::test]
async fn readers_that_rest_hold_no_snapshot_on_the_server() {
    let own = server::Server::start(Syncs::Nothing);
    let (url, other) = (own.database(), own.database());
    let store = open(&url).expect("a store");
    for _ in 0..10 {
        assert_eq!(store.read(|_| Ok(())).await, Ok(()));
        until_it_works(&store).await;
    }
    let resting = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    let begun = Instant::now();
    while own.run(&other, resting) != "0" {
        assert!(begun.elapsed() < Duration::from_secs(5), "a snapshot stays open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Tries until the store answers again, as a client does that is told `unavailable`.
async fn until_it_works(store: &SqlStore) {
    let begun = Instant::now();
    loop {
        let written = store.probe(1).await;
        match written {
            Ok(()) => return,
            Err(StoreError::Unavailable(_)) if begun.elapsed() < Duration::from_secs(30) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_lost_connection_is_unavailable_and_comes_back_by_itself() {
    let own = server::Server::start(Syncs::Nothing);
    let (url, other) = (own.database(), own.database());
    let store = open(&url).expect("a store");
    until_it_works(&store).await;
    let name = url.rsplit('/').next().expect("a name");
    own.run(
        &other,
        &format!(
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ),
    );
    for _ in 0..20 {
        let refused = store.probe(1).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    own.run(&other, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    until_it_works(&store).await;
}

#[tokio::test]
async fn connections_that_ended_while_nobody_used_them_fail_nobody() {
    let own = server::Server::start(Syncs::Nothing);
    let (url, other) = (own.database(), own.database());
    let store = open(&url).expect("a store");
    let name = url.rsplit('/').next().expect("a name");
    let theirs = format!("FROM pg_stat_activity WHERE datname = '{name}'");
    for _ in 0..3 {
        own.run(&other, &format!("SELECT pg_terminate_backend(pid) {theirs}"));
        while own.run(&other, &format!("SELECT count(*) {theirs}")) != "0" {}
        for _ in 0..2 * SqlSettings::default().readers {
            assert_eq!(store.read(|_| Ok(())).await, Ok(()));
        }
        assert_eq!(store.probe(1).await, Ok(()));
    }
}

// The proxy moves while the store is opened, which blocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_one_connection_is_back_all_follow_at_once() {
    let own = server::Server::start(Syncs::Nothing);
    let before = FaultProxy::before(own.address()).await;
    let url = own.database().replace(&own.address().to_string(), &before.address().to_string());
    let store = open(&url).expect("a store");
    before.set(Fault::Cut);
    let begun = Instant::now();
    // Long enough for the pauses to have grown, were each connection's its own.
    while begun.elapsed() < Duration::from_secs(3) {
        for refused in [store.probe(1).await, store.read(|_| Ok(())).await] {
            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    before.set(Fault::None);
    until_it_works(&store).await;
    for _ in 0..2 * SqlSettings::default().readers {
        assert_eq!(store.read(|_| Ok(())).await, Ok(()));
    }
}
