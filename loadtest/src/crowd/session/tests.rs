//! One reader against a server that is told by hand.

use super::super::{Tally, make};
use super::*;
use crate::oracle::Ledger;

const CHANNEL: &str = "test:a";

struct Told {
    session: Session,
    tally: Tally,
}

impl Told {
    /// A reader that is subscribed, to a channel whose head is 0.
    fn subscribed() -> Self {
        let names = Arc::new(Names::new([CHANNEL.to_owned()]));
        let tally = Tally::new(&["readers".into()], Arc::clone(&names), Arc::new(Ledger::new(1)));
        let mut told = Self { session: Session::new(0, 0, names, vec![0]), tally };
        assert!(told.begin().contains(r#"[1,"connect",{"resume":{},"token":null}]"#));
        let asked = told.say(r#"[1,"ok",{"subscriptions":{}}]"#);
        assert!(asked.contains(r#"[2,"sync",{"channels":[{"channel":"test:a"}]}]"#), "{asked}");
        assert!(!told.session.is_settled());
        let subscribed = r#"{"channel":"test:a","epoch":"e","offset":0,"recovered":"new","publications":[],"more":false,"states":[]}"#;
        assert_eq!(told.say(&format!(r#"[2,"ok",{{"subscriptions":[{subscribed}]}}]"#)), "");
        assert!(told.session.is_settled());
        told
    }

    fn begin(&mut self) -> String {
        let mut out = Vec::new();
        self.session.begin(&mut self.tally, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The server says this; what is answered.
    fn say(&mut self, message: &str) -> String {
        let mut out = Vec::new();
        let said = self.session.message(
            message.as_bytes(),
            &mut Moment { now: 2_000_000, tally: &mut self.tally, out: &mut out },
        );
        said.unwrap_or_else(|error| panic!("{message}: {error}"));
        String::from_utf8_lossy(&out).into_owned()
    }

    fn publication(&mut self, offset: u64) {
        self.say(&format!(r#"[0,"publication",{}]"#, entry(offset, &data(offset))));
    }

    fn found(&mut self, head: u64) -> [u64; 4] {
        self.session.end(&[head], &[], &mut self.tally);
        ["lost", "repeated", "reordered", "altered"].map(|kind| self.tally.findings.count(kind))
    }
}

fn data(offset: u64) -> String {
    make(CHANNEL, offset as u32, 1_000_000, 100)
}

fn entry(offset: u64, data: &str) -> String {
    format!(r#"{{"channel":"test:a","offset":{offset},"event":"load","data":{data},"at":1}}"#)
}

#[test]
fn what_comes_is_counted_and_timed() {
    let mut told = Told::subscribed();
    (1..=3).for_each(|offset| told.publication(offset));
    assert_eq!(told.found(3), [0, 0, 0, 0]);
    assert!(told.tally.findings.is_clean());
    let voice = &told.tally.voices[0];
    assert_eq!((voice.pushed, voice.delay.len()), (3, 3));
    assert!((999_000..=1_001_000).contains(&voice.delay.max()), "a second after it was due");
}

#[test]
fn each_mistake_of_a_server_is_found() {
    let given = |offsets: &[u64], head| {
        let mut told = Told::subscribed();
        offsets.iter().for_each(|&offset| told.publication(offset));
        told.found(head)
    };
    assert_eq!(given(&[1, 3], 3), [1, 0, 0, 0]);
    assert_eq!(given(&[1, 2], 3), [1, 0, 0, 0], "the tail");
    assert_eq!(given(&[1, 2, 2, 3], 3), [0, 1, 0, 0]);
    assert_eq!(given(&[1, 3, 2], 3), [0, 0, 1, 0]);
}

#[test]
fn altered_content_is_found_whether_its_sum_is_wrong_or_it_is_anothers() {
    let mut told = Told::subscribed();
    let altered = data(1).replace('c', "x");
    told.say(&format!(r#"[0,"publication",{}]"#, entry(1, &altered)));
    told.publication(2);
    // Somebody else, the acknowledgement say, knows another publication at this offset.
    told.tally.judge(0, 3, Some(&data(9))).unwrap();
    told.publication(3);
    // A reader who may see everything is told that it may not.
    told.tally.judge(0, 4, Some(&data(4))).unwrap();
    told.say(r#"[0,"skip",{"channel":"test:a","offset":4}]"#);
    assert_eq!(told.found(4), [0, 0, 0, 3]);
}

#[test]
fn a_gap_is_fetched_page_by_page() {
    let mut told = Told::subscribed();
    told.publication(1);
    let asked = told.say(r#"[0,"gap",{"channel":"test:a","from":2,"to":4,"reason":"slow"}]"#);
    assert!(
        asked.contains(r#"[3,"history",{"after":1,"before":5,"channel":"test:a","limit":256}]"#),
        "{asked}"
    );
    told.publication(5);
    let items = |range: std::ops::RangeInclusive<u64>| {
        range.map(|offset| entry(offset, &data(offset))).collect::<Vec<_>>().join(",")
    };
    let asked = told.say(&format!(
        r#"[3,"ok",{{"publications":[{}],"epoch":"e","offset":5,"more":true}}]"#,
        items(2..=3)
    ));
    assert!(asked.contains(r#"[4,"history",{"after":3,"before":5"#), "{asked}");
    assert!(!told.session.is_whole(&[5]));
    told.say(&format!(
        r#"[4,"ok",{{"publications":[{}],"epoch":"e","offset":5,"more":false}}]"#,
        items(4..=4)
    ));
    assert!(told.session.is_whole(&[5]));
    assert_eq!(told.found(5), [0, 0, 0, 0]);
    let voice = &told.tally.voices[0];
    assert_eq!((voice.pushed, voice.cut, voice.fetched), (2, 3, 3));
}

#[test]
fn coming_back_names_the_position_and_takes_what_was_missed() {
    let mut told = Told::subscribed();
    told.publication(1);
    let connect = told.begin();
    assert!(connect.contains(r#""resume":{"test:a":{"epoch":"e","offset":1}}"#), "{connect}");
    let page = format!(
        r#"{{"channel":"test:a","epoch":"e","offset":4,"recovered":"ok","publications":[{}],"more":true,"states":[]}}"#,
        entry(2, &data(2))
    );
    let asked = told.say(&format!(r#"[3,"ok",{{"subscriptions":{{"test:a":{page},"user:me":{page}}}}}]"#));
    assert!(asked.contains(r#"[4,"history",{"after":2,"channel":"test:a","limit":256}]"#), "{asked}");
    assert!(!told.session.is_settled());
    let rest = format!(r#"{{"publications":[{},{}],"more":false}}"#, entry(3, &data(3)), entry(4, &data(4)));
    told.say(&format!(r#"[4,"ok",{rest}]"#));
    assert!(told.session.is_settled());
    told.publication(5);
    assert_eq!(told.found(5), [0, 0, 0, 0]);
    told.begin();
    told.say(r#"[5,"ok",{"subscriptions":{"test:a":{"epoch":"f","offset":0,"recovered":"reset"}}}]"#);
    assert_eq!(told.tally.findings.count("reset"), 1, "nobody restored a backup");
}

#[test]
fn an_old_state_at_the_end_is_found() {
    let mut told = Told::subscribed();
    told.say(r#"[0,"state",{"channel":"test:a","event":"load","key":"latest","version":7,"data":{}}]"#);
    told.session.end(&[0], &[7], &mut told.tally);
    assert!(told.tally.findings.is_clean());
    told.session.end(&[0], &[8], &mut told.tally);
    assert_eq!(told.tally.findings.count("old_state"), 1);
}

#[test]
fn a_refusal_and_a_wrong_turn_end_the_connection() {
    let mut told = Told::subscribed();
    told.begin();
    let mut say = |message: &str| {
        told.session
            .message(message.as_bytes(), &mut Moment { now: 0, tally: &mut told.tally, out: &mut Vec::new() })
            .map_err(|error| error.to_string())
    };
    let refused = say(r#"[3,"error",{"code":"unavailable","message":"later"}]"#).unwrap_err();
    assert!(refused.contains("connect was refused: unavailable"), "{refused}");
    assert!(say(r#"[9,"ok",{}]"#).is_err(), "a reply to nothing");
    assert!(say("{}").is_err(), "no envelope");
}

#[test]
fn a_position_that_is_ignored_or_answered_from_another_epoch_is_a_reset() {
    for page in [
        r#""epoch":"e","offset":1,"recovered":"new""#,
        r#""epoch":"f","offset":1,"recovered":"ok""#,
        r#""epoch":"f","offset":1,"recovered":"gap""#,
    ] {
        let mut told = Told::subscribed();
        told.publication(1);
        told.begin();
        told.say(&format!(r#"[3,"ok",{{"subscriptions":{{"test:a":{{{page}}}}}}}]"#));
        assert_eq!(told.tally.findings.count("reset"), 1, "{page}");
    }
}

#[test]
fn a_subscription_that_is_answered_otherwise_ends_the_connection() {
    let mut told = Told::subscribed();
    told.begin();
    let page = r#"{"epoch":"e","offset":0,"recovered":"perhaps"}"#;
    let said = format!(r#"[3,"ok",{{"subscriptions":{{"test:a":{page}}}}}]"#);
    let mut moment = Moment { now: 0, tally: &mut told.tally, out: &mut Vec::new() };
    let error = told.session.message(said.as_bytes(), &mut moment).expect_err("no such word");
    assert_eq!(error.kind(), "malformed", "{error}");
}

/// A reader of two channels, of which a run has three, that has asked for them.
fn asked() -> Told {
    let names = Arc::new(Names::new([CHANNEL, "test:b", "test:c"].map(str::to_owned)));
    let tally = Tally::new(&["readers".into()], Arc::clone(&names), Arc::new(Ledger::new(3)));
    let mut told = Told { session: Session::new(0, 0, names, vec![0, 1]), tally };
    told.begin();
    told.say(r#"[1,"ok",{"subscriptions":{}}]"#);
    told
}

#[test]
fn each_refused_page_is_counted_and_a_log_that_is_not_new_is_found() {
    let mut told = asked();
    let refused = r#""error":{"code":"unavailable","message":"later"}"#;
    let said = format!(
        r#"[2,"ok",{{"subscriptions":[{{"channel":"test:a",{refused}}},{{"channel":"test:b",{refused}}}]}}]"#
    );
    let mut moment = Moment { now: 0, tally: &mut told.tally, out: &mut Vec::new() };
    let error = told.session.message(said.as_bytes(), &mut moment).expect_err("refused");
    assert_eq!(error.kind(), "refused", "counted by whoever ends the connection");
    assert_eq!(told.tally.findings.count("refused"), 1, "the other");

    let mut told = asked();
    let page = |channel, offset| {
        format!(r#"{{"channel":"{channel}","epoch":"e","offset":{offset},"recovered":"new"}}"#)
    };
    told.say(&format!(r#"[2,"ok",{{"subscriptions":[{},{}]}}]"#, page("test:a", 4), page("test:b", 0)));
    assert_eq!(told.tally.findings.count("wrong_start"), 1);
}

#[test]
fn what_is_pushed_to_a_stranger_is_found() {
    let mut told = asked();
    told.publication(1);
    assert_eq!(told.tally.findings.count("stranger"), 1, "before its subscription was answered");
    told.say(r#"[0,"publication",{"channel":"test:c","offset":1,"event":"load","data":{},"at":1}]"#);
    assert_eq!(told.tally.findings.count("stranger"), 2, "never subscribed");
    told.say(r#"[0,"skip",{"channel":"test:c","offset":2}]"#);
    told.say(r#"[0,"gap",{"channel":"test:c","from":3,"to":4,"reason":"slow"}]"#);
    told.say(r#"[0,"state",{"channel":"test:c","event":"load","key":"latest","version":7,"data":{}}]"#);
    assert_eq!(told.tally.findings.count("stranger"), 5);
    told.say(r#"[0,"publication",{"channel":"user:me","offset":1,"event":"load","data":{},"at":1}]"#);
    assert_eq!(told.tally.findings.count("stranger"), 5, "its own channel, which the run knows nothing of");
}
