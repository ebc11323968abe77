//! Where settings are given: each layer hides the ones below it, by name. What is hidden is kept too, since a wrong
//! value is told wherever it stands: it would surprise on the day that what hides it goes away.

use super::Problem;
use std::{collections::BTreeMap, fmt, path::Path};

/// Who gave a setting its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody: the default stands.
    Default,
    /// The file given by `--config`.
    File(String),
    /// The environment variable of this name.
    Environment(String),
    /// A short flag such as `--listen`.
    Flag(&'static str),
    /// `--set`.
    Set,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Set => f.write_str("--set"),
        }
    }
}

/// A value as somebody gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// The name as it was written there.
    pub written: String,
    /// The value as text.
    pub text: String,
    /// Who gave it.
    pub origin: Origin,
}

/// All layers, merged as they are added: add the lowest first.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    given: BTreeMap<String, Vec<Given>>,
    problems: Vec<Problem>,
}

impl Layers {
    /// Adds a TOML file: `[section]` tables or dotted keys.
    pub fn file(&mut self, path: &Path) {
        let shown = path.display().to_string();
        let problem = |reason: String| Problem::File { path: shown.clone(), reason };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.problems.push(problem(error.to_string())),
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return self.problems.push(problem(error.to_string().trim().to_owned())),
        };
        for (section, value) in table {
            let origin = Origin::File(shown.clone());
            match value {
                toml::Value::Table(settings) => {
                    for (name, value) in settings {
                        self.add(format!("{section}.{name}"), text_of(&value), origin.clone());
                    }
                }
                other => self.add(section, text_of(&other), origin),
            }
        }
    }

    /// Adds variables named `CC_SECTION__NAME`; others are none of ours (`CC` alone names C compilers).
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (variable, text) in variables {
            let Some((section, name)) = variable.strip_prefix("CC_").and_then(|rest| rest.split_once("__"))
            else {
                continue;
            };
            let name = format!("{}.{}", section.to_ascii_lowercase(), name.to_ascii_lowercase());
            let origin = Origin::Environment(variable.clone());
            self.give(name, Given { written: variable, text, origin });
        }
    }

    /// Adds a short flag of the command line.
    pub fn flag(&mut self, flag: &'static str, name: &str, text: &str) {
        self.add(name.to_owned(), text.to_owned(), Origin::Flag(flag));
    }

    /// Adds `section.name=value` of `--set`.
    pub fn set(&mut self, assignment: &str) {
        match assignment.split_once('=') {
            Some((name, text)) if name.contains('.') => {
                self.add(name.trim().to_owned(), text.trim().to_owned(), Origin::Set);
            }
            // A value may be a secret: only what stands before it is told.
            Some((name, _)) => self.problems.push(Problem::Syntax { text: format!("{name}=…") }),
            None => self.problems.push(Problem::Syntax { text: assignment.to_owned() }),
        }
    }

    /// Who gave the setting of this name.
    pub fn origin(&self, name: &str) -> Origin {
        self.get(name).last().map_or(Origin::Default, |given| given.origin.clone())
    }

    /// All that was given for a name, the lowest layer first; the last counts.
    pub(super) fn get(&self, name: &str) -> &[Given] {
        self.given.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Given)> {
        self.given.iter().flat_map(|(name, all)| all.iter().map(move |given| (name.as_str(), given)))
    }

    pub(super) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn add(&mut self, name: String, text: String, origin: Origin) {
        self.give(name.clone(), Given { written: name, text, origin });
    }

    fn give(&mut self, name: String, given: Given) {
        self.given.entry(name).or_default().push(given);
    }
}

/// TOML values in the notation of the other layers: lists by comma, booleans as they are.
fn text_of(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
