//! Checks that stories about delivery share: a channel's entries, in order, without a hole, each once.

use serde_json::Value;

/// The offsets of entries (pushes or items of a page).
pub fn offsets(entries: &[Value]) -> Vec<u64> {
    entries
        .iter()
        .map(|entry| entry["offset"].as_u64().unwrap_or_else(|| panic!("no offset in {entry}")))
        .collect()
}

/// Asserts that `entries` are exactly `first..=last`, ascending, each once.
pub fn assert_whole(entries: &[Value], first: u64, last: u64) {
    assert_eq!(
        offsets(entries),
        (first..=last).collect::<Vec<_>>(),
        "the channel's entries, each once, in order"
    );
}
