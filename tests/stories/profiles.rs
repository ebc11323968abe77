//! F5: the photo and the words of one's own profile.

use image::ImageFormat;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Claims, Encoding, Form, Http, Server, in_both_encodings, op, picture, text};

in_both_encodings!(
    f5_1_f5_9_a_photo_has_a_new_address_and_its_removal_restores_the_default,
    f5_4_f5_5_f5_6_what_is_not_allowed_changes_nothing,
    f5_7_of_two_changes_at_once_one_is_a_conflict,
    f5_10_anonymous_posts_never_show_a_photo,
);

async fn photo(http: &Http, name: &str, format: ImageFormat) -> Value {
    let form = Form::of(&picture(200, 200, format)).text("purpose", "profile");
    let token = Claims::of(name).sign();
    http.upload(Some(&token), form).await.json_with(StatusCode::CREATED)["media"].clone()
}

async fn f5_1_f5_9_a_photo_has_a_new_address_and_its_removal_restores_the_default(encoding: Encoding) {
    let server = Server::start().await;
    let http = server.http();
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let id = alice.user_id();
    bob.follows(&id, true).await;
    let channel = format!("author:{id}");
    bob.subscribe(&channel).await;
    let mut version = 1;
    let mut before = Value::Null;
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let media = photo(&http, "alice", format).await;
        let body = json!({"photo_media_id": media["id"], "version": version});
        let profile = alice.ok("profile.edit", body).await["profile"].clone();
        version += 1;
        assert_eq!((&profile["photo"], &profile["version"]), (&media["urls"], &json!(version)));
        assert_ne!(profile["photo"], before);
        let told = bob.event(&channel, "user.updated").await;
        assert_eq!(told["data"]["user"]["photo"], media["urls"], "followers hear of it");
        assert_eq!(told["data"]["version"], version);
        // Everybody sees it, guests as well.
        assert_eq!(http.get(&text(&media["urls"]["thumb"])).await.status, 200);
        if !before.is_null() {
            assert_eq!(http.get(&text(&before["thumb"])).await.status, 404, "the old one is gone");
        }
        before = profile["photo"].clone();
    }
    let community = alice.makes_community("Faces").await;
    alice.posts(&community, "it is me").await;
    let page = bob.ok("feed.list", json!({"community_id": community})).await;
    assert_eq!(page["posts"][0]["author"]["photo"], before);
    let removed = alice.ok("profile.edit", json!({"photo_media_id": null, "version": version})).await;
    assert_eq!(removed["profile"]["photo"], Value::Null);
    assert_eq!(bob.ok("profile.get", json!({"user_id": id})).await["profile"]["photo"], Value::Null);
    assert_eq!(http.get(&text(&before["thumb"])).await.status, 404);
}

#[tokio::test]
async fn f5_2_f5_3_what_is_too_large_or_no_picture_leaves_the_old_photo() {
    let server = Server::start().await;
    let http = server.http();
    let mut alice = server.client("alice", Encoding::Json).await;
    let token = Claims::of("alice").sign();
    let old = photo(&http, "alice", ImageFormat::Png).await;
    alice.ok("profile.edit", json!({"photo_media_id": old["id"], "version": 1})).await;
    let whole = picture(60, 60, ImageFormat::Jpeg);
    for bad in [&b"only text, named me.jpg"[..], &whole[..whole.len() - 40]] {
        let form = Form::default().text("purpose", "profile").file("me.jpg", "image/jpeg", bad);
        http.upload(Some(&token), form).await.problem(415, "unsupported_type");
    }
    let mut large = picture(60, 60, ImageFormat::Jpeg);
    large.resize((5 << 20) + 1, 0);
    let form = Form::default().text("purpose", "profile").file("me.jpg", "image/jpeg", &large);
    http.upload(Some(&token), form).await.problem(413, "too_large");
    let profile = alice.ok("profile.get", json!({"user_id": alice.user_id()})).await["profile"].clone();
    assert_eq!(profile["photo"], old["urls"]);
    assert_eq!(http.get(&text(&old["urls"]["original"])).await.status, 200);
}

async fn f5_4_f5_5_f5_6_what_is_not_allowed_changes_nothing(encoding: Encoding) {
    let server = Server::start().await;
    let http = server.http();
    let mut alice = server.client("alice", encoding).await;
    let bob = server.client("bob", encoding).await;
    let media = photo(&http, "alice", ImageFormat::Png).await;
    let foreign = photo(&http, "bob", ImageFormat::Png).await;
    let of_posts = http.uploads(&Claims::of("alice").sign(), &picture(2, 2, ImageFormat::Png)).await;
    let edit =
        |fields: Value| crate::harness::with(json!({"photo_media_id": media["id"], "version": 1}), fields);
    let other = bob.user_id();
    alice.refused("profile.edit", edit(json!({"user_id": other})), "forbidden").await;
    alice.refused("profile.edit", edit(json!({"role": "admin"})), "forbidden").await;
    alice.refused("profile.edit", edit(json!({"verified": true})), "forbidden").await;
    alice.invalid("profile.edit", edit(json!({"bio": "x".repeat(501)})), "bio").await;
    alice.invalid("profile.edit", edit(json!({"name": " "})), "name").await;
    for bad in [&foreign["id"], &of_posts["id"], &json!("nonsense")] {
        alice.invalid("profile.edit", edit(json!({"photo_media_id": bad})), "photo_media_id").await;
    }
    let profile = alice.ok("profile.get", json!({"user_id": alice.user_id()})).await["profile"].clone();
    assert_eq!(
        (&profile["photo"], &profile["version"], &profile["bio"]),
        (&Value::Null, &json!(1), &json!(""))
    );
    let good = edit(json!({"bio": "x".repeat(500), "name": "Alice of the harbour"}));
    let profile = alice.ok("profile.edit", good).await["profile"].clone();
    assert_eq!((&profile["name"], &profile["photo"]), (&json!("Alice of the harbour"), &media["urls"]));
}

async fn f5_7_of_two_changes_at_once_one_is_a_conflict(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let first = alice.send("profile.edit", &json!({"bio": "one", "version": 1}));
    let second = alice.send("profile.edit", &json!({"bio": "two", "version": 1}));
    let answers = [alice.reply_to(first, "first").await, alice.reply_to(second, "second").await];
    let refused: Vec<_> = answers.iter().filter(|reply| reply.code() == "conflict").collect();
    assert_eq!(refused.len(), 1);
    let profile = alice.ok("profile.get", json!({"user_id": alice.user_id()})).await["profile"].clone();
    assert_eq!(profile["version"], 2);
}

async fn f5_10_anonymous_posts_never_show_a_photo(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let media = photo(&server.http(), "alice", ImageFormat::Png).await;
    alice.ok("profile.edit", json!({"photo_media_id": media["id"], "version": 1})).await;
    let community = alice.makes_community("Faces").await;
    let made = alice.posts_with(&community, json!({"anonymous": true})).await;
    let comment = json!({"op": op(), "post_id": made["post"]["id"], "content": "me too", "anonymous": true});
    alice.ok("comment.add", comment).await;
    let page = bob.ok("feed.list", json!({"community_id": community})).await;
    let comments = bob.ok("comment.list", json!({"post_id": made["post"]["id"]})).await;
    for seen in [page, comments] {
        assert!(!seen.to_string().contains(&text(&media["id"])), "{seen}");
    }
}
