//! One connection to the operators' listener: requests go out as they come, answers are read in their order.

use super::pace::{Class, Work};
use crate::{clock::now_us, oracle::Findings, spread};
use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use serde::Deserialize;
use std::{collections::HashMap, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::mpsc,
    time::timeout,
};

/// How long an answer may take once it is the next, and the kernel to take a request: far beyond `limits.command_ms`, so that
/// only a listener that has stopped is given up.
pub(super) const ANSWERING: Duration = Duration::from_secs(30);
/// The longest answer.
const ANSWER: usize = 65_536;
/// Headers of an answer at most.
const HEADERS: usize = 32;

/// A publication and its request.
pub(super) struct Job {
    pub(super) channel: u32,
    pub(super) n: u32,
    pub(super) due: u64,
    pub(super) request: Vec<u8>,
}

/// What became of the jobs of one connection.
pub(super) struct Served {
    pub(super) wait: Histogram<u64>,
    pub(super) versions: HashMap<u32, u64>,
    pub(super) findings: Findings,
}

/// A job without its answer.
type Open = (u32, u32, u64);

/// Sends the jobs and takes their answers, each of which may take as long as `patience` ([`ANSWERING`]).
pub(super) async fn serve(
    mut stream: TcpStream,
    jobs: mpsc::Receiver<Job>,
    work: Work,
    patience: Duration,
) -> Served {
    let mut served =
        Served { wait: spread::histogram(), versions: HashMap::new(), findings: Findings::default() };
    let (read, write) = stream.split();
    // Bounded by the jobs that the pace may have waiting, and what the kernel takes.
    let (told, open) = mpsc::unbounded_channel();
    let (sent, received) =
        tokio::join!(send(write, jobs, told, patience), receive(read, open, &work, &mut served, patience));
    for failure in [sent, received].into_iter().filter_map(Result::err) {
        served.findings.wrong("not_published", format!("a connection of operators failed: {failure:#}"));
    }
    served
}

async fn send(
    mut write: WriteHalf<'_>,
    mut jobs: mpsc::Receiver<Job>,
    told: mpsc::UnboundedSender<Open>,
    patience: Duration,
) -> Result<()> {
    while let Some(job) = jobs.recv().await {
        ensure!(told.send((job.channel, job.n, job.due)).is_ok(), "nobody reads answers any more");
        timeout(patience, write.write_all(&job.request)).await.context("no request is taken any more")??;
    }
    Ok(())
}

async fn receive(
    mut read: ReadHalf<'_>,
    mut open: mpsc::UnboundedReceiver<Open>,
    work: &Work,
    served: &mut Served,
    patience: Duration,
) -> Result<()> {
    #[derive(Deserialize)]
    struct Answer {
        offset: u64,
    }
    let mut buffer = Vec::new();
    while let Some((channel, n, due)) = open.recv().await {
        let answer = timeout(patience, answer(&mut read, &mut buffer)).await;
        let (status, body) = answer.with_context(|| format!("no answer after {patience:?}"))??;
        let name = work.names.name(channel);
        if status != 200 {
            let text = String::from_utf8_lossy(&body);
            served
                .findings
                .wrong("refused", format!("publishing {n} to {name} was answered {status}: {text}"));
            continue;
        }
        served.wait.saturating_record(now_us().saturating_sub(due));
        match work.class {
            Class::A => {
                let Answer { offset } = serde_json::from_slice(&body)?;
                if let Err(fault) = work.ledger.note(channel as usize, offset, n + 1) {
                    served.findings.fault("the acknowledgement", name, fault);
                }
            }
            Class::B => {
                let newest = served.versions.entry(channel).or_default();
                *newest = u64::from(n + 1).max(*newest);
            }
            Class::C => {}
        }
    }
    Ok(())
}

/// Reads the next answer; what is read beyond it stays in `buffer`.
async fn answer(read: &mut ReadHalf<'_>, buffer: &mut Vec<u8>) -> Result<(u16, Vec<u8>)> {
    loop {
        if let Some((status, head, length)) = parse(buffer)?
            && let Some(body) = buffer.get(head..head + length)
        {
            let body = body.to_vec();
            buffer.drain(..head + length);
            return Ok((status, body));
        }
        ensure!(buffer.len() < ANSWER, "an answer of more than {ANSWER} bytes");
        ensure!(read.read_buf(buffer).await? > 0, "the listener closed the connection");
    }
}

/// Status, length of the head and length of the body, once the head is there (RFC 9112).
fn parse(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(None) };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let Some(length) = length else { bail!("an answer without a length") };
    let length = std::str::from_utf8(length.value)?.trim().parse()?;
    Ok(Some((response.code.unwrap_or(0), head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crowd::Names, oracle::Ledger};
    use std::sync::Arc;

    #[tokio::test]
    async fn a_listener_that_answers_nothing_is_given_up() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let admin = silent.local_addr().expect("an address");
        let work = Work {
            admin,
            names: Arc::new(Names::new(["test:a".to_owned()])),
            ledger: Arc::new(Ledger::new(1)),
            class: Class::A,
            rate: 1.0,
            duration: Duration::from_secs(1),
            size: 64,
        };
        let (lines, jobs) = mpsc::channel(1);
        let job = Job { channel: 0, n: 0, due: 0, request: b"POST".to_vec() };
        lines.send(job).await.expect("room");
        drop(lines);
        let served = serve(
            TcpStream::connect(admin).await.expect("it listens"),
            jobs,
            work,
            Duration::from_millis(10),
        )
        .await;
        assert_eq!(served.findings.count("not_published"), 1, "{}", served.findings);
        drop(silent);
    }

    #[test]
    fn answers_are_told_apart_in_a_stream() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"offset\":1}HTTP/1.1 503 Service Unavailable\r\n";
        let (status, head, length) = parse(bytes).unwrap().expect("whole");
        assert_eq!((status, &bytes[head..head + length]), (200, &b"{\"offset\":1}"[..]));
        assert!(parse(&bytes[head + length..]).unwrap().is_none(), "not yet whole");
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
    }
}
