//! Scenario `channels`: many channels, each with a few readers, and publications over all of them.

use super::{
    Target,
    broadcast::{self, Audience},
    stage::Programme,
};
use crate::{publish::Class, report::Report};
use anyhow::{Result, ensure};
use std::time::Duration;

/// What `channels` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The server.
    #[command(flatten)]
    pub target: Target,
    /// Readers, each on a socket of its own.
    #[arg(long, default_value_t = 1_000)]
    pub connections: usize,
    /// Channels of each reader.
    #[arg(long, default_value_t = 50)]
    pub each: usize,
    /// Channels in all; readers share them evenly.
    #[arg(long, default_value_t = 5_000)]
    pub channels: usize,
    /// Publications a second over all channels.
    #[arg(long, default_value_t = 1_000.0)]
    pub rate: f64,
    /// Bytes of the data of each.
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// Seconds that are published.
    #[arg(long, default_value_t = 10.0)]
    pub duration: f64,
}

/// Runs the scenario.
///
/// # Errors
/// Where the server cannot be reached, or refuses what the scenario needs; anything lost is no error but a finding.
pub async fn run(options: &Options) -> Result<Report> {
    let Options { target, connections, each, channels, rate, size, duration } = options.clone();
    ensure!(each > 0 && each <= channels, "--each needs as many --channels");
    let audience = Audience { readers: connections, channels, each };
    let programme = Programme { class: Class::A, rate, duration: Duration::from_secs_f64(duration), size };
    let title = format!(
        "{connections} readers of {each} of {channels} channels, {rate} publications of {size} bytes a second over all"
    );
    let mut report = Report::new("channels", title);
    let (published, played) = broadcast::play(&target, audience, programme).await?;
    broadcast::tell(&mut report, published, played);
    Ok(report)
}
