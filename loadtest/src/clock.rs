//! The one clock of a run: microseconds that all processes of this machine count alike.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Microseconds of `CLOCK_MONOTONIC` (clock_gettime(2)).
pub fn now_us() -> u64 {
    us(ClockId::CLOCK_MONOTONIC)
}

/// CPU time of the calling thread so far.
pub fn thread_cpu() -> Duration {
    Duration::from_micros(us(ClockId::CLOCK_THREAD_CPUTIME_ID))
}

fn us(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("every Linux has these clocks");
    time.tv_sec() as u64 * 1_000_000 + time.tv_nsec() as u64 / 1_000
}
