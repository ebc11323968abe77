//! From the store's writer to the broker: the one task that publishes, so that order needs no agreement.
//!
//! It outlives every session. Publications go on at once, in the order of their commits; states are coalesced: the first
//! change of a key goes on at once, later ones at most once per interval, and the last always does.

use crate::{
    broker::{Broadcast, SharedBroker},
    publication::{Committed, State},
};
use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// Publishes what was committed.
pub struct Publisher {
    broker: SharedBroker,
    states: Coalescer,
    derived: Coalescer,
    derive: fn(&State) -> Option<State>,
}

/// Commits taken at once: what one group commit of the store can bring.
const COMMITS: usize = 512;

impl Publisher {
    /// A publisher to this broker.
    pub fn new(broker: SharedBroker) -> Self {
        let derived = Coalescer { least_pause: LONGEST_PAUSE_MS, ..Coalescer::default() };
        Self { broker, states: Coalescer::default(), derived, derive: |_| None }
    }

    /// Tells beside every state what follows from it for few, at most once a second for each key.
    pub fn deriving(self, derive: fn(&State) -> Option<State>) -> Self {
        Self { derive, ..self }
    }

    /// Runs until the writer has gone; then every state that still waits is told, and it ends.
    pub async fn run(mut self, mut committed: mpsc::Receiver<Committed>) {
        let started = Instant::now();
        let now = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut commits = Vec::with_capacity(COMMITS);
        loop {
            let due = [self.states.deadline(), self.derived.deadline()].into_iter().flatten().min();
            let due = due.map(|at| started + Duration::from_millis(at));
            let count = tokio::select! {
                count = committed.recv_many(&mut commits, COMMITS) => Some(count),
                () = sleep_until(due) => None,
            };
            if count == Some(0) {
                let mut last = self.states.take_all();
                self.derive(&last);
                last.extend(self.derived.take_all());
                return self.publish(last.into_iter().map(Broadcast::State).collect()).await;
            }
            let mut batch = Vec::new();
            for commit in commits.drain(..) {
                batch.extend(commit.publications.into_iter().map(Broadcast::Publication));
                for state in commit.states {
                    self.states.change(state);
                }
            }
            let states = self.states.take_due(now());
            self.derive(&states);
            let derived = self.derived.take_due(now());
            batch.extend(states.into_iter().chain(derived).map(Broadcast::State));
            self.publish(batch).await;
        }
    }

    fn derive(&mut self, told: &[State]) {
        for state in told.iter().filter_map(self.derive) {
            self.derived.change(state);
        }
    }

    async fn publish(&self, batch: Vec<Broadcast>) {
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.broker.publish(batch).await {
            // Nothing is lost: publications are in the log, and every node compares heads and counters with the store.
            // The broker itself says once that it is away; a line for every commit would drown that.
            tracing::debug!(%error, "committed publications were not carried; they will be read from the log");
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Which states may be told when. Pure: time is passed in, in milliseconds of a steady clock.
#[derive(Debug)]
struct Coalescer {
    /// Between two values of one key, in milliseconds.
    least_pause: u64,
    keys: HashMap<(Cow<'static, str>, String), Slot>,
    /// Keys whose change may be told as soon as it is asked for, in the order of their changes.
    fresh: Vec<(Cow<'static, str>, String)>,
    /// Keys that were told, by when their pause ends. Pauses may differ, the order is near enough.
    pausing: VecDeque<(u64, (Cow<'static, str>, String))>,
}

#[derive(Debug, Default)]
struct Slot {
    waiting: Option<State>,
    is_pausing: bool,
}

/// Pause between two values of one key while little is going on.
const PAUSE_MS: u64 = 100;
/// Pause between two values of one key at most.
const LONGEST_PAUSE_MS: u64 = 1_000;
/// Keys in motion from which on pauses grow in proportion.
const CALM_KEYS: usize = 1_000;

impl Default for Coalescer {
    fn default() -> Self {
        let (keys, fresh, pausing) = Default::default();
        Self { least_pause: PAUSE_MS, keys, fresh, pausing }
    }
}

impl Coalescer {
    /// A key has a new value; an older one that still waits is forgotten.
    fn change(&mut self, state: State) {
        let key = (state.event.clone(), state.key.clone());
        let slot = self.keys.entry(key.clone()).or_default();
        match &mut slot.waiting {
            Some(waiting) if waiting.version >= state.version => {}
            Some(waiting) => *waiting = state,
            None => {
                slot.waiting = Some(state);
                if !slot.is_pausing {
                    self.fresh.push(key);
                }
            }
        }
    }

    /// Values that may be told now.
    fn take_due(&mut self, now: u64) -> Vec<State> {
        let mut due = std::mem::take(&mut self.fresh);
        while self.deadline().is_some_and(|at| at <= now) {
            let Some((_, key)) = self.pausing.pop_front() else { break };
            match self.keys.get_mut(&key) {
                Some(slot) if slot.waiting.is_some() => due.push(key),
                _ => drop(self.keys.remove(&key)),
            }
        }
        let until = now + self.pause();
        let mut states = Vec::with_capacity(due.len());
        for key in due {
            let Some(slot) = self.keys.get_mut(&key) else { continue };
            states.extend(slot.waiting.take());
            slot.is_pausing = true;
            self.pausing.push_back((until, key));
        }
        states
    }

    /// Every value that waits, pause or not.
    fn take_all(&mut self) -> Vec<State> {
        self.fresh.clear();
        self.pausing.clear();
        self.keys.drain().filter_map(|(_, slot)| slot.waiting).collect()
    }

    /// When the next pause ends.
    fn deadline(&self) -> Option<u64> {
        self.pausing.front().map(|(at, _)| *at)
    }

    fn pause(&self) -> u64 {
        let load = (self.keys.len() / CALM_KEYS).max(1) as u64;
        (self.least_pause * load).min(LONGEST_PAUSE_MS)
    }
}

#[cfg(test)]
mod tests;
