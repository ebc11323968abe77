//! Once all is at rest: what the logs hold, and what posts, comments and counts the server shows, against what was acknowledged.

use super::writer::Wrote;
use crate::{
    api::Api,
    crowd::{LogPage, Names, log_page},
    oracle::{Fault, Findings, Ledger, Track},
    social,
};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

/// Compares the logs of all channels with what readers were given, and lets the ledger know how far they go.
pub(super) async fn note_logs(
    reader: &Api,
    names: &Names,
    ledger: &Ledger,
    findings: &mut Findings,
) -> Result<()> {
    for number in 0..names.len() as u32 {
        let name = names.name(number);
        let mut track = Track::after(0);
        loop {
            let after = track.last();
            let body = json!({ "channel": name, "after": after, "limit": 256 });
            let page = log_page(&reader.command_text("history", &body).await?)?;
            for fault in take(&page, number as usize, &mut track, ledger) {
                findings.fault("the log", name, fault);
            }
            if page.more && track.last() == after {
                findings.wrong(
                    "stuck",
                    format!("the log of {name} has more after {after}, and does not give it"),
                );
            } else if page.more {
                continue;
            }
            for fault in track.end(page.head) {
                findings.fault("the log", name, fault);
            }
            break;
        }
    }
    Ok(())
}

/// What is wrong with a page of a log that was read as far as `track` says.
fn take(page: &LogPage, channel: usize, track: &mut Track, ledger: &Ledger) -> Vec<Fault> {
    let mut faults = Vec::new();
    // A run may write more than a log keeps; readers have had it all the same.
    if let (Some(gone), 0) = (page.gone, track.last()) {
        *track = Track::after(gone.to);
    }
    for &(offset, content) in &page.entries {
        faults.extend(track.fetched(offset).err());
        faults.extend(ledger.note(channel, offset, content).err());
    }
    faults
}

/// Compares what the server shows with what it acknowledged.
pub(super) async fn judge(reader: &Api, community: &str, posts: &[String], wrote: &mut Wrote) -> Result<()> {
    let Wrote { operations, findings, .. } = wrote;
    social::find_posts(reader, community, operations, findings).await?;
    let mut found = 0;
    for post in posts {
        social::find_comments(reader, post, operations, findings).await?;
        let shown = reader.command("post.get", &json!({ "post_id": post })).await?;
        let counts = &shown["post"]["counts"];
        found += counts["comments"].as_u64().context("a post without its count of comments")?;
        let reactions = wrote.reactions.iter().filter(|((of, _), _)| of == post).map(|(_, kind)| *kind);
        let expected = counted(reactions);
        if counts["reactions"] != expected {
            findings
                .wrong("miscounted", format!("reactions to {post}: {}, not {expected}", counts["reactions"]));
        }
        let viewers: HashSet<_> =
            wrote.views.keys().filter(|(of, _)| of == post).map(|(_, who)| who).collect();
        if counts["views"] != viewers.len() {
            findings
                .wrong("miscounted", format!("views of {post}: {}, not {}", counts["views"], viewers.len()));
        }
    }
    let comments = wrote.acts.get("comment.add").copied().unwrap_or(0);
    if found != comments {
        findings.wrong("miscounted", format!("{found} comments counted, {comments} acknowledged"));
    }
    social::judge(operations, findings);
    Ok(())
}

/// As the server shows them: kinds without any are left out.
fn counted(kinds: impl Iterator<Item = &'static str>) -> Value {
    let mut counts = BTreeMap::<_, u64>::new();
    for kind in kinds {
        *counts.entry(kind).or_default() += 1;
    }
    json!(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Span;

    fn page(offsets: &[u64], gone: Option<Span>) -> LogPage {
        let entries = offsets.iter().map(|&offset| (offset, offset as u32)).collect();
        LogPage { entries, gone, head: 9, more: true }
    }

    #[test]
    fn a_log_has_each_offset_once_and_in_order_from_the_oldest_that_it_keeps() {
        let (mut track, ledger) = (Track::after(0), Ledger::new(1));
        assert_eq!(take(&page(&[3, 4], Some(Span { from: 1, to: 2 })), 0, &mut track, &ledger), []);
        assert_eq!(take(&page(&[5, 7], None), 0, &mut track, &ledger), []);
        let twice = Fault::Repeated(Span { from: 7, to: 7 });
        assert_eq!(take(&page(&[7, 8], None), 0, &mut track, &ledger), [twice]);
        let [hole, tail] = [6, 9].map(|offset| Fault::Lost(Span { from: offset, to: offset }));
        assert_eq!(track.end(9), [hole, tail]);
    }
}
