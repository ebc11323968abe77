//! `doctor`: looks at the machine and the settings as a start would, changes nothing, and says what to do.

use super::{
    broker,
    instance::{DataFolder, DataFolderError},
};
use crate::{
    clock::now_ms,
    config::Config,
    live::{
        plane::{MediaPlane, PlaneSettings},
        selftest,
    },
    store::{
        log::Log,
        sql::{self, SqlStore},
    },
};
use std::{
    fmt,
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
    sync::Arc,
    time::Instant,
};
use tokio::sync::mpsc;

/// Open files below which a busy server runs out: one per connection.
const ENOUGH_FILES: u64 = 65_536;

/// Milliseconds for a synced write above which everybody waits.
const SLOW_MS: u128 = 100;

/// Free bytes below which a start is unwise: the database, its log, and room to notice in time.
const ENOUGH_DISK: u64 = 1 << 30;

/// Some checks failed; what to do was printed with each.
#[derive(Debug, thiserror::Error)]
#[error("{0} of the checks failed; each line above says what to do")]
pub struct Unwell(usize);

/// How a check came out.
enum Finding {
    Good(String),
    /// It would start, but not well.
    Poor(String),
    Bad(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(text) => write!(f, "ok    {text}"),
            Self::Poor(text) => write!(f, "warn  {text}"),
            Self::Bad(text) => write!(f, "FAIL  {text}"),
        }
    }
}

/// Runs every check and prints a line for each.
///
/// # Errors
/// Where a check failed that would keep the product from starting or from keeping what it acknowledges.
pub async fn examine(config: &Config) -> anyhow::Result<()> {
    let mut findings = vec![Finding::Good("settings: all read".into()), open_files()];
    let folder = &config.store.data;
    match DataFolder::hold(folder) {
        Ok(held) => {
            findings.push(Finding::Good(format!("data folder {}: writable, not in use", folder.display())));
            findings.push(disk(folder));
            findings.push(store(config, &held).await);
            findings.extend(redis(config).await);
            findings.push(tcp("http.listen", config.http.listen));
            findings.extend(config.admin.listen.map(|address| tcp("admin.listen", address)));
            findings.push(udp(config.live.udp));
            findings.push(live(config).await);
        }
        Err(error @ DataFolderError::InUse { .. }) => {
            let told = format!("{error} (ports and store are that process's, and were not tried)");
            findings.push(Finding::Poor(told));
            findings.push(disk(folder));
            findings.push(live(config).await);
        }
        Err(error) => findings.push(Finding::Bad(error.to_string())),
    }
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|finding| matches!(finding, Finding::Bad(_))).count() {
        0 => Ok(()),
        failed => Err(Unwell(failed).into()),
    }
}

fn open_files() -> Finding {
    use rustix::process::{Resource, getrlimit};
    match getrlimit(Resource::Nofile).maximum {
        Some(hard) if hard < ENOUGH_FILES => Finding::Poor(format!(
            "open files: {hard} at most, one per connection; raise it (`ulimit -Hn`, LimitNOFILE= of systemd) for more than some {} people",
            hard * 9 / 10
        )),
        Some(hard) => Finding::Good(format!("open files: {hard} at most")),
        None => Finding::Good("open files: no limit".into()),
    }
}

fn disk(folder: &Path) -> Finding {
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail * disk.f_frsize;
            let told = format!("disk of {}: {} MiB free", folder.display(), free >> 20);
            if free < ENOUGH_DISK { Finding::Poor(format!("{told}; make room")) } else { Finding::Good(told) }
        }
        Err(error) => Finding::Bad(format!("disk of {}: {error}", folder.display())),
    }
}

async fn store(config: &Config, held: &DataFolder) -> Finding {
    if config.store.url.is_server() { server(config.store.url.as_str()) } else { file(held).await }
}

/// Asks the server what it is, and how long it takes to bring a word to its disk; no table is touched.
fn server(url: &str) -> Finding {
    let report = match sql::examine(url) {
        Ok(report) => report,
        Err(error) => return Finding::Bad(format!("store: {error}")),
    };
    let ms = report.synced.as_millis();
    let told = format!("store: PostgreSQL {} at {} synced a write in {ms} ms", report.version, report.place);
    match report.advice {
        Some(advice) => Finding::Poor(format!("{told}; {advice}")),
        None if ms > SLOW_MS => Finding::Poor(format!("{told}; use a faster disk, or a nearer server")),
        None => Finding::Good(told),
    }
}

/// Writes, syncs and reads a row in a database of its own beside the real one.
async fn file(held: &DataFolder) -> Finding {
    let outcome: anyhow::Result<_> = async {
        let scratch = held.path().join(format!("doctor-{}", std::process::id()));
        std::fs::create_dir(&scratch)?;
        let tried = try_store(&scratch).await;
        std::fs::remove_dir_all(&scratch)?;
        tried
    }
    .await;
    match outcome {
        Ok(ms) if ms > SLOW_MS => {
            Finding::Poor(format!("store: a synced write took {ms} ms; use a faster disk"))
        }
        Ok(ms) => Finding::Good(format!("store: a synced write and a read took {ms} ms")),
        Err(error) => Finding::Bad(format!("store: {error:#}")),
    }
}

async fn try_store(folder: &Path) -> anyhow::Result<u128> {
    let (committed, _nobody) = mpsc::channel(1);
    let store = Arc::new(SqlStore::in_folder(folder, Default::default(), committed)?);
    store.probe(now_ms()).await?;
    let begun = Instant::now();
    store.probe(now_ms()).await?;
    Ok(begun.elapsed().as_millis())
}

/// Asks the Redis of `broker.url`, where there is one.
async fn redis(config: &Config) -> Option<Finding> {
    let examined = match broker::examine(config).await {
        Ok(examined) => examined?,
        Err(error) => {
            return Some(Finding::Bad(format!("broker.url: {error:#}; start that Redis, or set another")));
        }
    };
    let ms = examined.round_trip.as_secs_f64() * 1_000.0;
    let version = examined.version.as_deref().unwrap_or("of unknown version");
    let told = format!("broker: Redis {version} delivers, and answers in {ms:.1} ms");
    Some(match examined.eviction.as_deref() {
        _ if !examined.is_new_enough => Finding::Poor(format!("{told}; use 7.0 or newer")),
        None | Some("noeviction") => Finding::Good(told),
        Some(policy) => Finding::Poor(format!(
            "{told}, with maxmemory-policy {policy}: it is set up as a cache, whose memory messages that wait would share; set noeviction, or use a Redis of its own"
        )),
    })
}

fn tcp(setting: &str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::Good(format!("{setting} {address}: free")),
        Err(error) => {
            Finding::Bad(format!("{setting} {address}: {error}; stop what listens there, or set another"))
        }
    }
}

fn udp(address: SocketAddr) -> Finding {
    match UdpSocket::bind(address) {
        Ok(_) => Finding::Good(format!("live.udp {address}: free")),
        Err(error) => {
            Finding::Bad(format!("live.udp {address}: {error}; stop what listens there, or set another"))
        }
    }
}

/// Publishes and watches a stream over a media plane of its own, on a free port of the address that media will have.
async fn live(config: &Config) -> Finding {
    let udp = SocketAddr::new(config.live.udp.ip(), 0);
    let (plane, events) = match MediaPlane::open(PlaneSettings { shards: 1, ..PlaneSettings::at(udp) }) {
        Ok(opened) => opened,
        Err(error) => {
            return Finding::Bad(format!(
                "live: UDP {udp}: {error}; set live.udp to an address of this machine"
            ));
        }
    };
    let outcome = selftest::run(&plane, udp).await;
    // Stopping waits for the plane's threads.
    let stopped = tokio::task::spawn_blocking(move || plane.stop()).await;
    drop(events);
    match (outcome, stopped) {
        (Ok(passed), Ok(())) => Finding::Good(format!("live: a test stream was {passed}")),
        (Ok(_), Err(error)) => {
            Finding::Bad(format!("live: the media plane did not stop: {error}; please report this"))
        }
        (Err(fault), _) => Finding::Bad(format!("live: {fault}")),
    }
}
