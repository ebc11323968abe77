//! F7: one share and one repost of a post for each person, exact counts, one notification, and nothing past a right.

use serde_json::{Value, json};

use crate::harness::{Client, Encoding, Server, in_both_encodings, list, text};

in_both_encodings!(
    f7_1_a_share_counts_once_and_tells_everybody,
    f7_2_the_same_share_again_is_the_same_and_tells_nothing,
    f7_3_a_post_is_shared_and_reposted_once_each,
    f7_4_f7_5_a_repost_says_something_and_kinds_are_two,
    f7_7_unsharing_lowers_by_one_and_twice_is_nothing,
    f7_8_h10_what_one_may_not_read_one_cannot_share,
    f7_8_h10_shares_are_not_seen_across_a_block,
    f7_7_what_one_shared_can_be_taken_back_when_one_may_read_it_no_more,
    f7_9_a_deleted_post_takes_its_shares_with_it,
    f7_10_ones_own_post_and_an_unwished_kind_tell_nobody,
);

struct Scene {
    server: Server,
    author: Client,
    reader: Client,
    community: String,
    post_id: String,
    channel: String,
}

/// A post by `author`, and `author` and `reader` subscribed to it.
async fn scene(encoding: Encoding) -> Scene {
    let server = Server::start().await;
    let mut author = server.client("author", encoding).await;
    let mut reader = server.client("reader", encoding).await;
    let community = author.makes_community("Word of mouth").await;
    let post_id = author.posts(&community, "pass it on").await;
    let channel = format!("post:{post_id}");
    for client in [&mut author, &mut reader] {
        client.subscribe(&channel).await;
    }
    Scene { server, author, reader, community, post_id, channel }
}

async fn shares(client: &mut Client, post_id: &str, kind: &str) -> Value {
    let body = match kind {
        "repost" => json!({"post_id": post_id, "kind": kind, "comment": "read this"}),
        _ => json!({"post_id": post_id, "kind": kind}),
    };
    client.ok("share.add", body).await
}

/// Ids of the first page of shares.
async fn listed(client: &mut Client, post_id: &str) -> Vec<String> {
    let page = client.ok("share.list", json!({"post_id": post_id})).await;
    list(&page["shares"]).iter().map(|share| text(&share["id"])).collect()
}

async fn f7_1_a_share_counts_once_and_tells_everybody(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, channel, .. } = scene(encoding).await;
    let before = author.counts(&post_id).await["version"].as_u64().expect("a version");
    let shared = shares(&mut reader, &post_id, "share").await;
    assert_eq!((&shared["changed"], &shared["shares"]), (&json!(true), &json!(1)));
    let share = &shared["share"];
    assert_eq!((&share["post_id"], &share["kind"]), (&json!(post_id), &json!("share")));
    assert_eq!(share["user"]["id"], reader.user_id());
    assert!(share["comment"].is_null());
    for client in [&mut author, &mut reader] {
        let told = client.event(&channel, "post.shared").await;
        assert_eq!(&told["data"]["share"], share, "the same for everybody");
        let state = client.state(&channel, "post.counts", |data| data["shares"] == 1).await;
        assert_eq!(state["version"], before + 1);
    }
    let told = author.notification().await;
    assert_eq!((&told["notification"]["kind"], &told["unread"]), (&json!("share"), &json!(1)));
    assert_eq!(told["notification"]["post_id"], post_id);
    assert_eq!(told["notification"]["actors"][0]["id"], reader.user_id());
    let my = reader.ok("post.get", json!({"post_id": post_id})).await["post"]["my"].clone();
    assert_eq!((&my["shared"], &my["reposted"]), (&json!(true), &json!(false)));
    let my = author.ok("post.get", json!({"post_id": post_id})).await["post"]["my"].clone();
    assert_eq!((&my["shared"], &my["reposted"]), (&json!(false), &json!(false)));
    assert_eq!(listed(&mut author, &post_id).await, [text(&share["id"])]);
}

async fn f7_2_the_same_share_again_is_the_same_and_tells_nothing(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, channel, .. } = scene(encoding).await;
    let body = |comment| json!({"post_id": post_id, "kind": "repost", "comment": comment});
    let first = reader.ok("share.add", body("read this")).await;
    author.event(&channel, "post.shared").await;
    author.notification().await;
    let version = author.counts(&post_id).await["version"].clone();
    for comment in ["read this", "other words"] {
        let again = reader.ok("share.add", body(comment)).await;
        assert_eq!((&again["changed"], &again["shares"]), (&json!(false), &json!(1)));
        assert_eq!(again["share"], first["share"], "the first one stands, with its words");
    }
    assert_eq!(author.counts(&post_id).await["version"], version);
    // What comes next is what happens next: nothing lay between.
    reader.comments(&post_id, "the fence").await;
    author.event(&channel, "comment.added").await;
    let told = author.notification().await;
    assert_eq!((&told["notification"]["kind"], &told["unread"]), (&json!("comment"), &json!(2)));
}

async fn f7_3_a_post_is_shared_and_reposted_once_each(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, channel, .. } = scene(encoding).await;
    let share = shares(&mut reader, &post_id, "share").await;
    let repost = shares(&mut reader, &post_id, "repost").await;
    assert_eq!((&repost["changed"], &repost["shares"]), (&json!(true), &json!(2)));
    assert_eq!(
        (&repost["share"]["kind"], &repost["share"]["comment"]),
        (&json!("repost"), &json!("read this"))
    );
    for kind in ["share", "repost"] {
        assert_eq!(author.event(&channel, "post.shared").await["data"]["share"]["kind"], kind);
        assert_eq!(author.notification().await["notification"]["kind"], kind);
    }
    let my = reader.ok("post.get", json!({"post_id": post_id})).await["post"]["my"].clone();
    assert_eq!((&my["shared"], &my["reposted"]), (&json!(true), &json!(true)));
    let newest_first = [text(&repost["share"]["id"]), text(&share["share"]["id"])];
    assert_eq!(listed(&mut reader, &post_id).await, newest_first);
    assert_eq!(author.counts(&post_id).await["shares"], 2);
}

async fn f7_4_f7_5_a_repost_says_something_and_kinds_are_two(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, channel, .. } = scene(encoding).await;
    let repost = |comment: Value| json!({"post_id": post_id, "kind": "repost", "comment": comment});
    for wrong in [json!(""), json!(" \n"), json!("é".repeat(501)), json!("a\u{0}b"), json!(5), Value::Null] {
        reader.invalid("share.add", repost(wrong), "comment").await;
    }
    reader.invalid("share.add", json!({"post_id": post_id, "kind": "repost"}), "comment").await;
    let long = json!({"post_id": post_id, "kind": "share", "comment": "a".repeat(501)});
    reader.invalid("share.add", long, "comment").await;
    for wrong in [json!("SHARE"), json!("quote"), json!(""), Value::Null, json!(1)] {
        for command in ["share.add", "share.remove"] {
            reader.invalid(command, json!({"post_id": post_id, "kind": wrong}), "kind").await;
        }
    }
    reader.invalid("share.add", json!({"post_id": post_id}), "kind").await;
    assert_eq!(author.counts(&post_id).await["shares"], 0);
    assert_eq!(reader.ok("share.add", repost(json!("é".repeat(500)))).await["changed"], true);
    let plain = json!({"post_id": post_id, "kind": "share", "comment": ""});
    assert!(reader.ok("share.add", plain).await["share"]["comment"].is_null(), "an empty one is none");
    assert_eq!(author.event(&channel, "post.shared").await["data"]["share"]["kind"], "repost");
}

#[tokio::test]
async fn f7_6_two_simultaneous_shares_are_one_row_and_one_effect() {
    let Scene { server, mut author, mut reader, post_id, channel, .. } = scene(Encoding::Json).await;
    let mut second = server.client("reader", Encoding::MessagePack).await;
    let body = json!({"post_id": post_id, "kind": "share"});
    for round in 1..=10 {
        let (one, two) = (reader.send("share.add", &body), second.send("share.add", &body));
        let one = reader.reply_to(one, "share.add").await.body;
        let two = second.reply_to(two, "share.add").await.body;
        assert_eq!(one["share"]["id"], two["share"]["id"]);
        assert_ne!(one["changed"], two["changed"], "{one} {two}");
        assert_eq!((&one["shares"], &two["shares"]), (&json!(1), &json!(1)));
        assert_eq!(listed(&mut author, &post_id).await, [text(&one["share"]["id"])]);
        let told = author.event(&channel, "post.shared").await;
        assert_eq!((&told["data"]["share"]["id"], &told["offset"]), (&one["share"]["id"], &json!(round)));
        reader.ok("share.remove", body.clone()).await;
    }
    assert_eq!(author.counts(&post_id).await["shares"], 0);
}

async fn f7_7_unsharing_lowers_by_one_and_twice_is_nothing(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, channel, .. } = scene(encoding).await;
    let gone = |kind: &str| json!({"post_id": post_id, "kind": kind});
    let none = reader.ok("share.remove", gone("share")).await;
    assert_eq!((&none["changed"], &none["shares"]), (&json!(false), &json!(0)), "never below 0");
    let first = shares(&mut reader, &post_id, "share").await;
    shares(&mut reader, &post_id, "repost").await;
    shares(&mut author, &post_id, "share").await;
    for (changed, left) in [(true, 2), (false, 2)] {
        let removed = reader.ok("share.remove", gone("share")).await;
        assert_eq!((&removed["changed"], &removed["shares"]), (&json!(changed), &json!(left)));
    }
    let my = reader.ok("post.get", json!({"post_id": post_id})).await["post"]["my"].clone();
    assert_eq!((&my["shared"], &my["reposted"]), (&json!(false), &json!(true)));
    assert_eq!(listed(&mut author, &post_id).await.len(), 2);
    // Nothing of it is heard of, nor found in the log.
    let heard = author.ok("notification.list", json!({})).await;
    let kinds: Vec<String> = list(&heard["notifications"]).iter().map(|one| text(&one["kind"])).collect();
    assert_eq!((kinds, &heard["unread"]), (vec!["repost".to_owned()], &json!(1)));
    let log = author.all_history(&channel, 0).await;
    assert_eq!((&log[0]["skip"], log.len()), (&json!(true), 3));
    let again = shares(&mut reader, &post_id, "share").await;
    assert_eq!((&again["changed"], &again["shares"]), (&json!(true), &json!(3)));
    assert_ne!(again["share"]["id"], first["share"]["id"]);
}

async fn f7_8_h10_what_one_may_not_read_one_cannot_share(encoding: Encoding) {
    let Scene { server, mut author, mut reader, community, post_id, .. } = scene(encoding).await;
    let mut guest = server.guest(encoding).await;
    let private = author.posts_with(&community, json!({"visibility": "private"})).await;
    let followers = author.posts_with(&community, json!({"visibility": "followers"})).await;
    let hidden = [&private, &followers].map(|made| text(&made["post"]["id"]));
    for hidden in &hidden {
        assert_eq!(shares(&mut author, hidden, "share").await["changed"], true, "one's own");
        for (command, kind) in [("share.add", true), ("share.remove", true), ("share.list", false)] {
            let body =
                if kind { json!({"post_id": hidden, "kind": "share"}) } else { json!({"post_id": hidden}) };
            reader.refused(command, body, "not_found").await;
        }
        guest.refused("share.list", json!({"post_id": hidden}), "not_found").await;
    }
    guest.refused("share.add", json!({"post_id": post_id, "kind": "share"}), "unauthenticated").await;
    assert_eq!(listed(&mut guest, &post_id).await, [] as [String; 0]);
    // Across a block the named post is not there either, while an anonymous one stays: a refusal would name its author.
    let anonymous = author.posts_with(&community, json!({"anonymous": true})).await;
    let anonymous = text(&anonymous["post"]["id"]);
    author.blocks(&reader.user_id(), true).await;
    reader.refused("share.add", json!({"post_id": post_id, "kind": "share"}), "not_found").await;
    reader.refused("share.list", json!({"post_id": post_id}), "not_found").await;
    let unread = author.ok("notification.list", json!({})).await["unread"].clone();
    assert_eq!(shares(&mut reader, &anonymous, "share").await["changed"], true);
    let after = author.ok("notification.list", json!({})).await;
    assert_eq!(after["unread"], unread, "nobody hears of whom they have blocked");
}

async fn f7_8_h10_shares_are_not_seen_across_a_block(encoding: Encoding) {
    let Scene { server, mut author, mut reader, post_id, channel, .. } = scene(encoding).await;
    let mut carol = server.client("carol", encoding).await;
    carol.subscribe(&channel).await;
    let before = text(&shares(&mut reader, &post_id, "share").await["share"]["id"]);
    assert_eq!(carol.event(&channel, "post.shared").await["data"]["share"]["id"], before);
    carol.blocks(&reader.user_id(), true).await;
    assert_eq!(listed(&mut carol, &post_id).await, [] as [String; 0]);
    shares(&mut reader, &post_id, "repost").await;
    let (kind, _) = carol.next_of(&channel).await;
    assert_eq!(kind, "skip");
    assert_eq!(listed(&mut author, &post_id).await.len(), 2);
    assert_eq!(listed(&mut reader, &post_id).await.len(), 2);
    // A block takes the other's shares out of what was heard.
    author.notification().await;
    author.blocks(&reader.user_id(), true).await;
    let heard = author.ok("notification.list", json!({})).await;
    assert_eq!((&heard["notifications"], &heard["unread"]), (&json!([]), &json!(0)));
}

async fn f7_7_what_one_shared_can_be_taken_back_when_one_may_read_it_no_more(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, community, .. } = scene(encoding).await;
    let writer = author.user_id();
    reader.follows(&writer, true).await;
    let narrow = author.posts_with(&community, json!({"visibility": "followers"})).await;
    let narrow = text(&narrow["post"]["id"]);
    shares(&mut reader, &narrow, "repost").await;
    reader.follows(&writer, false).await;
    let body = json!({"post_id": narrow, "kind": "repost"});
    assert_eq!(reader.ok("share.remove", body.clone()).await["changed"], true);
    assert_eq!(listed(&mut author, &narrow).await, Vec::<String>::new());
    reader.refused("share.remove", body, "not_found").await;
}

async fn f7_9_a_deleted_post_takes_its_shares_with_it(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    shares(&mut reader, &post_id, "share").await;
    shares(&mut reader, &post_id, "repost").await;
    author.ok("post.delete", json!({"post_id": post_id})).await;
    for client in [&mut author, &mut reader] {
        for command in ["share.add", "share.remove"] {
            client.refused(command, json!({"post_id": post_id, "kind": "share"}), "not_found").await;
        }
        client.refused("share.list", json!({"post_id": post_id}), "not_found").await;
    }
    let heard = author.ok("notification.list", json!({})).await;
    assert_eq!((&heard["notifications"], &heard["unread"]), (&json!([]), &json!(0)));
    let unknown = json!({"post_id": "00000000-0000-7000-8000-000000000001", "kind": "share"});
    reader.refused("share.add", unknown, "not_found").await;
}

async fn f7_10_ones_own_post_and_an_unwished_kind_tell_nobody(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    assert_eq!(shares(&mut author, &post_id, "share").await["shares"], 1);
    author.ok("notification.preferences", json!({"share": false})).await;
    assert_eq!(shares(&mut reader, &post_id, "share").await["shares"], 2);
    shares(&mut reader, &post_id, "repost").await;
    let told = author.notification().await;
    assert_eq!((&told["notification"]["kind"], &told["unread"]), (&json!("repost"), &json!(1)));
}

#[tokio::test]
async fn f7_11_a_share_stands_whatever_becomes_of_its_notification() {
    let Scene { server, mut author, mut reader, post_id, .. } = scene(Encoding::Json).await;
    // The author is away: nobody takes the notification, and the share does not ask.
    author.cut();
    assert_eq!(shares(&mut reader, &post_id, "share").await["changed"], true);
    author = server.client("author", Encoding::Json).await;
    let heard = author.ok("notification.list", json!({})).await;
    assert_eq!(list(&heard["notifications"])[0]["kind"], "share");
    assert_eq!(author.counts(&post_id).await["shares"], 1);
}

#[tokio::test]
async fn pages_of_shares_hold_everybody_once() {
    let Scene { server, mut author, post_id, .. } = scene(Encoding::Json).await;
    for number in 0..25 {
        let mut person = server.client(&format!("person{number}"), Encoding::BOTH[number % 2]).await;
        shares(&mut person, &post_id, "share").await;
    }
    let first = author.ok("share.list", json!({"post_id": post_id})).await;
    let rest = author.ok("share.list", json!({"post_id": post_id, "cursor": first["cursor"]})).await;
    assert_eq!((list(&first["shares"]).len(), list(&rest["shares"]).len()), (20, 5));
    assert!(rest["cursor"].is_null());
    let mut ids: Vec<String> = [&first, &rest]
        .into_iter()
        .flat_map(|page| list(&page["shares"]))
        .map(|one| text(&one["id"]))
        .collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first");
    ids.dedup();
    assert_eq!(ids.len(), 25);
    author.invalid("share.list", json!({"post_id": post_id, "cursor": "elsewhere"}), "cursor").await;
    let notifications = author.ok("notification.list", json!({})).await;
    assert_eq!(list(&notifications["notifications"]).len(), 1, "one that grows");
    assert_eq!(notifications["notifications"][0]["count"], 25);
}
