//! F6, the rows on comments and replies, and who hears of what.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Client, Encoding, Incoming, Server, in_both_encodings, list, offsets, op, text};

in_both_encodings!(
    f6_8_a_comment_needs_text_within_its_limit,
    f6_9_replies_nest_three_deep,
    f6_10_a_reply_needs_a_parent_of_the_same_post,
    f6_11_only_the_author_edits_and_only_they_or_a_moderator_delete,
    f6_12_deleting_a_comment_removes_all_that_hangs_on_it,
    f6_13_each_hears_of_what_concerns_them_and_nobody_of_themselves,
    f6_14_an_anonymous_comment_names_nobody,
);

/// A post by `author` in a community of theirs, with everybody subscribed to it.
async fn post_with(author: &mut Client, others: &mut [&mut Client]) -> (String, String) {
    let community = author.makes_community("Talk").await;
    let post_id = author.posts(&community, "talk to me").await;
    let channel = format!("post:{post_id}");
    author.subscribe(&channel).await;
    for other in others {
        other.subscribe(&channel).await;
    }
    (post_id, channel)
}

async fn f6_8_a_comment_needs_text_within_its_limit(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let (post_id, _) = post_with(&mut alice, &mut []).await;
    let add = |content: Value| json!({"op": op(), "post_id": post_id, "content": content});
    for wrong in
        [json!(""), json!(" \n\t "), json!("a".repeat(2001)), json!("é".repeat(2001)), json!(5), Value::Null]
    {
        alice.invalid("comment.add", add(wrong), "content").await;
    }
    alice.invalid("comment.add", json!({"op": op(), "post_id": post_id}), "content").await;
    alice.invalid("comment.add", add(json!("a\u{0}b")), "content").await;
    let made = alice.ok("comment.add", add(json!("é".repeat(2000)))).await;
    let comment = text(&made["comment"]["id"]);
    for wrong in [json!(""), json!("  "), json!("a".repeat(2001)), json!([])] {
        alice.invalid("comment.edit", json!({"comment_id": comment, "content": wrong}), "content").await;
    }
    assert_eq!(alice.counts(&post_id).await["comments"], 1);
}

async fn f6_9_replies_nest_three_deep(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (post_id, channel) = post_with(&mut alice, &mut [&mut bob]).await;
    let mut parent = alice.comments(&post_id, "depth 0").await;
    assert_eq!(bob.event(&channel, "comment.added").await["data"]["comment"]["depth"], 0);
    for depth in 1..=3 {
        let reply = alice.replies(&post_id, &parent, &format!("depth {depth}")).await;
        let seen = bob.event(&channel, "comment.added").await["data"]["comment"].clone();
        assert_eq!((&seen["depth"], &seen["parent_id"]), (&json!(depth), &json!(parent)));
        let listed = bob.ok("comment.list", json!({"post_id": post_id, "parent_id": parent})).await;
        assert_eq!(listed["comments"][0]["id"], reply);
        parent = reply;
    }
    let body = json!({"op": op(), "post_id": post_id, "parent_id": parent, "content": "depth 4"});
    alice.refused("comment.add", body, "limit_exceeded").await;
    assert_eq!(alice.counts(&post_id).await["comments"], 4, "comments of all levels");
    let roots = alice.all_comments(&post_id).await;
    assert_eq!(roots.len(), 1);
    assert_eq!(roots[0]["counts"]["replies"], 1);
}

async fn f6_10_a_reply_needs_a_parent_of_the_same_post(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let (one, _) = post_with(&mut alice, &mut []).await;
    let (two, _) = post_with(&mut alice, &mut []).await;
    let elsewhere = alice.comments(&two, "elsewhere").await;
    let deleted = alice.comments(&one, "deleted").await;
    alice.ok("comment.delete", json!({"comment_id": deleted})).await;
    for parent in [elsewhere.as_str(), deleted.as_str(), "00000000-0000-7000-8000-000000000001", "nonsense"] {
        let body = json!({"op": op(), "post_id": one, "parent_id": parent, "content": "x"});
        let reply = alice.command("comment.add", body).await;
        assert!(["not_found", "invalid"].contains(&reply.code()), "{parent}: {}", reply.body);
    }
    assert_eq!(alice.counts(&one).await["comments"], 0);
}

async fn f6_11_only_the_author_edits_and_only_they_or_a_moderator_delete(encoding: Encoding) {
    let server = Server::start().await;
    let mut owner = server.client("owner", encoding).await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (post_id, channel) = post_with(&mut owner, &mut [&mut bob]).await;
    let comment = alice.comments(&post_id, "frist").await;
    bob.event(&channel, "comment.added").await;
    bob.refused("comment.edit", json!({"comment_id": comment, "content": "mine"}), "forbidden").await;
    bob.refused("comment.delete", json!({"comment_id": comment}), "forbidden").await;
    owner.refused("comment.edit", json!({"comment_id": comment, "content": "mine"}), "forbidden").await;
    let edited =
        alice.ok("comment.edit", json!({"comment_id": comment, "content": "first"})).await["comment"].clone();
    assert_eq!(edited["content"], "first");
    assert!(edited["edited_at"].is_number());
    let seen = bob.event(&channel, "comment.edited").await;
    assert_eq!(seen["data"]["comment"]["content"], "first");
    assert_eq!(owner.ok("comment.delete", json!({"comment_id": comment})).await["removed"], 1);
    bob.event(&channel, "comment.deleted").await;
    let own = alice.comments(&post_id, "again").await;
    assert_eq!(alice.ok("comment.delete", json!({"comment_id": own})).await["removed"], 1);
    alice.refused("comment.delete", json!({"comment_id": own}), "not_found").await;
    alice.refused("comment.edit", json!({"comment_id": own, "content": "x"}), "not_found").await;
}

async fn f6_12_deleting_a_comment_removes_all_that_hangs_on_it(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (post_id, channel) = post_with(&mut alice, &mut [&mut bob]).await;
    let root = alice.comments(&post_id, "root").await;
    let mut gone = vec![root.clone()];
    for number in 0..3 {
        let reply = bob.replies(&post_id, &root, &format!("reply {number}")).await;
        let deeper = alice.replies(&post_id, &reply, "deeper").await;
        let deepest = alice.replies(&post_id, &deeper, "deepest").await;
        gone.extend([reply, deeper, deepest]);
    }
    let kept = bob.comments(&post_id, "kept").await;
    let before = bob.subscribe(&channel).await["offset"].as_u64().expect("an offset");
    assert_eq!(alice.counts(&post_id).await["comments"], 11);
    assert_eq!(alice.ok("comment.delete", json!({"comment_id": root})).await["removed"], 10);
    assert_eq!(alice.counts(&post_id).await["comments"], 1);
    for comment in &gone {
        alice.refused("comment.edit", json!({"comment_id": comment, "content": "x"}), "not_found").await;
        bob.refused("reaction.set", json!({"comment_id": comment, "kind": "like"}), "not_found").await;
    }
    bob.refused("comment.list", json!({"post_id": post_id, "parent_id": root}), "not_found").await;
    let left = bob.all_comments(&post_id).await;
    assert_eq!((left.len(), &left[0]["id"]), (1, &json!(kept)));
    // One publication, and nothing of the removed is left in the log.
    let deleted = bob.push_where("publication", |body| body["event"] == "comment.deleted").await;
    assert_eq!(deleted["data"], json!({"comment_id": root, "removed": 10}));
    assert_eq!(deleted["offset"], before + 1);
    let last = bob.comments(&post_id, "the fence").await;
    let fence = bob.push_where("publication", |body| body["data"]["comment"]["id"] == last).await;
    assert_eq!(fence["offset"], before + 2);
    let log = bob.all_history(&channel, 0).await;
    assert_eq!(log.iter().filter(|entry| entry["skip"] == true).count(), 10, "{log:?}");
    bob.state(&channel, "post.counts", |data| data["comments"] == 2).await;
}

async fn f6_13_each_hears_of_what_concerns_them_and_nobody_of_themselves(encoding: Encoding) {
    let server = Server::start().await;
    let mut author = server.client("author", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let mut carol = server.client("carol", encoding).await;
    let (post_id, _) = post_with(&mut author, &mut [&mut bob]).await;

    author.comments(&post_id, "my own").await;
    let comment = bob.comments(&post_id, "bob's").await;
    let told = author.notification().await;
    assert_eq!((&told["notification"]["kind"], &told["unread"]), (&json!("comment"), &json!(1)));
    assert_eq!(told["notification"]["actors"][0]["id"], bob.user_id());
    assert_eq!(told["notification"]["comment_id"], comment);
    assert!(!text(&told["notification"]["text"]).is_empty());
    let reply = carol.replies(&post_id, &comment, "carol's").await;
    let told = bob.notification().await;
    assert_eq!((&told["notification"]["kind"], &told["unread"]), (&json!("reply"), &json!(1)));
    assert_eq!(told["notification"]["actors"][0]["id"], carol.user_id());
    // Replying to oneself tells the author of the post, not oneself.
    carol.replies(&post_id, &reply, "and another thing").await;
    assert_eq!(kinds(&mut carol).await, [] as [String; 0]);
    assert_eq!(unread(&mut author).await, 3);

    // Preferences are honoured from the next one on.
    let preferences = author.ok("notification.preferences", json!({"comment": false})).await;
    assert_eq!(
        (&preferences["changed"], &preferences["preferences"]["comment"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(author.ok("notification.preferences", json!({"comment": false})).await["changed"], false);
    author.invalid("notification.preferences", json!({"comment": "no"}), "comment").await;
    carol.comments(&post_id, "unheard").await;
    carol.reacts(&post_id, "like").await;
    author.push_where("publication", |body| body["data"]["notification"]["kind"] == "post_reaction").await;
    assert_eq!(unread(&mut author).await, 4);

    // Reading: by id, then all.
    let all = list(&author.ok("notification.list", json!({})).await["notifications"]);
    let read = author.ok("notification.read", json!({"ids": [all[0]["id"]]})).await;
    assert_eq!((&read["changed"], &read["unread"]), (&json!(true), &json!(3)));
    assert_eq!(author.ok("notification.read", json!({"ids": [all[0]["id"]]})).await["changed"], false);
    let left = author.ok("notification.list", json!({"unread": true})).await;
    assert_eq!(list(&left["notifications"]).len(), 3);
    assert_eq!(author.ok("notification.read", json!({"all": true})).await["unread"], 0);
    let all = author.ok("notification.list", json!({})).await;
    assert!(
        list(&all["notifications"]).iter().all(|notification| notification["read_at"].is_number()),
        "{all}"
    );
    // Another's notifications are not mine to read.
    let foreign = bob.ok("notification.list", json!({})).await["notifications"][0]["id"].clone();
    let reply = carol.command("notification.read", json!({"ids": [foreign]})).await;
    assert!(reply.code() == "not_found" || reply.body["changed"] == false, "{}", reply.body);
    assert_eq!(unread(&mut bob).await, 1);
    carol.refused("notification.read", json!({}), "invalid").await;
}

async fn kinds(client: &mut Client) -> Vec<String> {
    let all = client.ok("notification.list", json!({})).await;
    list(&all["notifications"]).iter().map(|notification| text(&notification["kind"])).collect()
}

async fn unread(client: &mut Client) -> u64 {
    client.ok("notification.list", json!({})).await["unread"].as_u64().expect("a count")
}

async fn f6_14_an_anonymous_comment_names_nobody(encoding: Encoding) {
    let server = Server::start().await;
    let mut author = server.client("author", encoding).await;
    let mut masked = server.client("the-masked-one", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (post_id, channel) = post_with(&mut author, &mut [&mut bob]).await;
    let body = json!({"op": op(), "post_id": post_id, "content": "guess", "anonymous": true});
    let made = masked.ok("comment.add", body.clone()).await;
    let comment = text(&made["comment"]["id"]);
    assert_eq!(made["comment"]["my"]["author"], true);
    let mut seen = vec![bob.event(&channel, "comment.added").await, author.notification().await];
    assert!(seen[0]["data"]["comment"]["author"].is_null() && seen[0]["data"]["op"].is_null());
    assert_eq!(seen[1]["notification"]["actors"], json!([]));
    masked.ok("comment.edit", json!({"comment_id": comment, "content": "guess again"})).await;
    seen.push(bob.event(&channel, "comment.edited").await);
    let listed = bob.all_comments(&post_id).await;
    assert_eq!((&listed[0]["anonymous"], &listed[0]["my"]["author"]), (&json!(true), &json!(false)));
    seen.extend(listed);
    seen.extend(bob.all_history(&channel, 0).await);
    seen.push(author.ok("notification.list", json!({})).await);
    // A reply to it reaches its author without telling anybody who that is.
    let answered = bob
        .ok("comment.add", json!({"op": op(), "post_id": post_id, "parent_id": comment, "content": "you?"}));
    seen.push(answered.await);
    assert_eq!(masked.notification().await["notification"]["kind"], "reply");
    author.still_there().await;
    for incoming in bob.leftovers().into_iter().chain(author.leftovers()) {
        if let Incoming::Envelope(0, _, body) = incoming {
            seen.push(body);
        }
    }
    for payload in &seen {
        let shown = payload.to_string();
        assert!(!shown.contains(&masked.user_id()) && !shown.contains("the-masked-one"), "{shown}");
        assert!(!shown.contains(body["op"].as_str().expect("text")), "{shown}");
    }
    assert_eq!(masked.ok("comment.delete", json!({"comment_id": comment})).await["removed"], 2);
}

#[tokio::test]
async fn f6_15_two_hundred_comments_at_once_have_one_order_for_all() {
    const WRITERS: usize = 20;
    const EACH: usize = 10;
    let server = Server::start().await;
    let mut author = server.client("author", Encoding::Json).await;
    let mut bob = server.client("bob", Encoding::MessagePack).await;
    let (post_id, channel) = post_with(&mut author, &mut [&mut bob]).await;
    let mut writing = Vec::new();
    for number in 0..WRITERS {
        let mut writer = server.client(&format!("writer{number}"), Encoding::BOTH[number % 2]).await;
        let post_id = post_id.clone();
        writing.push(tokio::spawn(async move {
            let mut made = Vec::new();
            for count in 0..EACH {
                made.push(writer.comments(&post_id, &format!("{number}.{count}")).await);
            }
            made
        }));
    }
    let mut pushed = Vec::new();
    for client in [&mut author, &mut bob] {
        let mut seen = Vec::new();
        for _ in 0..WRITERS * EACH {
            seen.push(client.event(&channel, "comment.added").await);
        }
        let offsets = offsets(&seen);
        assert!(offsets.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{offsets:?}");
        pushed.push(seen.iter().map(|push| text(&push["data"]["comment"]["id"])).collect::<Vec<_>>());
    }
    assert_eq!(pushed[0], pushed[1]);
    let mut made = BTreeSet::new();
    for writer in writing {
        made.extend(writer.await.expect("the writer finished"));
    }
    assert_eq!(made.len(), WRITERS * EACH);
    assert_eq!(pushed[0].iter().cloned().collect::<BTreeSet<_>>(), made);
    let listed: Vec<String> =
        bob.all_comments(&post_id).await.iter().map(|comment| text(&comment["id"])).collect();
    assert_eq!(listed, pushed[0], "the list has the order of the channel");
    bob.state(&channel, "post.counts", |data| data["comments"] == WRITERS * EACH).await;
}
