//! Scenario `churn`: readers come and go all the time, some with a goodbye and some without, each with its positions; and
//! what is left when all have gone.

use super::{
    Target,
    broadcast::{self, Audience},
    stage::{Programme, Stage},
};
use crate::{api::Api, crowd::Manner, publish::Class, report::Report};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// What `churn` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The server.
    #[command(flatten)]
    pub target: Target,
    /// Readers; nine of ten come and go.
    #[arg(long, default_value_t = 1_000)]
    pub connections: usize,
    /// Channels of each reader.
    #[arg(long, default_value_t = 4)]
    pub each: usize,
    /// Channels in all; readers share them evenly.
    #[arg(long, default_value_t = 100)]
    pub channels: usize,
    /// Seconds that a reader stays, and then is away, at most.
    #[arg(long, default_value_t = 4.0)]
    pub stay: f64,
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

/// One of so many stays all the time.
const STEADY: usize = 10;
/// Looks at the sessions that are left, and the time between them: a cut connection is found with the next thing written to it.
const LOOKS: u32 = 50;
const LOOK: Duration = Duration::from_millis(200);

/// Runs the scenario.
///
/// # Errors
/// Where the server cannot be reached, or refuses readers; anything lost, or left, is no error but a finding.
pub async fn run(options: &Options) -> Result<Report> {
    let Options { target, connections, each, channels, stay, rate, size, duration } = options.clone();
    ensure!(each > 0 && each <= channels, "--each needs as many --channels");
    let audience = Audience { readers: connections, channels, each };
    let duration = Duration::from_secs_f64(duration);
    let programme = Programme { class: Class::A, rate, duration, size };
    let title = format!(
        "{connections} readers of {each} of {channels} channels that stay up to {stay} s and are away up to {stay} s, \
         {rate} publications a second"
    );
    let mut report = Report::new("churn", title);
    let before = sessions(&target).await?;
    let mut cast = audience.cast(&target)?;
    let steady = cast.voices.len();
    cast.voices = ["those who come and go", "those who stay"]
        .iter()
        .flat_map(|who| cast.voices.iter().map(move |voice| format!("{voice}, {who}")))
        .collect();
    for (number, reader) in cast.readers.iter_mut().enumerate() {
        if number % STEADY == 0 {
            reader.voice += steady;
        } else {
            reader.manner = Manner::ComesAndGoes(Duration::from_secs_f64(stay));
        }
    }
    let mut stage = Stage::open(&target, cast).await?;
    stage.crowd.order(|order| order.may_go = true);
    let published = stage.publish(programme).await?;
    let played = stage.finish(Vec::new()).await?;
    broadcast::tell(&mut report, published, played);
    let mut after = sessions(&target).await?;
    for _ in 0..LOOKS {
        if after <= before {
            break;
        }
        tokio::time::sleep(LOOK).await;
        after = sessions(&target).await?;
    }
    report.line(format!("sessions at the server: {before} before, {after} after"));
    report.figure("sessions", [before, after]);
    if after > before {
        report.findings.wrong("left_behind", format!("{} sessions are left of nobody", after - before));
    }
    Ok(report)
}

/// How many sessions all nodes have together.
async fn sessions(target: &Target) -> Result<u64> {
    let told = Api::new(&target.admin)?.get("/v1/admin/sessions").await?;
    let sum = || {
        let nodes = told["nodes"].as_array()?;
        nodes.iter().map(|node| node["sessions"].as_u64()).sum::<Option<u64>>()
    };
    let sum = sum().with_context(|| format!("no number of sessions in {told}"))?;
    // One node alone hears no other, and is not whole by that.
    let is_whole = target.urls.len() == 1 || told["whole"] == true;
    ensure!(is_whole, "a node did not tell how many sessions it has: {told}");
    Ok(sum)
}
