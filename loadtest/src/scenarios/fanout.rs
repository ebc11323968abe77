//! Scenario `fanout`: one hot channel, and beside it, in the same run, a bare epoll writer that gives the same bytes to as
//! many sockets.

use super::{
    Target, account,
    broadcast::{self, Audience},
    stage::{Cast, Played, Programme, Stage, test_channels},
};
use crate::{
    bare::{Part, Place, Task},
    publish::Class,
    report::Report,
    spread::Spread,
};
use anyhow::Result;
use std::time::Duration;

/// What `fanout` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The server.
    #[command(flatten)]
    pub target: Target,
    /// Readers of the channel, each on a socket of its own.
    #[arg(long, default_value_t = 1_000)]
    pub connections: usize,
    /// Publications a second.
    #[arg(long, default_value_t = 5.0)]
    pub rate: f64,
    /// Bytes of the data of each.
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// Seconds that are published, by the server and then by the bare writer.
    #[arg(long, default_value_t = 10.0)]
    pub duration: f64,
    /// Leaves the bare writer out.
    #[arg(long)]
    pub no_baseline: bool,
    /// Where the bare writer runs: the load tester starts itself once more.
    #[arg(skip)]
    pub baseline: Place,
}

/// Runs the scenario.
///
/// # Errors
/// Where the server cannot be reached, or refuses what the scenario needs; anything lost is no error but a finding.
pub async fn run(options: &Options) -> Result<Report> {
    let Options { target, connections, rate, size, duration, .. } = options.clone();
    let audience = Audience { readers: connections, channels: 1, each: 1 };
    let programme = Programme { class: Class::A, rate, duration: Duration::from_secs_f64(duration), size };
    let title = format!("{connections} readers of one channel, {rate} publications of {size} bytes a second");
    let mut report = Report::new("fanout", title);
    let (published, played) = broadcast::play(&target, audience, programme).await?;
    let ours = (account::cpu_of_a_delivery(&played), Spread::of(&played.tally.delay()));
    broadcast::tell(&mut report, published, played);
    if !options.no_baseline {
        let (cpu, played) = baseline(options, audience, programme).await?;
        compare(&mut report, ours, cpu, played);
    }
    Ok(report)
}

/// Has the bare writer do the same; answers its CPU time.
async fn baseline(options: &Options, audience: Audience, programme: Programme) -> Result<(Duration, Played)> {
    let mut part = Part::start(options.baseline)?;
    let names = test_channels(1);
    let count = (programme.rate * programme.duration.as_secs_f64()) as u32;
    let task = Task {
        channel: names.name(0).to_owned(),
        sockets: audience.readers,
        rate: programme.rate,
        count,
        size: programme.size,
    };
    let cast = Cast {
        names,
        readers: audience.wishes(&[part.address]),
        voices: vec!["bare writer".into()],
        is_bare: true,
    };
    let target = Target { pids: Vec::new(), ..options.target.clone() };
    let mut stage = Stage::open(&target, cast).await?;
    let writing = tokio::task::spawn_blocking(move || part.publish(&task).map(|cpu| (cpu, part)));
    let (cpu, part) = stage.during("the bare writer", programme.duration, writing).await??;
    let played = stage.finish(Vec::new()).await;
    drop(part);
    Ok((cpu, played?))
}

fn compare(report: &mut Report, ours: (Option<f64>, Spread), cpu: Duration, mut played: Played) {
    let pushed = played.tally.pushed().max(1);
    let bare_cpu = cpu.as_secs_f64() * 1e6 / pushed as f64;
    let bare = Spread::of(&played.tally.delay());
    report.line(format!("bare writer: {pushed} deliveries, after {bare}"));
    report.line(format!("bare writer: {bare_cpu:.2} us of CPU a delivery"));
    report.figure("bare", serde_json::json!({ "cpu_us_per_delivery": bare_cpu, "delay_ms": bare }));
    let (our_cpu, delay) = ours;
    let p99 = delay.p99 / bare.p99.max(0.001);
    match our_cpu.map(|cpu| cpu / bare_cpu.max(0.001)) {
        Some(cpu) => {
            report.line(format!("server to bare writer: CPU a delivery {cpu:.2} x, p99 {p99:.2} x"));
            report.figure("ratio", serde_json::json!({ "cpu": cpu, "p99": p99 }));
        }
        None => report.line(format!("server to bare writer: p99 {p99:.2} x")),
    }
    report.findings.add(std::mem::take(&mut played.tally.findings));
}
