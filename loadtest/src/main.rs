//! The load tester's command line.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use loadtest::{live, writes};
use std::{path::PathBuf, process::ExitCode};

/// Loads a CommuniConnect server on this machine and checks every byte that comes back.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
    /// Also writes the figures as JSON.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// A broadcaster and many viewers over ICE, DTLS and SRTP.
    Live(live::Options),
    /// Comments from many sockets, as fast as each is acknowledged.
    Writes(writes::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (text, figures, is_clean) = match &arguments.scenario {
        Scenario::Live(options) => {
            let report = runtime.block_on(live::run(options))?;
            (report.to_string(), report.to_json(), report.is_clean())
        }
        Scenario::Writes(options) => {
            let report = runtime.block_on(writes::run(options))?;
            (report.to_string(), report.to_json(), report.is_clean())
        }
    };
    println!("{text}");
    if let Some(path) = &arguments.json {
        let figures = serde_json::to_string_pretty(&figures)?;
        std::fs::write(path, figures).with_context(|| path.display().to_string())?;
    }
    Ok(is_clean)
}
