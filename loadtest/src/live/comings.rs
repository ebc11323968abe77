//! Comings and goings: many viewers that stay no longer than it takes to see a picture, and what they leave behind.

use super::{
    scenario::Options,
    viewer::{Manner, Seat},
};
use crate::{api::Api, process};
use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use serde::Serialize;
use std::{
    fmt,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Viewers that are there at a time.
const TOGETHER: usize = 16;

/// How long each stays once it is connected: time enough for a key frame and some of the picture.
const STAY: Duration = Duration::from_millis(100);

/// Cycles before memory counts: allocators and caches have then grown to what the coming and going needs.
const WARM: usize = 500;

/// How long the count may take to reach zero after the last one left: it is told once a second.
const AT_REST: Duration = Duration::from_secs(5);

/// What is left after all have come and gone.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Comings {
    /// Viewers that came, saw a picture and left.
    pub cycles: usize,
    /// Of these, who left without having seen a whole key frame.
    pub without_picture: usize,
    /// Viewers that the server counts at rest: nobody is left, so anything but 0 is a leak.
    pub counted: u64,
    /// Resident bytes of the server once warm, where its process is known.
    pub warm: u64,
    /// Resident bytes at the end.
    pub end: u64,
}

impl Comings {
    /// Whether everybody had a picture and nobody was left in the count. Memory is a figure, judged by people.
    pub fn is_clean(&self) -> bool {
        self.without_picture == 0 && self.counted == 0
    }
}

impl fmt::Display for Comings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cycles, without_picture, counted, warm, end } = self;
        write!(
            out,
            "  {cycles} came and left, {without_picture} of them without a picture; counted afterwards: {counted}"
        )?;
        if *end > 0 {
            let mebibytes = |bytes: &u64| *bytes as f64 / 1_048_576.0;
            write!(
                out,
                "; server {:.1} MiB after {WARM} of them, {:.1} MiB at the end",
                mebibytes(warm),
                mebibytes(end)
            )?;
        }
        Ok(())
    }
}

/// Lets viewers come and go until there were as many as asked for, and waits until the server is at rest.
///
/// # Errors
/// Where a viewer is refused or cannot connect.
pub(super) async fn come_and_go(
    options: &Options,
    owner: &Api,
    seat: &Seat,
    progress: &ProgressBar,
) -> Result<Comings> {
    let mut outcome = Comings::default();
    let (mut there, mut begun) = (JoinSet::new(), 0);
    while begun < options.cycles || !there.is_empty() {
        while begun < options.cycles && there.len() < TOGETHER {
            // Until connected nothing is timed: a busy machine must not look like a missing picture.
            there.spawn(seat.clone().watch_for(STAY, Manner::Good));
            begun += 1;
        }
        let Some(watched) = there.join_next().await else { break };
        let watched = watched?.context("a viewer that comes and goes")?;
        outcome.cycles += 1;
        outcome.without_picture += usize::from(watched.moments.key_frame.is_none());
        progress.set_message(format!("{} of {} came and went", outcome.cycles, options.cycles));
        if outcome.cycles == WARM {
            outcome.warm = resident(options);
        }
    }
    outcome.counted = count_at_rest(owner, &seat.live_id).await?;
    outcome.end = resident(options);
    Ok(outcome)
}

async fn count_at_rest(owner: &Api, live_id: &str) -> Result<u64> {
    let begun = Instant::now();
    loop {
        let answer = owner.command("live.get", &serde_json::json!({ "live_id": live_id })).await?;
        let Some(current) = answer["live"]["viewers"]["current"].as_u64() else {
            bail!("live.get tells no viewers.current: {answer}");
        };
        if current == 0 || begun.elapsed() > AT_REST {
            return Ok(current);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn resident(options: &Options) -> u64 {
    options.pid.and_then(process::read).map_or(0, |reading| reading.resident)
}
