//! What was wrong, counted by kind, with the first of it in words.

use super::Fault;
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// So many faults are told in words; the others are counted.
const TOLD: usize = 20;

/// Everything that was wrong in a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    counts: BTreeMap<&'static str, u64>,
    first: Vec<String>,
}

impl Findings {
    /// A fault of the delivery of `channel` to `reader`.
    pub fn fault(&mut self, reader: impl fmt::Display, channel: &str, fault: Fault) {
        *self.counts.entry(fault.kind()).or_default() += fault.span().len();
        self.say(|| format!("{reader}, {channel}: {fault}"));
    }

    /// Anything else that must not be, under a word of its own.
    pub fn wrong(&mut self, kind: &'static str, text: impl fmt::Display) {
        *self.counts.entry(kind).or_default() += 1;
        self.say(|| text.to_string());
    }

    /// Takes over what somebody else has found.
    pub fn add(&mut self, other: Self) {
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        let room = TOLD.saturating_sub(self.first.len());
        self.first.extend(other.first.into_iter().take(room));
    }

    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many of a kind (the word of [`Fault::kind`]).
    pub fn count(&self, kind: &str) -> u64 {
        self.counts.get(kind).copied().unwrap_or(0)
    }

    fn say(&mut self, text: impl FnOnce() -> String) {
        if self.first.len() < TOLD {
            self.first.push(text());
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [lost, repeated, reordered, altered] =
            ["lost", "repeated", "reordered", "altered"].map(|kind| self.count(kind));
        write!(out, "  lost {lost}, repeated {repeated}, reordered {reordered}, altered {altered}")?;
        for (kind, count) in &self.counts {
            if !["lost", "repeated", "reordered", "altered"].contains(kind) {
                write!(out, ", {} {count}", kind.replace('_', " "))?;
            }
        }
        writeln!(out)?;
        for text in &self.first {
            writeln!(out, "    {text}")?;
        }
        let told = self.first.len() as u64;
        let all: u64 = self.counts.values().sum();
        if told as usize == TOLD && all > told {
            writeln!(out, "    and more of that kind")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Span;

    #[test]
    fn each_fault_is_counted_and_the_first_are_told() {
        let mut findings = Findings::default();
        assert!(findings.is_clean());
        findings.fault("socket 3", "test:a", Fault::Lost(Span { from: 4, to: 13 }));
        findings.wrong("refused", "publish answered 503");
        let mut all = Findings::default();
        for _ in 0..30 {
            all.add(findings.clone());
        }
        assert!(!all.is_clean());
        assert_eq!((all.count("lost"), all.count("refused"), all.count("altered")), (300, 30, 0));
        let text = all.to_string();
        assert!(text.contains("lost 300") && text.contains("refused 30"), "{text}");
        assert!(text.contains("socket 3, test:a: offsets 4 to 13 never came"), "{text}");
        assert!(text.contains("and more"), "{text}");
    }
}
