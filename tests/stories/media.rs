//! F1 and what F2 says of media: uploading pictures, and who gets their bytes.

use image::ImageFormat;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{
    Claims, Encoding, Form, Http, Server, in_both_encodings, picture, post, text, with, within,
};

in_both_encodings!(
    f2_2_f2_3_a_post_has_up_to_five_pictures_of_its_author,
    f2_4_a_picture_alone_is_a_post,
    f2_8_visibility_holds_for_the_bytes_of_pictures,
);

fn url(media: &Value, variant: &str) -> String {
    text(&media["urls"][variant])
}

/// Files below the folder of media.
fn files(server: &Server) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
        entries.flatten().map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }
    count(&server.data().join("media"))
}

async fn alone() -> (Server, Http, String) {
    let server = Server::with(&["store.url=sqlite"]).await;
    let http = server.http();
    (server, http, Claims::of("alice").sign())
}

#[tokio::test]
async fn f1_1_f1_15_a_picture_is_uploaded_and_only_its_owner_finds_it() {
    let (server, http, alice) = alone().await;
    let bob = Claims::of("bob").sign();
    let media = http.uploads(&alice, &picture(1, 1, ImageFormat::Png)).await;
    assert_eq!(media["kind"], "image");
    assert_eq!(media["type"], "image/png");
    assert_eq!(media["status"], "ready");
    assert_eq!((&media["width"], &media["height"]), (&json!(1), &json!(1)));
    assert!(media["bytes"].as_u64().is_some_and(|bytes| bytes > 60), "{media}");
    let about = format!("/v1/media/{}", text(&media["id"]));
    assert_eq!(http.get_as(Some(&alice), &about).await.ok()["media"], media);
    let bytes = http.get_as(Some(&alice), &url(&media, "original")).await;
    assert_eq!((bytes.status, bytes.content_type.as_str()), (200, "image/png"));
    assert_eq!(bytes.bytes.len() as u64, media["bytes"]);
    for token in [None, Some(bob.as_str())] {
        http.get_as(token, &about).await.problem(404, "not_found");
        http.get_as(token, &url(&media, "thumb")).await.problem(404, "not_found");
    }
    let bearer = format!("Bearer {bob}");
    http.request(Method::DELETE, &about, &[("authorization", &bearer)], vec![])
        .await
        .problem(404, "not_found");
    let bearer = format!("Bearer {alice}");
    http.request(Method::DELETE, &about, &[("authorization", &bearer)], vec![]).await.ok();
    http.get_as(Some(&alice), &about).await.problem(404, "not_found");
    assert_eq!(files(&server), 0, "its bytes are gone");
}

#[tokio::test]
async fn f1_2_f1_5_content_decides_what_a_picture_is() {
    let (_server, http, alice) = alone().await;
    for (format, media_type) in [
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Gif, "image/gif"),
        (ImageFormat::WebP, "image/webp"),
    ] {
        let form = Form::default()
            .file("notes.txt", "text/plain", &picture(700, 350, format))
            .text("alt", "Red beside blue");
        let media = http.upload(Some(&alice), form).await.json_with(StatusCode::CREATED)["media"].clone();
        assert_eq!((&media["type"], &media["alt"]), (&json!(media_type), &json!("Red beside blue")));
        for (variant, width) in [("original", 700), ("large", 700), ("medium", 600), ("thumb", 150)] {
            let reply = http.get_as(Some(&alice), &url(&media, variant)).await;
            let seen = image::load_from_memory(&reply.bytes).expect("a picture");
            assert_eq!((seen.width(), seen.height()), (width, width / 2), "{media_type} {variant}");
        }
    }
}

#[tokio::test]
async fn f1_3_f1_4_f1_11_what_is_no_picture_is_refused_and_nothing_is_kept() {
    let (server, http, alice) = alone().await;
    let png = picture(9, 9, ImageFormat::Png);
    let others: [&[u8]; 7] = [
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0>\0 an executable",
        b"MZ\x90\0 another",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!doctype html><script>alert(1)</script>",
        b"PK\x03\x04 a zip that calls itself a video",
        &[&png[..], b"PK\x03\x04 a picture and an archive"].concat(),
        &png[..png.len() / 2],
    ];
    for (name, media_type) in [("holiday.png", "image/png"), ("holiday.mp4", "video/mp4")] {
        for other in others {
            let form = Form::default().file(name, media_type, other);
            http.upload(Some(&alice), form).await.problem(415, "unsupported_type");
        }
    }
    let empty = http.upload(Some(&alice), Form::of(b"")).await.problem(400, "invalid");
    assert_eq!(empty["field"], "file");
    let missing = http.upload(Some(&alice), Form::default().text("alt", "x")).await.problem(400, "invalid");
    assert_eq!(missing["field"], "file");
    let wrong = Form::of(&png).text("purpose", "blackmail");
    assert_eq!(http.upload(Some(&alice), wrong).await.problem(400, "invalid")["field"], "purpose");
    let bearer = format!("Bearer {alice}");
    let bare = [("authorization", bearer.as_str()), ("content-type", "image/png")];
    http.request(Method::POST, "/v1/media", &bare, png).await.problem(415, "unsupported_type");
    assert_eq!(files(&server), 0);
}

/// A PNG of exactly so many bytes, its rest in a chunk that is no picture.
fn png_of(bytes: usize) -> Vec<u8> {
    let png = picture(9, 9, ImageFormat::Png);
    let filling = bytes - png.len() - 12;
    let mut file = png[..33].to_vec();
    file.extend_from_slice(&u32::try_from(filling).expect("short").to_be_bytes());
    let begin = file.len();
    file.extend_from_slice(b"teSt");
    file.resize(begin + 4 + filling, b'x');
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&file[begin..]);
    file.extend_from_slice(&sum.to_be_bytes());
    file.extend_from_slice(&png[33..]);
    assert_eq!(file.len(), bytes);
    file
}

#[tokio::test]
async fn f1_6_a_picture_has_ten_mebibytes_and_not_one_byte_more() {
    let (server, http, alice) = alone().await;
    let most = 10 << 20;
    http.uploads(&alice, &png_of(most)).await;
    let before = files(&server);
    http.upload(Some(&alice), Form::of(&png_of(most + 1))).await.problem(413, "too_large");
    let photo =
        Form::default().text("purpose", "profile").file("me.png", "image/png", &png_of((5 << 20) + 1));
    http.upload(Some(&alice), photo).await.problem(413, "too_large");
    assert_eq!(files(&server), before, "nothing of them is kept");
    // One that says how long it is, is refused before it is sent.
    let mut tcp = TcpStream::connect(server.http_address()).await.expect("the server listens");
    let head = format!(
        "POST /v1/media HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alice}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 60000000\r\n\r\n"
    );
    tcp.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = [0; 12];
    within("a refusal", tokio::io::AsyncReadExt::read_exact(&mut tcp, &mut answer)).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn f1_2_f1_7_f1_8_f1_9_a_video_is_measured_and_bounded() {
    let (server, http, alice) = alone().await;
    for (brand, media_type) in [(b"isom", "video/mp4"), (b"qt  ", "video/quicktime")] {
        let media = http.uploads(&alice, &boxes(brand, 60_000, 0)).await;
        assert_eq!((&media["kind"], &media["type"]), (&json!("video"), &json!(media_type)));
        assert_eq!((&media["width"], &media["height"]), (&json!(640), &json!(360)));
        assert_eq!(media["duration_ms"], 60_000);
        let bearer = format!("Bearer {alice}");
        let part = [("range", "bytes=4-7"), ("authorization", bearer.as_str())];
        let part = http.request(Method::GET, &url(&media, "original"), &part, vec![]).await;
        assert_eq!(
            (part.status, &part.bytes[..], part.content_type.as_str()),
            (206, &b"ftyp"[..], media_type)
        );
        let whole = http.get_as(Some(&alice), &url(&media, "original")).await;
        assert_eq!(whole.bytes.len() as u64, media["bytes"]);
        assert!(!whole.bytes.windows(8).any(|part| part == b"48.8584N"), "the place is gone");
    }
    let media = http.uploads(&alice, &webm(2_500)).await;
    assert_eq!((&media["type"], &media["duration_ms"]), (&json!("video/webm"), &json!(2_500)));
    assert_eq!((&media["width"], &media["height"]), (&json!(640), &json!(360)));
    let before = files(&server);
    let long =
        http.upload(Some(&alice), Form::of(&boxes(b"isom", 61_000, 0))).await.problem(422, "limit_exceeded");
    assert!(text(&long["message"]).contains("61.0 s") && text(&long["message"]).contains("60.0 s"), "{long}");
    http.upload(Some(&alice), Form::of(&webm(61_000))).await.problem(422, "limit_exceeded");
    let unknown = http.upload(Some(&alice), Form::of(&boxes(b"isom", 0, 0))).await.problem(400, "invalid");
    assert!(text(&unknown["message"]).contains("how long"), "{unknown}");
    let whole = boxes(b"isom", 5_000, 0);
    http.upload(Some(&alice), Form::of(&whole[..whole.len() - 9])).await.problem(415, "unsupported_type");
    http.upload(Some(&alice), Form::of(&[&whole[..], b"PK\x03\x04 an archive"].concat()))
        .await
        .problem(415, "unsupported_type");
    let mut nested = whole[..20].to_vec();
    for left in (0..100_000_u32).rev() {
        nested.extend_from_slice(&(left * 8 + 8).to_be_bytes());
        nested.extend_from_slice(b"moov");
    }
    http.upload(Some(&alice), Form::of(&nested)).await.problem(415, "unsupported_type");
    let photo = Form::of(&whole).text("purpose", "profile");
    http.upload(Some(&alice), photo).await.problem(415, "unsupported_type");
    assert_eq!(files(&server), before, "nothing of them is kept");
    let most = 50 << 20;
    http.uploads(&alice, &boxes(b"mp42", 5_000, most)).await;
    http.upload(Some(&alice), Form::of(&boxes(b"mp42", 5_000, most + 1))).await.problem(413, "too_large");
}

/// An MP4 or QuickTime file of so many milliseconds, which is filled up to so many bytes and tells where it was made.
fn boxes(brand: &[u8; 4], ms: u32, bytes: usize) -> Vec<u8> {
    let one = |name: &[u8; 4], body: &[u8]| {
        [&u32::try_from(body.len() + 8).expect("short").to_be_bytes()[..], name, body].concat()
    };
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
    let tkhd = words(&[
        0,
        0,
        0,
        1,
        0,
        ms,
        0,
        0,
        0,
        0,
        0x1_0000,
        0,
        0,
        0,
        0x1_0000,
        0,
        0,
        0,
        0x4000_0000,
        640 << 16,
        360 << 16,
    ]);
    let hdlr = [&words(&[0, 0])[..], b"vide", &[0; 12]].concat();
    let stts = if ms == 0 { words(&[0, 0]) } else { words(&[0, 1, ms / 20, 20]) };
    let media = [
        one(b"mdhd", &words(&[0, 0, 0, 1_000, ms, 0])),
        one(b"hdlr", &hdlr),
        one(b"minf", &one(b"stbl", &one(b"stts", &stts))),
    ];
    let track = [one(b"tkhd", &tkhd), one(b"mdia", &media.concat())];
    let moov = [one(b"trak", &track.concat()), one(b"udta", &one(b"\xa9xyz", b"48.8584N 2.2945E"))];
    let head =
        [one(b"ftyp", &[&brand[..], &[0, 0, 2, 0], brand].concat()), one(b"moov", &moov.concat())].concat();
    let samples = bytes.saturating_sub(head.len() + 8).max(100);
    [head, one(b"mdat", &vec![7; samples])].concat()
}

/// A WebM file without any lengths in front, as recorders of browsers write it.
fn webm(ms: u16) -> Vec<u8> {
    let one =
        |id: &[u8], body: &[u8]| [id, &[0x80 | u8::try_from(body.len()).expect("short")], body].concat();
    let unknown = [0x01_u8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let size = [one(&[0xb0], &640_u16.to_be_bytes()), one(&[0xba], &360_u16.to_be_bytes())].concat();
    let track = one(&[0xae], &one(&[0xe0], &size));
    let second = ms - 500;
    [
        one(&[0x1a, 0x45, 0xdf, 0xa3], &one(&[0x42, 0x82], b"webm")),
        [&[0x18, 0x53, 0x80, 0x67][..], &unknown].concat(),
        one(&[0x15, 0x49, 0xa9, 0x66], &one(&[0x2a, 0xd7, 0xb1], &[0x0f, 0x42, 0x40])),
        one(&[0x16, 0x54, 0xae, 0x6b], &track),
        [&[0x1f, 0x43, 0xb6, 0x75][..], &unknown].concat(),
        one(&[0xe7], &second.to_be_bytes()),
        one(&[0xa3], &[0x81, 0, 0, 0x80, 1, 2, 3]),
        one(&[0xa3], &[0x81, 0x01, 0xf4, 0, 1, 2, 3]),
    ]
    .concat()
}

#[tokio::test]
async fn f1_10_guests_upload_nothing() {
    let (server, http, _) = alone().await;
    let png = picture(1, 1, ImageFormat::Png);
    http.upload(None, Form::of(&png)).await.problem(401, "unauthenticated");
    let expired = Claims::of("alice").ending_in(-1).sign();
    http.upload(Some(&expired), Form::of(&png)).await.problem(401, "token_expired");
    assert_eq!(files(&server), 0);
}

#[tokio::test]
async fn f1_12_an_upload_that_breaks_off_leaves_nothing() {
    let (server, _, alice) = alone().await;
    let mut tcp = TcpStream::connect(server.http_address()).await.expect("the server listens");
    let head = format!(
        "POST /v1/media HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alice}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"
    );
    tcp.write_all(head.as_bytes()).await.expect("sent");
    tcp.write_all(&picture(300, 300, ImageFormat::Jpeg)[..600]).await.expect("sent");
    within("the upload to begin", async {
        while files(&server) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    drop(tcp);
    within("it to be gone", async {
        while files(&server) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn f1_13_a_name_is_only_a_name() {
    let (server, http, alice) = alone().await;
    let png = picture(1, 1, ImageFormat::Png);
    for name in
        ["../../../../tmp/escape.png", "nul\0.png", &"x".repeat(300), "/etc/passwd", "..", "%2e%2e%2f"]
    {
        let form = Form::default().file(name, "image/png", &png);
        let reply = http.upload(Some(&alice), form).await;
        assert!(matches!(reply.status, 201 | 400), "{name:?}: {}", reply.text());
    }
    assert!(files(&server) >= 4);
    for path in ["/media/../../etc/passwd", "/media/x/original", "/media/x/..%2f..%2fetc%2fpasswd"] {
        assert_eq!(http.get_as(Some(&alice), path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn f1_14_the_21st_upload_of_a_minute_waits() {
    let server = Server::with(&["limits.rates=on"]).await;
    let (http, alice) = (server.http(), Claims::of("alice").sign());
    let png = picture(1, 1, ImageFormat::Png);
    for _ in 0..20 {
        http.uploads(&alice, &png).await;
    }
    let refusal = http.upload(Some(&alice), Form::of(&png)).await.problem(429, "rate_limited");
    assert!(refusal["retry_after_ms"].as_u64().is_some_and(|wait| (1..=60_000).contains(&wait)), "{refusal}");
}

#[tokio::test]
async fn f1_17_a_photo_is_upright_and_does_not_tell_where_it_was_taken() {
    let (_server, http, alice) = alone().await;
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend_from_slice(b"48.8584N 2.2945E");
    let mut photo = vec![0xff, 0xd8, 0xff, 0xe1];
    photo.extend_from_slice(&u16::try_from(exif.len() + 2).expect("short").to_be_bytes());
    photo.extend_from_slice(&exif);
    photo.extend_from_slice(&picture(400, 200, ImageFormat::Jpeg)[2..]);
    let media = http.uploads(&alice, &photo).await;
    assert_eq!((&media["width"], &media["height"]), (&json!(200), &json!(400)));
    for variant in ["original", "large", "medium", "thumb"] {
        let reply = http.get_as(Some(&alice), &url(&media, variant)).await;
        assert!(!reply.bytes.windows(8).any(|part| part == b"48.8584N"), "{variant}");
        let seen = image::load_from_memory(&reply.bytes).expect("a picture").into_rgb8();
        assert!(seen.height() > seen.width());
        assert!(seen.get_pixel(seen.width() / 2, 5).0[0] > 200, "red was left and is above");
    }
}

#[tokio::test]
async fn f1_18_a_huge_picture_in_a_small_file_costs_no_memory() {
    let (server, http, alice) = alone().await;
    let mut bomb = picture(9, 9, ImageFormat::Png);
    bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&sum.to_be_bytes());
    let before = memory(&server);
    for _ in 0..4 {
        http.upload(Some(&alice), Form::of(&bomb)).await.problem(422, "limit_exceeded");
    }
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
}

/// The most memory that the server ever had.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
    peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test]
async fn f1_19_bytes_are_served_as_browsers_and_players_ask_for_them() {
    let server = Server::start().await;
    let (http, mut alice) = (server.http(), server.client("alice", Encoding::Json).await);
    let token = Claims::of("alice").sign();
    let media = http.uploads(&token, &picture(300, 300, ImageFormat::Jpeg)).await;
    let community = alice.makes_community("Photos").await;
    alice.posts_with(&community, json!({"media_ids": [media["id"]]})).await;
    let path = url(&media, "original");
    let whole = http.get(&path).await;
    assert_eq!((whole.status, whole.content_type.as_str()), (200, "image/jpeg"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert!(whole.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
    assert!(
        whole
            .header("cache-control")
            .is_some_and(|cache| cache.contains("public") && cache.contains("immutable"))
    );
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let tag = whole.header("etag").expect("a tag").to_owned();
    let known = http.request(Method::GET, &path, &[("if-none-match", &tag)], vec![]).await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));
    let part = http.request(Method::GET, &path, &[("range", "bytes=10-19")], vec![]).await;
    assert_eq!((part.status, &part.bytes[..]), (206, &whole.bytes[10..20]));
    assert_eq!(part.header("content-range"), Some(&*format!("bytes 10-19/{}", whole.bytes.len())));
    let beyond = http.request(Method::GET, &path, &[("range", "bytes=9999999-")], vec![]).await;
    beyond.problem(416, "bad_request");
    assert_eq!(beyond.header("content-range"), Some(&*format!("bytes */{}", whole.bytes.len())));
    let head = http.request(Method::HEAD, &path, &[], vec![]).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(&*whole.bytes.len().to_string()));
    assert_eq!(http.get(&path.replace("original", "enormous")).await.status, 404);
}

#[tokio::test]
async fn f1_20_a_server_that_is_killed_serves_whole_pictures_or_none() {
    let (mut server, http, alice) = alone().await;
    let file = picture(900, 600, ImageFormat::Jpeg);
    let before = http.uploads(&alice, &file).await;
    let uploads: Vec<_> = (0..6)
        .map(|_| {
            let (http, alice, file) = (http.clone(), alice.clone(), file.clone());
            tokio::spawn(async move { http.uploads(&alice, &file).await })
        })
        .collect();
    let mut acknowledged = vec![before];
    for (place, upload) in uploads.into_iter().enumerate() {
        if place == 2 {
            server.kill().await;
        }
        // Those that were on their way fail, as they must.
        acknowledged.extend(upload.await);
    }
    server.restart().await;
    let http = server.http();
    for media in &acknowledged {
        for variant in ["original", "medium", "thumb"] {
            let reply = http.get_as(Some(&alice), &url(media, variant)).await;
            assert_eq!(reply.status, 200, "what was acknowledged is there");
            image::load_from_memory(&reply.bytes).expect("a whole picture");
        }
    }
}

async fn f2_2_f2_3_a_post_has_up_to_five_pictures_of_its_author(encoding: Encoding) {
    let server = Server::start().await;
    let http = server.http();
    let (token, stranger) = (Claims::of("alice").sign(), Claims::of("bob").sign());
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let community = alice.makes_community("Photos").await;
    let feed = format!("feed:{community}");
    bob.subscribe(&feed).await;
    let png = picture(3, 2, ImageFormat::Png);
    let mut media = Vec::new();
    for _ in 0..6 {
        media.push(http.uploads(&token, &png).await);
    }
    let ids = |range: std::ops::Range<usize>| -> Vec<Value> {
        media[range].iter().map(|media| media["id"].clone()).collect()
    };
    let draft = |ids: Vec<Value>| with(post(&community, "look"), json!({"media_ids": ids}));
    let refused = alice.refused("post.create", draft(ids(0..6)), "limit_exceeded").await;
    assert_eq!(refused["field"], "media_ids");
    // One that is no good refuses the whole post, and is named.
    let foreign = http.uploads(&stranger, &png).await["id"].clone();
    for bad in
        [foreign, json!("0199c82c-c000-7000-8000-000000000002"), json!("nonsense"), media[0]["id"].clone()]
    {
        let refused =
            alice.refused("post.create", draft(vec![media[0]["id"].clone(), bad.clone()]), "invalid").await;
        assert_eq!(refused["field"], "media_ids");
        assert!(text(&refused["message"]).contains(&text(&bad)), "{refused}");
    }
    let made = alice.ok("post.create", draft(ids(0..5))).await;
    assert_eq!(made["post"]["media"], json!(media[..5]), "in the order asked");
    let seen = bob.event(&feed, "post.created").await;
    assert_eq!(seen["data"]["post"]["media"], json!(media[..5]), "and nothing was told of those refused");
    let page = bob.ok("feed.list", json!({"community_id": community})).await;
    assert_eq!(page["posts"][0]["media"], json!(media[..5]));
    // What is in a post stays in that one.
    alice.refused("post.create", draft(ids(0..1)), "invalid").await;
    let bearer = format!("Bearer {token}");
    let about = format!("/v1/media/{}", text(&media[0]["id"]));
    http.request(Method::DELETE, &about, &[("authorization", &bearer)], vec![])
        .await
        .problem(409, "conflict");
    alice.ok("post.delete", json!({"post_id": made["post"]["id"]})).await;
    for media in &media[..5] {
        http.get_as(Some(&token), &url(media, "thumb")).await.problem(404, "not_found");
    }
}

async fn f2_4_a_picture_alone_is_a_post(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let community = alice.makes_community("Photos").await;
    let media = server.http().uploads(&Claims::of("alice").sign(), &picture(3, 2, ImageFormat::Png)).await;
    let body = json!({"content": "", "media_ids": [media["id"]]});
    let made = alice.posts_with(&community, body).await;
    assert_eq!((&made["post"]["content"], &made["post"]["media"]), (&json!(""), &json!([media])));
    let blank = with(post(&community, ""), json!({"media_ids": []}));
    alice.refused("post.create", blank, "invalid").await;
}

async fn f2_8_visibility_holds_for_the_bytes_of_pictures(encoding: Encoding) {
    let server = Server::start().await;
    let http = server.http();
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let mut carol = server.client("carol", encoding).await;
    let [a, b, c] = ["alice", "bob", "carol"].map(|name| Claims::of(name).sign());
    bob.follows(&alice.user_id(), true).await;
    let community = alice.makes_community("Photos").await;
    let png = picture(200, 200, ImageFormat::Png);
    let (author, follower, other, guest) = (Some(&*a), Some(&*b), Some(&*c), None);
    for (visibility, readers, rest) in [
        ("public", vec![author, follower, other, guest], vec![]),
        ("followers", vec![author, follower], vec![other, guest]),
        ("private", vec![author], vec![follower, other, guest]),
    ] {
        let media = http.uploads(&a, &png).await;
        let body = json!({"visibility": visibility, "media_ids": [media["id"]]});
        alice.posts_with(&community, body).await;
        let about = format!("/v1/media/{}", text(&media["id"]));
        for path in [about, url(&media, "original"), url(&media, "thumb")] {
            for reader in &readers {
                assert_eq!(http.get_as(*reader, &path).await.status, 200, "{visibility} {path}");
            }
            for reader in &rest {
                http.get_as(*reader, &path).await.problem(404, "not_found");
            }
        }
        let cache =
            http.get_as(author, &url(&media, "thumb")).await.header("cache-control").map(str::to_owned);
        assert_eq!(cache.is_some_and(|cache| cache.starts_with("public")), visibility == "public");
    }
    let media = http.uploads(&a, &png).await;
    let body = json!({"anonymous": true, "media_ids": [media["id"]]});
    alice.posts_with(&community, body).await;
    // A block does not reach what has no name: it would tell whose it is.
    alice.blocks(&carol.user_id(), true).await;
    let found = http.get_as(other, &format!("/v1/media/{}", text(&media["id"]))).await;
    assert_eq!(found.status, 200);
    assert!(!found.text().contains(&alice.user_id()) && !found.text().contains("alice"), "{}", found.text());
    carol.ok("feed.list", json!({"community_id": community})).await;
}
