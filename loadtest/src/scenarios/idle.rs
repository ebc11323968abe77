//! Scenario `idle`: very many readers to whom nothing is said, what each of them takes, and that all are still there.

use super::{
    Target, account,
    broadcast::{self, Audience},
    stage::{Programme, Stage},
};
use crate::{publish::Class, report::Report};
use anyhow::{Result, ensure};
use std::time::Duration;

/// What `idle` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The server.
    #[command(flatten)]
    pub target: Target,
    /// Readers, each on a socket of its own.
    #[arg(long, default_value_t = 10_000)]
    pub connections: usize,
    /// Channels that all of them read.
    #[arg(long, default_value_t = 2)]
    pub each: usize,
    /// Seconds of silence.
    #[arg(long, default_value_t = 10.0)]
    pub duration: f64,
}

/// Runs the scenario.
///
/// # Errors
/// Where the server cannot be reached, or refuses readers; whoever was not there at the end is no error but a finding.
pub async fn run(options: &Options) -> Result<Report> {
    let Options { target, connections, each, duration } = options.clone();
    ensure!(each > 0, "--each needs a channel, in which to ask at the end who is there");
    let audience = Audience { readers: connections, channels: each, each };
    let mut report =
        Report::new("idle", format!("{connections} idle readers of {each} channels for {duration} s"));
    let mut stage = Stage::open(&target, audience.cast(&target)?).await?;
    let silence = Duration::from_secs_f64(duration);
    stage.during("silence", silence, tokio::time::sleep(silence)).await;
    // One publication in each channel: who is still there is given it.
    let rate = each as f64;
    let call = Programme { class: Class::A, rate, duration: Duration::from_secs(1), size: 128 };
    let published = stage.publish(call).await?;
    let mut played = stage.finish(Vec::new()).await?;
    account::undisturbed(&mut played);
    broadcast::tell(&mut report, published, played);
    Ok(report)
}
