//! Scenario `writes`: how many comments the whole server acknowledges, from sockets to disk.
//!
//! A closed loop: each writer sends its next comment when the last is acknowledged. So it measures what is carried, not
//! how long a crowd that does not wait would wait.

use crate::{
    api::Api,
    oracle::{Findings, Operations},
    process::{self, Reading},
    social,
    socket::Socket,
    spread,
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

/// The figures of a run.
#[derive(Clone, Debug)]
pub struct Report {
    connections: usize,
    acknowledged: u64,
    counted: u64,
    findings: Findings,
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
    let people = social::people(&options.url, &name, PEOPLE.min(options.connections)).await?;
    let community = social::community(&people, &name).await?;
    let posts = Arc::new(social::posts(&people, &community, &name, options.posts).await?);
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
    let (mut waits, mut operations) = (spread::histogram(), Operations::default());
    while let Some(wrote) = writers.join_next().await {
        let (waited, wrote) = wrote??;
        waits.add(waited).expect("the same bounds and digits");
        operations.add(wrote);
    }
    let (after, seconds) = (options.pid.and_then(process::read), begun.elapsed().as_secs_f64());
    progress.finish_and_clear();
    let mut findings = Findings::default();
    for post in posts.iter() {
        social::find_comments(&people[0], post, &mut operations, &mut findings).await?;
    }
    social::judge(&operations, &mut findings);
    let cpu = |(before, after): (Reading, Reading)| after.cpu.saturating_sub(before.cpu);
    Ok(Report {
        connections: options.connections,
        acknowledged: operations.count(),
        counted: counted(&people[0], &posts).await?,
        findings,
        seconds,
        waits,
        cpu: before.zip(after).map(cpu),
    })
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
    async fn write(mut self, until: Instant) -> Result<(Histogram<u64>, Operations)> {
        let (mut waits, mut operations) = (spread::histogram(), Operations::default());
        for number in 0.. {
            let sent = Instant::now();
            if sent >= until {
                break;
            }
            // In the order of time, as clients are told to make them.
            let op = format!("{:08}-{}-{}", number, self.name, self.place);
            let comment = json!({
                "op": op, "post_id": self.posts[(self.place + number) % self.posts.len()],
                "content": social::with_op("A thought of a typical length.", &op), "anonymous": false,
            });
            self.socket.command("comment.add", &comment).await?;
            waits.saturating_record(sent.elapsed().as_micros() as u64);
            operations.acknowledged(op);
        }
        Ok((waits, operations))
    }
}

impl Report {
    /// Whether every acknowledged comment is there once, and counted, and none besides.
    pub fn is_clean(&self) -> bool {
        self.acknowledged == self.counted && self.findings.is_clean()
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let at = |quantile| self.waits.value_at_quantile(quantile) as f64 / 1_000.0;
        json!({
            "scenario": "writes", "connections": self.connections, "acknowledged": self.acknowledged,
            "counted": self.counted, "per_second": self.acknowledged as f64 / self.seconds,
            "wait_ms": { "p50": at(0.5), "p95": at(0.95), "p99": at(0.99) },
            "cpu_us": self.cpu_us(), "findings": self.findings, "clean": self.is_clean(),
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
        write!(out, "{}", self.findings)?;
        write!(out, "{}", if self.is_clean() { "clean" } else { "NOT CLEAN" })
    }
}
