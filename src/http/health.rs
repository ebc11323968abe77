//! Whether the process lives, whether it should be given work, and what it has counted.

use super::{Problem, state::HttpState};
use crate::{broker::SharedBroker, clock::now_ms, metrics, store::log::Log, tasks::Tasks};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{Code, ErrorBody};
use parking_lot::Mutex;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Whether this node should be given work: it does not stop, and its store and broker worked lately, tried end to end.
pub struct Readiness {
    stopping: AtomicBool,
    draining: AtomicBool,
    last: Mutex<Probe>,
}

#[derive(Clone, Debug)]
struct Probe {
    passed_at: Option<Instant>,
    failure: Option<String>,
}

/// Between two probes.
const PACE: Duration = Duration::from_secs(2);
/// Time for one probe.
const PATIENCE: Duration = Duration::from_secs(5);
/// A probe that passed longer ago than this says nothing any more. One that takes all its time and fails changes nothing where
/// the next passes within a second.
const LATELY: Duration = Duration::from_secs(2 * PACE.as_secs() + PATIENCE.as_secs() + 1);

impl Readiness {
    /// Probes once, then goes on probing until the process stops.
    pub async fn watch(log: Arc<dyn Log>, broker: SharedBroker, tasks: &Tasks) -> Arc<Self> {
        let last = Mutex::new(Probe { passed_at: None, failure: None });
        let readiness =
            Arc::new(Self { stopping: AtomicBool::new(false), draining: AtomicBool::new(false), last });
        readiness.probe(&*log, &broker).await;
        let (this, stop) = (Arc::clone(&readiness), tasks.clone());
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PACE) => this.probe(&*log, &broker).await,
                    () = stop.stopping() => return,
                }
            }
        });
        readiness
    }

    /// The process begins to stop: no more work, please.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it has begun to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// An operator wishes that this node takes nobody, or that it does again; whether that is new.
    pub(super) fn drain(&self, is_wished: bool) -> bool {
        self.draining.swap(is_wished, Ordering::SeqCst) != is_wished
    }

    /// Whether new connections have to go elsewhere.
    pub(super) fn takes_nobody(&self) -> bool {
        self.is_stopping() || self.draining.load(Ordering::SeqCst)
    }

    /// Whether to give this node work, or why not.
    pub fn verdict(&self) -> Result<(), String> {
        if self.is_stopping() {
            return Err("this node stops".to_owned());
        }
        if self.takes_nobody() {
            return Err("an operator has drained this node".to_owned());
        }
        let last = self.last.lock().clone();
        match (last.passed_at, last.failure) {
            (Some(at), _) if at.elapsed() < LATELY => Ok(()),
            (_, Some(failure)) => Err(failure),
            _ => Err("the probe of store and broker has not passed lately".to_owned()),
        }
    }

    async fn probe(&self, log: &dyn Log, broker: &SharedBroker) {
        let outcome = tokio::time::timeout(PATIENCE, try_both(log, broker)).await;
        let outcome = outcome.unwrap_or_else(|_| Err("the probe took too long".to_owned()));
        let mut last = self.last.lock();
        match outcome {
            Ok(()) => {
                if last.failure.is_some() {
                    tracing::info!("the probe of store and broker passes again");
                }
                *last = Probe { passed_at: Some(Instant::now()), failure: None };
            }
            Err(failure) => {
                metrics::PROBES_FAILED.add(1);
                if last.failure.is_none() {
                    tracing::warn!(%failure, "the probe of store and broker failed");
                }
                last.failure = Some(failure);
            }
        }
    }
}

/// Writes and reads in the store, and sends something through the broker to this node itself.
async fn try_both(log: &dyn Log, broker: &SharedBroker) -> Result<(), String> {
    log.probe(now_ms()).await.map_err(|error| error.to_string())?;
    broker.probe().await.map_err(|error| error.to_string())
}

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// `GET /readyz`. A node whose live does not work is ready all the same: everything else does.
pub(super) async fn ready(State(state): State<Arc<HttpState>>) -> Result<Response, Problem> {
    match state.readiness.verdict() {
        Ok(()) => {
            let live = state.selftest.borrow().clone();
            Ok(Json(json!({ "status": "ready", "live": live })).into_response())
        }
        Err(reason) => Err(ErrorBody::new(Code::Unavailable, reason).retry_after(1_000).into()),
    }
}

/// `GET /metrics`, in the text format of Prometheus.
pub(super) async fn metrics(State(state): State<Arc<HttpState>>) -> Response {
    metrics::observe_process();
    metrics::READY.set(f64::from(u8::from(state.readiness.verdict().is_ok())));
    let hub = &state.door.hub;
    let channels = hub.channels();
    metrics::SESSIONS.set(hub.session_count() as f64);
    metrics::CHANNELS.set(channels.len() as f64);
    metrics::SUBSCRIPTIONS.set(channels.iter().map(|(_, subscribers)| subscribers).sum::<usize>() as f64);
    metrics::DELIVERIES.follow(hub.traffic().frames());
    metrics::WRITES.follow(hub.traffic().writes());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render())
        .into_response()
}
