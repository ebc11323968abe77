//! F6, the rows on reactions: one per person, exact counts, one notification.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::harness::{Claims, Client, Encoding, Incoming, Server, in_both_encodings, list, op, text};

in_both_encodings!(
    f6_1_a_like_counts_once_and_tells_everybody,
    f6_2_the_same_like_again_changes_and_tells_nothing,
    f6_5_undoing_what_was_never_done_is_nothing,
    f6_16_a_change_of_kind_moves_both_counts_together,
    a_reaction_on_a_comment_counts_there,
);

struct Scene {
    server: Server,
    author: Client,
    reader: Client,
    post_id: String,
    channel: String,
    feed: String,
}

/// A post by `author`, and `author` and `reader` subscribed to it and to its feed.
async fn scene(encoding: Encoding) -> Scene {
    let server = Server::start().await;
    let mut author = server.client("author", encoding).await;
    let mut reader = server.client("reader", encoding).await;
    let community = author.makes_community("Applause").await;
    let post_id = author.posts(&community, "well?").await;
    let (channel, feed) = (format!("post:{post_id}"), format!("feed:{community}"));
    for client in [&mut author, &mut reader] {
        client.subscribe(&channel).await;
        client.subscribe(&feed).await;
    }
    Scene { server, author, reader, post_id, channel, feed }
}

async fn f6_1_a_like_counts_once_and_tells_everybody(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, channel, feed } = scene(encoding).await;
    let before = author.counts(&post_id).await["version"].as_u64().expect("a version");
    let liked = reader.reacts(&post_id, "like").await;
    assert_eq!((&liked["kind"], &liked["changed"]), (&json!("like"), &json!(true)));
    assert_eq!(liked["counts"], json!({"like": 1}));
    for client in [&mut author, &mut reader] {
        for channel in [&channel, &feed] {
            let state = client.state(channel, "post.counts", |_| true).await;
            assert_eq!(state["data"]["post_id"], post_id);
            assert_eq!(state["data"]["reactions"], json!({"like": 1}));
            assert_eq!(state["version"], before + 1);
            assert_eq!(state["data"]["version"], before + 1);
            assert!(text(&state["key"]).contains(&post_id), "{state}");
        }
    }
    let told = author.notification().await;
    assert_eq!(told["unread"], 1);
    assert_eq!(told["notification"]["kind"], "post_reaction");
    assert_eq!(told["notification"]["post_id"], post_id);
    assert_eq!(told["notification"]["count"], 1);
    assert_eq!(told["notification"]["actors"][0]["id"], reader.user_id());
    let post = reader.ok("post.get", json!({"post_id": post_id})).await["post"].clone();
    assert_eq!(post["my"]["reaction"], "like");
    assert!(author.ok("post.get", json!({"post_id": post_id})).await["post"]["my"]["reaction"].is_null());
    // A subscriber who comes later finds the present state.
    let states = list(&reader.subscribe(&channel).await["states"]);
    assert!(states.iter().any(|state| state["data"]["reactions"] == json!({"like": 1})), "{states:?}");
    let states = reader.ok("post.counts", json!({"post_ids": [post_id]})).await;
    assert_eq!(states["states"][0]["data"]["reactions"], json!({"like": 1}));
}

async fn f6_2_the_same_like_again_changes_and_tells_nothing(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, channel, .. } = scene(encoding).await;
    reader.reacts(&post_id, "like").await;
    let version =
        author.state(&channel, "post.counts", |_| true).await["version"].as_u64().expect("a version");
    author.notification().await;
    for _ in 0..3 {
        let again = reader.reacts(&post_id, "like").await;
        assert_eq!(again["changed"], false);
        assert_eq!(again["counts"], json!({"like": 1}));
    }
    // The next real change is the next version and the next notification: nothing lay between.
    reader.comments(&post_id, "the fence").await;
    let next = author.push_where("state", |body| body["channel"] == channel).await;
    assert_eq!(next["version"], version + 1, "{next}");
    let told = author.notification().await;
    assert_eq!(told["notification"]["kind"], "comment");
    assert_eq!(told["unread"], 2);
    assert_eq!(list(&author.ok("notification.list", json!({})).await["notifications"]).len(), 2);
}

#[tokio::test]
async fn f6_3_two_simultaneous_likes_by_one_person_are_one() {
    let Scene { server, mut author, mut reader, post_id, .. } = scene(Encoding::Json).await;
    let mut second = server.client("reader", Encoding::MessagePack).await;
    for round in 0..10 {
        let kind = if round % 2 == 0 { "like" } else { "love" };
        let body = json!({"post_id": post_id, "kind": kind});
        let (one, two) = (reader.send("reaction.set", &body), second.send("reaction.set", &body));
        let (one, two) = (reader.reply_to(one, kind).await, second.reply_to(two, kind).await);
        let mut changed = [one.body["changed"] == true, two.body["changed"] == true];
        changed.sort_unstable();
        assert_eq!(changed, [false, true], "{} {}", one.body, two.body);
        assert_eq!(author.counts(&post_id).await["reactions"], json!({kind: 1}));
    }
    let notifications = author.ok("notification.list", json!({})).await;
    assert_eq!(list(&notifications["notifications"]).len(), 1, "{notifications}");
    assert_eq!(notifications["notifications"][0]["count"], 1);
}

#[tokio::test]
async fn f6_4_a_thousand_people_at_once_are_a_thousand() {
    const PEOPLE: usize = 1_000;
    let Scene { server, mut author, mut reader, post_id, channel, .. } = scene(Encoding::Json).await;
    let http = server.http();
    let body = json!({"post_id": post_id, "kind": "haha"});
    let mut answers = stream::iter(0..PEOPLE)
        .map(|number| {
            let (http, body) = (http.clone(), body.clone());
            async move {
                let token = Claims::of(&format!("person{number}")).sign();
                http.command(Encoding::BOTH[number % 2], "reaction.set", Some(&token), &body).await
            }
        })
        .buffer_unordered(64);
    while let Some(answer) = answers.next().await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(author.counts(&post_id).await["reactions"], json!({"haha": PEOPLE}));
    let last = reader.state(&channel, "post.counts", |data| data["reactions"]["haha"] == PEOPLE).await;
    assert!(last["version"].as_u64().expect("a version") >= PEOPLE as u64);
    // The likes of one post are one notification, with the newest few named.
    let notifications = author.ok("notification.list", json!({})).await;
    let all = list(&notifications["notifications"]);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["count"], PEOPLE);
    assert_eq!(list(&all[0]["actors"]).len(), 3);
    assert_eq!(notifications["unread"], 1);
}

async fn f6_5_undoing_what_was_never_done_is_nothing(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    for _ in 0..2 {
        let undone = reader.reacts(&post_id, Value::Null).await;
        assert_eq!((&undone["changed"], &undone["counts"]), (&json!(false), &json!({})));
        assert!(undone["kind"].is_null());
    }
    reader.reacts(&post_id, "angry").await;
    assert_eq!(reader.reacts(&post_id, Value::Null).await["changed"], true);
    assert_eq!(reader.reacts(&post_id, Value::Null).await["changed"], false);
    assert_eq!(author.counts(&post_id).await["reactions"], json!({}), "kinds without any are left out");
}

#[tokio::test]
async fn f6_6_a_hundred_alternating_sets_end_with_the_count_of_the_rows() {
    let Scene { server, mut author, mut reader, post_id, channel, .. } = scene(Encoding::Json).await;
    let mut second = server.client("reader", Encoding::MessagePack).await;
    let kinds = [json!("like"), Value::Null, json!("love"), json!("like"), Value::Null];
    for number in 0..50 {
        let one = json!({"post_id": post_id, "kind": kinds[number % 5]});
        let two = json!({"post_id": post_id, "kind": kinds[(number + 2) % 5]});
        let (one, two) = (reader.send("reaction.set", &one), second.send("reaction.set", &two));
        assert!(reader.reply_to(one, "reaction.set").await.is_ok);
        assert!(second.reply_to(two, "reaction.set").await.is_ok);
    }
    let post = reader.ok("post.get", json!({"post_id": post_id})).await["post"].clone();
    let row = post["my"]["reaction"].clone();
    let expected = if row.is_null() { json!({}) } else { json!({text(&row): 1}) };
    assert_eq!(post["counts"]["reactions"], expected);
    let at_rest = post["counts"]["version"].clone();
    let mut versions = Vec::new();
    loop {
        let state = author.state(&channel, "post.counts", |_| true).await;
        let sum: u64 =
            state["data"]["reactions"].as_object().expect("a map").values().filter_map(Value::as_u64).sum();
        assert!(sum <= 1, "one person is never counted twice: {state}");
        versions.push(state["version"].as_u64().expect("a version"));
        if state["version"] == at_rest {
            assert_eq!(state["data"]["reactions"], expected, "the last state is exact");
            break;
        }
    }
    assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "versions rise strictly: {versions:?}");
}

#[tokio::test]
async fn f6_7_reactions_and_comments_racing_a_delete_leave_no_orphan() {
    let server = Server::start().await;
    let mut author = server.client("author", Encoding::Json).await;
    let community = author.makes_community("Last call").await;
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(server.client(&format!("person{number}"), Encoding::BOTH[number % 2]).await);
    }
    for _ in 0..5 {
        let post_id = author.posts(&community, "soon gone").await;
        let mut sent = Vec::new();
        for (number, person) in people.iter_mut().enumerate() {
            let (kind, body) = if number % 2 == 0 {
                ("reaction.set", json!({"post_id": post_id, "kind": "like"}))
            } else {
                ("comment.add", json!({"op": op(), "post_id": post_id, "content": "wait"}))
            };
            sent.push(person.send(kind, &body));
        }
        author.ok("post.delete", json!({"post_id": post_id})).await;
        for (person, id) in people.iter_mut().zip(sent) {
            let reply = person.reply_to(id, "a racing command").await;
            assert!(["ok", "not_found"].contains(&reply.code()), "{}", reply.body);
            if let Some(comment) = reply.body["comment"]["id"].as_str() {
                person
                    .refused("reaction.set", json!({"comment_id": comment, "kind": "wow"}), "not_found")
                    .await;
            }
            person.refused("comment.list", json!({"post_id": post_id}), "not_found").await;
            person.refused("post.get", json!({"post_id": post_id}), "not_found").await;
        }
    }
    let unknown = "00000000-0000-7000-8000-000000000001";
    author.refused("reaction.set", json!({"post_id": unknown, "kind": "like"}), "not_found").await;
    author.refused("reaction.set", json!({"comment_id": unknown, "kind": "like"}), "not_found").await;
    author.refused("reaction.set", json!({"post_id": unknown, "kind": null}), "not_found").await;
}

async fn f6_16_a_change_of_kind_moves_both_counts_together(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, channel, .. } = scene(encoding).await;
    author.reacts(&post_id, "like").await;
    reader.reacts(&post_id, "like").await;
    let changed = reader.reacts(&post_id, "love").await;
    assert_eq!(changed["counts"], json!({"like": 1, "love": 1}));
    let mut seen: BTreeMap<u64, Value> = BTreeMap::new();
    loop {
        let state = author.state(&channel, "post.counts", |_| true).await;
        let reactions = state["data"]["reactions"].clone();
        seen.insert(state["version"].as_u64().expect("a version"), reactions.clone());
        if reactions == json!({"like": 1, "love": 1}) {
            break;
        }
    }
    let allowed = [json!({"like": 1}), json!({"like": 2}), json!({"like": 1, "love": 1})];
    assert!(
        seen.values().all(|reactions| allowed.contains(reactions)),
        "never one without the other: {seen:?}"
    );
    for wrong in [json!("liked"), json!("LIKE"), json!(1), json!("")] {
        reader.invalid("reaction.set", json!({"post_id": post_id, "kind": wrong}), "kind").await;
    }
    reader.invalid("reaction.set", json!({"post_id": post_id}), "kind").await;
    assert_eq!(author.counts(&post_id).await["reactions"], json!({"like": 1, "love": 1}));
}

async fn a_reaction_on_a_comment_counts_there(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, channel, .. } = scene(encoding).await;
    let comment = reader.comments(&post_id, "mine").await;
    let set = json!({"comment_id": comment, "kind": "wow"});
    let answer = author.ok("reaction.set", set.clone()).await;
    assert_eq!((&answer["counts"], &answer["changed"]), (&json!({"wow": 1}), &json!(true)));
    assert_eq!(author.ok("reaction.set", set).await["changed"], false);
    let state = reader.state(&channel, "comment.counts", |data| data["reactions"]["wow"] == 1).await;
    assert_eq!(state["data"]["comment_id"], comment);
    assert_eq!(reader.notification().await["notification"]["kind"], "comment_reaction");
    let listed = author.all_comments(&post_id).await;
    assert_eq!(
        (&listed[0]["counts"]["reactions"], &listed[0]["my"]["reaction"]),
        (&json!({"wow": 1}), &json!("wow"))
    );
    assert_eq!(author.counts(&post_id).await["reactions"], json!({}));
    let both = json!({"comment_id": comment, "post_id": post_id, "kind": "wow"});
    author.refused("reaction.set", both, "invalid").await;
    author.refused("reaction.set", json!({"kind": "wow"}), "invalid").await;
    let undone = author.ok("reaction.set", json!({"comment_id": comment, "kind": null})).await;
    assert_eq!((&undone["counts"], &undone["changed"]), (&json!({}), &json!(true)));
    // One's own reaction on one's own comment tells nobody.
    reader.ok("reaction.set", json!({"comment_id": comment, "kind": "like"})).await;
    author.comments(&post_id, "the fence").await;
    for incoming in reader.leftovers() {
        if let Incoming::Envelope(0, kind, body) = incoming {
            let own = kind == "publication" && body["event"] == "notification";
            assert!(!own, "{body}");
        }
    }
}
