//! Checks that stories about delivery share, by the load tester's oracle: a channel's entries, in order, without a hole, each once.

use loadtest::oracle::Track;
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
    let offsets = offsets(entries);
    let mut track = Track::after(first - 1);
    let mut faults: Vec<_> = offsets.iter().filter_map(|&offset| track.pushed(offset).err()).collect();
    faults.extend(track.end(last));
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(
        told.is_empty(),
        "entries {first} to {last}, each once, in order: {}; they were {offsets:?}",
        told.join(", ")
    );
    assert_eq!(track.last(), last, "nothing beyond the last: {offsets:?}");
}
