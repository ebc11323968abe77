//! Spreads of times: histograms in microseconds, and what a report tells of them in milliseconds.

use hdrhistogram::{Counter, Histogram};
use serde::Serialize;
use std::fmt;

/// The longest time that is told apart, in microseconds: ten minutes, longer than any run waits for one thing.
const LONGEST: u64 = 600_000_000;

/// An empty spread of times in microseconds; three digits are kept.
pub fn histogram<T: Counter>() -> Histogram<T> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds and the digits are allowed")
}

/// All of these together.
pub fn sum<'a>(spreads: impl Iterator<Item = &'a Histogram<u64>>) -> Histogram<u64> {
    spreads.fold(histogram(), |mut sum, one| {
        sum.add(one).expect("the same bounds and digits");
        sum
    })
}

/// A spread of times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Spread {
    /// Half are at most this.
    pub p50: f64,
    /// All but one in twenty.
    pub p95: f64,
    /// All but one in a hundred.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Spread {
    /// Of times in microseconds.
    pub fn of<T: Counter>(microseconds: &Histogram<T>) -> Self {
        let at = |quantile| microseconds.value_at_quantile(quantile) as f64 / 1_000.0;
        Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: microseconds.max() as f64 / 1_000.0 }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p95, p99, max } = self;
        write!(out, "p50 {p50:8.1} ms   p95 {p95:8.1} ms   p99 {p99:8.1} ms   max {max:8.1} ms")
    }
}
