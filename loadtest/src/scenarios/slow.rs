//! Scenario `slow`: some readers stop reading for a while. The others must not notice, the server's memory must stay bounded,
//! and in the end those that had stopped must have everything too: pushed, or told as a gap and fetched, and the last states.

use super::{
    Target, account,
    broadcast::Audience,
    stage::{Programme, Stage},
};
use crate::{
    crowd::Manner,
    publish::{Class, publish},
    report::Report,
};
use anyhow::{Result, ensure};
use std::time::Duration;

/// What `slow` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The server.
    #[command(flatten)]
    pub target: Target,
    /// Readers of one channel, each on a socket of its own.
    #[arg(long, default_value_t = 200)]
    pub connections: usize,
    /// Of these, how many stop reading in the middle third of the run.
    #[arg(long, default_value_t = 20)]
    pub slow: usize,
    /// Publications a second; a tenth as many states and signals beside them.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Bytes of the data of each.
    #[arg(long, default_value_t = 8_192)]
    pub size: usize,
    /// Seconds that are published.
    #[arg(long, default_value_t = 24.0)]
    pub duration: f64,
}

/// The kernel's buffer of a reader that will stop: small, so that the server has to do something about it.
const BUFFER: u32 = 16 << 10;

/// What those that stop are called.
const SLOW: &str = "slow readers";

/// The parts of the run, each with an account of its own.
const PARTS: [&str; 3] = ["before", "while some do not read", "after"];

/// Runs the scenario.
///
/// # Errors
/// Where the server cannot be reached, or refuses readers; anything lost is no error but a finding.
pub async fn run(options: &Options) -> Result<Report> {
    let Options { target, connections, slow, rate, size, duration } = options.clone();
    ensure!(slow < connections, "--slow is not less than --connections");
    let duration = Duration::from_secs_f64(duration);
    let title = format!(
        "{connections} readers of one channel, {slow} of them not reading for {:.0} s, {rate} publications of {size} bytes a second",
        duration.as_secs_f64() / 3.0
    );
    let mut report = Report::new("slow", title);
    let mut cast = Audience { readers: connections, channels: 1, each: 1 }.cast(&target)?;
    cast.voices =
        PARTS.iter().flat_map(|part| ["readers", SLOW].map(|who| format!("{who} {part}"))).collect();
    for (number, reader) in cast.readers.iter_mut().enumerate() {
        reader.voice = usize::from(number < slow);
        if number < slow {
            reader.manner = Manner::Stalls(BUFFER);
        }
    }
    let mut stage = Stage::open(&target, cast).await?;
    let programme = |class, rate| Programme { class, rate, duration, size };
    let publications = publish(stage.work(programme(Class::A, rate)));
    let states = publish(stage.work(programme(Class::B, rate / 10.0)));
    let signals = publish(stage.work(programme(Class::C, rate / 10.0)));
    let crowd = stage.crowd.clone();
    let stalling = async move {
        for part in 1..PARTS.len() {
            tokio::time::sleep(duration / PARTS.len() as u32).await;
            crowd.order(|order| {
                order.part = 2 * part;
                order.is_paused = part == 1;
            });
        }
    };
    let all = async { tokio::join!(publications, states, signals, stalling) };
    let (publications, states, signals, ()) = stage.during("publishing", duration, all).await;
    let (publications, states, signals) = (publications?, states?, signals?);
    let mut played = stage.finish(states.versions.clone()).await?;
    // Whoever does not read at all may be closed (`protocol/SPEC.md`, section 6); whoever reads may not.
    account::undisturbed_where(&mut played, |voice| !voice.name.starts_with(SLOW));
    report.figure("states", states.acknowledged);
    report.figure("signals", signals.acknowledged);
    report.findings.add(states.findings);
    report.findings.add(signals.findings);
    if let Some(most) = played.samples.iter().map(|sample| sample.resident).max() {
        report.line(format!("server: {:.1} MiB resident at most", most as f64 / 1_048_576.0));
        report.figure("resident_most", most);
    }
    account::publications(&mut report, publications);
    account::delivery(&mut report, played);
    Ok(report)
}
