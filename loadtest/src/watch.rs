//! What the server's processes and the load itself use while a run goes on, second by second.

use crate::{
    clock::now_us,
    process::{self, Reading},
};
use serde::Serialize;
use std::time::Duration;

/// The longest spell between two samples.
const PACE: u64 = 1_000_000;

/// One look at the processes of the server, all together.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Sample {
    /// When ([`now_us`]).
    pub at: u64,
    /// CPU time since the processes' start.
    pub cpu: Duration,
    /// Resident bytes.
    pub resident: u64,
}

/// Looks at processes once a second.
#[derive(Debug)]
pub struct Watch {
    pids: Vec<u32>,
    samples: Vec<Sample>,
}

impl Watch {
    /// Of these processes; of none, it sees nothing.
    pub fn new(pids: &[u32]) -> Self {
        Self { pids: pids.to_vec(), samples: Vec::new() }
    }

    /// Looks now; none where a process is not there, or not on this machine.
    pub fn look(&self) -> Option<Sample> {
        if self.pids.is_empty() {
            return None;
        }
        let readings: Option<Vec<Reading>> = self.pids.iter().map(|&pid| process::read(pid)).collect();
        let readings = readings?;
        Some(Sample {
            at: now_us(),
            cpu: readings.iter().map(|reading| reading.cpu).sum(),
            resident: readings.iter().map(|reading| reading.resident).sum(),
        })
    }

    /// Keeps a sample where the last is a second old.
    pub fn tick(&mut self) {
        let is_due = self.samples.last().is_none_or(|last| now_us() >= last.at + PACE);
        if is_due && let Some(sample) = self.look() {
            self.samples.push(sample);
        }
    }

    /// All samples.
    pub fn into_samples(self) -> Vec<Sample> {
        self.samples
    }
}

/// What this process itself uses: CPU time since its start, and memory.
pub fn own() -> Reading {
    process::read(std::process::id()).unwrap_or_default()
}
