//! The settings of the product: one typed tree, each setting declared once in `settings.rs`.
//!
//! Owns names, types, defaults, meanings, and where a value came from: defaults < `--config` file < environment
//! `CC_SECTION__NAME` < command line. It decides nothing with them, and opens nothing but the file it is told to read.

mod layers;
mod settings;
mod values;

pub use layers::{Layers, Origin};
pub use settings::*;
pub use values::{Algorithm, BackendUrl, ClientHeader, LogFormat, Secret, Value, WebAddress};

use std::fmt;

/// Schemes of `broker.url`; the broker itself reads what follows.
const BROKER_SCHEMES: &[&str] = &["redis://", "rediss://", "redis-sentinel://", "redis-cluster://"];

/// One declared setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `section.name`.
    pub name: &'static str,
    /// What it takes, in words.
    pub takes: &'static str,
    /// The default, as it would be written.
    pub default: &'static str,
    /// What it means and why it is bounded as it is.
    pub meaning: &'static str,
}

/// A setting as it stands after loading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its declaration.
    pub setting: Setting,
    /// Its value; secrets are `***`.
    pub value: String,
    /// Whether the value is written without quotes in TOML.
    pub bare: bool,
    /// Who gave it.
    pub origin: Origin,
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No setting has this name.
    #[error("unknown setting `{name}` ({origin}){}", did_you_mean(.nearest.as_deref()))]
    Unknown {
        /// The name as given.
        name: String,
        /// Where it was given.
        origin: Origin,
        /// The known name that is nearest, if any is near.
        nearest: Option<String>,
    },
    /// The value cannot be used.
    #[error("setting `{name}` cannot be `{value}` ({origin}): {reason}{}", did_you_mean(.nearest.as_deref()))]
    Wrong {
        /// The setting.
        name: String,
        /// The value as given; `***` for a secret.
        value: String,
        /// Where it was given.
        origin: Origin,
        /// What is wrong and what would be right.
        reason: String,
        /// The accepted value that is nearest, if any is near.
        nearest: Option<String>,
    },
    /// The settings file cannot be read, or is no TOML.
    #[error("settings file `{path}`: {reason}")]
    File {
        /// Its path.
        path: String,
        /// Why.
        reason: String,
    },
    /// `--set` was given something else than `section.name=value`.
    #[error("`--set {text}`: write it as section.name=value")]
    Syntax {
        /// What was given.
        text: String,
    },
}

/// Everything that is wrong with the settings, so that one start tells it all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Where people open this server, for links that leave it, without a slash at its end: as it was set, or the address that it
    /// listens on, which is good for a trial on one machine.
    pub fn public_address(&self) -> String {
        match &self.http.public_url {
            Some(url) => url.as_str().to_owned(),
            None => format!("http://{}", self.http.listen),
        }
    }

    /// Reads every setting from its highest layer; tells all problems at once.
    pub fn load(layers: &Layers) -> Result<Self, ConfigError> {
        let mut problems = layers.problems().to_vec();
        for (name, given) in layers.iter() {
            if !SETTINGS.iter().any(|setting| setting.name == name) {
                problems.push(Problem::Unknown {
                    name: given.written.clone(),
                    origin: given.origin.clone(),
                    nearest: nearest(name, SETTINGS.iter().map(|setting| setting.name)),
                });
            }
        }
        let config = Self::take(layers, &mut problems);
        if problems.is_empty() {
            problems.extend(config.cross_checks(layers));
        }
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    /// The defaults with some settings changed, for tests: `[("limits.rates", "off")]`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn with<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ConfigError> {
        let mut layers = Layers::default();
        for (name, value) in pairs {
            layers.set(&format!("{name}={value}"));
        }
        Self::load(&layers)
    }

    /// Every setting with its value, origin and meaning, as TOML that can be saved and given back by `--config`.
    pub fn listing(&self, layers: &Layers) -> String {
        let mut text = String::new();
        for shown in self.shown(layers) {
            let Shown { setting, value, bare, origin } = shown;
            let value = if bare { value } else { toml::Value::String(value).to_string() };
            text.push_str(&format!("# {}\n", setting.meaning));
            text.push_str(&format!(
                "# takes {}; default `{}`; from {origin}\n",
                setting.takes, setting.default
            ));
            text.push_str(&format!("{} = {value}\n\n", setting.name));
        }
        text
    }

    /// What one setting alone cannot tell.
    fn cross_checks(&self, layers: &Layers) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |name: &str, value: String, reason: &str| {
            let origin = layers.origin(name);
            problems.push(Problem::Wrong {
                name: name.into(),
                value,
                origin,
                reason: reason.into(),
                nearest: None,
            });
        };
        let is_server =
            ["postgres://", "postgresql://"].iter().any(|scheme| self.store.url.as_str().starts_with(scheme));
        if self.store.url.as_str() != "sqlite" && !is_server {
            let reason = "it must be `sqlite` or postgres://user:password@host:5432/database";
            wrong("store.url", self.store.url.show(), reason);
        }
        let is_redis = BROKER_SCHEMES.iter().any(|scheme| self.broker.url.as_str().starts_with(scheme));
        if self.broker.url.as_str() != "memory" && !is_redis {
            wrong(
                "broker.url",
                self.broker.url.show(),
                "it must be `memory`, or begin with redis://, rediss://, redis-sentinel:// or redis-cluster://",
            );
        }
        if self.limits.outbox_bytes < self.limits.message_bytes {
            let reason = "an outbox must hold at least one message: not below limits.message_bytes";
            wrong("limits.outbox_bytes", self.limits.outbox_bytes.to_string(), reason);
        }
        let is_folder = self.media.url.as_str().starts_with("file:///");
        if self.media.url.as_str() != "data" && !is_folder {
            wrong("media.url", self.media.url.show(), "it must be `data` or file:///folder");
        }
        if self.auth.jwks_url.is_some() && self.auth.jwks_file.is_some() {
            let reason = "auth.jwks_url is set too: give one of the two";
            wrong("auth.jwks_file", self.auth.jwks_file.show(), reason);
        }
        problems
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::load(&Layers::default()).expect("every default reads (a test holds it so)")
    }
}

/// The name that is near enough to be meant, if any.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn problem_of(pairs: &[(&str, &str)]) -> String {
        Config::with(pairs.iter().copied()).expect_err("a wrong setting").to_string()
    }

    #[test]
    fn every_default_reads_and_every_setting_is_documented() {
        let config = Config::default();
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.limits.message_bytes, 65_536);
        for setting in SETTINGS {
            assert!(setting.meaning.len() > 15, "{} says what it means", setting.name);
            assert!(!setting.meaning.starts_with(' '), "{}", setting.name);
            // So that searching the listing for a name finds its value first.
            let named = SETTINGS.iter().find(|other| setting.meaning.contains(other.name));
            assert_eq!(named, None, "the meaning of {} names another setting", setting.name);
        }
    }

    #[test]
    fn names_are_unique_and_have_one_dot() {
        let mut names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert!(names.iter().all(|name| name.matches('.').count() == 1));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn later_layers_win_and_are_named() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        write!(file, "ws.ping_ms = 1000\n[http]\nlisten = \"127.0.0.1:1\"\norigins = [\"https://a\", \"https://b\"]\n[auth]\nguests = false")
            .expect("written");
        let mut layers = Layers::default();
        layers.file(file.path());
        layers
            .environment([("CC_HTTP__LISTEN".into(), "127.0.0.1:2".into()), ("PATH".into(), "/bin".into())]);
        let config = Config::load(&layers).expect("good settings");
        assert_eq!(config.http.listen.port(), 2);
        assert_eq!(config.http.origins, ["https://a", "https://b"]);
        assert_eq!(config.ws.ping_ms, 1000);
        assert!(!config.auth.guests);
        assert_eq!(layers.origin("http.listen"), Origin::Environment("CC_HTTP__LISTEN".into()));
        assert_eq!(layers.origin("limits.rates"), Origin::Default);

        layers.set("http.listen=127.0.0.1:3");
        assert_eq!(Config::load(&layers).expect("good settings").http.listen.port(), 3);
        assert_eq!(layers.origin("http.listen"), Origin::Set);
        assert!(matches!(layers.origin("ws.ping_ms"), Origin::File(_)));
    }

    #[test]
    fn an_unknown_setting_is_told_with_the_nearest_name_and_its_origin() {
        let text = problem_of(&[("http.lisen", "x")]);
        assert!(
            text.contains("`http.lisen`") && text.contains("`http.listen`") && text.contains("--set"),
            "{text}"
        );

        let mut layers = Layers::default();
        layers.environment([("CC_LIMITS__MESSAGE_BYTE".into(), "1".into())]);
        let text = Config::load(&layers).expect_err("unknown").to_string();
        assert!(text.contains("CC_LIMITS__MESSAGE_BYTE") && text.contains("limits.message_bytes"), "{text}");
    }

    #[test]
    fn a_wrong_value_is_told_with_the_reason() {
        for (name, value, told) in [
            ("ws.ping_ms", "soon", "whole number"),
            ("ws.ping_ms", "-5", "whole number"),
            ("ws.ping_ms", "5", "between"),
            ("http.listen", "localhost", "address"),
            ("auth.guests", "maybe", "on or off"),
            ("log.format", "jsn", "did you mean `json`"),
            ("auth.algorithms", "HS256,none", "HS256"),
            ("broker.url", "kafka://u:secret@h", "redis://"),
            ("store.url", "mysql://u:secret@h/db", "sqlite"),
        ] {
            let text = problem_of(&[(name, value)]);
            assert!(text.contains(name) && text.contains(told), "{name}={value}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_told_even_where_another_layer_hides_it() {
        let text = problem_of(&[("ws.ping_ms", "soon"), ("ws.ping_ms", "1000")]);
        assert!(text.contains("soon"), "{text}");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = problem_of(&[("a.b", "1"), ("ws.ping_ms", "x"), ("auth.guests", "x")]);
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn a_broken_file_or_flag_is_told() {
        let mut layers = Layers::default();
        layers.file(std::path::Path::new("/nowhere/at/all.toml"));
        layers.set("nonsense");
        let text = Config::load(&layers).expect_err("broken").to_string();
        assert!(text.contains("/nowhere/at/all.toml") && text.contains("section.name=value"), "{text}");

        let mut file = tempfile::NamedTempFile::new().expect("a file");
        write!(file, "http = 5\nx = [[").expect("written");
        let mut layers = Layers::default();
        layers.file(file.path());
        assert!(Config::load(&layers).expect_err("no TOML").to_string().contains("settings file"));
    }

    #[test]
    fn the_listing_hides_secrets_and_reads_back() {
        let secret = "0123456789abcdef0123456789abcdef-hidden";
        let mut layers = Layers::default();
        layers.set(&format!("auth.hs256_secret={secret}"));
        layers.set("admin.listen=off");
        layers.set("http.origins=https://a,https://b");
        let config = Config::load(&layers).expect("good settings");
        let listing = config.listing(&layers);
        assert!(!listing.contains("hidden") && listing.contains("auth.hs256_secret = \"***\""), "{listing}");
        assert!(!format!("{config:?}").contains("hidden"));
        assert!(listing.contains("from --set") && listing.contains("admin.listen = \"off\""));

        let mut file = tempfile::NamedTempFile::new().expect("a file");
        write!(file, "{}", listing.replace("***", secret)).expect("written");
        let mut again = Layers::default();
        again.file(file.path());
        assert_eq!(Config::load(&again).expect("its own listing reads"), config);
    }
}
