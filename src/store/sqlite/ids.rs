//! Ids that rise with the order of commits.

use std::fmt;
use uuid::{ContextV7, Timestamp, Uuid};

/// Gives out UUIDv7 ids (RFC 9562 §6.2, method 1: a counter within the millisecond). The writer has the only one, so an
/// id given later is greater, also when the clock stood still or went back: a page that ended at some id never misses
/// what was written after it was read.
pub(super) struct Ids(ContextV7);

impl Ids {
    pub(super) fn new() -> Self {
        Self(ContextV7::new())
    }

    pub(super) fn next(&self, at_ms: i64) -> [u8; 16] {
        let at_ms = u64::try_from(at_ms).unwrap_or(0);
        let nanos = u32::try_from(at_ms % 1000).unwrap_or(0) * 1_000_000;
        *Uuid::new_v7(Timestamp::from_unix(&self.0, at_ms / 1000, nanos)).as_bytes()
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_does_not() {
        let ids = Ids::new();
        let given: Vec<_> = [5_000, 5_000, 4_000, 5_001, 5_001].into_iter().map(|at| ids.next(at)).collect();
        assert!(given.is_sorted_by(|a, b| a < b), "{given:?}");
    }
}
