//! Every metric of the product, in one typed list.
//!
//! Named `communiconnect_<part>_<noun>_<unit>[_total]`. No label may have unbounded values: no ids, no addresses, no paths.
//! Families without labels keep their handle, so counting is one atomic addition: install the recorder before anything counts.

use crate::tasks::Tasks;
use metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use std::{sync::OnceLock, time::Duration};

/// What a family measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A distribution, in seconds unless the name says else.
    Histogram,
}

/// One declared family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it measures.
    pub kind: Kind,
    /// Its label, if it has one.
    pub label: Option<&'static str>,
    /// What it means.
    pub help: &'static str,
}

macro_rules! families {
    (@type Counter) => { Count };
    (@type Gauge) => { Level };
    (@type Histogram) => { Spread };
    (@type Counter $label:literal) => { CountBy };
    (@new $kind:ident $family:expr) => { <families!(@type $kind)>::new($family) };
    (@new $kind:ident $label:literal $family:expr) => { <families!(@type $kind $label)>::new($family) };
    (@label) => { None };
    (@label $label:literal) => { Some($label) };
    ($($kind:ident $NAME:ident $([$label:literal])? = $name:literal: $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $NAME: families!(@type $kind $($label)?) = families!(@new $kind $($label)? Family {
                name: $name,
                kind: Kind::$kind,
                label: families!(@label $($label)?),
                help: $help,
            });
        )*

        /// Every family, in the order of their declaration.
        pub const FAMILIES: &[Family] = &[$(Family {
            name: $name,
            kind: Kind::$kind,
            label: families!(@label $($label)?),
            help: $help,
        }),*];
    };
}

families! {
    Counter CONNECTIONS_ACCEPTED = "communiconnect_http_connections_accepted_total": "Connections accepted by any listener.";
    Counter CONNECTIONS_REFUSED = "communiconnect_http_connections_refused_total": "Connections refused because a bound was reached.";
    Gauge CONNECTIONS_OPEN = "communiconnect_http_connections": "Connections open now, sockets included.";
    Counter HTTP_ANSWERS ["status"] = "communiconnect_http_answers_total": "HTTP answers by class of status.";
    Histogram HTTP_SECONDS = "communiconnect_http_answer_seconds": "Time from a request's head to its answer's head.";
    Counter SOCKETS_OPENED ["format"] = "communiconnect_ws_opened_total": "WebSockets opened, by format.";
    Counter STREAMS_OPENED = "communiconnect_sse_opened_total": "Streams of server-sent events opened.";
    Gauge SESSIONS = "communiconnect_hub_sessions": "Sessions now.";
    Gauge SUBSCRIPTIONS = "communiconnect_hub_subscriptions": "Subscriptions now.";
    Gauge CHANNELS = "communiconnect_hub_channels": "Channels that somebody here subscribes to.";
    Counter DELIVERIES = "communiconnect_hub_deliveries_total": "Messages handed to sockets.";
    Counter WRITES = "communiconnect_hub_writes_total": "Writes that carried them; fewer than messages where many went at once.";
    Counter COMMANDS_REFUSED ["code"] = "communiconnect_commands_refused_total": "Commands refused, by code.";
    Counter COMMANDS ["type"] = "communiconnect_commands_total": "Commands run, by type.";
    Histogram COMMAND_SECONDS = "communiconnect_commands_seconds": "Time from a command to its reply.";
    Counter STORE_COMMITS = "communiconnect_store_commits_total": "Group commits, failed ones included.";
    Counter STORE_OPERATIONS = "communiconnect_store_operations_total": "Writing operations of all group commits.";
    Histogram STORE_COMMIT_SECONDS = "communiconnect_store_commit_seconds": "Time of one group commit.";
    Counter BROKER_SENT = "communiconnect_broker_sent_messages_total": "Messages handed to Redis; each may carry many publications.";
    Counter BROKER_RECEIVED = "communiconnect_broker_received_messages_total": "Messages that Redis delivered, this node's own included.";
    Counter BROKER_DROPPED ["reason"] = "communiconnect_broker_dropped_messages_total": "Delivered messages that were dropped, by reason.";
    Gauge LIVE_PEERS = "communiconnect_live_peers": "Media peers that are connected or on their way.";
    Gauge LIVE_RING_BYTES = "communiconnect_live_ring_bytes": "Packets kept of all lives, in bytes of payload.";
    Gauge LIVE_RINGS_SHRUNK = "communiconnect_live_rings_shrunk": "Encodings of which less is kept than usual, since all lives together keep as much as they may.";
    Counter LIVE_CONNECTED = "communiconnect_live_connected_total": "Media peers whose keys were agreed.";
    Counter LIVE_ENDED ["reason"] = "communiconnect_live_ended_total": "Media peers that ended, by reason.";
    Counter LIVE_RECEIVED = "communiconnect_live_received_datagrams_total": "Datagrams received on the media port.";
    Counter LIVE_DROPPED ["reason"] = "communiconnect_live_dropped_datagrams_total": "Received datagrams that were dropped, by reason.";
    Counter LIVE_SENT = "communiconnect_live_sent_datagrams_total": "Datagrams that the kernel took on the media port.";
    Counter LIVE_SENDS = "communiconnect_live_sends_total": "System calls that sent them; fewer than datagrams where many went as one run.";
    Counter LIVE_SEND_REFUSED = "communiconnect_live_refused_datagrams_total": "Datagrams that the kernel refused to send.";
    Counter MEDIA_UPLOADS ["outcome"] = "communiconnect_media_uploads_total": "Uploads that ended, by outcome: kept, or the code of the refusal.";
    Counter MEDIA_RECEIVED = "communiconnect_media_received_bytes_total": "Bytes of uploaded files that arrived.";
    Histogram MEDIA_SECONDS = "communiconnect_media_upload_seconds": "Time from an upload's head to its answer.";
    Counter PROBES_FAILED = "communiconnect_health_probes_failed_total": "End-to-end probes of store and broker that failed.";
    Gauge READY = "communiconnect_health_ready": "Whether this node should be given work, as /readyz says.";
    Gauge RESIDENT_BYTES = "communiconnect_process_resident_bytes": "Memory of the process that is resident.";
    Gauge OPEN_FILES = "communiconnect_process_open_files": "Descriptors the process has open.";
}

/// A counter.
pub struct Count {
    family: Family,
    handle: OnceLock<Counter>,
}

impl Count {
    const fn new(family: Family) -> Self {
        Self { family, handle: OnceLock::new() }
    }

    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.handle().increment(n);
    }

    /// Takes over a total that is counted elsewhere.
    pub fn follow(&self, total: u64) {
        self.handle().absolute(total);
    }

    fn handle(&self) -> &Counter {
        self.handle.get_or_init(|| metrics::counter!(self.family.name))
    }
}

/// A gauge.
pub struct Level {
    family: Family,
    handle: OnceLock<Gauge>,
}

impl Level {
    const fn new(family: Family) -> Self {
        Self { family, handle: OnceLock::new() }
    }

    /// Sets the level.
    pub fn set(&self, level: f64) {
        self.handle().set(level);
    }

    /// Raises it by one until the answer is dropped.
    #[must_use]
    pub fn hold(&'static self) -> Held {
        self.handle().increment(1.0);
        Held(self)
    }

    fn handle(&self) -> &Gauge {
        self.handle.get_or_init(|| metrics::gauge!(self.family.name))
    }
}

/// One thing that counts in a gauge.
pub struct Held(&'static Level);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.handle().decrement(1.0);
    }
}

/// A distribution.
pub struct Spread {
    family: Family,
    handle: OnceLock<Histogram>,
}

impl Spread {
    const fn new(family: Family) -> Self {
        Self { family, handle: OnceLock::new() }
    }

    /// Takes a value in.
    pub fn record(&self, value: f64) {
        self.handle.get_or_init(|| metrics::histogram!(self.family.name)).record(value);
    }
}

/// Counters by a label.
pub struct CountBy {
    family: Family,
}

impl CountBy {
    const fn new(family: Family) -> Self {
        Self { family }
    }

    /// Counts `n` more under a label's value, one of a known few.
    pub fn add(&self, value: &'static str, n: u64) {
        let label = self.family.label.expect("a family by label has one");
        metrics::counter!(self.family.name, label => value).increment(n);
    }
}

/// Upper bounds of the buckets, in seconds: from a call in memory to a time-out.
const BUCKETS: &[f64] = &[0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// Between two emptyings of the recorder's buffers.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder of the process and describes every family. Call it once, first of all.
///
/// # Errors
/// Where a recorder is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new().set_buckets(BUCKETS)?.install_recorder()?;
    for family in FAMILIES {
        match family.kind {
            Kind::Counter => metrics::describe_counter!(family.name, family.help),
            Kind::Gauge => metrics::describe_gauge!(family.name, family.help),
            Kind::Histogram => metrics::describe_histogram!(family.name, family.help),
        }
    }
    Ok(handle)
}

/// Empties the recorder's buffers while nobody asks for metrics; they would grow without bound.
pub fn tend(recorder: PrometheusHandle, tasks: &Tasks) {
    let stop = tasks.clone();
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(UPKEEP) => recorder.run_upkeep(),
                () = stop.stopping() => return,
            }
        }
    });
}

/// Reads what the system knows of this process; call it when somebody asks for metrics.
pub fn observe_process() {
    const PAGE: f64 = 4096.0;
    let resident_pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<f64>().ok());
    if let Some(pages) = resident_pages {
        RESIDENT_BYTES.set(pages * PAGE);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        OPEN_FILES.set(files.count() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `METRICS.md` is for operators; its table says what the list says.
    #[test]
    fn every_family_stands_in_the_table_of_the_documentation() {
        let row = |family: &Family| {
            let kind = format!("{:?}", family.kind).to_lowercase();
            let label = family.label.map(|label| format!("`{label}`")).unwrap_or_default();
            format!("| `{}` | {kind} | {label} | {} |", family.name, family.help)
        };
        let wanted: Vec<String> = FAMILIES.iter().map(row).collect();
        let told: Vec<&str> =
            include_str!("METRICS.md").lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(told, wanted, "src/METRICS.md should have these rows:\n{}", wanted.join("\n"));
    }

    #[test]
    fn names_follow_the_rule() {
        for family in FAMILIES {
            assert!(family.name.starts_with("communiconnect_"), "{}", family.name);
            assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
        }
        let mut names: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FAMILIES.len());
    }
}
