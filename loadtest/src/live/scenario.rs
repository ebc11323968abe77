//! The course of a run: a live is started, its broadcaster connects, viewers come one by one, and all is watched to the end.

use super::{
    comings,
    publisher::Publisher,
    report::Report,
    viewer::{Manner, Seat},
};
use crate::{
    api::Api,
    media::{picture, sizes::Model},
    process,
    rtc::Identity,
};
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant, SystemTime};
use tokio::{sync::oneshot, task::JoinSet};

/// What `live` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The server, on this machine.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// An access token of whoever broadcasts; without it a person is registered.
    #[arg(long)]
    pub token: Option<String>,
    /// Viewers of the live.
    #[arg(long, default_value_t = 100)]
    pub viewers: usize,
    /// Of these, how many lose a tenth of all packets and ask for them again.
    #[arg(long, default_value_t = 0)]
    pub lossy: usize,
    /// Of these, how many stop reading once the picture has come.
    #[arg(long, default_value_t = 0)]
    pub stalled: usize,
    /// How long all watch, after the last one has come.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Viewers that come in a second.
    #[arg(long, default_value_t = 50)]
    pub ramp: u32,
    /// Bits of video in a second.
    #[arg(long, default_value_t = 700_000)]
    pub bitrate: u64,
    /// Pictures in a second.
    #[arg(long, default_value_t = 30)]
    pub fps: u32,
    /// Seconds from one key frame to the next; the broadcaster sends none on request.
    #[arg(long, default_value_t = 10)]
    pub key_interval: u64,
    /// Whose pictures to imitate, packet by packet.
    #[arg(long, value_enum, default_value_t)]
    pub sizes: Model,
    /// Viewers that come, see a picture and leave, before the others come.
    #[arg(long, default_value_t = 0)]
    pub cycles: usize,
    /// The server's process, for its CPU time and memory.
    #[arg(long)]
    pub pid: Option<u32>,
}

/// Share of packets that a lossy viewer loses.
const LOSS: f64 = 0.1;

/// Runs the scenario.
///
/// # Errors
/// Where the server refuses what the scenario needs, or a peer cannot connect; a viewer that got less than it should is no
/// error but a figure of the report.
pub async fn run(options: &Options) -> Result<Report> {
    if options.lossy + options.stalled > options.viewers {
        bail!("--lossy and --stalled together are more than --viewers");
    }
    let name = format!("load{:08x}", rand::random::<u32>());
    let api = Api::new(&options.url)?;
    let owner = match &options.token {
        Some(token) => api.clone().with_token(token.clone()),
        None => api.clone().register(&name).await.context("registering a broadcaster")?,
    };
    let live = owner.start_live(&name).await.context("starting a live")?;
    let identity = Identity::generate()?;
    let (epoch, began) = (Instant::now(), SystemTime::now());
    let ramp = Duration::from_secs_f64(options.viewers as f64 / f64::from(options.ramp.max(1)));
    // A viewer may come at any place between two key frames, the worst one included.
    let lead = Duration::from_secs(1);
    let settings = picture::Settings {
        bitrate: options.bitrate,
        frames_per_second: options.fps.max(1),
        key_interval: Duration::from_secs(options.key_interval),
        sizes: options.sizes,
        seed: rand::random(),
    };
    let publisher = Publisher::connect(&owner, &live, &identity, settings, epoch).await?;
    let mut broadcast = JoinSet::new();
    let (end, ended) = oneshot::channel();
    broadcast.spawn(publisher.run(ended));
    tokio::time::sleep(lead).await;

    let idle = options.pid.and_then(process::read);
    let progress = bar(options.viewers, ramp + Duration::from_secs(options.seconds));
    let mut seat = Seat { api, live_id: live.id, identity, epoch, began, until: epoch };
    let comings = match options.cycles {
        0 => None,
        _ => Some(comings::come_and_go(options, &owner, &seat, &progress).await?),
    };
    let coming = Instant::now();
    let until = coming + ramp + Duration::from_secs(options.seconds);
    seat.until = until;
    let mut viewers = JoinSet::new();
    let mut pace = tokio::time::interval(Duration::from_secs(1) / options.ramp.max(1));
    for place in 0..options.viewers {
        pace.tick().await;
        viewers.spawn(seat.clone().watch(manner(options, place)));
        progress.set_message(format!("{} of {} viewers", place + 1, options.viewers));
        progress.set_position(coming.elapsed().as_secs());
    }
    let (from, before) = (Instant::now(), options.pid.and_then(process::read));
    while Instant::now() + Duration::from_millis(500) < until {
        tokio::time::sleep(Duration::from_millis(250)).await;
        progress.set_position(coming.elapsed().as_secs());
    }
    let (after, window) = (options.pid.and_then(process::read), from.elapsed());
    let mut report = Report::new(options.clone(), comings);
    while let Some(watched) = viewers.join_next().await {
        report.add(watched?);
    }
    progress.finish_and_clear();
    let _ = end.send(());
    while let Some(sent) = broadcast.join_next().await {
        report.sent(sent??);
    }
    if let (Some(idle), Some(before), Some(after)) = (idle, before, after) {
        report.server(idle, before, after, window);
    }
    owner
        .command("live.stop", &serde_json::json!({"live_id": seat.live_id}))
        .await
        .context("stopping the live")?;
    Ok(report)
}

fn manner(options: &Options, place: usize) -> Manner {
    match place {
        place if place < options.lossy => Manner::Lossy(LOSS),
        place if place < options.lossy + options.stalled => Manner::Stalled,
        _ => Manner::Good,
    }
}

fn bar(viewers: usize, length: Duration) -> ProgressBar {
    let bar = ProgressBar::new(length.as_secs());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} s  {msg}") {
        bar.set_style(style);
    }
    bar.set_message(format!("0 of {viewers} viewers"));
    bar
}
