//! `SPEC.md` shows real bytes and leaves nothing out.

use crate::lines::{bytes_of, frozen};
use communiconnect_protocol::{
    Command, Format, LayerCause, LiveReason, LiveState, NotificationKind, Platform, PostKind, PostLabel,
    ReactionKind, RtcCloseReason, ShareKind, UploadLevel, Visibility, decode_command, decode_message,
};
use serde_json::Value;
use std::collections::BTreeSet;

const SPEC: &str = include_str!("../../SPEC.md");

/// Lines of the fenced blocks in one language.
fn examples(language: &str) -> Vec<&'static str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in SPEC.lines() {
        match line.strip_prefix("```") {
            Some(rest) => inside = !inside && rest == language,
            None if inside => lines.push(line),
            None => {}
        }
    }
    lines
}

fn reads(format: Format, message: &[u8]) -> bool {
    let command = decode_command(format, message).is_ok();
    command
        || decode_message(format, message)
            .is_ok_and(|(id, kind, _)| id == 0 || kind == "ok" || kind == "error")
}

#[test]
fn every_example_is_a_frozen_line_and_reads() {
    let frozen = frozen();
    let json = examples("json");
    let hex = examples("hex");
    assert!(json.len() > 50 && hex.len() > 2, "{} and {} examples were found", json.len(), hex.len());
    for line in json {
        assert!(reads(Format::Json, line.as_bytes()), "{line}");
        assert!(frozen.iter().any(|frozen| frozen.json == line), "not frozen: {line}");
    }
    for line in hex {
        assert!(reads(Format::Msgpack, &bytes_of(line)), "{line}");
        assert!(frozen.iter().any(|frozen| frozen.hex == line), "not frozen: {line}");
    }
}

#[test]
fn every_command_and_word_is_specified() {
    let words = Command::NAMES
        .iter()
        .copied()
        .chain(PostKind::ALL.iter().map(|word| word.as_str()))
        .chain(Visibility::ALL.iter().map(|word| word.as_str()))
        .chain(ReactionKind::ALL.iter().map(|word| word.as_str()))
        .chain(NotificationKind::ALL.iter().map(|word| word.as_str()))
        .chain(PostLabel::ALL.iter().map(|word| word.as_str()))
        .chain(ShareKind::ALL.iter().map(|word| word.as_str()))
        .chain(Platform::ALL.iter().map(|word| word.as_str()))
        .chain(LiveState::ALL.iter().map(|word| word.as_str()))
        .chain(LiveReason::ALL.iter().map(|word| word.as_str()))
        .chain(RtcCloseReason::ALL.iter().map(|word| word.as_str()))
        .chain(LayerCause::ALL.iter().map(|word| word.as_str()))
        .chain(UploadLevel::ALL.iter().map(|word| word.as_str()));
    for word in words {
        assert!(SPEC.contains(&format!("`{word}`")) || SPEC.contains(&format!("`{word} {{")), "{word}");
    }
}

#[test]
fn every_key_that_goes_over_the_wire_is_specified() {
    let mut keys = BTreeSet::new();
    for line in frozen() {
        collect(&serde_json::from_str(line.json).expect("JSON"), &mut keys);
    }
    let prose: String = SPEC.lines().filter(|line| !line.starts_with('[')).collect();
    // Channels as keys, and the body of a made-up event.
    let keys = keys.iter().filter(|key| !key.contains(':') && *key != "n");
    let missing: Vec<&String> = keys.filter(|key| !prose.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn collect(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                keys.insert(key.clone());
                collect(value, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, keys)),
        _ => {}
    }
}
