//! H6, H12 and H15: what subscribers receive - in order, whole, the same for all, nothing about the reader.

use serde_json::{Value, json};

use crate::harness::{
    Client, Encoding, Incoming, Server, assert_whole, in_both_encodings, op, post, text, with,
};

in_both_encodings!(
    a_post_reaches_a_subscriber_with_the_op_of_its_author,
    subscribing_and_unsubscribing_again_are_harmless,
    history_pages_in_both_directions,
);

async fn a_post_reaches_a_subscriber_with_the_op_of_its_author(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let community = alice.makes_community("Square").await;
    let feed = format!("feed:{community}");
    let subscribed = bob.subscribe(&feed).await;
    assert_eq!(subscribed["recovered"], "new");
    assert_eq!(subscribed["publications"], json!([]));
    assert_eq!(subscribed["more"], false);
    let wish = with(post(&community, "hello"), json!({"title": "A title"}));
    let made = alice.ok("post.create", wish.clone()).await;
    let seen = bob.event(&feed, "post.created").await;
    assert_eq!(seen["data"]["op"], wish["op"]);
    assert_eq!(seen["offset"].as_u64(), subscribed["offset"].as_u64().map(|offset| offset + 1));
    assert_eq!(made["position"]["channel"], feed);
    assert_eq!(made["position"]["offset"], seen["offset"]);
    assert_eq!(made["position"]["epoch"], subscribed["epoch"]);
    assert!(seen["at"].as_i64().expect("a time") > 1_600_000_000_000, "milliseconds since 1970: {seen}");
    let post = &seen["data"]["post"];
    assert_eq!(post["id"], made["post"]["id"]);
    assert_eq!(post["title"], "A title");
    assert_eq!(post["author"]["id"], alice.user_id());
    assert!(post["my"].is_null() && made["post"]["my"]["author"] == true);
}

#[tokio::test]
async fn h6_publications_arrive_in_order_without_a_hole_on_every_socket() {
    const WRITERS: usize = 6;
    const EACH: usize = 25;
    let server = Server::start().await;
    let mut owner = server.client("owner", Encoding::Json).await;
    let community = owner.makes_community("Busy").await;
    let post_id = owner.posts(&community, "talk").await;
    let channel = format!("post:{post_id}");
    let mut readers = Vec::new();
    for number in 0..4 {
        let mut reader = server.client(&format!("reader{number}"), Encoding::BOTH[number % 2]).await;
        assert_eq!(reader.subscribe(&channel).await["recovered"], "new");
        readers.push(reader);
    }
    let first = owner.subscribe(&channel).await["offset"].as_u64().expect("an offset") + 1;
    let mut writing = Vec::new();
    for number in 0..WRITERS {
        let mut writer = server.client(&format!("writer{number}"), Encoding::BOTH[number % 2]).await;
        let post_id = post_id.clone();
        writing.push(tokio::spawn(async move {
            let mut offsets = Vec::new();
            for count in 0..EACH {
                let body = json!({"op": op(), "post_id": post_id, "content": format!("{number}.{count}")});
                let made = writer.ok("comment.add", body).await;
                offsets.push((made["position"]["offset"].as_u64(), text(&made["comment"]["id"])));
            }
            offsets
        }));
    }
    let total = (WRITERS * EACH) as u64;
    let mut seen: Vec<Vec<Value>> = Vec::new();
    for reader in &mut readers {
        let mut entries = Vec::new();
        for _ in 0..total {
            entries.push(reader.event(&channel, "comment.added").await);
        }
        assert_whole(&entries, first, first + total - 1);
        seen.push(entries);
    }
    assert!(seen.iter().all(|entries| *entries == seen[0]), "every socket received the same");
    // What the writers were told is what the channel says.
    for writer in writing {
        for (offset, id) in writer.await.expect("the writer finished") {
            let offset = offset.expect("an offset");
            let entry = &seen[0][usize::try_from(offset - first).expect("in range")];
            assert_eq!(entry["data"]["comment"]["id"], id);
        }
    }
    let history = readers[0].all_history(&channel, first - 1).await;
    assert_whole(&history, first, first + total - 1);
    for (item, push) in history.iter().zip(&seen[0]) {
        assert_eq!(item["data"], push["data"]);
        assert_eq!(item["at"], push["at"]);
    }
}

#[tokio::test]
async fn h15_both_encodings_see_the_same() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let community = alice.makes_community("Bilingual").await;
    let feed = format!("feed:{community}");
    let post_id = alice.posts(&community, "before").await;
    let channel = format!("post:{post_id}");
    let mut json = server.client("jason", Encoding::Json).await;
    let mut pack = server.client("pack", Encoding::MessagePack).await;
    for reader in [&mut json, &mut pack] {
        reader.subscribe(&feed).await;
        reader.subscribe(&channel).await;
    }
    let wild = "Ünïcödé \u{1F469}\u{200D}\u{1F680} \"quotes\" \\ </script> \u{0645}\u{0631}\u{062D}\u{0628}\u{0627}\n\ttab";
    alice.posts_with(&community, json!({"title": wild, "content": wild, "kind": "help"})).await;
    alice.ok("post.edit", json!({"post_id": post_id, "version": 1, "content": "after"})).await;
    let comment = alice.comments(&post_id, wild).await;
    alice.replies(&post_id, &comment, "and more").await;
    alice.ok("comment.edit", json!({"comment_id": comment, "content": "less wild"})).await;
    alice.reacts(&post_id, "wow").await;
    alice.ok("comment.delete", json!({"comment_id": comment})).await;
    alice.posts(&community, "the end").await;

    let mut all = Vec::new();
    for reader in [&mut json, &mut pack] {
        let mut entries = Vec::new();
        for event in ["post.created", "post.edited", "post.created"] {
            entries.push(reader.event(&feed, event).await);
        }
        for event in ["post.edited", "comment.added", "comment.added", "comment.edited", "comment.deleted"] {
            entries.push(reader.event(&channel, event).await);
        }
        let state = reader
            .state(&channel, "post.counts", |data| data["comments"] == 0 && data["reactions"]["wow"] == 1)
            .await;
        entries.push(state);
        all.push(entries);
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0][0]["data"]["post"]["content"], wild);
}

#[tokio::test]
async fn h12_no_push_holds_what_depends_on_the_reader_or_is_secret() {
    let server = Server::start().await;
    let http = server.http();
    let account = http.register("amelie").await;
    let mut amelie = Client::open(server.http_address(), Encoding::Json, "amelie").await;
    amelie.connect(&text(&account["access_token"])).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let community = amelie.makes_community("Glass").await;
    bob.joins(&community).await;
    let feed = format!("feed:{community}");
    for client in [&mut amelie, &mut bob] {
        client.subscribe(&feed).await;
    }
    assert!(bob.follows(&amelie.user_id(), true).await);
    bob.subscribe(&format!("author:{}", amelie.user_id())).await;
    let post_id = amelie.posts(&community, "look through me").await;
    for client in [&mut amelie, &mut bob] {
        client.subscribe(&format!("post:{post_id}")).await;
    }
    amelie.posts_with(&community, json!({"visibility": "private"})).await;
    amelie.posts_with(&community, json!({"visibility": "followers"})).await;
    bob.reacts(&post_id, "love").await;
    let comment = bob.comments(&post_id, "nice").await;
    amelie.replies(&post_id, &comment, "thanks").await;
    amelie.ok("comment.delete", json!({"comment_id": comment})).await;
    amelie.ok("post.edit", json!({"post_id": post_id, "version": 1, "content": "edited"})).await;
    amelie.ok("post.delete", json!({"post_id": post_id})).await;
    amelie.posts(&community, "the fence").await;

    let mut pushes = 0;
    for client in [&mut amelie, &mut bob] {
        client
            .push_where("publication", |body| {
                body["channel"] == feed && body["data"]["post"]["content"] == "the fence"
            })
            .await;
        for incoming in client.leftovers() {
            if let Incoming::Envelope(0, kind, body) = incoming {
                pushes += 1;
                assert_nothing_private(&kind, &body, "");
                let shown = body.to_string();
                assert!(!shown.contains("amelie@example.org"), "{shown}");
                for secret in ["access_token", "refresh_token"] {
                    assert!(!shown.contains(account[secret].as_str().expect("text")), "{shown}");
                }
            }
        }
    }
    assert!(pushes > 10, "the story went by: {pushes} pushes");
}

fn assert_nothing_private(kind: &str, value: &Value, path: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let secret = ["email", "password", "token", "refresh_token", "stream_key", "secret"];
                assert!(!secret.contains(&key.as_str()), "{kind}: {path}.{key} in a push");
                assert!(key != "my" || value.is_null(), "{kind}: {path}.my depends on the reader");
                assert_nothing_private(kind, value, &format!("{path}.{key}"));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_nothing_private(kind, item, path)),
        _ => {}
    }
}

async fn subscribing_and_unsubscribing_again_are_harmless(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Door").await;
    let feed = format!("feed:{community}");
    let first = alice.subscribe(&feed).await;
    assert_eq!(alice.subscribe(&feed).await, first, "subscribing again answers afresh");
    alice.posts(&community, "one").await;
    let (one, two) = (alice.event(&feed, "post.created").await, alice.subscribe(&feed).await);
    assert_eq!(one["offset"], two["offset"]);
    alice.ok("unsubscribe", json!({"channel": feed})).await;
    alice.posts(&community, "unheard").await;
    alice.ok("unsubscribe", json!({"channel": feed})).await;
    alice.subscribe(&feed).await;
    alice.posts(&community, "heard once").await;
    let heard = alice.event(&feed, "post.created").await;
    assert_eq!(heard["data"]["post"]["content"], "heard once");
    let again = alice.leftovers().into_iter().any(|incoming| {
        matches!(incoming, Incoming::Envelope(0, kind, body) if kind == "publication" && body["channel"] == feed)
    });
    assert!(!again, "one subscription, one copy");
    for wrong in
        ["", "feed:", "nonsense", "nonsense:1", "feed:nobody", "post:00000000-0000-7000-8000-000000000000"]
    {
        let reply = alice.command("subscribe", json!({"channel": wrong})).await;
        assert!(["not_found", "invalid"].contains(&reply.code()), "{wrong:?}: {}", reply.body);
    }
    alice.invalid("subscribe", json!({}), "channel").await;
}

async fn history_pages_in_both_directions(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Annals").await;
    let feed = format!("feed:{community}");
    for number in 1..=7 {
        alice.posts(&community, &number.to_string()).await;
    }
    let head = alice.subscribe(&feed).await;
    let head_offset = head["offset"].as_u64().expect("an offset");
    let base = head_offset - 7;
    let page = alice.ok("history", json!({"channel": feed, "after": base + 2, "limit": 3})).await;
    assert_whole(&crate::harness::list(&page["publications"]), base + 3, base + 5);
    assert_eq!(
        (&page["more"], &page["offset"], &page["epoch"]),
        (&json!(true), &head["offset"], &head["epoch"])
    );
    let page = alice.ok("history", json!({"channel": feed, "after": base + 5, "limit": 3})).await;
    assert_whole(&crate::harness::list(&page["publications"]), base + 6, base + 7);
    assert_eq!(page["more"], false);
    let mut page = alice.ok("history", json!({"channel": feed, "before": base + 4, "limit": 2})).await;
    let items = page["publications"].as_array_mut().expect("a list");
    items.reverse();
    assert_whole(items, base + 2, base + 3);
    assert_eq!(page["more"], true);
    // Both bounds are exclusive; a limit over the maximum is clamped.
    let page =
        alice.ok("history", json!({"channel": feed, "after": base, "before": base + 3, "limit": 5000})).await;
    assert_eq!(crate::harness::list(&page["publications"]).len(), 2);
    let page = alice.ok("history", json!({"channel": feed, "after": head_offset})).await;
    assert_eq!(page["publications"], json!([]));
    alice.invalid("history", json!({"channel": feed, "after": -1}), "after").await;
}
