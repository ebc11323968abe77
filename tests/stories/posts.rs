//! F2, as far as text reaches: writing, reading, editing, deleting, paging through posts.

use serde_json::{Value, json};

use crate::harness::{Client, Encoding, Server, in_both_encodings, list, op, post, text, with};

in_both_encodings!(
    f2_1_a_post_reaches_its_community_and_every_ancestor_and_nobody_outside,
    f2_4_a_post_needs_text,
    f2_5_a_post_has_one_of_five_kinds,
    f2_6_only_members_post,
    f2_9_title_and_content_have_their_limits,
    f2_11_a_deleted_post_is_gone_everywhere,
    f2_12_of_two_edits_at_once_one_is_a_conflict,
    f2_13_pages_are_newest_first_and_stable_while_posts_arrive,
);

async fn f2_1_a_post_reaches_its_community_and_every_ancestor_and_nobody_outside(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let root = alice.makes_community("City").await;
    let middle = alice.makes_community_in(&root, "Quarter").await;
    let leaf = alice.makes_community_in(&middle, "Street").await;
    let beside = alice.makes_community_in(&root, "Other quarter").await;
    let listed = alice.ok("community.list", json!({"parent_id": middle})).await;
    assert_eq!(listed["communities"][0]["path"], json!(["City", "Quarter", "Street"]));
    assert_eq!(listed["communities"][0]["parent_id"], middle);
    assert_eq!(listed["communities"][0]["my"], json!({"member": true, "role": "moderator"}));

    let mut bob = server.client("bob", encoding).await;
    let feed_of = |community: &str| format!("feed:{community}");
    let beside_head = bob.subscribe(&feed_of(&beside)).await["offset"].clone();
    for community in [&root, &middle, &leaf] {
        bob.subscribe(&feed_of(community)).await;
    }
    let post_id = alice.posts(&leaf, "on our street").await;
    for community in [&root, &middle, &leaf] {
        let seen = bob.event(&feed_of(community), "post.created").await;
        assert_eq!(seen["data"]["post"]["id"], post_id);
        assert_eq!(seen["data"]["post"]["community_id"], leaf);
        assert_eq!(bob.feed(json!({"community_id": community})).await, [post_id.as_str()]);
    }
    // Every later event goes where the creation went.
    alice.ok("post.edit", json!({"post_id": post_id, "version": 1, "content": "on our quiet street"})).await;
    alice.ok("post.delete", json!({"post_id": post_id})).await;
    for community in [&root, &middle, &leaf] {
        bob.event(&feed_of(community), "post.edited").await;
        bob.event(&feed_of(community), "post.deleted").await;
    }
    assert_eq!(bob.subscribe(&feed_of(&beside)).await["offset"], beside_head, "nothing went beside");
    assert!(bob.feed(json!({"community_id": beside})).await.is_empty());
}

#[tokio::test]
async fn h6_everybody_hears_of_a_new_community_once_and_of_nobody_who_made_it() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let mut guest = server.guest(Encoding::MessagePack).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    for client in [&mut guest, &mut bob] {
        client.subscribe("communities").await;
    }
    bob.blocks(&alice.user_id(), true).await;
    let outer = alice.makes_community("outer").await;
    let body = json!({"op": op(), "name": "inner", "parent_id": outer});
    let inner = alice.ok("community.create", body.clone()).await["community"].clone();
    assert_eq!(alice.ok("community.create", body).await["community"]["id"], inner["id"], "the same again");
    let last = alice.makes_community("last").await;
    for client in [&mut guest, &mut bob] {
        let mut told = Vec::new();
        for _ in 0..3 {
            told.push(client.event("communities", "community.created").await["data"]["community"].clone());
        }
        assert_eq!((&told[0]["id"], &told[2]["id"]), (&json!(outer), &json!(last)));
        let mut expected = inner.clone();
        expected.as_object_mut().expect("a community").remove("my");
        assert_eq!(told[1], expected, "all that everybody may know, and once");
    }
}

#[tokio::test]
async fn members_of_a_community_are_counted_live() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let mut bob = server.client("bob", Encoding::MessagePack).await;
    let outer = alice.makes_community("outer").await;
    let community = alice.makes_community_in(&outer, "inner").await;
    let feed = format!("feed:{community}");
    let begun = alice.subscribe(&feed).await["states"].clone();
    let data = json!({"community_id": community, "version": 0, "members": 1});
    let state = json!({"event": "community.counts", "key": community, "version": 0, "data": data});
    assert_eq!(begun, json!([state]));
    bob.joins(&community).await;
    let told = alice.state(&feed, "community.counts", |data| data["members"] == 2).await;
    assert_eq!((&told["key"], &told["version"]), (&json!(community), &json!(1)));
    bob.ok("community.leave", json!({"community_id": community})).await;
    alice.state(&feed, "community.counts", |data| data["members"] == 1).await;
    let late = bob.subscribe(&feed).await["states"].clone();
    assert_eq!((&late[0]["version"], &late[0]["data"]["members"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn communities_nest_eight_deep_and_are_listed_in_pages() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::MessagePack).await;
    let mut path = vec!["level 1".to_string()];
    let mut inmost = alice.makes_community("level 1").await;
    for level in 2..=8 {
        path.push(format!("level {level}"));
        inmost = alice.makes_community_in(&inmost, &format!("level {level}")).await;
    }
    let body = json!({"op": op(), "name": "level 9", "parent_id": inmost});
    alice.refused("community.create", body, "limit_exceeded").await;
    let got = alice.ok("community.get", json!({"community_id": inmost})).await["community"].clone();
    assert_eq!(got["path"], json!(path));
    assert_eq!((&got["members"], &got["my"]["role"]), (&json!(1), &json!("moderator")));

    let parent = alice.makes_community("wide").await;
    let mut made = std::collections::BTreeSet::new();
    for number in 0..120 {
        made.insert(alice.makes_community_in(&parent, &format!("number {number}")).await);
    }
    let mut seen = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let ask = with(json!({"parent_id": parent}), crate::harness::optional("cursor", &cursor));
        let page = alice.ok("community.list", ask).await;
        seen.extend(list(&page["communities"]).iter().map(|community| text(&community["id"])));
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), made.len(), "each once");
    assert_eq!(seen.into_iter().collect::<std::collections::BTreeSet<_>>(), made);
    let mut bob = server.client("bob", Encoding::Json).await;
    bob.joins(&parent).await;
    let got = bob.ok("community.get", json!({"community_id": parent})).await["community"].clone();
    assert_eq!((&got["members"], &got["my"]), (&json!(2), &json!({"member": true, "role": "member"})));
}

async fn f2_4_a_post_needs_text(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Words").await;
    for blank in ["", "   ", "\n\t \n", "\u{00a0}\u{2003}"] {
        alice.invalid("post.create", post(&community, blank), "content").await;
    }
    let mut without = post(&community, "");
    without.as_object_mut().expect("a map").remove("content");
    alice.invalid("post.create", without, "content").await;
    for control in ["bell\u{7}", "nul\u{0}", "escape\u{1b}[31m", "\u{85}next line"] {
        alice.invalid("post.create", post(&community, control), "content").await;
    }
    alice.posts(&community, "a tab\tand\na newline").await;
    // Text is kept in NFC.
    let made = alice.ok("post.create", post(&community, "e\u{301}")).await;
    assert_eq!(made["post"]["content"], "\u{e9}");
    assert_eq!(alice.feed(json!({"community_id": community})).await.len(), 2);
}

async fn f2_5_a_post_has_one_of_five_kinds(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Kinds").await;
    for kind in ["info", "event", "help", "announcement", "discussion"] {
        let made = alice.posts_with(&community, json!({"kind": kind})).await;
        assert_eq!(made["post"]["kind"], kind);
        let only = alice.ok("feed.list", json!({"community_id": community, "kind": kind})).await;
        assert_eq!(list(&only["posts"]).len(), 1);
    }
    for wrong in [json!("news"), json!("Info"), json!(""), Value::Null, json!(1)] {
        alice.invalid("post.create", with(post(&community, "x"), json!({"kind": wrong})), "kind").await;
    }
    for wrong in [json!("friends"), json!("PUBLIC"), Value::Null, json!(true)] {
        alice
            .invalid("post.create", with(post(&community, "x"), json!({"visibility": wrong})), "visibility")
            .await;
    }
    assert_eq!(alice.feed(json!({"community_id": community})).await.len(), 5);
}

async fn f2_6_only_members_post(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let community = alice.makes_community("Members").await;
    for visibility in ["public", "followers", "private"] {
        let body = with(post(&community, "let me"), json!({"visibility": visibility}));
        bob.refused("post.create", body, "forbidden").await;
    }
    bob.joins(&community).await;
    bob.posts(&community, "thanks").await;
    assert_eq!(bob.ok("community.join", json!({"community_id": community})).await["changed"], false);
    assert_eq!(bob.ok("community.leave", json!({"community_id": community})).await["changed"], true);
    assert_eq!(bob.ok("community.leave", json!({"community_id": community})).await["changed"], false);
    bob.refused("post.create", post(&community, "again"), "forbidden").await;
    bob.refused("post.create", post("00000000-0000-7000-8000-000000000001", "x"), "not_found").await;
    assert_eq!(alice.feed(json!({"community_id": community})).await.len(), 1);
}

async fn f2_9_title_and_content_have_their_limits(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Limits").await;
    // Counted in Unicode scalar values, not bytes.
    for letter in ["a", "é", "\u{1F980}"] {
        let made = alice.posts_with(&community, json!({"title": letter.repeat(200)})).await;
        assert_eq!(made["post"]["title"], letter.repeat(200));
        alice
            .invalid(
                "post.create",
                with(post(&community, "x"), json!({"title": letter.repeat(201)})),
                "title",
            )
            .await;
        let made = alice.posts_with(&community, json!({"content": letter.repeat(5000)})).await;
        assert_eq!(made["post"]["content"], letter.repeat(5000));
        alice.invalid("post.create", post(&community, &letter.repeat(5001)), "content").await;
        let post_id = text(&made["post"]["id"]);
        let edit = |fields: Value| with(json!({"post_id": post_id, "version": 1}), fields);
        alice.invalid("post.edit", edit(json!({"content": letter.repeat(5001)})), "content").await;
        alice.invalid("post.edit", edit(json!({"title": letter.repeat(201)})), "title").await;
        alice.invalid("post.edit", edit(json!({"content": " "})), "content").await;
    }
    assert_eq!(alice.feed(json!({"community_id": community})).await.len(), 6);
}

#[tokio::test]
async fn f2_10_the_author_edits_until_the_window_closes() {
    let mut server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let mut bob = server.client("bob", Encoding::MessagePack).await;
    let community = alice.makes_community("Corrections").await;
    bob.joins(&community).await;
    let post_id = alice.posts(&community, "teh").await;
    let edit =
        |version: u64, content: &str| json!({"post_id": post_id, "version": version, "content": content});
    bob.refused("post.edit", edit(1, "mine"), "forbidden").await;
    let edited = alice.ok("post.edit", edit(1, "the")).await["post"].clone();
    assert_eq!((&edited["version"], &edited["content"]), (&json!(2), &json!("the")));
    assert!(edited["edited_at"].as_i64().expect("a time") >= edited["created_at"].as_i64().expect("a time"));
    alice.refused("post.edit", edit(1, "late"), "conflict").await;
    let fields = json!({"post_id": post_id, "version": 2, "title": "A title", "kind": "info"});
    let edited = alice.ok("post.edit", fields).await["post"].clone();
    assert_eq!(
        (&edited["title"], &edited["kind"], &edited["content"]),
        (&json!("A title"), &json!("info"), &json!("the"))
    );

    // The same post under a window that has closed: the clock is the server's, and a restart is longer than 1 ms.
    server.kill().await;
    server.set("social.edit_window_ms=1");
    server.restart().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    alice.refused("post.edit", edit(3, "too late"), "window_closed").await;
    let kept = alice.ok("post.get", json!({"post_id": post_id})).await;
    assert_eq!((&kept["post"]["content"], &kept["post"]["version"]), (&json!("the"), &json!(3)));
    alice.ok("post.delete", json!({"post_id": post_id})).await;
}

async fn f2_11_a_deleted_post_is_gone_everywhere(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let mut carol = server.client("carol", encoding).await;
    let community = alice.makes_community("Eraser").await;
    let feed = format!("feed:{community}");
    bob.joins(&community).await;
    let post_id = bob.posts(&community, "regretted").await;
    let channel = format!("post:{post_id}");
    let comment = carol.comments(&post_id, "noted").await;
    carol.reacts(&post_id, "sad").await;
    for client in [&mut bob, &mut carol] {
        client.subscribe(&feed).await;
        client.subscribe(&channel).await;
    }
    carol.refused("post.delete", json!({"post_id": post_id}), "forbidden").await;
    assert_eq!(bob.ok("post.delete", json!({"post_id": post_id})).await["changed"], true);
    for client in [&mut bob, &mut carol] {
        let deleted = client.event(&feed, "post.deleted").await;
        assert_eq!(deleted["data"]["post_id"], post_id);
        let ended = client.push_where("unsubscribed", |body| body["channel"] == channel).await;
        assert_eq!(ended["reason"], "deleted");
    }
    for (command, body) in [
        ("post.get", json!({"post_id": post_id})),
        ("post.view", json!({"post_id": post_id})),
        ("post.edit", json!({"post_id": post_id, "version": 1, "content": "x"})),
        ("post.delete", json!({"post_id": post_id})),
        ("reaction.set", json!({"post_id": post_id, "kind": "like"})),
        ("reaction.set", json!({"comment_id": comment, "kind": "like"})),
        ("comment.add", json!({"op": op(), "post_id": post_id, "content": "x"})),
        ("comment.add", json!({"op": op(), "post_id": post_id, "parent_id": comment, "content": "x"})),
        ("comment.edit", json!({"comment_id": comment, "content": "x"})),
        ("comment.delete", json!({"comment_id": comment})),
        ("comment.list", json!({"post_id": post_id})),
        ("subscribe", json!({"channel": channel})),
        ("history", json!({"channel": channel})),
        ("presence", json!({"channel": channel})),
    ] {
        for client in [&mut bob, &mut carol] {
            client.refused(command, body.clone(), "not_found").await;
        }
    }
    assert_eq!(bob.ok("post.counts", json!({"post_ids": [post_id]})).await["states"], json!([]));
    assert!(bob.feed(json!({"community_id": community})).await.is_empty());
    // The log keeps its offsets and no word of the post but that it is gone.
    let log = carol.all_history(&feed, 0).await;
    assert!(log.iter().any(|entry| entry["skip"] == true), "{log:?}");
    assert_eq!(log.iter().filter(|entry| entry["event"] == "post.deleted").count(), 1);
    assert!(!json!(log).to_string().contains("regretted"));
    // Nothing else was sent about it: the next post is the next publication.
    bob.posts(&community, "the fence").await;
    carol.event(&feed, "post.created").await;

    // A moderator of the community may delete what others wrote.
    let unruly = bob.posts(&community, "unruly").await;
    assert_eq!(alice.ok("post.delete", json!({"post_id": unruly})).await["changed"], true);
    bob.refused("post.get", json!({"post_id": unruly}), "not_found").await;
}

async fn f2_12_of_two_edits_at_once_one_is_a_conflict(encoding: Encoding) {
    let server = Server::start().await;
    let mut left = server.client("alice", encoding).await;
    let mut right = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let community = left.makes_community("Race").await;
    let post_id = left.posts(&community, "zero").await;
    let channel = format!("post:{post_id}");
    for client in [&mut left, &mut right, &mut bob] {
        client.subscribe(&channel).await;
    }
    for version in 1..=5_u64 {
        let edit = |content: &str| json!({"post_id": post_id, "version": version, "content": content});
        let (one, two) = (left.send("post.edit", &edit("left")), right.send("post.edit", &edit("right")));
        let (one, two) = (left.reply_to(one, "post.edit").await, right.reply_to(two, "post.edit").await);
        let mut codes = [one.code(), two.code()];
        codes.sort_unstable();
        assert_eq!(codes, ["conflict", "ok"], "{} {}", one.body, two.body);
        let winner = if one.is_ok { &one } else { &two };
        for client in [&mut left, &mut right, &mut bob] {
            let seen = client.event(&channel, "post.edited").await;
            assert_eq!(seen["data"]["post"]["content"], winner.body["post"]["content"]);
            assert_eq!(seen["data"]["post"]["version"], version + 1);
        }
    }
}

async fn f2_13_pages_are_newest_first_and_stable_while_posts_arrive(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Archive").await;
    let mut newest_first = Vec::new();
    for number in 0..50 {
        newest_first.insert(0, alice.posts(&community, &format!("post {number}")).await);
    }
    for filter in
        [json!({"community_id": community}), json!({"user_id": alice.user_id()}), json!({"home": true})]
    {
        let mut seen: Vec<String> = Vec::new();
        let mut sizes = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let ask =
                with(filter.clone(), with(json!({"limit": 20}), crate::harness::optional("cursor", &cursor)));
            let page = alice.ok("feed.list", ask).await;
            let posts = list(&page["posts"]);
            sizes.push(posts.len());
            seen.extend(posts.iter().map(|post| text(&post["id"])));
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                break;
            }
            // Arrives while somebody reads: it moves nothing in the pages below.
            let arrived = alice.posts(&community, "arrived").await;
            alice.ok("post.get", json!({"post_id": arrived})).await;
            alice.ok("post.delete", json!({"post_id": arrived})).await;
            alice.posts(&community, "arrived too").await;
        }
        assert_eq!(&seen[seen.len() - 50..], &newest_first[..], "each once, newest first");
        assert_eq!(sizes[0], 20);
        // The next filter starts from a clean archive again.
        let newer: Vec<String> = alice.feed(json!({"community_id": community, "limit": 100})).await;
        for id in newer.into_iter().filter(|id| !newest_first.contains(id)) {
            alice.ok("post.delete", json!({"post_id": id})).await;
        }
    }
    let most = alice.ok("feed.list", json!({"community_id": community, "limit": 5000})).await;
    assert_eq!(list(&most["posts"]).len(), 50, "a limit over the maximum is clamped");
    assert!(alice.feed(json!({"community_id": community, "live": true})).await.is_empty());
    alice.invalid("feed.list", json!({"community_id": community, "cursor": "made up"}), "cursor").await;
    let least = alice.feed(json!({"community_id": community, "limit": 0})).await;
    assert_eq!(least.len(), 1, "a limit is clamped, not refused");
    let reply = alice.command("feed.list", json!({})).await;
    assert_eq!(reply.code(), "invalid", "one of the three filters is needed: {}", reply.body);
}

#[tokio::test]
async fn f2_14_the_fifty_first_post_in_a_minute_is_rate_limited() {
    let server = Server::with(&[
        "limits.rates=on",
        "limits.commands_per_second=1000",
        "limits.commands_per_second_user=1000",
    ])
    .await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let mut second = server.client("alice", Encoding::MessagePack).await;
    let community = alice.makes_community("Flood").await;
    for number in 0..50 {
        let writer = if number % 2 == 0 { &mut alice } else { &mut second };
        writer.posts(&community, &number.to_string()).await;
    }
    for writer in [&mut alice, &mut second] {
        let error = writer.refused("post.create", post(&community, "51"), "rate_limited").await;
        let wait = error["retry_after_ms"].as_u64().expect("when to come back");
        assert!((1..=60_000).contains(&wait), "{error}");
    }
    // The limit is the person's, and of posts alone.
    alice.ok("post.get", json!({"post_id": alice_first(&mut second, &community).await})).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    bob.joins(&community).await;
    bob.posts(&community, "mine").await;
}

async fn alice_first(client: &mut Client, community: &str) -> String {
    client.feed(json!({"community_id": community})).await[0].clone()
}

#[tokio::test]
async fn views_count_once_per_person_and_window() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let mut again = server.client("bob", Encoding::MessagePack).await;
    let mut guest = server.guest(Encoding::Json).await;
    let community = alice.makes_community("Window").await;
    let post_id = alice.posts(&community, "look").await;
    let view = json!({"post_id": post_id});
    assert_eq!(bob.ok("post.view", view.clone()).await["counted"], true);
    assert_eq!(bob.ok("post.view", view.clone()).await["counted"], false);
    assert_eq!(again.ok("post.view", view.clone()).await["counted"], false);
    assert_eq!(guest.ok("post.view", view.clone()).await["counted"], true);
    assert_eq!(guest.ok("post.view", view.clone()).await["counted"], false);
    assert_eq!(alice.counts(&post_id).await["views"], 2);

    let server = Server::with(&["social.view_window_ms=0"]).await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let community = bob.makes_community("Open window").await;
    let view = json!({"post_id": bob.posts(&community, "look").await});
    assert_eq!(bob.ok("post.view", view.clone()).await["counted"], true);
    assert_eq!(bob.ok("post.view", view.clone()).await["counted"], true, "the window is over");
}
