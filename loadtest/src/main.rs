//! The load tester's command line.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use loadtest::{
    bare, live, plot,
    report::Report,
    scenarios::{channels, churn, fanout, feed, idle, slow, storm},
    writes,
};
use serde_json::Value;
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
    /// Also draws the run as SVG (scenarios of the hub, but not `writes`).
    #[arg(long, global = true)]
    plot: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// One hot channel, beside a bare epoll writer of the same bytes.
    Fanout(fanout::Options),
    /// Many channels, each with a few readers.
    Channels(channels::Options),
    /// Posts, comments, reactions and views, and their readers.
    Feed(feed::Options),
    /// Very many readers to whom nothing is said.
    Idle(idle::Options),
    /// Some readers stop reading, and read again.
    Slow(slow::Options),
    /// All readers are cut and come back at once.
    Storm(storm::Options),
    /// Readers come and go.
    Churn(churn::Options),
    /// A broadcaster and many viewers over ICE, DTLS and SRTP.
    Live(live::Options),
    /// Comments from many sockets, as fast as each is acknowledged.
    Writes(writes::Options),
    /// The bare writer of `fanout`: told what to do line by line.
    #[command(name = bare::SUBCOMMAND, hide = true)]
    Bare,
}

/// What a scenario has shown: for people, for programs, and whether all was as it has to be.
struct Outcome {
    text: String,
    figures: Value,
    /// What can be drawn.
    drawn: Option<Report>,
    is_clean: bool,
}

impl From<Report> for Outcome {
    fn from(report: Report) -> Self {
        let (text, figures, is_clean) = (report.to_string(), report.to_json(), report.is_clean());
        Self { text, figures, drawn: Some(report), is_clean }
    }
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
    if let Scenario::Bare = arguments.scenario {
        return bare::run(std::io::stdin(), std::io::stdout()).map(|()| true);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(play(&arguments.scenario))?;
    println!("{}", outcome.text);
    if let Some(path) = &arguments.json {
        let figures = serde_json::to_string_pretty(&outcome.figures)?;
        std::fs::write(path, figures).with_context(|| path.display().to_string())?;
    }
    if let (Some(path), Some(report)) = (&arguments.plot, &outcome.drawn) {
        std::fs::write(path, plot::svg(report)?).with_context(|| path.display().to_string())?;
    }
    Ok(outcome.is_clean)
}

async fn play(scenario: &Scenario) -> Result<Outcome> {
    Ok(match scenario {
        Scenario::Fanout(options) => fanout::run(options).await?.into(),
        Scenario::Channels(options) => channels::run(options).await?.into(),
        Scenario::Feed(options) => feed::run(options).await?.into(),
        Scenario::Idle(options) => idle::run(options).await?.into(),
        Scenario::Slow(options) => slow::run(options).await?.into(),
        Scenario::Storm(options) => storm::run(options).await?.into(),
        Scenario::Churn(options) => churn::run(options).await?.into(),
        Scenario::Live(options) => {
            let report = live::run(options).await?;
            let (text, figures) = (report.to_string(), report.to_json());
            Outcome { text, figures, drawn: None, is_clean: report.is_clean() }
        }
        Scenario::Writes(options) => {
            let report = writes::run(options).await?;
            let (text, figures) = (report.to_string(), report.to_json());
            Outcome { text, figures, drawn: None, is_clean: report.is_clean() }
        }
        Scenario::Bare => unreachable!("it has no report"),
    })
}
