//! What a run of the hub has shown: text for people, figures for programs, and series to plot.

use crate::{crowd::Second, oracle::Findings, watch::Sample};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// A report in the making.
#[derive(Clone, Debug, Default)]
pub struct Report {
    title: String,
    lines: Vec<String>,
    figures: Map<String, Value>,
    /// What was wrong.
    pub findings: Findings,
    /// What readers were given, second by second.
    pub seconds: Vec<Second>,
    /// What the server used, second by second.
    pub samples: Vec<Sample>,
}

impl Report {
    /// Of this scenario; `title` says in words what was done.
    pub fn new(scenario: &str, title: String) -> Self {
        let figures = Map::from_iter([("scenario".to_owned(), scenario.into())]);
        Self { title, figures, ..Self::default() }
    }

    /// What was done.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// A line for people.
    pub fn line(&mut self, text: impl fmt::Display) {
        self.lines.push(text.to_string());
    }

    /// A figure for programs.
    pub fn figure(&mut self, key: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).expect("figures are plain data");
        self.figures.insert(key.to_owned(), value);
    }

    /// Whether everything was as it has to be.
    pub fn is_clean(&self) -> bool {
        self.findings.is_clean()
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let mut all = self.figures.clone();
        let mut add = |key: &str, value: serde_json::Result<Value>| {
            all.insert(key.to_owned(), value.expect("figures are plain data"));
        };
        add("findings", serde_json::to_value(&self.findings));
        add("seconds", serde_json::to_value(&self.seconds));
        add("samples", serde_json::to_value(&self.samples));
        add("clean", serde_json::to_value(self.is_clean()));
        Value::Object(all)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.title)?;
        for line in &self.lines {
            writeln!(out, "  {line}")?;
        }
        write!(out, "{}", self.findings)?;
        write!(out, "{}", if self.is_clean() { "clean" } else { "NOT CLEAN" })
    }
}
