//! What the readers of a run have been given, counted and timed; one for all of them, since they share a thread.

use super::{
    Names,
    content::{self, Content},
};
use crate::{
    oracle::{Fault, Findings, Ledger, SKIPPED, Span},
    spread,
};
use hdrhistogram::Histogram;
use std::{fmt, sync::Arc};

/// What one kind of reader has been given: those of one node, or those that had stopped reading.
#[derive(Clone, Debug)]
pub struct Voice {
    /// What it is called in reports.
    pub name: String,
    /// Publications that were pushed.
    pub pushed: u64,
    /// Those that came with a position or by `history`.
    pub fetched: u64,
    /// Offsets that were cut to a `gap`.
    pub cut: u64,
    /// States that were pushed.
    pub states: u64,
    /// Signals that were pushed.
    pub signals: u64,
    /// Times that the server told of degradation.
    pub flows: u64,
    /// Connections that ended without the run having asked for it.
    pub closed: u64,
    /// Tries to connect that failed.
    pub failed: u64,
    /// From due to pushed, in microseconds.
    pub delay: Histogram<u64>,
    /// From due to come with a position or by `history`, in microseconds.
    pub late: Histogram<u64>,
    /// From the first wish to connect to all channels subscribed, in microseconds.
    pub came: Histogram<u64>,
    /// From the wish to connect again to all channels recovered, in microseconds.
    pub back: Histogram<u64>,
}

/// What happened in one second of a run.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Second {
    /// Which one ([`crate::clock::now_us`] in seconds).
    pub at: u64,
    /// Publications that were pushed.
    pub pushed: u64,
    /// Half of them came within this, in milliseconds.
    pub p50_ms: f64,
    /// All but one in a hundred.
    pub p99_ms: f64,
}

/// The account of all readers.
#[derive(Debug)]
pub struct Tally {
    /// By the number that the plan gave.
    pub voices: Vec<Voice>,
    /// What was wrong.
    pub findings: Findings,
    /// Second by second.
    pub seconds: Vec<Second>,
    names: Arc<Names>,
    ledger: Arc<Ledger>,
    second: (u64, Histogram<u64>),
}

impl Tally {
    pub(super) fn new(voices: &[String], names: Arc<Names>, ledger: Arc<Ledger>) -> Self {
        Self {
            voices: voices.iter().map(|name| Voice::new(name)).collect(),
            findings: Findings::default(),
            seconds: Vec::new(),
            names,
            ledger,
            second: (0, spread::histogram()),
        }
    }

    /// Publications that were pushed to anybody.
    pub fn pushed(&self) -> u64 {
        self.voices.iter().map(|voice| voice.pushed).sum()
    }

    /// Delays of all readers together.
    pub fn delay(&self) -> Histogram<u64> {
        spread::sum(self.voices.iter().map(|voice| &voice.delay))
    }

    pub(super) fn fault(&mut self, reader: usize, channel: u32, fault: Fault) {
        self.findings.fault(Reader(reader), self.names.name(channel), fault);
    }

    /// A reader was pushed the publication at `offset`.
    pub(super) fn pushed_to(&mut self, voice: usize, due: Option<u64>, now: u64) {
        let voice = &mut self.voices[voice];
        voice.pushed += 1;
        let Some(due) = due else { return };
        let delay = now.saturating_sub(due);
        voice.delay.saturating_record(delay);
        if now / 1_000_000 != self.second.0 {
            self.end_second();
            self.second.0 = now / 1_000_000;
        }
        self.second.1.saturating_record(delay);
    }

    /// A reader was given the publication at `offset` when it asked for it.
    pub(super) fn fetched_by(&mut self, voice: usize, due: Option<u64>, now: u64) {
        let voice = &mut self.voices[voice];
        voice.fetched += 1;
        if let Some(due) = due {
            voice.late.saturating_record(now.saturating_sub(due));
        }
    }

    /// Judges what an offset holds (none: `skip`). Answers when it was due, where it tells.
    pub(super) fn judge(
        &mut self,
        channel: u32,
        offset: u64,
        data: Option<&str>,
    ) -> Result<Option<u64>, Fault> {
        let name = self.names.name(channel);
        let (content, due) = match data {
            None => (SKIPPED, None),
            Some(data) if name.starts_with("test:") => match Content::read(name, data) {
                Some(content) => (content.n + 1, Some(content.due)),
                None => return Err(Fault::Altered(Span { from: offset, to: offset })),
            },
            Some(data) => (content::sum_of(data), content::due_in(data)),
        };
        self.ledger.note(channel as usize, offset, content)?;
        Ok(due)
    }

    pub(super) fn end(&mut self) {
        self.end_second();
    }

    fn end_second(&mut self) {
        let (at, delays) = &mut self.second;
        if !delays.is_empty() {
            let ms = |quantile| delays.value_at_quantile(quantile) as f64 / 1_000.0;
            self.seconds.push(Second { at: *at, pushed: delays.len(), p50_ms: ms(0.5), p99_ms: ms(0.99) });
            delays.reset();
        }
    }
}

impl Voice {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            pushed: 0,
            fetched: 0,
            cut: 0,
            states: 0,
            signals: 0,
            flows: 0,
            closed: 0,
            failed: 0,
            delay: spread::histogram(),
            late: spread::histogram(),
            came: spread::histogram(),
            back: spread::histogram(),
        }
    }
}

/// How a reader is called.
pub(super) struct Reader(pub(super) usize);

impl fmt::Display for Reader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "socket {}", self.0)
    }
}
