//! A page of a channel's log, for comparing it with what readers were given.

use super::{content, wire::Page};
use crate::oracle::SKIPPED;
use serde_json::value::RawValue;

/// Entries of a log.
pub(crate) struct LogPage {
    /// Offsets, and what they hold as the ledger knows it.
    pub(crate) entries: Vec<(u64, u32)>,
    /// Whether there are more.
    pub(crate) more: bool,
}

/// Reads the answer of `history`.
///
/// # Errors
/// Where it is none.
pub(crate) fn log_page(answer: &str) -> serde_json::Result<LogPage> {
    let page: Page<'_> = serde_json::from_str(answer)?;
    let content = |data: Option<&RawValue>| data.map_or(SKIPPED, |data| content::sum_of(data.get()));
    let entries = page.publications.iter().map(|item| (item.offset, content(item.data))).collect();
    Ok(LogPage { entries, more: page.more })
}
