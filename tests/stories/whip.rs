//! WHIP (RFC 9725): encoders send by HTTP. One story per rule of the standard; section numbers are the RFC's.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::harness::live::{
    Broadcast, CHROMIUM_PUBLISH, CHROMIUM_WATCH, FFMPEG_PUBLISH, PUBLISHERS, Player, Session, Stage, TRICKLE,
    sections,
};
use crate::harness::{Claims, Encoding, HttpReply, Server, raw_http, text};

const SDP: (&str, &str) = ("content-type", "application/sdp");

#[tokio::test]
async fn an_offer_of_every_encoder_is_answered_with_a_session() {
    let stage = Stage::begin(&[]).await;
    let (mut etags, mut paths) = (HashSet::new(), HashSet::new());
    for (client, offer) in PUBLISHERS {
        let reply = stage.publish(offer).await;
        assert_eq!(reply.status, 201, "{client}: {}", reply.text());
        assert_eq!(reply.content_type, "application/sdp", "{client}");
        assert_eq!(reply.header("accept-patch"), Some("application/trickle-ice-sdpfrag"), "{client}");
        let session = Session::of(&reply);
        assert!(is_strong_tag(&session.etag), "{client}: {}", session.etag);
        assert!(etags.insert(session.etag), "every ICE session has its own tag");
        let secret = session.path.strip_prefix("/v1/rtc/").expect("a path of this server");
        assert!(secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
        assert!(paths.insert(session.path.clone()), "every session has its own address");
        assert_answer(client, offer, &session.answer, "recvonly");
        assert_eq!(stage.http.get(&session.path).await.status, 200, "{client}: its address leads to it");
    }
}

/// Section 4.2, 4.3.2, 4.4.1: what every answer has, whoever offered.
pub(super) fn assert_answer(client: &str, offer: &str, answer: &str, direction: &str) {
    let (offered, answered) = (sections(offer), sections(answer));
    assert_eq!(offered.len(), answered.len(), "{client}: as many sections");
    assert!(answer.lines().any(|line| line == "a=ice-lite"), "{client}");
    let bundles: Vec<_> = answer.lines().filter(|line| line.starts_with("a=group:BUNDLE ")).collect();
    assert_eq!(bundles.len(), 1, "{client}: one bundle");
    let media = answered.iter().filter(|lines| !lines[0].contains("application"));
    for lines in media {
        let has = |line: &str| lines.contains(&line);
        assert!(has(&format!("a={direction}")), "{client}: {lines:?}");
        assert!(has("a=rtcp-mux") && has("a=rtcp-mux-only"), "{client}: {lines:?}");
        assert!(!lines[0].starts_with("m=audio 0 ") && !lines[0].starts_with("m=video 0 "), "{client}");
    }
    let simulcast = |sdp: &str, direction: &str| sdp.contains(&format!("\na=simulcast:{direction} "));
    assert_eq!(simulcast(offer, "send"), simulcast(answer, "recv"), "{client}: its layers are taken");
    let candidates = answer.lines().filter(|line| line.starts_with("a=candidate:")).count();
    assert!(candidates > 0 && answer.contains("a=end-of-candidates"), "{client}: all candidates are there");
}

fn is_strong_tag(etag: &str) -> bool {
    let inner = etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"'));
    inner.is_some_and(|inner| {
        !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
    })
}

#[tokio::test]
async fn a_location_is_absolute_where_the_public_address_is_known() {
    let stage = Stage::begin(&["http.public_url=https://live.example.org/"]).await;
    let session = stage.session().await;
    let path = session.path.strip_prefix("https://live.example.org").expect("absolute").to_owned();
    assert_eq!(stage.http.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_no_offer_is_a_4xx_and_never_a_5xx() {
    let stage = Stage::begin(&[]).await;
    let bearer = format!("Bearer {}", stage.key);
    let send = async |kind: Option<&str>, body: Vec<u8>| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(kind.map(|kind| ("content-type", kind)));
        stage.http.request(Method::POST, &stage.whip(), &headers, body).await
    };
    let good = FFMPEG_PUBLISH.as_bytes().to_vec();
    for kind in [Some("text/plain"), Some("application/json"), Some("application/sdpx"), Some(""), None] {
        send(kind, good.clone()).await.problem(415, "unsupported_type");
    }
    for kind in ["application/sdp", "Application/SDP; charset=utf-8", "application/sdp;x=y"] {
        assert_eq!(send(Some(kind), good.clone()).await.status, 201, "{kind}");
    }
    send(Some(SDP.1), vec![b'a'; 1_000_000]).await.problem(413, "too_large");
    send(Some(SDP.1), vec![b'\n'; 65_537]).await.problem(413, "too_large");
    let hostile: [&[u8]; 12] = [
        b"",
        b"\0",
        b"\xff\xfe",
        b"v=0",
        b"v=0\r\n",
        b"m=\r\nm=\r\n",
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF\r\n",
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 99999 UDP/TLS/RTP/SAVPF 111\r\n",
        b"{\"type\":\"offer\",\"sdp\":\"v=0\"}",
        b"<html></html>",
        &[b'='; 60_000],
        &[0xc3; 60_000],
    ];
    for body in hostile {
        let reply = send(Some(SDP.1), body.to_vec()).await;
        let start = &body[..body.len().min(40)];
        assert!([400, 422].contains(&reply.status), "{start:?}: {} {}", reply.status, reply.text());
        assert!(reply.content_type.starts_with("application/problem+json"), "{start:?}");
    }
    send(Some(SDP.1), Vec::new()).await.problem(400, "bad_request");
    // Cut anywhere, it is an offer or none; lines that are missing are told, not guessed.
    for end in (1..CHROMIUM_PUBLISH.len()).step_by(229) {
        let status = send(Some(SDP.1), CHROMIUM_PUBLISH.as_bytes()[..end].to_vec()).await.status;
        assert!([201, 400, 422].contains(&status), "the first {end} bytes: {status}");
    }
}

#[tokio::test]
async fn fuzzed_offers_are_answered_or_refused() {
    let stage = Stage::begin(&[]).await;
    // A fixed sequence: a failure comes again.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("small")
    };
    for round in 0..150 {
        let (_, offer) = PUBLISHERS[random(PUBLISHERS.len())];
        let mut lines: Vec<&str> = offer.lines().collect();
        for _ in 0..=random(4) {
            let (from, to) = (random(lines.len()), random(lines.len()));
            match random(3) {
                0 => drop(lines.remove(from)),
                1 => lines.swap(from, to),
                _ => lines.insert(to, lines[from]),
            }
        }
        let mut body = lines.join("\r\n").into_bytes();
        let place = random(body.len());
        body[place] = u8::try_from(random(256)).expect("a byte");
        let headers = [SDP, ("authorization", &format!("Bearer {}", stage.key))];
        let reply = stage.http.request(Method::POST, &stage.whip(), &headers, body).await;
        assert!([201, 400, 422].contains(&reply.status), "round {round}: {} {}", reply.status, reply.text());
    }
}

#[tokio::test]
async fn what_only_receives_or_does_nothing_cannot_publish() {
    let stage = Stage::begin(&[]).await;
    for (direction, status) in [("sendonly", 201), ("sendrecv", 201), ("recvonly", 422), ("inactive", 422)] {
        let offer = CHROMIUM_PUBLISH.replace("a=sendonly", &format!("a={direction}"));
        let reply = stage.publish(&offer).await;
        assert_eq!(reply.status, status, "{direction}: {}", reply.text());
        if status == 422 {
            reply.problem(422, "invalid");
        } else {
            assert_answer(direction, &offer, &reply.text(), "recvonly");
        }
    }
    stage.publish(CHROMIUM_WATCH).await.problem(422, "invalid");
}

#[tokio::test]
async fn who_opens_dtls_is_as_offered() {
    let stage = Stage::begin(&[]).await;
    for (offered, answered) in [("actpass", "passive"), ("active", "passive"), ("passive", "active")] {
        let offer = CHROMIUM_PUBLISH.replace("a=setup:actpass", &format!("a=setup:{offered}"));
        let answer = Session::of(&stage.publish(&offer).await).answer;
        let roles: HashSet<_> = answer.lines().filter_map(|line| line.strip_prefix("a=setup:")).collect();
        assert_eq!(roles, HashSet::from([answered]), "{offered}");
    }
}

#[tokio::test]
async fn get_and_head_have_nothing_to_show() {
    let stage = Stage::begin(&[]).await;
    let session = stage.session().await;
    for path in [stage.whip(), "/v1/whip".into(), session.path.clone()] {
        for method in [Method::GET, Method::HEAD] {
            let reply = stage.http.request(method.clone(), &path, &[], Vec::new()).await;
            assert_eq!((reply.status, reply.bytes.len()), (200, 0), "{method} {path}");
        }
        let put = stage.http.request(Method::PUT, &path, &[], Vec::new()).await;
        assert_eq!(put.status, 405, "{path}");
        assert!(put.header("allow").is_some(), "405 tells what is allowed");
    }
    stage.http.get("/v1/rtc/0123456789abcdef0123456789abcdef").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_page_of_another_origin_may_publish() {
    let ice = "live.ice_servers=stun:stun.example.org";
    let stage = Stage::begin(&[ice]).await;
    let session = stage.session().await;
    let asks = [
        ("origin", "https://elsewhere.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,if-match"),
    ];
    for path in [stage.whip(), "/v1/whip".into(), stage.whep(), session.path.clone()] {
        for headers in [&asks[..], &[]] {
            let reply = stage.http.request(Method::OPTIONS, &path, headers, Vec::new()).await;
            assert_eq!((reply.status, reply.bytes.len()), (200, 0), "{path}");
            assert_eq!(reply.header("link"), None, "{path}: no ICE servers to a preflight");
            let lists = |name: &str, wanted: &str| {
                let listed = reply.header(name).unwrap_or_default().to_ascii_lowercase();
                assert!(listed.split(',').any(|item| item.trim() == wanted), "{path}: {name}: {listed}");
            };
            for method in ["get", "head", "post", "patch", "delete"] {
                lists("access-control-allow-methods", method);
            }
            for header in ["authorization", "content-type", "if-match"] {
                lists("access-control-allow-headers", header);
            }
            assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{path}");
            if path.starts_with("/v1/rtc/") {
                assert_eq!(reply.header("accept-patch"), Some("application/trickle-ice-sdpfrag"));
            } else {
                assert_eq!(reply.header("accept-post"), Some("application/sdp"), "{path}");
            }
        }
    }
    let bearer = format!("Bearer {}", stage.key);
    let headers = [SDP, ("origin", "https://elsewhere.example"), ("authorization", &bearer)];
    let body = CHROMIUM_PUBLISH.as_bytes().to_vec();
    let reply = stage.http.request(Method::POST, &stage.whip(), &headers, body).await;
    assert_eq!(reply.status, 201);
    let exposed = reply.header("access-control-expose-headers").expect("exposed").to_ascii_lowercase();
    for header in ["location", "etag", "link", "retry-after"] {
        assert!(exposed.split(',').any(|item| item.trim() == header), "{exposed}");
    }
    let origin = [("origin", "https://elsewhere.example")];
    let refused = stage.http.request(Method::POST, &stage.whip(), &origin, Vec::new()).await;
    refused.problem(401, "unauthenticated");
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"), "a page can read why");
}

#[tokio::test]
async fn ice_servers_are_told_by_links_with_their_credentials() {
    let stage = Stage::begin(&[
        "live.ice_servers=stun:stun.example.org,turn:turn.example.org?transport=udp",
        "live.turn_secret=a-secret-of-the-turn-server",
    ])
    .await;
    let links = stage.publish(FFMPEG_PUBLISH).await.all("link");
    assert_eq!(links[0], "<stun:stun.example.org>; rel=\"ice-server\"");
    let turn = links[1].strip_prefix("<turn:turn.example.org?transport=udp>; rel=\"ice-server\"; ");
    let parameters: Vec<_> = turn.expect("the TURN server").split("; ").collect();
    let has = |name: &str| parameters.iter().any(|parameter| parameter.starts_with(&format!("{name}=\"")));
    assert!(has("username") && has("credential"), "{parameters:?}");
    assert!(parameters.contains(&"credential-type=\"password\""), "{parameters:?}");
    assert_eq!(links.len(), 2);
}

#[tokio::test]
async fn delete_ends_a_session_once_whatever_its_precondition() {
    let stage = Stage::begin(&[]).await;
    let session = stage.session().await;
    let bearer = format!("Bearer {}", stage.key);
    let headers = [("authorization", bearer.as_str()), ("if-match", "\"another\"")];
    let reply = stage.http.request(Method::DELETE, &session.path, &headers, Vec::new()).await;
    assert_eq!((reply.status, reply.bytes.len()), (200, 0), "{}", reply.text());
    let again = stage.http.request(Method::DELETE, &session.path, &headers, Vec::new()).await;
    again.problem(404, "not_found");
    stage.http.get(&session.path).await.problem(404, "not_found");
    let patch = [("authorization", bearer.as_str()), ("if-match", session.etag.as_str())];
    stage.http.fragment(&session.path, &patch, TRICKLE).await.problem(404, "not_found");
}

#[tokio::test]
async fn delete_says_goodbye_to_the_encoder_at_once() {
    let stage = Stage::begin(&[]).await;
    let broadcast = stage.goes_live().await;
    let headers = [("authorization", format!("Bearer {}", stage.key))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let reply = stage.http.request(Method::DELETE, &broadcast.session.path, &headers, Vec::new()).await;
    assert_eq!(reply.status, 200);
    assert!(broadcast.hears_goodbye().await < Duration::from_secs(1));
    // Pressing Stop in an encoder may be a change of scene: the live waits for it, and says why.
    assert_eq!(stage.becomes("interrupted").await["reason"], "lost");
}

#[tokio::test]
async fn candidates_are_taken_for_the_present_ice_session_alone() {
    let stage = Stage::begin(&[]).await;
    let session = stage.session().await;
    let bearer = format!("Bearer {}", stage.key);
    let patch = async |condition: Option<&str>, fragment: &str| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(condition.map(|condition| ("if-match", condition)));
        stage.http.fragment(&session.path, &headers, fragment).await
    };
    // As Chromium sends it, with what this server cannot use beside what it can.
    let odd = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
               a=candidate:1 1 udp 2113937151 6f1a4a8c-33a1-4a0e-8c25-0d7a7a4d2f9d.local 61764 typ host\r\n\
               a=candidate:2 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active\r\n\
               a=candidate:3 1 udp 1 fe80::1%eth0 1 typ host\r\na=candidate:4 1 udp 1 192.0.2.1 99999 typ host\r\n\
               a=candidate:5 1 udp 1 203.0.113.4 4000 typ relay raddr 0.0.0.0 rport 0 network-cost 50\r\n\
               a=candidate:nonsense\r\na=end-of-candidates\r\n";
    for (condition, fragment) in [(session.etag.as_str(), TRICKLE), (&session.etag, odd), ("*", TRICKLE)] {
        let reply = patch(Some(condition), fragment).await;
        assert_eq!((reply.status, reply.bytes.len()), (204, 0), "{}", reply.text());
        assert_eq!(reply.header("etag"), None, "a trickle changes no session");
    }
    patch(None, TRICKLE).await.problem(428, "bad_request");
    for stale in ["\"another\"", &format!("W/{}", session.etag), session.etag.trim_matches('"')] {
        patch(Some(stale), TRICKLE).await.problem(412, "conflict");
    }
    for malformed in ["", "v=0\r\n", "a=ice-ufrag:abcd\r\n", "a=ice-ufrag:a\r\na=ice-pwd:b\r\n", "\0"] {
        patch(Some(&session.etag), malformed).await.problem(400, "bad_request");
    }
    patch(Some(&session.etag), &"x".repeat(70_000)).await.problem(413, "too_large");
    let headers = [("authorization", bearer.as_str()), ("if-match", &session.etag), SDP];
    let body = TRICKLE.as_bytes().to_vec();
    let reply = stage.http.request(Method::PATCH, &session.path, &headers, body).await;
    reply.problem(415, "unsupported_type");
    let nowhere = "/v1/rtc/0123456789abcdef0123456789abcdef";
    let headers = [("authorization", bearer.as_str()), ("if-match", &session.etag)];
    stage.http.fragment(nowhere, &headers, TRICKLE).await.problem(404, "not_found");
}

const RESTART: &str = "a=ice-ufrag:freshname\r\na=ice-pwd:afreshpassword0123456789\r\n\
                       a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n";

#[tokio::test]
async fn new_credentials_restart_ice_and_rename_the_session() {
    let stage = Stage::begin(&[]).await;
    let session = stage.session().await;
    let bearer = format!("Bearer {}", stage.key);
    let patch = async |condition: &str, fragment: &str| {
        let headers = [("authorization", bearer.as_str()), ("if-match", condition)];
        stage.http.fragment(&session.path, &headers, fragment).await
    };
    let line = |text: &str, name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_else(|| panic!("{name} in {text}")).to_owned()
    };
    let mut tags = HashSet::from([session.etag.clone()]);
    let mut names = HashSet::from([line(&session.answer, "a=ice-ufrag:")]);
    // `"*"` is what the RFC prints in its example; the draft of WHEP takes new credentials with the tag for a restart too.
    let mut tag = session.etag.clone();
    for (round, condition) in ["*", "\"*\"", "the present"].into_iter().enumerate() {
        let condition = if condition.starts_with("the") { tag.clone() } else { condition.into() };
        let reply = patch(&condition, &RESTART.replace("fresh", &format!("fresh{round}"))).await;
        assert_eq!(reply.status, 200, "{condition}: {}", reply.text());
        assert_eq!(reply.content_type, "application/trickle-ice-sdpfrag");
        tag = reply.header("etag").expect("a new tag").to_owned();
        assert!(is_strong_tag(&tag) && tags.insert(tag.clone()), "{tag}");
        let fragment = reply.text();
        assert!(names.insert(line(&fragment, "a=ice-ufrag:")));
        assert!(line(&fragment, "a=ice-pwd:").len() >= 22);
        assert!(fragment.contains("a=candidate:") && fragment.contains("a=end-of-candidates"), "{fragment}");
        for kept in ["a=ice-lite", "a=ice-options:"] {
            assert_eq!(line(&fragment, kept), line(&session.answer, kept), "{kept} is as answered");
        }
    }
    patch(&session.etag, TRICKLE).await.problem(412, "conflict");
    assert_eq!(patch(&tag, TRICKLE).await.status, 204);
}

#[tokio::test]
async fn an_encoder_that_restarts_ice_sends_on_from_where_it_is_now() {
    let mut stage = Stage::begin(&[]).await;
    let broadcast = stage.goes_live().await;
    let mut player = Player::start(&stage, None).await;
    player.sees_pictures(30).await;
    let bearer = format!("Bearer {}", stage.key);
    let headers = [("authorization", bearer.as_str()), ("if-match", "*")];
    let reply = stage.http.fragment(&broadcast.session.path, &headers, RESTART).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    player.sees_pictures(30).await;
    assert!(!broadcast.restarts(RESTART, &reply.text()).await, "the former credentials are void");
    player.sees_pictures(60).await;
    let stopped = stage.owner.ok("live.stop", json!({"live_id": stage.live})).await;
    assert_eq!(stopped["report"]["interruptions"], 0);
}

#[tokio::test]
async fn a_restart_that_fails_leaves_the_session_as_it_was() {
    let stage = Stage::begin(&[]).await;
    let broadcast = stage.goes_live().await;
    let mut player = Player::start(&stage, None).await;
    player.sees(20).await;
    let bearer = format!("Bearer {}", stage.key);
    let headers = [("authorization", bearer.as_str()), ("if-match", "*")];
    let half = "a=ice-ufrag:freshname\r\n";
    stage.http.fragment(&broadcast.session.path, &headers, half).await.problem(400, "bad_request");
    let headers = [("authorization", bearer.as_str()), ("if-match", &broadcast.session.etag)];
    assert_eq!(stage.http.fragment(&broadcast.session.path, &headers, TRICKLE).await.status, 204);
    player.sees(60).await;
    // Nor does one that succeeds interrupt the media: it goes on over the old way until the new one is nominated.
    let headers = [("authorization", bearer.as_str()), ("if-match", "*")];
    assert_eq!(stage.http.fragment(&broadcast.session.path, &headers, RESTART).await.status, 200);
    player.sees(60).await;
}

#[tokio::test]
async fn old_clients_need_no_precondition_where_that_is_set() {
    let stage = Stage::begin(&["live.lenient_etag=on"]).await;
    let session = stage.session().await;
    let bearer = format!("Bearer {}", stage.key);
    let patch = async |given: &[(&str, &str)], fragment: &str| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend_from_slice(given);
        stage.http.fragment(&session.path, &headers, fragment).await
    };
    assert_eq!(patch(&[], TRICKLE).await.status, 204);
    assert_eq!(patch(&[("etag", &session.etag)], TRICKLE).await.status, 204);
    patch(&[("etag", "\"another\"")], TRICKLE).await.problem(412, "conflict");
    assert_eq!(patch(&[], RESTART).await.status, 200);
}

#[tokio::test]
async fn what_is_understood_and_not_supported_is_422() {
    let stage = Stage::begin(&[]).await;
    let at = CHROMIUM_PUBLISH.find("m=video").expect("a video section");
    let (sound, picture) = CHROMIUM_PUBLISH.split_at(at);
    let second = picture.replace("a=mid:1", "a=mid:2");
    let two = format!("{}{picture}{second}", sound.replace("BUNDLE 0 1", "BUNDLE 0 1 2"));
    let unknown = FFMPEG_PUBLISH.replace("H264/90000", "H261/90000").replace("rtx/90000", "x-nothing/90000");
    let unbundled = CHROMIUM_PUBLISH.replace("a=group:BUNDLE 0 1\r\n", "");
    let unmuxed = CHROMIUM_PUBLISH.replace("a=rtcp-mux\r\n", "");
    let text = format!("{}m=text 9 UDP/TLS/RTP/SAVPF 98\r\n", CHROMIUM_PUBLISH);
    for (what, offer) in [
        ("two videos", two),
        ("no codec of the picture", unknown),
        ("no bundle", unbundled),
        ("no rtcp-mux", unmuxed),
        ("neither audio nor video", text),
    ] {
        let reply = stage.publish(&offer).await;
        assert_eq!(reply.status, 422, "{what}: {}", reply.text());
        let problem = reply.problem(422, "invalid");
        assert_eq!(problem["field"], "sdp", "{what}: {problem}");
    }
}

#[tokio::test]
async fn a_key_or_its_owner_lets_in_and_nothing_else() {
    let mut stage = Stage::begin(&[]).await;
    let (whip, community) = (stage.whip(), stage.community.clone());
    let offer =
        async |stage: &Stage, token: Option<&str>| stage.http.offer(&whip, token, FFMPEG_PUBLISH).await;
    let owner = Claims::of("owner").sign();
    assert_eq!(offer(&stage, Some(&stage.key)).await.status, 201);
    assert_eq!(offer(&stage, Some(&owner)).await.status, 201);

    let mut wrong = stage.key.clone();
    let last = wrong.pop().expect("a key");
    wrong.push(if last == 'A' { 'B' } else { 'A' });
    let expired = Claims::of("owner").ending_in(-60).sign();
    let refused = [None, Some("nonsense"), Some(""), Some("live_"), Some("key_"), Some(wrong.as_str())];
    for token in refused {
        let reply = offer(&stage, token).await;
        reply.problem(401, "unauthenticated");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{token:?}");
    }
    offer(&stage, Some(&expired)).await.problem(401, "token_expired");
    let basic = [("authorization", "Basic b3duZXI6eA=="), SDP];
    let reply = stage.http.request(Method::POST, &whip, &basic, Vec::new()).await;
    reply.problem(401, "unauthenticated");

    let mut other = stage.server.client("other", Encoding::Json).await;
    other.joins(&community).await;
    let (_, others) = other.starts_live(&community, "public").await;
    offer(&stage, Some(&others)).await.problem(403, "forbidden");
    offer(&stage, Some(&Claims::of("other").sign())).await.problem(403, "forbidden");
    let lasting = text(&other.ok("live.key.rotate", json!({})).await["stream_key"]);
    offer(&stage, Some(&lasting)).await.problem(403, "forbidden");

    // A fresh key of the same live ends the former.
    let (_, fresh) = stage.owner.starts_live(&community, "public").await;
    offer(&stage, Some(&stage.key)).await.problem(401, "unauthenticated");
    assert_eq!(offer(&stage, Some(&fresh)).await.status, 201);
    // And the end of the live ends its key; its owner is told that it is over, for good.
    stage.owner.ok("live.stop", json!({"live_id": stage.live})).await;
    offer(&stage, Some(&fresh)).await.problem(401, "unauthenticated");
    let over = offer(&stage, Some(&owner)).await;
    over.problem(409, "conflict");
    assert_eq!(over.header("retry-after"), None);
}

#[tokio::test]
async fn a_session_is_commanded_by_who_made_it() {
    let mut stage = Stage::begin(&[]).await;
    let session = stage.session().await;
    let command = async |stage: &Stage, token: Option<&str>| -> HttpReply {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("if-match", session.etag.as_str())];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        stage.http.fragment(&session.path, &headers, TRICKLE).await
    };
    let mut other = stage.server.client("other", Encoding::Json).await;
    other.joins(&stage.community).await;
    let (_, others) = other.starts_live(&stage.community, "public").await;
    let missing = command(&stage, None).await;
    missing.problem(401, "unauthenticated");
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    command(&stage, Some("nonsense")).await.problem(401, "unauthenticated");
    command(&stage, Some(&others)).await.problem(403, "forbidden");
    command(&stage, Some(&Claims::of("other").sign())).await.problem(403, "forbidden");
    let foreign = format!("Bearer {others}");
    let headers = [("authorization", foreign.as_str())];
    let reply = stage.http.request(Method::DELETE, &session.path, &headers, Vec::new()).await;
    reply.problem(403, "forbidden");

    assert_eq!(command(&stage, Some(&stage.key)).await.status, 204);
    assert_eq!(command(&stage, Some(&Claims::of("owner").sign())).await.status, 204);
    // A fresh key opens as well, and the one that the encoder still has ends its own session.
    let (_, fresh) = stage.owner.starts_live(&stage.community, "public").await;
    assert_eq!(command(&stage, Some(&fresh)).await.status, 204);
    assert_eq!(command(&stage, Some(&stage.key)).await.status, 204);
    let bearer = format!("Bearer {}", stage.key);
    let headers = [("authorization", bearer.as_str())];
    let reply = stage.http.request(Method::DELETE, &session.path, &headers, Vec::new()).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn of_several_things_that_are_wrong_the_first_is_told() {
    let mut stage = Stage::begin(&["live.peers=2", "live.selftest=off"]).await;
    let mut neighbour = stage.server.client("other", Encoding::Json).await;
    neighbour.joins(&stage.community).await;
    let (theirs, their_key) = neighbour.starts_live(&stage.community, "public").await;
    let other = Claims::of("other").sign();
    let owner = Claims::of("owner").sign();
    let nowhere = "/v1/live/0199c82c-c000-7000-8000-000000000011/whip";
    let whip = stage.whip();
    let send = async |stage: &Stage, path: &str, token: Option<&str>, kind: &str, body: &str| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", kind)];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        stage.http.request(Method::POST, path, &headers, body.as_bytes().to_vec()).await.status
    };
    let (huge, unsupported) = ("x".repeat(70_000), CHROMIUM_WATCH);
    // Two that never connect fill the node.
    let their_whip = format!("/v1/live/{theirs}/whip");
    for (path, token) in [(&whip, &owner), (&their_whip, &their_key)] {
        assert_eq!(send(&stage, path, Some(token), SDP.1, FFMPEG_PUBLISH).await, 201);
    }
    assert_eq!(send(&stage, nowhere, None, "text/plain", &huge).await, 401);
    assert_eq!(send(&stage, nowhere, Some(&other), "text/plain", &huge).await, 404);
    assert_eq!(send(&stage, "/v1/live/nonsense/whip", Some(&other), "text/plain", &huge).await, 404);
    assert_eq!(send(&stage, &whip, Some(&other), "text/plain", &huge).await, 403);
    assert_eq!(send(&stage, &whip, Some(&owner), "text/plain", &huge).await, 415);
    assert_eq!(send(&stage, &whip, Some(&owner), SDP.1, &huge).await, 413);
    assert_eq!(send(&stage, &whip, Some(&owner), SDP.1, "nonsense").await, 400);
    assert_eq!(send(&stage, &whip, Some(&owner), SDP.1, unsupported).await, 422);
    let full = stage.http.offer(&whip, Some(&owner), FFMPEG_PUBLISH).await;
    full.problem(503, "unavailable");
    assert!(full.header("retry-after").is_some());
    stage.owner.ok("live.stop", json!({"live_id": stage.live})).await;
    assert_eq!(send(&stage, &whip, Some(&owner), SDP.1, "nonsense").await, 400);
    assert_eq!(send(&stage, &whip, Some(&owner), SDP.1, unsupported).await, 409);
}

#[tokio::test]
async fn too_many_requests_of_one_address_are_told_to_wait() {
    let settings = ["limits.rates=on", "limits.signalling_per_second_address=1"];
    let stage = Stage::begin(&settings).await;
    let session = stage.session().await;
    let bearer = format!("Bearer {}", stage.key);
    let headers = [("authorization", bearer.as_str()), ("if-match", session.etag.as_str())];
    for method in [Method::POST, Method::PATCH, Method::DELETE] {
        let path = if method == Method::POST { stage.whip() } else { session.path.clone() };
        let send = async || stage.http.request(method.clone(), &path, &headers, Vec::new()).await;
        // The allowance is one a second, so that one of three at once is over it.
        let replies = [send().await, send().await, send().await];
        let limited = replies.iter().find(|reply| reply.status == 429).expect("one too many");
        limited.problem(429, "rate_limited");
        assert!(limited.header("retry-after").is_some());
    }
    assert_eq!(stage.http.get(&session.path).await.status, 200, "looking is free");
}

#[tokio::test]
async fn a_body_is_refused_by_its_declared_length_before_it_is_read() {
    let stage = Stage::begin(&[]).await;
    let address = stage.server.http_address();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/sdp\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 104857600\r\n\r\n",
        stage.whip(),
        stage.key
    );
    raw_http(address, head.as_bytes()).await.problem(413, "too_large");
}

#[tokio::test]
async fn a_lasting_key_feeds_the_running_live_or_starts_one() {
    let server = Server::start().await;
    let (http, mut owner) = (server.http(), server.client("owner", Encoding::Json).await);
    let community = owner.makes_community("Stage").await;
    let rotated = owner.ok("live.key.rotate", json!({})).await;
    assert_eq!(rotated["whip_url"], "/v1/whip");
    let former = text(&rotated["stream_key"]);
    let key = text(&owner.ok("live.key.rotate", json!({})).await["stream_key"]);
    let offer = async |token: Option<&str>, sdp: &str| http.offer("/v1/whip", token, sdp).await;

    offer(None, FFMPEG_PUBLISH).await.problem(401, "unauthenticated");
    offer(Some(&former), FFMPEG_PUBLISH).await.problem(401, "unauthenticated");
    offer(Some(&Claims::of("owner").sign()), FFMPEG_PUBLISH).await.problem(401, "unauthenticated");
    let none = offer(Some(&key), FFMPEG_PUBLISH).await.problem(409, "conflict");
    assert!(text(&none["message"]).contains("live.defaults"), "{none}");

    owner.ok("live.defaults", json!({"title": "Daily", "community_id": community})).await;
    offer(Some(&key), "nonsense").await.problem(400, "bad_request");
    let lives = json!({"community_id": community});
    assert_eq!(owner.ok("live.list", lives.clone()).await["lives"], json!([]), "nothing began for that");
    let session = Session::of(&offer(Some(&key), FFMPEG_PUBLISH).await);
    let live = owner.ok("live.list", lives.clone()).await["lives"][0].clone();
    assert_eq!((&live["title"], &live["visibility"]), (&json!("Daily"), &json!("public")));
    // Again, it feeds the same; and so does the live's own key at this address.
    assert_eq!(offer(Some(&key), FFMPEG_PUBLISH).await.status, 201);
    let (same, own) = owner.starts_live(&community, "public").await;
    assert_eq!(same, text(&live["id"]));
    assert_eq!(offer(Some(&own), FFMPEG_PUBLISH).await.status, 201);
    assert_eq!(http.offer(&format!("/v1/live/{same}/whip"), Some(&key), FFMPEG_PUBLISH).await.status, 201);
    http.get(&session.path).await.problem(404, "not_found");
}

#[tokio::test]
async fn the_newest_encoder_wins_until_it_is_a_duel() {
    let stage = Stage::begin(&[]).await;
    let first = stage.goes_live().await;
    let second = Broadcast::start(&stage).await;
    assert!(first.hears_goodbye().await < Duration::from_secs(10));
    let duel = stage.publish(FFMPEG_PUBLISH).await;
    duel.problem(409, "conflict");
    assert!(duel.header("retry-after").is_some());
    second.vanish();
}

#[tokio::test]
async fn keys_and_session_addresses_are_in_no_log_and_no_metric() {
    let mut stage = Stage::begin(&["log.level=trace"]).await;
    let lasting = text(&stage.owner.ok("live.key.rotate", json!({})).await["stream_key"]);
    let session = stage.session().await;
    let second = Session::of(&stage.http.offer("/v1/whip", Some(&lasting), FFMPEG_PUBLISH).await);
    let bearer = format!("Bearer {}", stage.key);
    let headers = [("authorization", bearer.as_str()), ("if-match", second.etag.as_str())];
    stage.http.fragment(&second.path, &headers, TRICKLE).await;
    stage.http.request(Method::DELETE, &second.path, &headers, Vec::new()).await;
    let metrics = stage.server.admin().get("/metrics").await.text();
    let log = stage.server.log();
    assert!(log.len() > 1_000, "at this level much is logged");
    for (place, told) in [("log", log), ("metrics", metrics)] {
        let secrets = [&stage.key, &lasting, &session.path[8..].to_owned(), &second.path[8..].to_owned()];
        for secret in secrets {
            assert!(!told.contains(secret.as_str()), "{place} has a secret");
        }
    }
}
