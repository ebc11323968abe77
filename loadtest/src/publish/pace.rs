//! The pace: a thread that wakes when a publication is due and hands it to a connection.

use super::connection::{self, Job, Served};
use crate::{
    clock::now_us,
    crowd::{Names, make},
    open_files,
    oracle::{Findings, Ledger},
    spread,
};
use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use std::{net::SocketAddr, sync::Arc, thread, time::Duration};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet};

/// Publications a second on one connection: answered one after the other, each after a commit of some milliseconds.
const RATE_OF_ONE: f64 = 40.0;
/// Connections at most.
const CONNECTIONS: usize = 256;
/// Publications that wait for one connection before the pace is held up (which counts as delay).
const WAITING: usize = 1_024;

/// What an operator may publish (`protocol/SPEC.md`, section 12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// A publication, which is logged and may not be lost.
    #[default]
    A,
    /// A state: the newest has to arrive.
    B,
    /// A signal, which may be thinned.
    C,
}

/// What is published.
#[derive(Clone, Debug)]
pub struct Work {
    /// The operators' listener.
    pub admin: SocketAddr,
    /// To these, in turn.
    pub names: Arc<Names>,
    /// Where acknowledgements are compared with what readers are given.
    pub ledger: Arc<Ledger>,
    /// Of which class.
    pub class: Class,
    /// How many a second over all channels.
    pub rate: f64,
    /// How long.
    pub duration: Duration,
    /// Bytes of the data of each.
    pub size: usize,
}

/// What became of it.
#[derive(Debug)]
pub struct Published {
    /// How many were sent.
    pub sent: u64,
    /// How many were acknowledged.
    pub acknowledged: u64,
    /// From due to acknowledged, in microseconds.
    pub wait: Histogram<u64>,
    /// The version of the last acknowledged state, by channel.
    pub versions: Vec<u64>,
    /// What was refused, or acknowledged with what readers contradict.
    pub findings: Findings,
}

/// Publishes all of it and waits for the answers.
///
/// # Errors
/// Where the listener cannot be reached, or too few files may be open.
pub async fn publish(work: Work) -> Result<Published> {
    let count = (work.rate * work.duration.as_secs_f64()) as u32;
    let connections = ((work.rate / RATE_OF_ONE).ceil() as usize).clamp(1, CONNECTIONS);
    open_files::allow(connections)?;
    let (mut lines, mut served) = (Vec::with_capacity(connections), JoinSet::new());
    for _ in 0..connections {
        let stream = TcpStream::connect(work.admin)
            .await
            .with_context(|| format!("no operators' listener at {}", work.admin))?;
        stream.set_nodelay(true)?;
        let (jobs, receiver) = mpsc::channel(WAITING);
        lines.push(jobs);
        served.spawn(connection::serve(stream, receiver, work.clone(), connection::ANSWERING));
    }
    let channels = work.names.len();
    let pacing = thread::Builder::new().name("pace".into()).spawn(move || pace(&work, count, &lines))?;
    let mut published = Published {
        sent: u64::from(count),
        acknowledged: 0,
        wait: spread::histogram(),
        versions: vec![0; channels],
        findings: Findings::default(),
    };
    while let Some(one) = served.join_next().await {
        published.add(one?);
    }
    pacing.join().map_err(|_| anyhow!("the pace's thread panicked"))?;
    Ok(published)
}

impl Published {
    fn add(&mut self, served: Served) {
        self.acknowledged += served.wait.len();
        self.wait.add(served.wait).expect("the same bounds and digits");
        self.findings.add(served.findings);
        for (channel, version) in served.versions {
            let newest = &mut self.versions[channel as usize];
            *newest = version.max(*newest);
        }
    }
}

fn pace(work: &Work, count: u32, lines: &[mpsc::Sender<Job>]) {
    let start = now_us() + 10_000;
    for n in 0..count {
        let due = start + (f64::from(n) * 1e6 / work.rate) as u64;
        if let Some(early) = due.checked_sub(now_us()) {
            thread::sleep(Duration::from_micros(early));
        }
        let channel = n % work.names.len() as u32;
        let job = Job { channel, n, due, request: request(work, channel, n, due) };
        if lines[n as usize % lines.len()].blocking_send(job).is_err() {
            // Its connection has failed, and says so itself.
            continue;
        }
    }
}

fn request(work: &Work, channel: u32, n: u32, due: u64) -> Vec<u8> {
    let name = work.names.name(channel);
    let data = make(name, n, due, work.size);
    let class = match work.class {
        Class::A => r#""class":"A""#.to_owned(),
        Class::B => format!(r#""class":"B","key":"latest","version":{}"#, n + 1),
        Class::C => r#""class":"C""#.to_owned(),
    };
    let body = format!(r#"{{"channel":"{name}","event":"load","data":{data},{class}}}"#);
    format!(
        "POST /v1/admin/publish HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        work.admin,
        body.len()
    )
    .into_bytes()
}
