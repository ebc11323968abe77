//! What a local process costs: CPU time and resident memory, as Linux counts them.
//!
//! Reads `/proc`; a process that is not there, or not here, has no figures.

use serde::Serialize;
use std::{fs, time::Duration};

/// Ticks of `/proc/PID/stat` in a second: the kernel's ABI fixes `USER_HZ` at 100 on every machine that runs this.
const TICKS_PER_SECOND: u64 = 100;

/// A reading of one process.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Reading {
    /// CPU time since its start, user and system.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident: u64,
}

/// Reads a process; none where it does not run on this machine.
pub fn read(pid: u32) -> Option<Reading> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, spaces included.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    let cpu = Duration::from_millis((user + system) * 1_000 / TICKS_PER_SECOND);
    Some(Reading { cpu, resident: kilobytes * 1_024 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_figures_and_a_missing_one_has_none() {
        let own = read(std::process::id()).expect("this process runs here");
        assert!(own.resident > 100_000, "{own:?}");
        assert!(read(u32::MAX).is_none());
    }
}
