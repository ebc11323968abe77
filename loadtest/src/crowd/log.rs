//! A page of a channel's log, for comparing it with what readers were given.

use super::{content, wire::Page};
use crate::oracle::{SKIPPED, Span};
use serde_json::value::RawValue;

/// Entries of a log.
pub(crate) struct LogPage {
    /// Offsets, and what they hold as the ledger knows it.
    pub(crate) entries: Vec<(u64, u32)>,
    /// What the log has no more.
    pub(crate) gone: Option<Span>,
    /// The newest offset of the channel.
    pub(crate) head: u64,
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
    let gone = page.gap.map(|gap| Span { from: gap.from, to: gap.to });
    Ok(LogPage { entries, gone, head: page.offset, more: page.more })
}
