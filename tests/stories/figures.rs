//! F3: what the author of a post is told of how it is received, in numbers and as they move.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::harness::{Claims, Client, Encoding, Server, in_both_encodings, list, text};

in_both_encodings!(
    f3_1_a_new_post_has_zeros,
    f3_2_ten_views_and_six_acts_are_popular,
    f3_3_one_view_and_five_reactions_are_viral,
    f3_4_without_views_nothing_is_divided,
    f3_6_shares_elsewhere_move_their_own_figures_alone,
    f3_7_a_person_is_one_view_in_half_an_hour,
    f3_9_undoing_lowers,
    f3_10_figures_are_the_authors_alone,
    f3_11_a_deleted_post_has_no_figures,
    f3_12_the_author_is_told_once_a_second_and_the_last_is_exact,
);

struct Scene {
    server: Server,
    author: Client,
    reader: Client,
    community: String,
    post_id: String,
}

/// A post by `author`, with `reader` beside them.
async fn scene(encoding: Encoding) -> Scene {
    scene_on(Server::start().await, encoding).await
}

async fn scene_on(server: Server, encoding: Encoding) -> Scene {
    let mut author = server.client("author", encoding).await;
    let reader = server.client("reader", encoding).await;
    let community = author.makes_community("Figures").await;
    let post_id = author.posts(&community, "how is this received?").await;
    Scene { server, author, reader, community, post_id }
}

async fn figures(author: &mut Client, post_id: &str) -> Value {
    author.ok("analytics.post", json!({"post_id": post_id})).await
}

async fn looks(client: &mut Client, post_id: &str) -> bool {
    client.ok("post.view", json!({"post_id": post_id})).await["counted"] == true
}

/// So many people, each of whom looks at the post once.
async fn crowd_looks(server: &Server, post_id: &str, people: usize) {
    let (http, body) = (server.http(), json!({"post_id": post_id}));
    let mut answers = stream::iter(0..people)
        .map(|number| {
            let (http, body) = (http.clone(), body.clone());
            async move {
                let token = Claims::of(&format!("viewer{number}")).sign();
                http.command(Encoding::BOTH[number % 2], "post.view", Some(&token), &body).await
            }
        })
        .buffer_unordered(64);
    while let Some(answer) = answers.next().await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn received(figures: &Value) -> (f64, f64, String) {
    let number = |key: &str| figures[key].as_f64().expect("a number");
    (number("engagement_rate"), number("viral_score"), text(&figures["label"]))
}

/// All days of a series added up.
fn all_days(figures: &Value, key: &str) -> i64 {
    list(&figures["series"]).iter().map(|day| day[key].as_i64().expect("an integer")).sum()
}

async fn f3_1_a_new_post_has_zeros(encoding: Encoding) {
    let Scene { server: _server, mut author, post_id, .. } = scene(encoding).await;
    let told = figures(&mut author, &post_id).await;
    assert_eq!(received(&told), (0.0, 0.0, "normal".into()));
    for key in ["views", "unique_viewers", "comments"] {
        assert_eq!(told[key], 0, "{key}");
    }
    assert_eq!(told["shares"], json!({"share": 0, "repost": 0}));
    for key in ["reactions", "external_shares"] {
        assert_eq!(told[key], json!({}), "{key}");
    }
    assert_eq!((&told["post_id"], &told["series"]), (&json!(post_id), &json!([])));
}

async fn f3_2_ten_views_and_six_acts_are_popular(encoding: Encoding) {
    let Scene { server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    crowd_looks(&server, &post_id, 10).await;
    let mut third = server.client("third", encoding).await;
    author.reacts(&post_id, "like").await;
    reader.reacts(&post_id, "love").await;
    third.reacts(&post_id, "love").await;
    let comment = reader.comments(&post_id, "well").await;
    third.replies(&post_id, &comment, "indeed").await;
    reader.ok("share.add", json!({"post_id": post_id, "kind": "repost", "comment": "see"})).await;
    let told = figures(&mut author, &post_id).await;
    assert_eq!(received(&told), (60.0, 60.0, "popular".into()));
    assert_eq!(
        (&told["views"], &told["unique_viewers"], &told["comments"]),
        (&json!(10), &json!(10), &json!(2))
    );
    assert_eq!(told["reactions"], json!({"like": 1, "love": 2}));
    assert_eq!(told["shares"], json!({"share": 0, "repost": 1}));
    let days = list(&told["series"]);
    assert!((1..=2).contains(&days.len()), "a run may begin before midnight: {days:?}");
    for (key, sum) in
        [("views", 10), ("reactions", 3), ("comments", 2), ("shares", 1), ("external_shares", 0)]
    {
        assert_eq!(all_days(&told, key), sum, "{key}");
    }
}

async fn f3_3_one_view_and_five_reactions_are_viral(encoding: Encoding) {
    let Scene { server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    assert!(looks(&mut reader, &post_id).await);
    for number in 0..5 {
        server.client(&format!("fan{number}"), encoding).await.reacts(&post_id, "wow").await;
    }
    assert_eq!(received(&figures(&mut author, &post_id).await), (500.0, 100.0, "viral".into()));
}

async fn f3_4_without_views_nothing_is_divided(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    reader.reacts(&post_id, "sad").await;
    assert_eq!(received(&figures(&mut author, &post_id).await), (0.0, 0.0, "normal".into()));
}

#[tokio::test]
async fn f3_5_labels_begin_exactly_at_twenty_fifty_and_eighty() {
    let Scene { server, mut author, mut reader, post_id, .. } = scene(Encoding::Json).await;
    crowd_looks(&server, &post_id, 10).await;
    for (acts, label) in
        (1..=8).zip(["normal", "engaged", "engaged", "engaged", "popular", "popular", "popular", "viral"])
    {
        reader.comments(&post_id, "one more").await;
        let score = f64::from(acts) * 10.0;
        assert_eq!(received(&figures(&mut author, &post_id).await), (score, score, label.into()));
    }
}

async fn f3_6_shares_elsewhere_move_their_own_figures_alone(encoding: Encoding) {
    let Scene { server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    crowd_looks(&server, &post_id, 2).await;
    reader.reacts(&post_id, "like").await;
    let before = figures(&mut author, &post_id).await;
    for platform in ["whatsapp", "email", "email"] {
        reader.ok("external_share.add", json!({"post_id": post_id, "platform": platform})).await;
    }
    author.ok("external_share.add", json!({"post_id": post_id, "platform": "email"})).await;
    let after = figures(&mut author, &post_id).await;
    assert_eq!(after["external_shares"], json!({"whatsapp": 1, "email": 2}));
    assert_eq!(all_days(&after, "external_shares"), 3);
    assert_eq!(received(&after), received(&before));
    assert_eq!((&after["shares"], &after["views"]), (&before["shares"], &before["views"]));
}

async fn f3_7_a_person_is_one_view_in_half_an_hour(encoding: Encoding) {
    let Scene { server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    let mut second = server.client("reader", encoding).await;
    assert!(looks(&mut reader, &post_id).await);
    assert!(!looks(&mut reader, &post_id).await);
    assert!(!looks(&mut second, &post_id).await, "another device of the same person");
    assert!(looks(&mut author, &post_id).await, "an author's look is a view, and the author no viewer");
    let mut guest = server.guest(encoding).await;
    assert!(looks(&mut guest, &post_id).await);
    assert!(!looks(&mut guest, &post_id).await);
    let told = figures(&mut author, &post_id).await;
    assert_eq!((&told["views"], &told["unique_viewers"]), (&json!(3), &json!(2)));
}

#[tokio::test]
async fn f3_8_a_thousand_people_who_look_at_once_are_a_thousand() {
    let Scene { server, mut author, post_id, .. } = scene(Encoding::Json).await;
    crowd_looks(&server, &post_id, 1_000).await;
    let told = figures(&mut author, &post_id).await;
    assert_eq!((&told["views"], &told["unique_viewers"]), (&json!(1_000), &json!(1_000)));
    assert_eq!(all_days(&told, "views"), 1_000);
}

/// That every figure equals its rows after a random crowd is a story of the store, told of both databases:
/// `every_counter_equals_its_rows`.
async fn f3_9_undoing_lowers(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    looks(&mut reader, &post_id).await;
    reader.reacts(&post_id, "like").await;
    let comment = reader.comments(&post_id, "well").await;
    reader.ok("share.add", json!({"post_id": post_id, "kind": "share"})).await;
    assert_eq!(received(&figures(&mut author, &post_id).await).0, 300.0);
    reader.reacts(&post_id, Value::Null).await;
    reader.ok("comment.delete", json!({"comment_id": comment})).await;
    reader.ok("share.remove", json!({"post_id": post_id, "kind": "share"})).await;
    let told = figures(&mut author, &post_id).await;
    assert_eq!(received(&told), (0.0, 0.0, "normal".into()));
    assert_eq!((&told["reactions"], &told["comments"]), (&json!({}), &json!(0)));
    for key in ["reactions", "comments", "shares"] {
        assert_eq!(all_days(&told, key), 0, "{key}");
    }
}

async fn f3_10_figures_are_the_authors_alone(encoding: Encoding) {
    let Scene { server, mut author, mut reader, community, post_id } = scene(encoding).await;
    let ask = json!({"post_id": post_id});
    reader.refused("analytics.post", ask.clone(), "forbidden").await;
    server.guest(encoding).await.refused("analytics.post", ask, "unauthenticated").await;
    let channel = json!({"channel": format!("analytics:post:{post_id}")});
    reader.refused("subscribe", channel, "not_found").await;
    let hidden = author.posts_with(&community, json!({"visibility": "private"})).await;
    let hidden = json!({"post_id": hidden["post"]["id"]});
    reader.refused("analytics.post", hidden.clone(), "not_found").await;
    author.ok("analytics.post", hidden).await;
    // Of an anonymous post too: its author sees the figures, and nobody else a difference.
    let nameless = author.posts_with(&community, json!({"anonymous": true})).await;
    let nameless = json!({"post_id": nameless["post"]["id"]});
    author.ok("analytics.post", nameless.clone()).await;
    reader.refused("analytics.post", nameless, "forbidden").await;
}

async fn f3_11_a_deleted_post_has_no_figures(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    reader.reacts(&post_id, "like").await;
    let channel = format!("analytics:post:{post_id}");
    author.subscribe(&channel).await;
    author.ok("post.delete", json!({"post_id": post_id})).await;
    author.refused("analytics.post", json!({"post_id": post_id}), "not_found").await;
    author.refused("subscribe", json!({"channel": channel}), "not_found").await;
}

async fn f3_12_the_author_is_told_once_a_second_and_the_last_is_exact(encoding: Encoding) {
    let Scene { server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    let channel = format!("analytics:post:{post_id}");
    let begun = author.subscribe(&channel).await["states"].clone();
    assert_eq!((&begun[0]["event"], &begun[0]["data"]["views"]), (&json!("post.figures"), &json!(0)));
    let began = std::time::Instant::now();
    crowd_looks(&server, &post_id, 200).await;
    reader.reacts(&post_id, "like").await;
    let mut pushes = 0;
    let last = loop {
        let push = author.state(&channel, "post.figures", |_| true).await;
        pushes += 1;
        if push["data"]["views"] == 200 && push["data"]["reactions"]["like"] == 1 {
            break push;
        }
    };
    let seconds = began.elapsed().as_secs();
    // Of two nodes each tells what was done there.
    let nodes = if std::env::var_os("COMMUNICONNECT_TWO_NODES").is_some() { 2 } else { 1 };
    assert!(pushes <= nodes * (seconds + 2), "{pushes} in {seconds} s");
    let asked = figures(&mut author, &post_id).await;
    for key in
        ["post_id", "version", "views", "reactions", "comments", "engagement_rate", "viral_score", "label"]
    {
        assert_eq!(last["data"][key], asked[key], "{key}");
    }
    assert_eq!((&last["key"], &last["version"]), (&json!(post_id), &asked["version"]));
    let again = author.subscribe(&channel).await["states"].clone();
    assert_eq!(again[0]["data"], last["data"], "whoever comes later is told the same");
}

#[tokio::test]
async fn f3_13_figures_survive_a_kill() {
    let Scene { mut server, mut author, mut reader, post_id, .. } = scene(Encoding::Json).await;
    crowd_looks(&server, &post_id, 20).await;
    reader.reacts(&post_id, "like").await;
    reader.ok("share.add", json!({"post_id": post_id, "kind": "share"})).await;
    let before = figures(&mut author, &post_id).await;
    server.kill_and_restart().await;
    author = server.client("author", Encoding::Json).await;
    assert_eq!(figures(&mut author, &post_id).await, before);
}
