//! The load tester's command line.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use loadtest::live;
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
    let Scenario::Live(options) = &arguments.scenario;
    let report = runtime.block_on(live::run(options))?;
    println!("{report}");
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&report.to_json())?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(report.is_clean())
}
