//! Scenario `storm`: all connections are cut and come back at once, each with its positions, while publications go on.

use super::{
    Target, account,
    broadcast::{self, Audience},
    stage::{Programme, Stage},
};
use crate::{
    clock::now_us,
    publish::{Class, publish},
    report::Report,
};
use anyhow::{Result, ensure};
use std::time::Duration;

/// What `storm` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The server.
    #[command(flatten)]
    pub target: Target,
    /// Readers, each on a socket of its own.
    #[arg(long, default_value_t = 2_000)]
    pub connections: usize,
    /// Channels of each reader.
    #[arg(long, default_value_t = 4)]
    pub each: usize,
    /// Channels in all; readers share them evenly.
    #[arg(long, default_value_t = 100)]
    pub channels: usize,
    /// Storms, evenly over the run.
    #[arg(long, default_value_t = 3)]
    pub storms: u32,
    /// Publications a second over all channels.
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// Bytes of the data of each.
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// Seconds that are published.
    #[arg(long, default_value_t = 20.0)]
    pub duration: f64,
}

/// Runs the scenario.
///
/// # Errors
/// Where the server cannot be reached, or somebody does not come back at all; anything lost is no error but a finding.
pub async fn run(options: &Options) -> Result<Report> {
    let Options { target, connections, each, channels, storms, rate, size, duration } = options.clone();
    ensure!(each > 0 && each <= channels, "--each needs as many --channels");
    let audience = Audience { readers: connections, channels, each };
    let duration = Duration::from_secs_f64(duration);
    let programme = Programme { class: Class::A, rate, duration, size };
    let title = format!(
        "{connections} readers of {each} of {channels} channels, {storms} times cut and back at once, {rate} publications a second"
    );
    let mut report = Report::new("storm", title);
    let mut stage = Stage::open(&target, audience.cast(&target)?).await?;
    let publishing = publish(stage.work(programme));
    let (crowd, pause) = (stage.crowd.clone(), duration / (storms + 1));
    let storming = async move {
        let mut took = Vec::new();
        for storm in 1..=storms {
            tokio::time::sleep(pause).await;
            let from = now_us();
            crowd.order(|order| order.cuts += 1);
            crowd.all_settled(storm as usize + 1, PATIENCE, |_| ()).await?;
            took.push((now_us() - from) as f64 / 1_000.0);
        }
        anyhow::Ok(took)
    };
    let both = async { tokio::join!(publishing, storming) };
    let (published, took) = stage.during("storms", duration, both).await;
    let mut played = stage.finish(Vec::new()).await?;
    account::undisturbed(&mut played);
    broadcast::tell(&mut report, published?, played);
    let took = took?;
    let told: Vec<_> = took.iter().map(|took| format!("{took:.0} ms")).collect();
    report.line(format!("all back after {}", told.join(", ")));
    report.figure("all_back_ms", took);
    Ok(report)
}

/// How long the last of a storm may take.
const PATIENCE: Duration = Duration::from_secs(60);
