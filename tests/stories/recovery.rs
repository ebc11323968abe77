//! H7: coming back with a position - after a cut, after `kill -9`, after too long, after another epoch.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{
    Claims, Client, Encoding, Server, assert_whole, in_both_encodings, list, offsets, op, post, text, with,
};

in_both_encodings!(
    h7_a_reconnect_with_a_position_brings_exactly_what_was_missed,
    h7_connect_resumes_many_channels_at_once,
    h7_a_position_of_another_epoch_or_beyond_the_head_is_reset,
    h7_a_missed_page_that_is_too_long_goes_on_by_history_before_live_pushes,
    h7_sync_answers_in_the_order_asked,
);

async fn h7_a_reconnect_with_a_position_brings_exactly_what_was_missed(encoding: Encoding) {
    let mut server = Server::start().await;
    let mut bob = server.client("bob", encoding).await;
    let community = bob.makes_community("Absence").await;
    let feed = format!("feed:{community}");
    let mut alice = server.client("alice", encoding).await;
    let start = alice.subscribe(&feed).await;
    bob.posts(&community, "seen").await;
    let seen = alice.event(&feed, "post.created").await;
    let last = seen["offset"].as_u64().expect("an offset");
    alice.cut();
    for number in 1..=5 {
        bob.posts(&community, &format!("missed {number}")).await;
    }
    let position = json!({"channel": feed, "epoch": start["epoch"], "offset": last});
    for killed in [false, true] {
        if killed {
            server.kill_and_restart().await;
        }
        let mut alice = server.client("alice", encoding).await;
        let back = alice.ok("subscribe", position.clone()).await;
        assert_eq!(back["recovered"], "ok", "killed: {killed}: {back}");
        assert_eq!(back["more"], false);
        let missed = list(&back["publications"]);
        assert_whole(&missed, last + 1, last + 5);
        assert_eq!(missed[4]["data"]["post"]["content"], "missed 5");
        let current = json!({"channel": feed, "epoch": start["epoch"], "offset": last + 5});
        assert_eq!(alice.ok("subscribe", current).await["publications"], json!([]), "nothing comes twice");
    }
    let mut bob = server.client("bob", encoding).await;
    let mut alice = server.client("alice", encoding).await;
    alice.ok("subscribe", position).await;
    bob.posts(&community, "live again").await;
    assert_eq!(alice.event(&feed, "post.created").await["offset"], last + 6);
}

async fn h7_connect_resumes_many_channels_at_once(encoding: Encoding) {
    let server = Server::start().await;
    let mut bob = server.client("bob", encoding).await;
    let community = bob.makes_community("Resume").await;
    let post_id = bob.posts(&community, "talk").await;
    let (feed, channel) = (format!("feed:{community}"), format!("post:{post_id}"));
    let (one, two) = (bob.subscribe(&feed).await, bob.subscribe(&channel).await);
    bob.posts(&community, "more").await;
    bob.comments(&post_id, "said").await;
    let mut alice = Client::open(server.http_address(), encoding, "alice").await;
    let connected = alice
        .connect_with(json!({
            "token": Claims::of("alice").sign(),
            "client": {"name": "stories", "version": "1"},
            "resume": {
                feed.clone(): {"epoch": one["epoch"], "offset": one["offset"]},
                channel.clone(): {"epoch": two["epoch"], "offset": two["offset"]},
                "post:nowhere": {"epoch": "x", "offset": 3},
            },
            "flags": [],
        }))
        .await;
    let back = &connected["subscriptions"];
    assert_eq!(back[&feed]["recovered"], "ok", "{connected}");
    assert_eq!(back[&feed]["publications"][0]["event"], "post.created");
    assert_eq!(back[&channel]["publications"][0]["event"], "comment.added");
    assert_eq!(back["post:nowhere"]["error"]["code"], "not_found", "{connected}");
    bob.comments(&post_id, "said again").await;
    alice.event(&channel, "comment.added").await;
}

async fn h7_a_position_of_another_epoch_or_beyond_the_head_is_reset(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Elsewhere").await;
    let feed = format!("feed:{community}");
    alice.posts(&community, "here").await;
    let here = alice.subscribe(&feed).await;
    let head = here["offset"].as_u64().expect("an offset");
    for (epoch, offset) in [(json!("another"), head), (here["epoch"].clone(), head + 1)] {
        let back = alice.ok("subscribe", json!({"channel": feed, "epoch": epoch, "offset": offset})).await;
        assert_eq!(back["recovered"], "reset", "{back}");
        assert_eq!(back["publications"], json!([]));
        assert_eq!((&back["epoch"], &back["offset"]), (&here["epoch"], &here["offset"]));
    }
    alice.posts(&community, "and on").await;
    assert_eq!(alice.event(&feed, "post.created").await["offset"], head + 1);
}

#[tokio::test]
async fn h7_what_is_no_longer_kept_is_named_as_a_gap() {
    // Trimming is the store's to time; the contract is that what is missing is named and the rest follows whole.
    let mut server = Server::with(&["log.keep_count=10"]).await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let community = alice.makes_community("Short memory").await;
    let feed = format!("feed:{community}");
    let start = alice.subscribe(&feed).await;
    let base = start["offset"].as_u64().expect("an offset");
    for number in 0..40 {
        alice.posts(&community, &number.to_string()).await;
    }
    // A restart trims at once, so that nothing is waited for.
    server.kill_and_restart().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let back = crate::harness::within("the log to be trimmed", async {
        loop {
            let ask = json!({"channel": feed, "epoch": start["epoch"], "offset": base});
            let back = alice.ok("subscribe", ask).await;
            if back["recovered"] != "ok" {
                return back;
            }
        }
    })
    .await;
    assert_eq!(back["recovered"], "gap", "{back}");
    let kept = list(&back["publications"]);
    let first_kept = kept[0]["offset"].as_u64().expect("an offset");
    assert_eq!(back["gap"], json!({"from": base + 1, "to": first_kept - 1}));
    assert_whole(&kept, first_kept, base + 40);
    assert!(kept.len() >= 10 && kept.len() < 40, "{} are kept of the 10 wished at least", kept.len());
    let page = alice.ok("history", json!({"channel": feed, "after": base})).await;
    assert_eq!(page["gap"], back["gap"]);
}

async fn h7_a_missed_page_that_is_too_long_goes_on_by_history_before_live_pushes(encoding: Encoding) {
    let server = Server::start().await;
    let mut bob = server.client("bob", encoding).await;
    let community = bob.makes_community("Long absence").await;
    let post_id = bob.posts(&community, "talk").await;
    let channel = format!("post:{post_id}");
    let start = bob.subscribe(&channel).await;
    bob.ok("unsubscribe", json!({"channel": channel})).await;
    let base = start["offset"].as_u64().expect("an offset");
    for number in 0..300 {
        bob.comments(&post_id, &number.to_string()).await;
    }
    let mut alice = server.client("alice", encoding).await;
    let back =
        alice.ok("subscribe", json!({"channel": channel, "epoch": start["epoch"], "offset": base})).await;
    assert_eq!(back["recovered"], "ok");
    assert_eq!(back["more"], true, "300 are more than one page");
    let mut all = list(&back["publications"]);
    assert!(all.len() <= 256, "{} in a page", all.len());
    // Said while the client pages: held back until it has the last page.
    bob.comments(&post_id, "meanwhile").await;
    loop {
        let after = offsets(&all).last().copied().expect("not empty");
        let page = alice.ok("history", json!({"channel": channel, "after": after})).await;
        all.extend(list(&page["publications"]));
        if page["more"] == false {
            break;
        }
    }
    bob.comments(&post_id, "afterwards").await;
    while all.len() < 302 {
        all.push(alice.event(&channel, "comment.added").await);
    }
    assert_whole(&all, base + 1, base + 302);
}

async fn h7_sync_answers_in_the_order_asked(encoding: Encoding) {
    let server = Server::start().await;
    let mut bob = server.client("bob", encoding).await;
    let mut channels = Vec::new();
    let mut communities = Vec::new();
    for name in ["one", "two", "three"] {
        let community = bob.makes_community(name).await;
        let start = bob.subscribe(&format!("feed:{community}")).await;
        channels
            .push(json!({"channel": start["channel"], "epoch": start["epoch"], "offset": start["offset"]}));
        communities.push(community);
    }
    for community in &communities {
        bob.posts(community, "missed").await;
    }
    channels.insert(1, json!({"channel": "post:nowhere", "epoch": "x", "offset": 0}));
    let mut alice = server.client("alice", encoding).await;
    let synced = alice.ok("sync", json!({"channels": channels})).await;
    let answers = list(&synced["subscriptions"]);
    assert_eq!(answers.len(), 4);
    for (asked, answer) in channels.iter().zip(&answers) {
        assert_eq!(asked["channel"], answer["channel"]);
    }
    assert_eq!(answers[1]["error"]["code"], "not_found");
    for at in [0, 2, 3] {
        assert_eq!(answers[at]["recovered"], "ok");
        assert_eq!(list(&answers[at]["publications"]).len(), 1);
    }
    bob.posts(&communities[2], "live").await;
    alice.event(&format!("feed:{}", communities[2]), "post.created").await;

    // Within a byte budget the first channels come whole, and what did not fit says `more`.
    let mut carol = server.client("carol", encoding).await;
    let synced = carol.ok("sync", json!({"channels": channels, "bytes": 1})).await;
    let answers = list(&synced["subscriptions"]);
    assert_eq!(answers.len(), 4, "a budget leaves no channel unanswered");
    assert_eq!(answers[3]["more"], true, "{}", answers[3]);
    carol.invalid("sync", json!({}), "channels").await;
}

/// Eight people write while the server is killed: what was acknowledged is there once, what was not is sent again by its
/// op and is there once.
#[tokio::test]
async fn h7_kill_9_while_eight_clients_write_loses_and_doubles_nothing() {
    const WRITERS: usize = 8;
    let mut server = Server::start().await;
    let mut owner = server.client("owner", Encoding::Json).await;
    let community = owner.makes_community("Storm").await;
    let post_id = owner.posts(&community, "talk").await;
    let (feed, channel) = (format!("feed:{community}"), format!("post:{post_id}"));
    let (feed_start, post_start) = (owner.subscribe(&feed).await, owner.subscribe(&channel).await);

    // Two rounds, so that the second kill meets a log that has recovered once.
    let mut sent: BTreeMap<String, (usize, &'static str, Value)> = BTreeMap::new();
    let mut acknowledged: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..2 {
        let (progress, mut written) = tokio::sync::mpsc::unbounded_channel();
        let mut writers = Vec::new();
        for number in 0..WRITERS {
            let mut writer = server.client(&format!("writer{number}"), Encoding::BOTH[number % 2]).await;
            if round == 0 {
                writer.joins(&community).await;
            }
            let (community, post_id, progress) = (community.clone(), post_id.clone(), progress.clone());
            writers.push(tokio::spawn(async move {
                let mut log = Vec::new();
                for count in 0.. {
                    let content = format!("{round}.{number}.{count}");
                    let (kind, body) = if count % 2 == 0 {
                        ("comment.add", json!({"op": op(), "post_id": post_id, "content": content}))
                    } else {
                        ("post.create", post(&community, &content))
                    };
                    let id = writer.send(kind, &body);
                    let reply = writer.reply_or_end(id).await;
                    let ended = reply.is_none();
                    log.push((kind, body, reply));
                    if ended {
                        break;
                    }
                    let _ = progress.send(());
                }
                log
            }));
        }
        // In full flight: so many answers have come, and everybody is writing on.
        for _ in 0..120 {
            crate::harness::within("the writers to write", written.recv()).await.expect("a writer writes");
        }
        server.kill().await;
        for (number, writer) in writers.into_iter().enumerate() {
            for (kind, body, reply) in writer.await.expect("the writer ended with the connection") {
                let op = text(&body["op"]);
                sent.insert(op.clone(), (number, kind, body));
                if let Some(reply) = reply {
                    assert!(reply.is_ok, "{kind}: {}", reply.body);
                    acknowledged.insert(op, reply.body);
                }
            }
        }
        server.restart().await;
    }
    let unanswered = sent.keys().filter(|op| !acknowledged.contains_key(*op)).count();
    assert!(unanswered > 0, "the kills came in the middle of writing");

    // Everything is sent again, the acknowledged too: those answer as they did.
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(server.client(&format!("writer{number}"), Encoding::BOTH[number % 2]).await);
    }
    for (op, (number, kind, body)) in &sent {
        let answer = writers[*number].ok(kind, body.clone()).await;
        if let Some(first) = acknowledged.get(op) {
            assert_eq!(&answer, first, "the acknowledged answer of {op}");
        }
    }

    // Once each in the things themselves ...
    let mut owner = server.client("owner", Encoding::Json).await;
    let comments = owner.all_comments(&post_id).await;
    let mut posts = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let ask = with(
            json!({"community_id": community, "limit": 100}),
            crate::harness::optional("cursor", &cursor),
        );
        let page = owner.ok("feed.list", ask).await;
        posts.extend(list(&page["posts"]));
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let contents = |things: &[Value]| things.iter().map(|thing| text(&thing["content"])).collect::<Vec<_>>();
    let wanted = |kind: &str| -> BTreeSet<String> {
        sent.values()
            .filter(|(_, known, _)| *known == kind)
            .map(|(_, _, body)| text(&body["content"]))
            .collect()
    };
    let (wanted_posts, wanted_comments) = (wanted("post.create"), wanted("comment.add"));
    let found_posts: Vec<String> = contents(&posts).into_iter().filter(|content| content != "talk").collect();
    assert_eq!(found_posts.len(), wanted_posts.len(), "no post twice, none lost");
    assert_eq!(found_posts.into_iter().collect::<BTreeSet<_>>(), wanted_posts);
    let found_comments = contents(&comments);
    assert_eq!(found_comments.len(), wanted_comments.len(), "no comment twice, none lost");
    assert_eq!(found_comments.into_iter().collect::<BTreeSet<_>>(), wanted_comments);
    assert_eq!(owner.counts(&post_id).await["comments"], wanted_comments.len());

    // ... and in the logs, without a hole.
    for (channel, start, kind) in
        [(&feed, &feed_start, "post.create"), (&channel, &post_start, "comment.add")]
    {
        let base = start["offset"].as_u64().expect("an offset");
        let log = owner.all_history(channel, base).await;
        assert_whole(&log, base + 1, base + log.len() as u64);
        let logged: Vec<String> = log.iter().map(|entry| text(&entry["data"]["op"])).collect();
        let expected: BTreeSet<String> =
            sent.iter().filter(|(_, (_, known, _))| *known == kind).map(|(op, _)| op.clone()).collect();
        assert_eq!(logged.len(), expected.len(), "{channel}");
        assert_eq!(logged.into_iter().collect::<BTreeSet<_>>(), expected, "{channel}");
    }
}
