//! F9, the rows that need no packet: starting and ending, who may, chat, reactions, viewers, keys, signalling.

use crate::harness::{Client, Encoding, Server, in_both_encodings, list, live::goodbye, op, text};
use serde_json::{Value, json};

in_both_encodings!(
    f9_1_a_live_has_a_post_a_key_and_a_card_in_the_feed,
    f9_2_who_is_no_member_starts_nothing,
    f9_3_two_devices_run_one_live,
    f9_5_the_owner_ends_it_and_everybody_hears,
    f9_8_viewers_are_people_not_tabs,
    f9_9_what_cannot_be_joined_says_why,
    f9_13_chat_has_one_order_and_its_keepers,
    f9_14_taps_are_told_as_bursts,
    f9_16_keys_are_the_owners_alone,
    a_peer_belongs_to_its_user_from_any_socket,
    the_way_of_media_is_tried_before_anybody_hears_of_a_live,
    a_post_that_goes_takes_its_live_along,
    a_server_that_stops_or_dies_leaves_no_live_behind,
);

const OFFER: &str = include_str!("../../src/live/rtc/sdp/fixtures/chromium-publish.offer.sdp");

fn start(community: &str) -> Value {
    json!({"op": op(), "title": "Market day", "community_id": community, "visibility": "public"})
}

/// A live by `owner` in a community of theirs: community, the live's id, its channel.
async fn live_by(owner: &mut Client) -> (String, String, String) {
    let community = owner.makes_community("Market").await;
    let started = owner.ok("live.start", start(&community)).await;
    let live = text(&started["live"]["id"]);
    let channel = format!("live:{live}");
    (community, live, channel)
}

async fn f9_1_a_live_has_a_post_a_key_and_a_card_in_the_feed(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let community = alice.makes_community("Market").await;
    let feed = format!("feed:{community}");
    bob.subscribe(&feed).await;
    let started = alice.ok("live.start", start(&community)).await;
    let live = &started["live"];
    assert_eq!(
        (&live["state"], &live["title"], &started["changed"]),
        (&json!("created"), &json!("Market day"), &json!(true))
    );
    assert_eq!(
        (&live["owner"]["id"], &live["viewers"]),
        (&json!(alice.user_id()), &json!({"current": 0, "peak": 0}))
    );
    assert!(text(&started["stream_key"]).len() > 40);
    assert_eq!(started["whip_url"], format!("/v1/live/{}/whip", text(&live["id"])));
    let card = bob.event(&feed, "post.created").await["data"]["post"].clone();
    assert_eq!(
        (&card["kind"], &card["live_id"], &card["id"]),
        (&json!("live"), &live["id"], &live["post_id"])
    );
    let shown = bob.ok("live.get", json!({"live_id": live["id"]})).await["live"].clone();
    assert_eq!(&shown, live);
    for filter in [
        json!({"community_id": community, "live": true}),
        json!({"community_id": community, "kind": "live"}),
        json!({"user_id": alice.user_id(), "live": true}),
    ] {
        assert_eq!(bob.feed(filter).await, [text(&live["post_id"])]);
    }
    let lives = bob.ok("live.list", json!({"community_id": community})).await;
    assert_eq!(list(&lives["lives"]), std::slice::from_ref(live));
    alice
        .invalid("post.edit", json!({"post_id": live["post_id"], "version": 1, "kind": "info"}), "kind")
        .await;
    let renamed = json!({"post_id": live["post_id"], "version": 1, "title": "Night market"});
    alice.ok("post.edit", renamed).await;
    assert_eq!(bob.ok("live.get", json!({"live_id": live["id"]})).await["live"]["title"], "Night market");
    alice.ok("live.stop", json!({"live_id": live["id"]})).await;
    assert_eq!(bob.feed(json!({"community_id": community, "live": true})).await, [] as [String; 0]);
    assert_eq!(bob.feed(json!({"community_id": community, "kind": "live"})).await, [text(&live["post_id"])]);
}

async fn f9_2_who_is_no_member_starts_nothing(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let community = alice.makes_community("Market").await;
    bob.refused("live.start", start(&community), "forbidden").await;
    bob.refused("live.start", start("nowhere"), "not_found").await;
    for wrong in ["", "  ", &"x".repeat(201)] {
        let mut body = start(&community);
        body["title"] = json!(wrong);
        alice.invalid("live.start", body, "title").await;
    }
    assert_eq!(alice.feed(json!({"community_id": community})).await, [] as [String; 0]);
    assert_eq!(list(&alice.ok("live.list", json!({})).await["lives"]), [] as [Value; 0]);
    let mut guest = server.guest(encoding).await;
    guest.refused("live.start", start(&community), "unauthenticated").await;
}

async fn f9_3_two_devices_run_one_live(encoding: Encoding) {
    let server = Server::start().await;
    let mut phone = server.client("alice", encoding).await;
    let mut laptop = server.client("alice", encoding).await;
    let community = phone.makes_community("Market").await;
    let (one, other) = (start(&community), start(&community));
    let first = phone.send("live.start", &one);
    let second = laptop.send("live.start", &other);
    let first = phone.reply_to(first, "live.start").await.body;
    let second = laptop.reply_to(second, "live.start").await.body;
    assert_eq!(first["live"]["id"], second["live"]["id"]);
    assert_ne!(first["changed"], second["changed"]);
    assert_ne!(first["stream_key"], second["stream_key"]);
    let again = phone.ok("live.start", one.clone()).await;
    assert_eq!(
        (&again["live"]["id"], &again["changed"]),
        (&first["live"]["id"], &first["changed"]),
        "a retry"
    );
    let mut changed = one;
    changed["title"] = json!("Another");
    phone.refused("live.start", changed, "conflict").await;
    assert_eq!(list(&phone.ok("live.list", json!({})).await["lives"]).len(), 1);
}

async fn f9_5_the_owner_ends_it_and_everybody_hears(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (community, live, channel) = live_by(&mut alice).await;
    let feed = format!("feed:{community}");
    bob.subscribe(&feed).await;
    bob.ok("live.join", json!({"live_id": live})).await;
    bob.refused("live.stop", json!({"live_id": live}), "forbidden").await;
    bob.refused("live.report", json!({"live_id": live}), "forbidden").await;
    let stopped = alice.ok("live.stop", json!({"live_id": live})).await;
    assert_eq!(
        (&stopped["report"]["joins"], &stopped["report"]["viewers"]["unique"]),
        (&json!(1), &json!(1))
    );
    for told_on in [&channel, &feed] {
        let data = bob.event(told_on, "live.ended").await["data"].clone();
        assert_eq!((&data["live_id"], &data["reason"]), (&json!(live), &json!("stopped")));
        assert_eq!((&data["duration_ms"], &data["viewers"]), (&json!(0), &json!({"peak": 1, "unique": 1})));
    }
    assert_eq!(alice.ok("live.stop", json!({"live_id": live})).await, stopped, "the same answer");
    assert_eq!(alice.ok("live.report", json!({"live_id": live})).await, stopped);
    let over = bob.ok("live.get", json!({"live_id": live})).await["live"].clone();
    assert_eq!((&over["state"], &over["reason"]), (&json!("ended"), &json!("stopped")));
}

async fn f9_8_viewers_are_people_not_tabs(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut tab = server.client("bob", encoding).await;
    let mut other_tab = server.client("bob", encoding).await;
    let mut guest = server.guest(encoding).await;
    let (_, live, channel) = live_by(&mut alice).await;
    alice.ok("live.join", json!({"live_id": live})).await;
    for client in [&mut tab, &mut other_tab, &mut guest] {
        let joined = client.ok("live.join", json!({"live_id": live})).await;
        assert_eq!(joined["subscribed"]["channel"], channel);
    }
    let viewers = async |client: &mut Client, current: u64, peak: u64| {
        client
            .push_where("state", |state| {
                state["event"] == "live.viewers"
                    && state["data"]["current"] == current
                    && state["data"]["peak"] == peak
            })
            .await
    };
    viewers(&mut alice, 2, 2).await;
    assert_eq!(tab.ok("live.leave", json!({"live_id": live})).await["changed"], true);
    other_tab.cut();
    guest.cut();
    viewers(&mut alice, 0, 2).await;
    let report = alice.ok("live.report", json!({"live_id": live})).await["report"].clone();
    assert_eq!((&report["joins"], &report["leaves"]), (&json!(2), &json!(2)));
    let late = tab.subscribe(&channel).await;
    let state =
        list(&late["states"]).into_iter().find(|state| state["event"] == "live.viewers").expect("viewers");
    assert_eq!((&state["data"]["current"], &state["data"]["peak"]), (&json!(0), &json!(2)));
}

async fn f9_9_what_cannot_be_joined_says_why(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let community = alice.makes_community("Market").await;
    bob.refused("live.join", json!({"live_id": "nothing"}), "not_found").await;
    let mut body = start(&community);
    body["visibility"] = json!("private");
    let private = text(&alice.ok("live.start", body).await["live"]["id"]);
    for kind in ["live.join", "live.get", "live.report", "live.stop"] {
        bob.refused(kind, json!({"live_id": private}), "not_found").await;
    }
    bob.refused("subscribe", json!({"channel": format!("live:{private}")}), "not_found").await;
    bob.refused("rtc.watch", json!({"live_id": private, "sdp": "v=0"}), "not_found").await;
    alice.ok("live.stop", json!({"live_id": private})).await;
    let public = text(&alice.ok("live.start", start(&community)).await["live"]["id"]);
    bob.ok("live.join", json!({"live_id": public})).await;
    alice.blocks(&bob.user_id(), true).await;
    bob.push_where("unsubscribed", |push| push["channel"] == format!("live:{public}")).await;
    bob.refused("live.join", json!({"live_id": public}), "not_found").await;
    alice.blocks(&bob.user_id(), false).await;
    alice.ok("live.stop", json!({"live_id": public})).await;
    bob.refused("live.join", json!({"live_id": public}), "conflict").await;
    bob.refused("subscribe", json!({"channel": format!("analytics:live:{public}")}), "not_found").await;
    alice.subscribe(&format!("analytics:live:{public}")).await;
}

async fn f9_13_chat_has_one_order_and_its_keepers(encoding: Encoding) {
    let server = Server::with(&["limits.rates=on"]).await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (_, live, channel) = live_by(&mut alice).await;
    for client in [&mut alice, &mut bob] {
        client.ok("live.join", json!({"live_id": live})).await;
    }
    let say = |content: &str| json!({"op": op(), "live_id": live, "content": content});
    for wrong in ["", " \n ", &"é".repeat(501)] {
        bob.invalid("chat.send", say(wrong), "content").await;
    }
    let sent = bob.ok("chat.send", say("hello")).await;
    assert_eq!(sent["position"]["channel"], channel);
    for client in [&mut alice, &mut bob] {
        let seen = client.event(&channel, "chat.message").await["data"].clone();
        assert_eq!(seen, sent["message"]);
    }
    for number in 2..=5 {
        bob.ok("chat.send", say(&number.to_string())).await;
    }
    let flood = bob.refused("chat.send", say("6"), "rate_limited").await;
    assert!(flood["retry_after_ms"].is_u64());
    bob.refused("chat.slow_mode", json!({"live_id": live, "seconds": 10}), "forbidden").await;
    alice.ok("chat.slow_mode", json!({"live_id": live, "seconds": 300})).await;
    let slow = bob.push_where("state", |state| state["event"] == "chat.slow_mode").await;
    assert_eq!(slow["data"]["seconds"], 300);

    let deleted = json!({"message_id": sent["message"]["id"]});
    alice.ok("chat.delete", deleted.clone()).await;
    let told = bob.push_where("publication", |push| push["event"] == "chat.deleted").await;
    assert_eq!(told["data"], deleted);
    let banned = json!({"live_id": live, "user_id": bob.user_id(), "on": true});
    assert_eq!(alice.ok("live.ban", banned).await["changed"], true);
    let banned = alice.ok("live.bans", json!({"live_id": live})).await;
    assert_eq!(banned["users"][0]["id"], json!(bob.user_id()));
    bob.refused("live.bans", json!({"live_id": live}), "forbidden").await;
    let gone = bob.push_where("unsubscribed", |push| push["channel"] == channel).await;
    assert_eq!(gone["reason"], "forbidden");
    for (kind, body) in [
        ("chat.send", say("me")),
        ("live.join", json!({"live_id": live})),
        ("live.react", json!({"live_id": live, "kind": "love"})),
        ("subscribe", json!({"channel": channel})),
    ] {
        bob.refused(kind, body, "forbidden").await;
    }
    alice.ok("live.stop", json!({"live_id": live})).await;
    alice.refused("chat.send", say("late"), "conflict").await;
    let history = alice.ok("history", json!({"channel": channel, "after": 0})).await;
    let kept: Vec<Value> = list(&history["publications"])
        .into_iter()
        .filter(|item| item["event"] == "chat.message")
        .map(|item| item["data"]["content"].clone())
        .collect();
    assert_eq!(kept, ["2", "3", "4", "5"], "what was deleted says nothing any more");
}

async fn f9_14_taps_are_told_as_bursts(encoding: Encoding) {
    let server = Server::with(&["limits.rates=on"]).await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (_, live, _) = live_by(&mut alice).await;
    alice.ok("live.join", json!({"live_id": live})).await;
    let tap = json!({"live_id": live, "kind": "love"});
    for _ in 0..10 {
        assert_eq!(bob.ok("live.react", tap.clone()).await["counted"], true);
    }
    bob.refused("live.react", tap, "rate_limited").await;
    let (mut told, mut signals) = (0, 0);
    while told < 10 {
        let burst = alice.push_where("signal", |signal| signal["event"] == "live.reactions").await;
        assert_eq!(burst["data"]["window_ms"], 250);
        told += burst["data"]["counts"]["love"].as_u64().expect("a count");
        signals += 1;
    }
    assert_eq!(told, 10);
    assert!(signals < 10, "{signals} signals for ten taps");
    let report = alice.ok("live.stop", json!({"live_id": live})).await["report"].clone();
    assert_eq!(report["reactions"], json!({"love": 10}));
}

async fn f9_16_keys_are_the_owners_alone(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    assert_eq!(alice.ok("live.key.get", json!({})).await, json!({"exists": false}));
    let first = alice.ok("live.key.rotate", json!({})).await;
    let second = alice.ok("live.key.rotate", json!({})).await;
    assert_ne!(first["stream_key"], second["stream_key"]);
    let info = alice.ok("live.key.get", json!({})).await;
    assert_eq!((&info["exists"], info["created_at"].is_u64()), (&json!(true), true));
    assert_eq!(bob.ok("live.key.get", json!({})).await, json!({"exists": false}));
    let community = alice.makes_community("Market").await;
    let wish = json!({"title": "From OBS", "community_id": community});
    let set = alice.ok("live.defaults", wish.clone()).await;
    assert_eq!(set, json!({"defaults": wish, "changed": true}));
    assert_eq!(alice.ok("live.defaults", json!({})).await["changed"], false);
    alice.refused("live.defaults", json!({"community_id": "nowhere"}), "not_found").await;
    let started = alice.ok("live.start", start(&community)).await;
    let feed = bob.ok("feed.list", json!({"community_id": community})).await;
    let seen = bob.ok("live.get", json!({"live_id": started["live"]["id"]})).await;
    for shown in [feed, seen] {
        assert!(!shown.to_string().contains(&text(&started["stream_key"])));
    }
}

async fn a_peer_belongs_to_its_user_from_any_socket(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut laptop = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (_, live, _) = live_by(&mut alice).await;
    let publish = |sdp: &str| json!({"live_id": live, "sdp": sdp});
    bob.refused("rtc.publish", publish(OFFER), "forbidden").await;
    alice.refused("rtc.publish", publish("nonsense"), "bad_request").await;
    let answered = alice.ok("rtc.publish", publish(OFFER)).await;
    assert!(text(&answered["sdp"]).contains("a=recvonly"));
    let peer = &answered["peer_id"];
    bob.refused("rtc.close", json!({"peer_id": peer}), "not_found").await;
    let waiting = bob.refused("rtc.watch", publish(OFFER), "conflict").await;
    assert!(waiting["retry_after_ms"].is_u64(), "ask again when it is on air");
    assert_eq!(laptop.ok("rtc.trickle", json!({"peer_id": peer, "candidate": null})).await, json!({}));
    assert_eq!(laptop.ok("rtc.close", json!({"peer_id": peer})).await["changed"], true);
    for client in [&mut alice, &mut laptop] {
        let told = client.push_where("message", |message| message["event"] == "rtc.closed").await;
        assert_eq!(told["data"], json!({"peer_id": peer, "reason": "closed"}));
    }
    alice.refused("rtc.close", json!({"peer_id": peer}), "not_found").await;
    let next = alice.ok("rtc.publish", publish(OFFER)).await;
    alice.ok("live.stop", json!({"live_id": live})).await;
    let told = laptop.push_where("message", |message| message["event"] == "rtc.closed").await;
    assert_eq!(told["data"], json!({"peer_id": next["peer_id"], "reason": "stopped"}));
}

async fn the_way_of_media_is_tried_before_anybody_hears_of_a_live(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut guest = server.guest(encoding).await;
    let first = alice.probes().await;
    let second = alice.probes().await;
    goodbye(first).await;
    assert_eq!(alice.ok("live.list", json!({})).await["lives"], json!([]), "nothing was begun");
    second.close();
    alice.refused("rtc.probe", json!({"sdp": "nonsense"}), "bad_request").await;
    let sends = alice.refused("rtc.probe", json!({"sdp": OFFER}), "invalid").await;
    assert_eq!(sends["field"], "sdp", "it takes no media");
    guest.refused("rtc.probe", json!({"sdp": OFFER}), "unauthenticated").await;
    drop(alice.probes().await);
}

async fn a_post_that_goes_takes_its_live_along(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (_, live, channel) = live_by(&mut alice).await;
    bob.ok("live.join", json!({"live_id": live})).await;
    let post = bob.ok("live.get", json!({"live_id": live})).await["live"]["post_id"].clone();
    alice.ok("post.delete", json!({"post_id": post})).await;
    assert_eq!(bob.event(&channel, "live.ended").await["data"]["reason"], "stopped");
    let gone = bob.push_where("unsubscribed", |push| push["channel"] == channel).await;
    assert_eq!(gone["reason"], "deleted");
    for kind in ["live.get", "live.join"] {
        bob.refused(kind, json!({"live_id": live}), "not_found").await;
    }
    alice.refused("live.report", json!({"live_id": live}), "not_found").await;
}

async fn a_server_that_stops_or_dies_leaves_no_live_behind(encoding: Encoding) {
    let mut server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let mut bob = server.client("bob", encoding).await;
    let (community, first, channel) = live_by(&mut alice).await;
    let publish = json!({"live_id": first, "sdp": OFFER});
    let peer = alice.ok("rtc.publish", publish).await["peer_id"].clone();
    bob.ok("live.join", json!({"live_id": first})).await;
    server.terminate();
    assert_eq!(
        bob.event(&channel, "live.ended").await["data"]["reason"],
        "drain",
        "told while sessions stand"
    );
    let told = alice.push_where("message", |message| message["event"] == "rtc.closed").await;
    assert_eq!(told["data"], json!({"peer_id": peer, "reason": "drain"}));
    server.ended().await;
    server.restart().await;

    let mut alice = server.client("alice", encoding).await;
    let second = text(&alice.ok("live.start", start(&community)).await["live"]["id"]);
    server.kill_and_restart().await;
    let mut alice = server.client("alice", encoding).await;
    for (live, reason) in [(&first, "drain"), (&second, "lost")] {
        let over = alice.ok("live.get", json!({"live_id": live})).await["live"].clone();
        assert_eq!((&over["state"], &over["reason"]), (&json!("ended"), &json!(reason)));
    }
    let report = alice.ok("live.report", json!({"live_id": first})).await["report"].clone();
    assert_eq!(report["joins"], 1, "what a planned stop ends has its report: {report}");
    assert_eq!(list(&alice.ok("live.list", json!({})).await["lives"]), [] as [Value; 0]);
    assert_eq!(alice.ok("live.start", start(&community)).await["changed"], true, "and a new one may begin");
}
