//! The load tester's scenarios, small: that each runs against the real server, and that its oracle finds nothing.

use loadtest::{
    bare::Place,
    report::Report,
    scenarios::{Target, channels, churn, fanout, feed, idle, slow, storm},
    writes,
};

use crate::harness::{Server, list};

/// A server for operators' publications, without what takes time of its own.
async fn server() -> Server {
    Server::with(&["admin.test_channels=on", "live.selftest=off"]).await
}

fn target(server: &Server) -> Target {
    Target {
        urls: server.nodes().iter().map(|node| format!("http://{}", node.http_address())).collect(),
        admin: format!("http://{}", server.admin_address()),
        pids: server.nodes().iter().map(|node| node.pid()).collect(),
    }
}

/// The figure `key`, of a report in which nothing was wrong.
fn figure(report: &Report, key: &str) -> f64 {
    assert!(report.is_clean(), "{report}");
    let figures = report.to_json();
    figures[key].as_f64().unwrap_or_else(|| panic!("no figure {key} in {figures}"))
}

/// What the readers of every node have in common, added up.
fn over_all_nodes(report: &Report, key: &str) -> u64 {
    let voices = list(&report.to_json()["voices"]);
    voices.iter().map(|voice| voice[key].as_u64().expect("a number")).sum()
}

#[tokio::test]
async fn h6_one_hot_channel_loses_nothing_and_is_compared_with_a_bare_writer() {
    let server = server().await;
    let options = fanout::Options {
        target: target(&server),
        connections: 20,
        rate: 100.0,
        size: 128,
        duration: 0.3,
        no_baseline: false,
        baseline: Place::Thread,
    };
    let report = fanout::run(&options).await.expect("it runs");
    assert_eq!(figure(&report, "pushed"), 20.0 * 30.0);
    assert!(report.to_json()["ratio"]["p99"].is_number(), "{}", report.to_json());
}

#[tokio::test]
async fn h6_many_channels_lose_nothing() {
    let server = server().await;
    let options = channels::Options {
        target: target(&server),
        connections: 10,
        each: 4,
        channels: 20,
        rate: 200.0,
        size: 128,
        duration: 0.5,
    };
    let report = channels::run(&options).await.expect("it runs");
    // Each channel has two readers.
    assert_eq!(figure(&report, "pushed"), 2.0 * 100.0);
}

#[tokio::test]
async fn idle_readers_are_all_there_at_the_end() {
    let server = server().await;
    let options = idle::Options { target: target(&server), connections: 30, each: 2, duration: 0.3 };
    let report = idle::run(&options).await.expect("it runs");
    assert_eq!(figure(&report, "pushed"), 2.0 * 30.0);
}

#[tokio::test]
async fn h14_a_storm_brings_everybody_back_with_everything() {
    let server = server().await;
    let options = storm::Options {
        target: target(&server),
        connections: 30,
        each: 2,
        channels: 6,
        storms: 2,
        rate: 100.0,
        size: 128,
        duration: 0.9,
    };
    let report = storm::run(&options).await.expect("it runs");
    assert_eq!(over_all_nodes(&report, "back"), 60, "each came back from each storm\n{report}");
    // Each of 90 publications has ten readers: pushed, or brought by a position.
    let fetched = over_all_nodes(&report, "fetched") as f64;
    assert_eq!(figure(&report, "pushed") + fetched, 900.0, "{report}");
}

#[tokio::test]
async fn h8_readers_that_stop_end_with_everything() {
    // Little may wait for each, so that what is cut is cut after a moment.
    let settings = ["admin.test_channels=on", "live.selftest=off", "limits.outbox_bytes=65536"];
    let server = Server::with(&settings).await;
    let options = slow::Options {
        target: target(&server),
        connections: 6,
        slow: 2,
        rate: 200.0,
        size: 30_000,
        // A third of it without reading: 7 MB for each, more than the kernel keeps for a socket (tcp(7): 4 MiB).
        duration: 3.6,
    };
    let report = slow::run(&options).await.expect("it runs");
    assert!(report.is_clean(), "{report}");
    let sum = |figure: &str| over_all_nodes(&report, figure);
    assert!(sum("cut") > 0, "so much waited for those that did not read that some was cut\n{report}");
    assert_eq!(sum("fetched"), sum("cut"), "all that was cut was fetched\n{report}");
    assert_eq!(sum("pushed") + sum("fetched"), 6 * 720, "each reader has each publication\n{report}");
}

#[tokio::test]
async fn h7_those_who_come_and_go_miss_nothing_and_leave_nothing() {
    let server = server().await;
    let options = churn::Options {
        target: target(&server),
        connections: 30,
        each: 2,
        channels: 6,
        stay: 0.2,
        rate: 100.0,
        size: 128,
        duration: 1.0,
    };
    let report = churn::run(&options).await.expect("it runs");
    assert!(report.is_clean(), "{report}");
    assert!(over_all_nodes(&report, "back") > 20, "they came and went\n{report}");
    assert_eq!(report.to_json()["sessions"], serde_json::json!([0, 0]));
}

#[tokio::test]
async fn h6_a_feed_shows_what_was_acknowledged() {
    let server = server().await;
    let options = feed::Options {
        target: target(&server),
        connections: 10,
        each: 2,
        people: 3,
        posts: 3,
        rate: 100.0,
        duration: 1.0,
    };
    let report = feed::run(&options).await.expect("it runs");
    assert!(figure(&report, "pushed") > 0.0, "{report}");
    let acts = report.to_json()["acknowledged"].clone();
    let sum: u64 = acts.as_object().expect("a map").values().filter_map(serde_json::Value::as_u64).sum();
    assert_eq!(sum, 100, "{acts}");
}

#[tokio::test]
async fn every_written_comment_is_there_once() {
    let server = server().await;
    let url = format!("http://{}", server.http_address());
    let options = writes::Options { url, connections: 5, posts: 2, duration: 1, pid: Some(server.pid()) };
    let report = writes::run(&options).await.expect("it runs");
    assert!(report.is_clean(), "{report}");
}
