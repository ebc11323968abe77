//! Once all is at rest: what the logs hold, and what posts, comments and counts the server shows, against what was acknowledged.

use super::writer::Wrote;
use crate::{
    api::Api,
    crowd::{Names, log_page},
    oracle::{Findings, Ledger},
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
        let mut after = 0;
        loop {
            let body = json!({ "channel": name, "after": after, "limit": 256 });
            let page = log_page(&reader.command_text("history", &body).await?)?;
            for (offset, content) in &page.entries {
                after = *offset;
                if let Err(fault) = ledger.note(number as usize, *offset, *content) {
                    findings.fault("the log", name, fault);
                }
            }
            if !page.more {
                break;
            }
        }
    }
    Ok(())
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
