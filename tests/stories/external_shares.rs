//! F8: one share of a post to each platform for each person, with the link that opens it, and nothing past a right.

use serde_json::{Value, json};

use crate::harness::{Client, Encoding, Server, in_both_encodings, list, op, text};

in_both_encodings!(
    f8_1_each_platform_is_noted_and_has_its_link,
    f8_2_the_same_platform_again_is_the_same_share_and_link,
    f8_4_another_platform_is_another_share_and_no_second_notification,
    f8_5_platforms_are_six_words,
    f8_6_whatever_is_said_survives_in_the_link,
    f8_7_h10_only_public_posts_leave,
    f8_8_the_link_of_an_anonymous_post_names_nobody,
    f8_10_the_page_behind_the_link_opens_with_a_preview,
    a_deleted_post_takes_its_external_shares_with_it,
);

/// Where the servers of these stories say that they are.
const PUBLIC: &str = "https://hub.example.org";
const PUBLIC_ENCODED: &str = "https%3A%2F%2Fhub.example.org";
const PLATFORMS: [&str; 6] = ["whatsapp", "facebook", "x", "telegram", "email", "copy_link"];

struct Scene {
    server: Server,
    author: Client,
    reader: Client,
    community: String,
    post_id: String,
}

/// A post by `author`, with `reader` beside them.
async fn scene(encoding: Encoding) -> Scene {
    let server = Server::with(&[&format!("http.public_url={PUBLIC}")]).await;
    let mut author = server.client("author", encoding).await;
    let reader = server.client("reader", encoding).await;
    let community = author.makes_community("Word of mouth").await;
    let post_id = author.posts(&community, "pass it on").await;
    Scene { server, author, reader, community, post_id }
}

async fn shares(client: &mut Client, post_id: &str, platform: &str) -> Value {
    client.ok("external_share.add", json!({"post_id": post_id, "platform": platform})).await
}

async fn f8_1_each_platform_is_noted_and_has_its_link(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    let address = format!("{PUBLIC_ENCODED}%2Fp%2F{post_id}");
    let links = [
        format!("https://wa.me/?text=pass%20it%20on%0A{address}"),
        format!("https://www.facebook.com/sharer/sharer.php?u={address}&quote=pass%20it%20on"),
        format!("https://x.com/intent/post?url={address}&text=pass%20it%20on"),
        format!("https://t.me/share/url?url={address}&text=pass%20it%20on"),
        format!("mailto:?subject=pass%20it%20on&body=pass%20it%20on%0D%0A%0D%0A{address}"),
        format!("{PUBLIC}/p/{post_id}"),
    ];
    for (number, (platform, link)) in PLATFORMS.into_iter().zip(links).enumerate() {
        let shared = shares(&mut reader, &post_id, platform).await;
        assert_eq!((&shared["changed"], &shared["url"]), (&json!(true), &json!(link)));
        let share = &shared["share"];
        assert_eq!((&share["post_id"], &share["platform"]), (&json!(post_id), &json!(platform)));
        assert!(share["created_at"].is_i64() || share["created_at"].is_u64());
        assert_eq!(shared["totals"][platform], 1);
        assert_eq!(author.counts(&post_id).await["external_shares"], number + 1);
    }
    assert_eq!(author.counts(&post_id).await["shares"], 0, "those inside are counted apart");
    let mine = reader.ok("external_share.list", json!({"post_id": post_id})).await;
    let platforms: Vec<String> = list(&mine["shares"]).iter().map(|share| text(&share["platform"])).collect();
    assert_eq!(platforms, PLATFORMS);
    let others = author.ok("external_share.list", json!({"post_id": post_id})).await;
    assert_eq!(
        (&others["shares"], &others["totals"]),
        (&json!([]), &mine["totals"]),
        "who shared is not shown"
    );
}

async fn f8_2_the_same_platform_again_is_the_same_share_and_link(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    let body = |message| json!({"post_id": post_id, "platform": "telegram", "message": message});
    let first = reader.ok("external_share.add", body("read this")).await;
    let version = author.counts(&post_id).await["version"].clone();
    for message in ["read this", "other words"] {
        let again = reader.ok("external_share.add", body(message)).await;
        assert_eq!(again["changed"], false);
        for key in ["share", "url", "totals"] {
            assert_eq!(again[key], first[key], "{key}");
        }
    }
    assert_eq!(author.counts(&post_id).await["version"], version);
}

#[tokio::test]
async fn f8_3_ten_simultaneous_shares_are_one_record() {
    let Scene { server, mut author, post_id, .. } = scene(Encoding::Json).await;
    let mut devices = Vec::new();
    for number in 0..10 {
        devices.push(server.client("reader", Encoding::BOTH[number % 2]).await);
    }
    let body = json!({"post_id": post_id, "platform": "whatsapp"});
    let sent: Vec<u64> = devices.iter_mut().map(|device| device.send("external_share.add", &body)).collect();
    let mut answers = Vec::new();
    for (device, id) in devices.iter_mut().zip(sent) {
        answers.push(device.reply_to(id, "external_share.add").await.body);
    }
    assert_eq!(answers.iter().filter(|answer| answer["changed"] == true).count(), 1);
    for answer in &answers {
        assert_eq!((&answer["share"], &answer["url"]), (&answers[0]["share"], &answers[0]["url"]));
    }
    assert_eq!(author.counts(&post_id).await["external_shares"], 1);
    let totals = author.ok("external_share.list", json!({"post_id": post_id})).await["totals"].clone();
    assert_eq!(totals, json!({"whatsapp": 1}));
}

async fn f8_4_another_platform_is_another_share_and_no_second_notification(encoding: Encoding) {
    let Scene { server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    let mut carol = server.client("carol", encoding).await;
    let one = shares(&mut reader, &post_id, "x").await;
    let two = shares(&mut reader, &post_id, "email").await;
    assert_ne!(one["share"]["id"], two["share"]["id"]);
    assert_eq!(two["totals"], json!({"email": 1, "x": 1}));
    assert_eq!(shares(&mut carol, &post_id, "x").await["totals"], json!({"email": 1, "x": 2}));
    assert_eq!(shares(&mut author, &post_id, "x").await["changed"], true, "one's own post tells nobody");
    let heard = author.ok("notification.list", json!({})).await;
    let told = list(&heard["notifications"]);
    assert_eq!((told.len(), &told[0]["kind"], &told[0]["count"]), (1, &json!("external_share"), &json!(2)));
    // A block takes the other out of it.
    author.blocks(&reader.user_id(), true).await;
    let heard = author.ok("notification.list", json!({})).await;
    assert_eq!(heard["notifications"][0]["count"], 1);
    assert_eq!(heard["notifications"][0]["actors"][0]["id"], carol.user_id());
}

async fn f8_5_platforms_are_six_words(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    for wrong in [json!("WhatsApp"), json!("twitter"), json!(""), json!(" x"), Value::Null, json!(1)] {
        reader
            .invalid("external_share.add", json!({"post_id": post_id, "platform": wrong}), "platform")
            .await;
    }
    reader.invalid("external_share.add", json!({"post_id": post_id}), "platform").await;
    let message = |message: Value| json!({"post_id": post_id, "platform": "x", "message": message});
    for wrong in [json!("a".repeat(501)), json!(" "), json!("a\u{0}"), json!(5)] {
        reader.invalid("external_share.add", message(wrong), "message").await;
    }
    assert_eq!(author.counts(&post_id).await["external_shares"], 0);
}

async fn f8_6_whatever_is_said_survives_in_the_link(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, community, .. } = scene(encoding).await;
    let words = "a&b #1 100% =?+\n\u{1f64f}\u{1f3fd} \u{645}\u{631}\u{62d}\u{628}\u{627}";
    let post_id = author.posts(&community, "pass it on").await;
    for (platform, name) in [("whatsapp", "text"), ("facebook", "quote"), ("x", "text"), ("telegram", "text")]
    {
        let body = json!({"post_id": post_id, "platform": platform, "message": words});
        let shared = reader.ok("external_share.add", body).await;
        let url = reqwest::Url::parse(&text(&shared["url"])).expect("an address");
        let (_, said) = url.query_pairs().find(|(found, _)| found == name).expect(name);
        let expected = match platform {
            "whatsapp" => format!("{words}\n{PUBLIC}/p/{post_id}"),
            _ => words.to_owned(),
        };
        assert_eq!(said, expected, "{platform}");
        assert_eq!(url.fragment(), None);
    }
    // A long text is cut for the link, between what people see as letters.
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    let long = author.posts(&community, &family.repeat(400)).await;
    let shared = shares(&mut reader, &long, "telegram").await;
    let url = reqwest::Url::parse(&text(&shared["url"])).expect("an address");
    let (_, said) = url.query_pairs().find(|(found, _)| found == "text").expect("a text");
    let kept = said.strip_suffix('\u{2026}').expect("the sign that it was cut");
    assert_eq!(kept.replace(family, ""), "");
    assert!(said.chars().count() <= 500, "{said}");
}

async fn f8_7_h10_only_public_posts_leave(encoding: Encoding) {
    let Scene { server, mut author, mut reader, community, post_id } = scene(encoding).await;
    let mut guest = server.guest(encoding).await;
    let private = author.posts_with(&community, json!({"visibility": "private"})).await;
    let followers = author.posts_with(&community, json!({"visibility": "followers"})).await;
    let [private, followers] = [private, followers].map(|made| text(&made["post"]["id"]));
    let body = |post: &str| json!({"post_id": post, "platform": "x"});
    for hidden in [&private, &followers] {
        reader.refused("external_share.add", body(hidden), "not_found").await;
        reader.refused("external_share.list", json!({"post_id": hidden}), "not_found").await;
        author.refused("external_share.add", body(hidden), "forbidden").await;
    }
    reader.follows(&author.user_id(), true).await;
    reader.refused("external_share.add", body(&followers), "forbidden").await;
    guest.refused("external_share.add", body(&post_id), "unauthenticated").await;
    author.blocks(&reader.user_id(), true).await;
    reader.refused("external_share.add", body(&post_id), "not_found").await;
    for post in [&private, &followers, &post_id] {
        assert_eq!(author.counts(post).await["external_shares"], 0);
    }
}

async fn f8_8_the_link_of_an_anonymous_post_names_nobody(encoding: Encoding) {
    let Scene { server, mut author, mut reader, community, .. } = scene(encoding).await;
    let made = author.posts_with(&community, json!({"anonymous": true, "op": op()})).await;
    let post_id = text(&made["post"]["id"]);
    let page = server.http().get(&format!("/p/{post_id}")).await;
    let mut said = vec![page.text()];
    for platform in PLATFORMS {
        said.push(shares(&mut reader, &post_id, platform).await.to_string());
    }
    for said in said {
        assert!(!said.contains("author") && !said.contains(&author.user_id()), "{said}");
    }
    let told = author.ok("notification.list", json!({})).await;
    assert_eq!(told["notifications"][0]["kind"], "external_share", "the author hears of it all the same");
}

#[tokio::test]
async fn f8_9_killed_after_the_record_a_retry_changes_nothing() {
    let Scene { mut server, mut reader, post_id, .. } = scene(Encoding::Json).await;
    let first = shares(&mut reader, &post_id, "whatsapp").await;
    server.kill_and_restart().await;
    reader = server.client("reader", Encoding::Json).await;
    let mut author = server.client("author", Encoding::Json).await;
    let again = shares(&mut reader, &post_id, "whatsapp").await;
    assert_eq!((&again["changed"], &again["share"]), (&json!(false), &first["share"]));
    assert_eq!(author.counts(&post_id).await["external_shares"], 1);
    let heard = author.ok("notification.list", json!({})).await;
    assert_eq!((list(&heard["notifications"]).len(), &heard["unread"]), (1, &json!(1)));
    assert_eq!(heard["notifications"][0]["count"], 1);
}

async fn f8_10_the_page_behind_the_link_opens_with_a_preview(encoding: Encoding) {
    let Scene { server, mut author, mut reader, community, .. } = scene(encoding).await;
    let fields = json!({"title": "Water & \"light\" <b>", "content": "Back\nsince noon."});
    let post_id = text(&author.posts_with(&community, fields).await["post"]["id"]);
    let link = text(&shares(&mut reader, &post_id, "copy_link").await["url"]);
    let path = link.strip_prefix(PUBLIC).expect("an address of this server");
    let page = server.http().get(path).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let page = page.text();
    for tag in [
        "<meta property=\"og:title\" content=\"Water &amp; &quot;light&quot; &lt;b&gt;\" />".to_owned(),
        "<meta property=\"og:description\" content=\"Back since noon.\" />".to_owned(),
        format!("<meta property=\"og:url\" content=\"{PUBLIC}/p/{post_id}\" />"),
        format!("<meta property=\"og:image\" content=\"{PUBLIC}/preview.png\" />"),
        format!("<meta http-equiv=\"refresh\" content=\"0; url=../#/p/{post_id}\" />"),
    ] {
        assert!(page.contains(&tag), "{tag} in {page}");
    }
    let picture = server.http().get("/preview.png").await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/png")));
    // What not everybody may read looks like what is not there, and tells nothing.
    let nothing = "00000000-0000-7000-8000-000000000001";
    let unknown = server.http().get(&format!("/p/{nothing}")).await;
    assert_eq!(unknown.status, 404);
    let unknown = unknown.text();
    for visibility in ["private", "followers"] {
        let fields = json!({"visibility": visibility, "title": "hush", "content": "hush"});
        let hidden = text(&author.posts_with(&community, fields).await["post"]["id"]);
        let shown = server.http().get(&format!("/p/{hidden}")).await;
        assert_eq!((shown.status, shown.text().replace(&hidden, nothing)), (404, unknown.clone()));
    }
    author.ok("post.delete", json!({"post_id": post_id})).await;
    assert_eq!(server.http().get(path).await.text().replace(&post_id, nothing), unknown);
    assert_eq!(server.http().get("/p/%FF").await.status, 404, "bytes that are no text name no post");
}

async fn a_deleted_post_takes_its_external_shares_with_it(encoding: Encoding) {
    let Scene { server: _server, mut author, mut reader, post_id, .. } = scene(encoding).await;
    shares(&mut reader, &post_id, "x").await;
    author.ok("post.delete", json!({"post_id": post_id})).await;
    reader.refused("external_share.add", json!({"post_id": post_id, "platform": "x"}), "not_found").await;
    reader.refused("external_share.list", json!({"post_id": post_id}), "not_found").await;
    let heard = author.ok("notification.list", json!({})).await;
    assert_eq!((&heard["notifications"], &heard["unread"]), (&json!([]), &json!(0)));
}
