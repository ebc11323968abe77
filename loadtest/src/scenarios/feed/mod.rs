//! Scenario `feed`: people post, comment, react and look, others read the feed and some of the posts; and at the end what the
//! server shows must be what it acknowledged.

mod rest;
mod writer;

use super::{
    Target, account,
    stage::{Cast, Stage},
};
use crate::{
    clock::now_us,
    crowd::{Manner, Names, Wish},
    report::Report,
    social,
    socket::Socket,
    spread::Spread,
};
use anyhow::{Context, Result};
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::task::JoinSet;
use writer::{Agenda, Writer, Wrote};

/// What `feed` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The server, started with `--set limits.rates=off`.
    #[command(flatten)]
    pub target: Target,
    /// Readers, each of the feed and of some posts.
    #[arg(long, default_value_t = 500)]
    pub connections: usize,
    /// Posts of each reader.
    #[arg(long, default_value_t = 3)]
    pub each: usize,
    /// People who write, each on a socket of its own.
    #[arg(long, default_value_t = 40)]
    pub people: usize,
    /// Posts that are there from the beginning, and that are written about.
    #[arg(long, default_value_t = 40)]
    pub posts: usize,
    /// Operations a second of all people together: of a hundred 55 reactions, 25 comments, 15 views and 5 posts.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Seconds that are written.
    #[arg(long, default_value_t = 10.0)]
    pub duration: f64,
}

/// Runs the scenario.
///
/// # Errors
/// Where the server cannot be reached, or refuses what the scenario needs; anything lost is no error but a finding.
pub async fn run(options: &Options) -> Result<Report> {
    let Options { target, connections, each, people, posts, rate, duration } = options.clone();
    let title = format!(
        "{people} people write {rate} times a second about {posts} posts, {connections} read the feed and {each} posts each"
    );
    let mut report = Report::new("feed", title);
    let name = format!("feed{:08x}", rand::random::<u32>());
    let url = target.urls.first().context("no --url")?;
    let people = social::people(url, &name, people).await?;
    let community = social::community(&people, &name).await?;
    let posts = social::posts(&people, &community, &name, posts).await?;
    let cast = cast(&target, &community, &posts, connections, each)?;
    let names = Arc::clone(&cast.names);

    let agenda = Arc::new(Agenda { community: community.clone(), posts: posts.clone(), name, rate });
    let mut writers = Vec::with_capacity(people.len());
    for (place, person) in people.iter().enumerate() {
        // In turn on all nodes, as readers are.
        let url = &target.urls[place % target.urls.len()];
        let socket = Socket::connect(url, person.token().context("a person without a token")?).await?;
        writers.push(Writer { place, socket, agenda: Arc::clone(&agenda) });
    }
    let mut stage = Stage::open(&target, cast).await?;
    let duration = Duration::from_secs_f64(duration);
    let mut wrote = stage.during("writing", duration, write(writers, rate, duration)).await?;
    stage.quiet().await;
    rest::note_logs(&people[0], &names, &stage.ledger, &mut wrote.findings).await?;
    rest::judge(&people[0], &community, &posts, &mut wrote).await?;
    let mut played = stage.finish(Vec::new()).await?;
    account::undisturbed(&mut played);
    tell(&mut report, wrote);
    account::delivery(&mut report, played);
    Ok(report)
}

/// Readers of the feed and of the next posts in turn, spread over the nodes.
fn cast(target: &Target, community: &str, posts: &[String], readers: usize, each: usize) -> Result<Cast> {
    let of_posts = posts.iter().map(|post| format!("post:{post}"));
    let names = Names::new(std::iter::once(format!("feed:{community}")).chain(of_posts));
    let nodes = target.nodes()?;
    let wish = |number: usize| Wish {
        server: nodes[number % nodes.len()],
        channels: std::iter::once(0)
            .chain((0..each).map(|place| 1 + ((number * each + place) % posts.len()) as u32))
            .collect(),
        token: None,
        manner: Manner::Steady,
        voice: number % nodes.len(),
    };
    let readers = (0..readers).map(wish).collect();
    Ok(Cast { names: Arc::new(names), readers, voices: target.voices(), is_bare: false })
}

/// Has everybody write what is due next, until the time is over.
async fn write(writers: Vec<Writer>, rate: f64, duration: Duration) -> Result<Wrote> {
    let (next, count) = (Arc::new(AtomicU64::new(0)), (rate * duration.as_secs_f64()) as u64);
    let (start, mut tasks, mut all) = (now_us() + 10_000, JoinSet::new(), Wrote::default());
    for writer in writers {
        tasks.spawn(writer.write(Arc::clone(&next), count, start));
    }
    while let Some(wrote) = tasks.join_next().await {
        all.add(wrote?);
    }
    Ok(all)
}

fn tell(report: &mut Report, wrote: Wrote) {
    let Wrote { acts, waits, findings, .. } = wrote;
    let told: Vec<_> = acts.iter().map(|(act, count)| format!("{count} {act}")).collect();
    report.line(format!("acknowledged: {}", told.join(", ")));
    report.line(format!("acknowledged after {}", Spread::of(&waits)));
    report.figure("acknowledged", acts);
    report.figure("acknowledged_ms", Spread::of(&waits));
    report.findings.add(findings);
}
