//! Arguments of the binary.

use clap::{Args, Parser, Subcommand};
use communiconnect::{config::Layers, server};
use communiconnect_protocol::Role;
use std::{path::PathBuf, time::Duration};

/// A real-time hub for a social network. Without a subcommand it serves.
#[derive(Debug, Parser)]
#[command(name = "communiconnect", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    task: Option<Task>,

    #[command(flatten)]
    settings: SettingFlags,
}

#[derive(Debug, Args)]
struct SettingFlags {
    /// Settings file (TOML); `communiconnect config` prints one with every setting
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, above file and environment (CC_SECTION__NAME); may be repeated
    #[arg(long, global = true, value_name = "SECTION.NAME=VALUE")]
    set: Vec<String>,
    /// Address to listen on: http.listen
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<String>,
    /// Folder of the database: store.data
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// How logs are written to stderr, text or json: log.format
    #[arg(long, global = true, value_name = "FORMAT")]
    log: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Serve until SIGTERM or Ctrl-C (the default)
    Serve,
    /// Print every setting with its value, origin and meaning
    Config,
    /// Check this machine and these settings, and say what to do
    Doctor,
    /// Print an access token for a person, alone on a line
    Token(TokenWish),
    /// Say whether a token would be taken, and for whom
    CheckToken {
        /// The token
        token: String,
    },
}

/// What a token is to say.
#[derive(Debug, Args)]
pub(crate) struct TokenWish {
    /// Whose: the id of a person of this server, or any name, whose person is made at first use
    #[arg(long)]
    pub user: String,
    /// The name to show
    #[arg(long)]
    pub name: Option<String>,
    /// user, moderator or admin
    #[arg(long, value_parser = role)]
    pub role: Option<Role>,
    /// Seconds until it expires
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub ttl: u64,
}

impl From<TokenWish> for server::TokenWish {
    fn from(wish: TokenWish) -> Self {
        let TokenWish { user, name, role, ttl } = wish;
        Self { user, name, role, ttl: Duration::from_secs(ttl) }
    }
}

fn role(word: &str) -> Result<Role, &'static str> {
    Role::from_word(word).ok_or("a role is user, moderator or admin")
}

impl Cli {
    /// The layers of settings, lowest first.
    pub(crate) fn layers(&self) -> Layers {
        let flags = &self.settings;
        let mut layers = Layers::default();
        if let Some(file) = &flags.config {
            layers.file(file);
        }
        layers.environment(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        let short = [
            ("--listen", "http.listen", &flags.listen),
            ("--data", "store.data", &flags.data),
            ("--log", "log.format", &flags.log),
        ];
        for (flag, name, value) in short {
            if let Some(value) = value {
                layers.flag(flag, name, value);
            }
        }
        // Whoever spells a setting out means it: `--set` stands above the short flags.
        for assignment in &flags.set {
            layers.set(assignment);
        }
        layers
    }

    /// What to do.
    pub(crate) fn task(self) -> Task {
        self.task.unwrap_or(Task::Serve)
    }
}
