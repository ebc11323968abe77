//! H10, F2.7 and F2.8: nobody receives what they may not read, in pushes, lists, details and logs alike.

use serde_json::{Value, json};

use crate::harness::{Client, Encoding, Incoming, Server, in_both_encodings, list, op, post, text, with};

in_both_encodings!(
    f2_8_h10_a_private_post_exists_for_its_author_alone,
    f2_8_h10_a_followers_post_exists_for_followers_alone,
    h10_blocked_pairs_get_skips_in_place_of_each_others_posts,
    h10_a_block_takes_the_other_out_of_notifications_and_of_their_log,
    f2_7_an_anonymous_post_names_nobody,
);

/// Every way to reach a post, each refused as if there were no such post.
async fn assert_there_is_no_post(reader: &mut Client, post_id: &str, comment_id: Option<&str>) {
    let mut attempts = vec![
        ("post.get", json!({"post_id": post_id})),
        ("post.view", json!({"post_id": post_id})),
        ("comment.list", json!({"post_id": post_id})),
        ("subscribe", json!({"channel": format!("post:{post_id}")})),
        ("history", json!({"channel": format!("post:{post_id}")})),
        ("presence", json!({"channel": format!("post:{post_id}")})),
        ("reaction.set", json!({"post_id": post_id, "kind": "like"})),
        ("comment.add", json!({"op": op(), "post_id": post_id, "content": "?"})),
        ("share.add", json!({"post_id": post_id, "kind": "share"})),
        ("share.list", json!({"post_id": post_id})),
        ("external_share.add", json!({"post_id": post_id, "platform": "telegram"})),
        ("external_share.list", json!({"post_id": post_id})),
        ("analytics.post", json!({"post_id": post_id})),
        ("post.edit", json!({"post_id": post_id, "version": 1, "content": "?"})),
        ("post.delete", json!({"post_id": post_id})),
    ];
    if let Some(comment_id) = comment_id {
        attempts.push(("reaction.set", json!({"comment_id": comment_id, "kind": "like"})));
        attempts.push(("comment.edit", json!({"comment_id": comment_id, "content": "?"})));
        attempts.push(("comment.delete", json!({"comment_id": comment_id})));
    }
    let is_guest = reader.connected()["user"].is_null();
    for (command, body) in attempts {
        let reply = reader.command(command, body).await;
        // A guest is refused before anything is looked up.
        let refused = reply.code() == "not_found" || (is_guest && reply.code() == "unauthenticated");
        assert!(refused, "{command}: {}", reply.body);
    }
    let states = reader.ok("post.counts", json!({"post_ids": [post_id]})).await;
    assert_eq!(states["states"], json!([]), "counts tell of no post");
}

async fn f2_8_h10_a_private_post_exists_for_its_author_alone(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let mut guest = server.guest(encoding).await;
    let community = alice.makes_community("Diary").await;
    let feed = format!("feed:{community}");
    let author = format!("author:{}", alice.user_id());
    bob.joins(&community).await;
    bob.follows(&alice.user_id(), true).await;
    for reader in [&mut bob, &mut guest] {
        reader.subscribe(&feed).await;
    }
    bob.subscribe(&author).await;

    let made = alice.posts_with(&community, json!({"visibility": "private", "content": "dear diary"})).await;
    let post_id = text(&made["post"]["id"]);
    let mine = format!("user:{}", alice.user_id());
    assert_eq!(made["position"]["channel"], mine);
    let pushed = alice.event(&mine, "post.created").await;
    assert_eq!(pushed["data"]["post"]["id"], post_id);
    let comment = alice.comments(&post_id, "to myself").await;
    alice.reacts(&post_id, "love").await;
    assert_eq!(alice.feed(json!({"community_id": community})).await, [post_id.as_str()]);
    assert_eq!(alice.feed(json!({"user_id": alice.user_id()})).await, [post_id.as_str()]);

    for reader in [&mut bob, &mut guest] {
        assert_there_is_no_post(reader, &post_id, Some(&comment)).await;
        assert!(reader.feed(json!({"community_id": community})).await.is_empty());
        assert!(reader.feed(json!({"user_id": alice.user_id()})).await.is_empty());
    }
    assert!(bob.feed(json!({"home": true})).await.is_empty());
    alice.posts(&community, "the fence").await;
    for (reader, channel) in [(&mut bob, &feed), (&mut guest, &feed)] {
        let first = reader.event(channel, "post.created").await;
        assert_eq!(first["data"]["post"]["content"], "the fence");
    }
    let first = bob.event(&author, "post.created").await;
    assert_eq!(first["data"]["post"]["content"], "the fence");
    for reader in [&mut bob, &mut guest] {
        reader.still_there().await;
        for incoming in reader.leftovers() {
            assert!(!format!("{incoming:?}").contains(&post_id), "{incoming:?}");
        }
    }
}

async fn f2_8_h10_a_followers_post_exists_for_followers_alone(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut fan = server.client("fan", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let mut guest = server.guest(encoding).await;
    let alice_id = alice.user_id();
    let author = format!("author:{alice_id}");
    let community = alice.makes_community("Club").await;
    let feed = format!("feed:{community}");
    assert!(fan.follows(&alice_id, true).await);
    assert!(!fan.follows(&alice_id, true).await, "a state that is there changes nothing");
    fan.subscribe(&author).await;
    for reader in [&mut fan, &mut bob, &mut guest] {
        reader.subscribe(&feed).await;
    }
    for reader in [&mut bob, &mut guest] {
        let reply = reader.command("subscribe", json!({"channel": author})).await;
        assert!(["not_found", "forbidden", "unauthenticated"].contains(&reply.code()), "{}", reply.body);
    }
    let made =
        alice.posts_with(&community, json!({"visibility": "followers", "content": "for friends"})).await;
    let post_id = text(&made["post"]["id"]);
    assert_eq!(made["position"]["channel"], author);
    let pushed = fan.event(&author, "post.created").await;
    assert_eq!(pushed["data"]["post"]["id"], post_id);
    fan.subscribe(&format!("post:{post_id}")).await;
    assert_eq!(fan.feed(json!({"home": true})).await, [post_id.as_str()]);
    assert_eq!(fan.feed(json!({"user_id": alice_id})).await, [post_id.as_str()]);
    let comment = fan.comments(&post_id, "lovely").await;
    fan.reacts(&post_id, "like").await;
    for reader in [&mut bob, &mut guest] {
        assert_there_is_no_post(reader, &post_id, Some(&comment)).await;
        assert!(reader.feed(json!({"community_id": community})).await.is_empty());
        assert!(reader.feed(json!({"user_id": alice_id})).await.is_empty());
    }

    // Losing the right ends the subscriptions at once, and the post is gone for them.
    assert!(fan.follows(&alice_id, false).await);
    let mut ended = Vec::new();
    for _ in 0..2 {
        let push = fan.push("unsubscribed").await;
        assert!(push["reason"].is_string(), "{push}");
        ended.push(text(&push["channel"]));
    }
    ended.sort();
    assert_eq!(ended, [author.clone(), format!("post:{post_id}")]);
    assert_there_is_no_post(&mut fan, &post_id, Some(&comment)).await;
    alice.posts_with(&community, json!({"visibility": "followers", "content": "without you"})).await;
    alice.posts(&community, "the fence").await;
    let first = fan.event(&feed, "post.created").await;
    assert_eq!(first["data"]["post"]["content"], "the fence");
    for reader in [&mut fan, &mut bob, &mut guest] {
        reader.still_there().await;
        for incoming in reader.leftovers() {
            assert!(!format!("{incoming:?}").contains("without you"), "{incoming:?}");
        }
    }
}

async fn h10_blocked_pairs_get_skips_in_place_of_each_others_posts(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let mut carol = server.client("carol", encoding).await;
    let community = alice.makes_community("Street").await;
    let feed = format!("feed:{community}");
    for client in [&mut bob, &mut carol] {
        client.joins(&community).await;
    }
    for client in [&mut alice, &mut bob, &mut carol] {
        client.subscribe(&feed).await;
    }
    bob.follows(&alice.user_id(), true).await;
    bob.subscribe(&format!("author:{}", alice.user_id())).await;
    let before = alice.posts(&community, "before").await;
    bob.subscribe(&format!("post:{before}")).await;
    for client in [&mut alice, &mut bob, &mut carol] {
        client.event(&feed, "post.created").await;
    }

    assert!(alice.blocks(&bob.user_id(), true).await);
    assert!(!alice.blocks(&bob.user_id(), true).await);
    let mut ended: Vec<String> = Vec::new();
    for _ in 0..2 {
        ended.push(text(&bob.push("unsubscribed").await["channel"]));
    }
    ended.sort();
    assert_eq!(ended, [format!("author:{}", alice.user_id()), format!("post:{before}")]);

    let by_alice = alice.posts(&community, "by alice").await;
    let by_bob = bob.posts(&community, "by bob").await;
    let unnamed = alice.posts_with(&community, json!({"anonymous": true, "content": "by nobody"})).await;
    let expected = [
        (&mut alice, ["publication", "skip", "publication"]),
        (&mut bob, ["skip", "publication", "publication"]),
        (&mut carol, ["publication", "publication", "publication"]),
    ];
    let mut offsets = Vec::new();
    for (client, kinds) in expected {
        let mut seen = Vec::new();
        for kind in kinds {
            let (got, body) = client.next_of(&feed).await;
            assert_eq!(got, kind, "{body}");
            if kind == "skip" {
                assert_eq!(
                    body.as_object().expect("a map").len(),
                    2,
                    "a skip tells channel and offset: {body}"
                );
            }
            seen.push(body["offset"].as_u64().expect("an offset"));
        }
        offsets.push(seen);
    }
    assert!(
        offsets.iter().all(|seen| *seen == offsets[0]) && offsets[0][2] == offsets[0][0] + 2,
        "{offsets:?}"
    );

    // The same in pages, lists, details and commands, both ways.
    let history = bob.all_history(&feed, offsets[0][0] - 1).await;
    assert_eq!(history[0], json!({"offset": offsets[0][0], "skip": true}));
    assert_eq!(history[1]["event"], "post.created");
    let history = alice.all_history(&feed, offsets[0][0] - 1).await;
    assert_eq!(history[1], json!({"offset": offsets[0][1], "skip": true}));
    assert_there_is_no_post(&mut bob, &by_alice, None).await;
    assert_there_is_no_post(&mut bob, &before, None).await;
    assert_there_is_no_post(&mut alice, &by_bob, None).await;
    let unnamed = text(&unnamed["post"]["id"]);
    assert_eq!(bob.feed(json!({"community_id": community})).await, [unnamed.clone(), by_bob.clone()]);
    assert!(bob.feed(json!({"user_id": alice.user_id()})).await.is_empty());
    // A refusal on an anonymous post would name its author.
    bob.ok("reaction.set", json!({"post_id": unnamed, "kind": "like"})).await;
    bob.comments(&unnamed, "who are you?").await;

    // What the two say under a third's post.
    let by_carol = carol.posts(&community, "by carol").await;
    let channel = format!("post:{by_carol}");
    for client in [&mut alice, &mut bob, &mut carol] {
        client.subscribe(&channel).await;
    }
    alice.comments(&by_carol, "alice here").await;
    bob.comments(&by_carol, "bob here").await;
    for (client, kinds) in [
        (&mut alice, ["publication", "skip"]),
        (&mut bob, ["skip", "publication"]),
        (&mut carol, ["publication", "publication"]),
    ] {
        for kind in kinds {
            assert_eq!(client.next_of(&channel).await.0, kind);
        }
    }
    assert_eq!(bob.all_comments(&by_carol).await.len(), 1);
    assert_eq!(carol.all_comments(&by_carol).await.len(), 2);

    // Neither follows the other any more, and may not again while the block lasts.
    let refused = bob.command("follow.set", json!({"user_id": alice.user_id(), "on": true})).await;
    assert!(["not_found", "forbidden"].contains(&refused.code()), "{}", refused.body);
    assert!(alice.blocks(&bob.user_id(), false).await);
    bob.ok("post.get", json!({"post_id": by_alice})).await;
    assert!(bob.follows(&alice.user_id(), true).await, "the block had removed the follow");
    alice.posts(&community, "peace").await;
    bob.push_where("publication", |body| body["data"]["post"]["content"] == "peace").await;
}

async fn h10_a_block_takes_the_other_out_of_notifications_and_of_their_log(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let mut carol = server.client("carol", encoding).await;
    let community = alice.makes_community("Square").await;
    let post = alice.posts(&community, "who is here?").await;
    let own = format!("user:{}", alice.user_id());
    bob.comments(&post, "bob was here").await;
    bob.reacts(&post, "like").await;
    carol.reacts(&post, "like").await;
    // The likes of both are told together: bob stands behind carol there.
    let both = |body: &Value| body["data"]["notification"]["count"] == 2;
    alice.push_where("publication", both).await;
    assert!(named_in(&alice.ok("notification.list", json!({})).await).contains("bob"));

    assert!(alice.blocks(&bob.user_id(), true).await);
    let listed = alice.ok("notification.list", json!({})).await;
    assert_eq!((named_in(&listed), &listed["unread"]), ("carol ".to_owned(), &json!(1)));
    let again = alice
        .push_where("publication", |body| {
            body["data"]["notification"]["count"] == 1 && named_in(&body["data"]["notification"]) == "carol "
        })
        .await;
    let replayed = alice.all_history(&own, 0).await;
    let named: Vec<String> = replayed.iter().map(named_in).filter(|names| !names.is_empty()).collect();
    assert_eq!(named, ["carol "], "{replayed:?}");
    assert_eq!(replayed.last().expect("entries")["offset"], again["offset"]);
}

/// Usernames anywhere in a value, in their order.
fn named_in(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value.as_str() {
                Some(name) if key == "username" => format!("{name} "),
                _ => named_in(value),
            })
            .collect(),
        Value::Array(items) => items.iter().map(named_in).collect(),
        _ => String::new(),
    }
}

#[tokio::test]
async fn h10_a_block_is_kept_through_a_restart() {
    let mut server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let community = alice.makes_community("Still").await;
    alice.blocks(&bob.user_id(), true).await;
    bob.still_there().await;
    server.kill_and_restart().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let feed = format!("feed:{community}");
    bob.subscribe(&feed).await;
    alice.posts(&community, "unseen").await;
    assert_eq!(bob.next_of(&feed).await.0, "skip");
}

#[tokio::test]
async fn h10_other_peoples_own_channels_are_closed() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let mut guest = server.guest(Encoding::Json).await;
    let community = alice.makes_community("Doors").await;
    let post_id = alice.posts(&community, "x").await;
    let alice_id = alice.user_id();
    for channel in [
        format!("user:{alice_id}"),
        format!("author:{alice_id}"),
        format!("analytics:post:{post_id}"),
        "test:anything".to_string(),
    ] {
        for reader in [&mut bob, &mut guest] {
            for (command, body) in [
                ("subscribe", json!({"channel": channel})),
                ("history", json!({"channel": channel})),
                ("presence", json!({"channel": channel})),
            ] {
                let reply = reader.command(command, body).await;
                assert!(!reply.is_ok, "{command} {channel}: {}", reply.body);
                let codes = ["not_found", "forbidden", "unauthenticated", "invalid"];
                assert!(codes.contains(&reply.code()), "{command} {channel}: {}", reply.body);
            }
            let synced = reader.ok("sync", json!({"channels": [{"channel": channel}]})).await;
            assert!(synced["subscriptions"][0]["error"].is_object(), "{synced}");
        }
    }
    // One's own are open.
    alice.subscribe(&format!("user:{alice_id}")).await;
    alice.subscribe(&format!("author:{alice_id}")).await;
}

async fn f2_7_an_anonymous_post_names_nobody(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice-the-unnamed", encoding).await;
    let mut fan = server.client("fan", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let community = alice.makes_community("Masks").await;
    let feed = format!("feed:{community}");
    bob.joins(&community).await;
    let alice_id = alice.user_id();
    fan.follows(&alice_id, true).await;
    let author = format!("author:{alice_id}");
    let author_head = fan.subscribe(&author).await["offset"].clone();
    bob.subscribe(&feed).await;

    let wish = with(post(&community, "guess who"), json!({"anonymous": true}));
    let made = alice.ok("post.create", wish.clone()).await;
    let post_id = text(&made["post"]["id"]);
    let channel = format!("post:{post_id}");
    assert_eq!(made["post"]["my"]["author"], true, "the author knows their own");
    let mut seen = vec![bob.event(&feed, "post.created").await];
    assert!(seen[0]["data"]["post"]["author"].is_null());
    assert_eq!(seen[0]["data"]["post"]["anonymous"], true);
    assert!(seen[0]["data"]["op"].is_null(), "an op would tie the post to its author");

    bob.subscribe(&channel).await;
    alice.subscribe(&channel).await;
    seen.push(bob.ok("presence", json!({"channel": channel})).await);
    let comment = bob.comments(&post_id, "who?").await;
    bob.event(&channel, "comment.added").await;
    let body =
        json!({"op": op(), "post_id": post_id, "parent_id": comment, "content": "me", "anonymous": true});
    alice.ok("comment.add", body.clone()).await;
    let reply = bob.event(&channel, "comment.added").await;
    assert!(reply["data"]["op"].is_null() && reply["data"]["comment"]["author"].is_null(), "{reply}");
    seen.push(reply);
    alice.ok("post.edit", json!({"post_id": post_id, "version": 1, "content": "guess again"})).await;
    seen.push(bob.event(&feed, "post.edited").await);
    seen.push(bob.event(&channel, "post.edited").await);
    alice.ok("reaction.set", json!({"comment_id": comment, "kind": "like"})).await;

    for filter in [json!({"community_id": community}), json!({"home": true})] {
        let page = bob.ok("feed.list", filter).await;
        assert_eq!(list(&page["posts"]).len(), 1);
        seen.push(page);
    }
    seen.push(bob.ok("post.get", json!({"post_id": post_id})).await);
    seen.push(json!(bob.all_history(&feed, 0).await));
    seen.push(json!(bob.all_history(&channel, 0).await));
    seen.push(bob.ok("comment.list", json!({"post_id": post_id, "parent_id": comment})).await);
    // Told of the anonymous reply, not by whom. (The reaction under a name does name; it is not looked at.)
    let notifications = bob.ok("notification.list", json!({})).await;
    let of_replies: Vec<Value> =
        list(&notifications["notifications"]).into_iter().filter(|n| n["kind"] == "reply").collect();
    assert_eq!(of_replies.len(), 1, "{notifications}");
    assert_eq!(of_replies[0]["actors"], json!([]));
    seen.extend(of_replies);
    for incoming in bob.leftovers() {
        if let Incoming::Envelope(0, kind, body) = incoming {
            if kind == "publication" && body["data"]["notification"]["kind"] == "comment_reaction" {
                continue;
            }
            seen.push(body);
        }
    }
    for payload in &seen {
        let shown = payload.to_string();
        assert!(!shown.contains(&alice_id), "names the author's id: {shown}");
        assert!(!shown.contains("alice-the-unnamed"), "names the author: {shown}");
        for op in [&wish["op"], &body["op"]] {
            assert!(!shown.contains(op.as_str().expect("text")), "ties the author by the op: {shown}");
        }
    }

    // Nor by elimination: not in the author's feed, channel or counts, for anybody but themselves.
    assert!(fan.feed(json!({"user_id": alice_id})).await.is_empty());
    assert!(bob.feed(json!({"user_id": alice_id})).await.is_empty());
    assert!(
        fan.feed(json!({"home": true})).await.is_empty(),
        "following a person does not find what they hide"
    );
    assert_eq!(fan.subscribe(&author).await["offset"], author_head);
    assert_eq!(alice.feed(json!({"user_id": alice_id})).await, [post_id.as_str()]);
    let profile = bob.ok("profile.get", json!({"user_id": alice_id})).await["profile"].clone();
    assert!(profile["counts"].is_null() && profile["email"].is_null(), "{profile}");
    for visibility in ["followers", "private"] {
        let body = with(post(&community, "x"), json!({"anonymous": true, "visibility": visibility}));
        alice.invalid("post.create", body, "visibility").await;
    }
}
