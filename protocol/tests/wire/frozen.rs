//! The wire, frozen: what is encoded today is what was encoded when the line was written, byte for byte.
//!
//! A failure here means that clients in the field will see something else. If that is meant, `WIRE_PRINT=1 cargo test
//! -p communiconnect-protocol --test wire -- --nocapture` prints the lines for `tests/wire/frozen.txt`.

use crate::{
    lines::{frozen, hex_of},
    samples,
};
use communiconnect_protocol::{Command, Format, kind};
use std::collections::BTreeSet;

#[test]
fn every_sample_encodes_to_its_frozen_line() {
    let samples = samples::all();
    if std::env::var_os("WIRE_PRINT").is_some() {
        for sample in &samples {
            let json = String::from_utf8((sample.encode)(Format::Json)).expect("JSON is text");
            println!("{}\n{json}\n{}\n", sample.heading, hex_of(&(sample.encode)(Format::Msgpack)));
        }
    }
    let frozen = frozen();
    for (sample, line) in samples.iter().zip(&frozen) {
        assert_eq!(sample.heading, line.heading);
        let json = String::from_utf8((sample.encode)(Format::Json)).expect("JSON is text");
        assert_eq!(json, line.json, "{}", line.heading);
        assert_eq!(hex_of(&(sample.encode)(Format::Msgpack)), line.hex, "{}", line.heading);
    }
    assert_eq!(samples.len(), frozen.len(), "samples and frozen lines");
}

#[test]
fn every_frozen_line_reads_back() {
    for (sample, line) in samples::all().iter().zip(frozen()) {
        println!("{}", line.heading);
        (sample.check)(Format::Json, line.json.as_bytes());
        (sample.check)(Format::Msgpack, &line.msgpack());
    }
}

#[test]
fn nothing_is_left_out() {
    let frozen: BTreeSet<&str> = frozen().iter().map(|line| line.heading).collect();
    let missing = |prefix: &str, names: &[&str]| -> Vec<String> {
        let headings = names.iter().map(|name| format!("{prefix} {name}"));
        headings.filter(|heading| !frozen.contains(heading.as_str())).collect()
    };
    assert_eq!(missing("command", Command::NAMES), Vec::<String>::new());
    let kinds = [
        kind::PUBLICATION,
        kind::STATE,
        kind::SIGNAL,
        kind::MESSAGE,
        kind::GAP,
        kind::SKIP,
        kind::FLOW,
        kind::SUBSCRIBED,
        kind::UNSUBSCRIBED,
        kind::PING,
        kind::RECONNECT,
        kind::TOKEN_EXPIRING,
    ];
    assert_eq!(missing("push", &kinds), Vec::<String>::new());
    let silent = [
        // These answer with a shape that another command's line shows.
        "unsubscribe",
        "community.get",
        "community.join",
        "community.leave",
        "post.edit",
        "post.delete",
        "block.set",
        "live.stop",
        "live.leave",
        "live.ban",
        "live.react",
        "chat.delete",
        "chat.slow_mode",
        "rtc.watch",
        "rtc.close",
    ];
    let replies: Vec<&str> = Command::NAMES.iter().copied().filter(|name| !silent.contains(name)).collect();
    assert_eq!(missing("reply", &replies), Vec::<String>::new());
}

#[test]
fn both_encodings_say_the_same() {
    for line in frozen() {
        let json: serde_json::Value = serde_json::from_str(line.json).expect("JSON");
        let msgpack: serde_json::Value = rmp_serde::from_slice(&line.msgpack()).expect("MessagePack");
        assert_eq!(json, msgpack, "{}", line.heading);
    }
}
