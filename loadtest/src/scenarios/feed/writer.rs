//! One person who writes: takes the next thing that is due, whatever it is, and waits for its acknowledgement.

use crate::{
    clock::now_us,
    crowd::marked,
    oracle::{Findings, Operations},
    social,
    socket::Socket,
    spread,
};
use anyhow::Result;
use hdrhistogram::Histogram;
use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The reactions that people give.
const KINDS: [&str; 3] = ["like", "love", "haha"];

/// What all write about.
pub(super) struct Agenda {
    pub(super) community: String,
    pub(super) posts: Vec<String>,
    /// Of the run, in every `op`.
    pub(super) name: String,
    pub(super) rate: f64,
}

/// A person and their socket. Only they write as this person, so the order of their acts is known.
pub(super) struct Writer {
    pub(super) place: usize,
    pub(super) socket: Socket,
    pub(super) agenda: Arc<Agenda>,
}

/// What was written.
pub(super) struct Wrote {
    /// Acknowledged acts by command.
    pub(super) acts: BTreeMap<&'static str, u64>,
    /// From due to acknowledged, in microseconds.
    pub(super) waits: Histogram<u64>,
    /// Posts and comments.
    pub(super) operations: Operations,
    /// The last reaction by post and person.
    pub(super) reactions: HashMap<(String, usize), &'static str>,
    /// Persons and posts that were looked at.
    pub(super) views: HashMap<(String, usize), ()>,
    /// What was refused.
    pub(super) findings: Findings,
}

impl Default for Wrote {
    fn default() -> Self {
        Self {
            acts: BTreeMap::new(),
            waits: spread::histogram(),
            operations: Operations::default(),
            reactions: HashMap::new(),
            views: HashMap::new(),
            findings: Findings::default(),
        }
    }
}

impl Wrote {
    pub(super) fn add(&mut self, other: Self) {
        for (act, count) in other.acts {
            *self.acts.entry(act).or_default() += count;
        }
        self.waits.add(other.waits).expect("the same bounds and digits");
        self.operations.add(other.operations);
        self.reactions.extend(other.reactions);
        self.views.extend(other.views);
        self.findings.add(other.findings);
    }
}

/// Something that a person does.
enum Act {
    React(String, &'static str),
    Look(String),
    /// The `op` of what is written.
    Write(&'static str, String),
}

impl Writer {
    /// Takes what is due next until `count` is reached; the first is due at `start`.
    pub(super) async fn write(mut self, next: Arc<AtomicU64>, count: u64, start: u64) -> Wrote {
        let mut wrote = Wrote::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return wrote;
            }
            let due = start + (number as f64 * 1e6 / self.agenda.rate) as u64;
            if let Some(early) = due.checked_sub(now_us()) {
                tokio::time::sleep(Duration::from_micros(early)).await;
            }
            if let Err(error) = self.act(number, due, &mut wrote).await {
                wrote.findings.wrong("refused", format!("person {}: {error:#}", self.place));
            }
        }
    }

    async fn act(&mut self, number: u64, due: u64, wrote: &mut Wrote) -> Result<()> {
        let (act, body) = self.choose(number, due);
        let command = match &act {
            Act::React(..) => "reaction.set",
            Act::Look(_) => "post.view",
            Act::Write(command, op) => {
                wrote.operations.sent(op.clone());
                *command
            }
        };
        self.socket.command(command, &body).await?;
        wrote.waits.saturating_record(now_us().saturating_sub(due));
        *wrote.acts.entry(command).or_default() += 1;
        match act {
            Act::React(post, kind) => drop(wrote.reactions.insert((post, self.place), kind)),
            Act::Look(post) => drop(wrote.views.insert((post, self.place), ())),
            Act::Write(_, op) => wrote.operations.acknowledged(op),
        }
        Ok(())
    }

    fn choose(&self, number: u64, due: u64) -> (Act, Value) {
        let mut random = rand::rng();
        let post = self.agenda.posts.choose(&mut random).cloned().unwrap_or_default();
        // In the order of time, as clients are told to make them.
        let op = format!("{number:08}-{}-{}", self.agenda.name, self.place);
        let text = |text: &str| marked(due, &social::with_op(text, &op));
        match random.random_range(0..100) {
            0..55 => {
                let kind = KINDS.choose(&mut random).copied().unwrap_or(KINDS[0]);
                let body = json!({ "post_id": post, "kind": kind });
                (Act::React(post, kind), body)
            }
            55..80 => {
                let content = text("A comment of a typical length, with a thought in it.");
                let body = json!({ "op": op, "post_id": post, "content": content });
                (Act::Write("comment.add", op), body)
            }
            80..95 => {
                let body = json!({ "post_id": post });
                (Act::Look(post), body)
            }
            _ => {
                let body = social::post(&self.agenda.community, &op, &text("Something new."));
                (Act::Write("post.create", op), body)
            }
        }
    }
}
