//! Scenario `writes`: how many comments the whole server acknowledges, from sockets to disk.
//!
//! A closed loop: each writer sends its next comment when the last is acknowledged. So it measures what is carried, not
//! how long a crowd that does not wait would wait.

use crate::{
    api::Api,
    process::{self, Reading},
    socket::Socket,
};
use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// What `writes` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The server, on this machine, started with `--set limits.rates=off`.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Writers, each on a socket of its own.
    #[arg(long, default_value_t = 500)]
    pub connections: usize,
    /// Posts that are commented.
    #[arg(long, default_value_t = 50)]
    pub posts: usize,
    /// How long they write.
    #[arg(long, default_value_t = 10)]
    pub duration: u64,
    /// The server's process, for its CPU time.
    #[arg(long)]
    pub pid: Option<u32>,
}

/// People that the writers are: hashing passwords is made to be slow, so several writers are one person.
const PEOPLE: usize = 20;

/// The longest wait that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;

/// The figures of a run.
#[derive(Clone, Debug)]
pub struct Report {
    connections: usize,
    acknowledged: u64,
    counted: u64,
    seconds: f64,
    waits: Histogram<u64>,
    cpu: Option<Duration>,
}

/// Runs the scenario.
///
/// # Errors
/// Where the server refuses anything: a comment that is refused ends the run.
pub async fn run(options: &Options) -> Result<Report> {
    let name = format!("write{:08x}", rand::random::<u32>());
    let people = people(options, &name).await?;
    let posts = Arc::new(posts(options, &people, &name).await?);
    let mut sockets = Vec::with_capacity(options.connections);
    for place in 0..options.connections {
        let token = people[place % people.len()].token().context("a person without a token")?;
        sockets.push(Socket::connect(&options.url, token).await?);
    }
    let progress = ProgressBar::new_spinner();
    progress.set_message(format!("{} writers for {} s", options.connections, options.duration));
    progress.enable_steady_tick(Duration::from_millis(200));
    let (before, begun) = (options.pid.and_then(process::read), Instant::now());
    let until = begun + Duration::from_secs(options.duration);
    let mut writers = JoinSet::new();
    for (place, socket) in sockets.into_iter().enumerate() {
        let writer = Writer { socket, posts: posts.clone(), name: name.clone(), place };
        writers.spawn(writer.write(until));
    }
    let mut waits = histogram();
    while let Some(wrote) = writers.join_next().await {
        waits.add(wrote??).expect("the same bounds and digits");
    }
    let (after, seconds) = (options.pid.and_then(process::read), begun.elapsed().as_secs_f64());
    progress.finish_and_clear();
    let cpu = |(before, after): (Reading, Reading)| after.cpu.saturating_sub(before.cpu);
    Ok(Report {
        connections: options.connections,
        acknowledged: waits.len(),
        counted: counted(&people[0], &posts).await?,
        seconds,
        waits,
        cpu: before.zip(after).map(cpu),
    })
}

async fn people(options: &Options, name: &str) -> Result<Vec<Api>> {
    let api = Api::new(&options.url)?;
    let mut people = Vec::with_capacity(PEOPLE);
    for place in 0..PEOPLE.min(options.connections.max(1)) {
        people.push(api.clone().register(&format!("{name}-{place}")).await?);
    }
    Ok(people)
}

async fn posts(options: &Options, people: &[Api], name: &str) -> Result<Vec<String>> {
    let made = people[0].command("community.create", &json!({ "op": name, "name": name })).await?;
    let community = id(&made, "community")?;
    for person in &people[1..] {
        person.command("community.join", &json!({ "community_id": community })).await?;
    }
    let mut posts = Vec::with_capacity(options.posts);
    for place in 0..options.posts.max(1) {
        let post = json!({
            "op": format!("{name}-{place}"), "community_id": community, "kind": "info",
            "content": "Something to talk about", "visibility": "public",
        });
        let author = &people[place % people.len()];
        posts.push(id(&author.command("post.create", &post).await?, "post")?);
    }
    Ok(posts)
}

/// Comments that the server shows with the posts, once its figures are at rest.
async fn counted(reader: &Api, posts: &[String]) -> Result<u64> {
    let mut sum = 0;
    for post in posts {
        let shown = reader.command("post.get", &json!({ "post_id": post })).await?;
        let Some(comments) = shown["post"]["counts"]["comments"].as_u64() else {
            bail!("post.get tells no counts.comments: {shown}");
        };
        sum += comments;
    }
    Ok(sum)
}

struct Writer {
    socket: Socket,
    posts: Arc<Vec<String>>,
    name: String,
    place: usize,
}

impl Writer {
    async fn write(mut self, until: Instant) -> Result<Histogram<u64>> {
        let mut waits = histogram();
        for number in 0.. {
            let sent = Instant::now();
            if sent >= until {
                break;
            }
            let comment = json!({
                // In the order of time, as clients are told to make them.
                "op": format!("{:08}-{}-{}", number, self.name, self.place),
                "post_id": self.posts[(self.place + number) % self.posts.len()],
                "content": "A comment of a typical length, with a thought in it.", "anonymous": false,
            });
            self.socket.command("comment.add", &comment).await?;
            waits.saturating_record(sent.elapsed().as_micros() as u64);
        }
        Ok(waits)
    }
}

impl Report {
    /// Whether every acknowledged comment is counted, and none besides.
    pub fn is_clean(&self) -> bool {
        self.acknowledged == self.counted
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let at = |quantile| self.waits.value_at_quantile(quantile) as f64 / 1_000.0;
        json!({
            "scenario": "writes", "connections": self.connections, "acknowledged": self.acknowledged,
            "counted": self.counted, "per_second": self.acknowledged as f64 / self.seconds,
            "wait_ms": { "p50": at(0.5), "p95": at(0.95), "p99": at(0.99) },
            "cpu_us": self.cpu_us(), "clean": self.is_clean(),
        })
    }

    fn cpu_us(&self) -> Option<f64> {
        self.cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / self.acknowledged.max(1) as f64)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |quantile| self.waits.value_at_quantile(quantile) as f64 / 1_000.0;
        writeln!(
            out,
            "{} sockets, comment.add: {:.0} acknowledged a second",
            self.connections,
            self.acknowledged as f64 / self.seconds
        )?;
        writeln!(out, "  wait p50 {:.1} ms   p95 {:.1} ms   p99 {:.1} ms", at(0.5), at(0.95), at(0.99))?;
        if let Some(cpu) = self.cpu_us() {
            writeln!(out, "  server: {cpu:.0} us of CPU a comment")?;
        }
        writeln!(out, "  {} acknowledged, {} counted by the server", self.acknowledged, self.counted)?;
        write!(out, "{}", if self.is_clean() { "clean" } else { "NOT CLEAN" })
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds and the digits are allowed")
}

fn id(answer: &Value, of: &str) -> Result<String> {
    Ok(answer[of]["id"].as_str().with_context(|| format!("no id of a {of} in {answer}"))?.to_owned())
}
