//! Ids that rise with the order of commits.

use super::db::{Connection, OptionalExtension, params};
use crate::store::Result;
use std::{cell::Cell, fmt};
use uuid::{ContextV7, Timestamp, Uuid};

/// Gives out UUIDv7 ids (RFC 9562 §6.2, method 1: a counter within the millisecond). The writer has the only one, so an
/// id given later is greater, also when the clock stood still or went back, before a restart or on another node too: a
/// page that ended at some id never misses what was written after it was read.
pub(super) struct Ids {
    context: ContextV7,
    /// No id is of an earlier millisecond.
    from_ms: u64,
    /// The greatest that was given.
    last: Cell<[u8; 16]>,
}

impl Ids {
    /// All ids will be greater than this one.
    pub(super) fn after(last: [u8; 16]) -> Self {
        let mut ids = Self { context: ContextV7::new(), from_ms: 0, last: Cell::default() };
        ids.pass(last);
        ids
    }

    /// Gives none that is not greater than this one, which somebody else gave.
    pub(super) fn pass(&mut self, other: [u8; 16]) {
        if other > self.last.get() {
            self.from_ms = milliseconds(&other) + 1;
            self.last.set(other);
        }
    }

    pub(super) fn next(&self, at_ms: i64) -> [u8; 16] {
        let at_ms = u64::try_from(at_ms).unwrap_or(0).max(self.from_ms);
        let nanos = u32::try_from(at_ms % 1000).unwrap_or(0) * 1_000_000;
        let id = *Uuid::new_v7(Timestamp::from_unix(&self.context, at_ms / 1000, nanos)).as_bytes();
        self.last.set(id);
        id
    }

    /// The greatest id that was given.
    pub(super) fn last(&self) -> [u8; 16] {
        self.last.get()
    }
}

/// The first 48 bits (RFC 9562 §5.7).
fn milliseconds(id: &[u8; 16]) -> u64 {
    id[..6].iter().fold(0, |time, byte| time << 8 | u64::from(*byte))
}

/// The greatest id that pages are ordered by; zeros where there is none.
pub(super) fn last(connection: &Connection) -> Result<[u8; 16]> {
    let mut last = [0; 16];
    for sql in [
        "SELECT id FROM communities ORDER BY id DESC LIMIT 1",
        "SELECT id FROM posts ORDER BY id DESC LIMIT 1",
        "SELECT id FROM comments ORDER BY id DESC LIMIT 1",
        "SELECT id FROM shares ORDER BY id DESC LIMIT 1",
        "SELECT id FROM external_shares ORDER BY id DESC LIMIT 1",
        "SELECT id FROM lives ORDER BY id DESC LIMIT 1",
        "SELECT id FROM chat ORDER BY id DESC LIMIT 1",
    ] {
        let found = connection.prepare_cached(sql)?.query_row(params![], |row| row.get(0)).optional()?;
        last = last.max(found.unwrap_or_default());
    }
    Ok(last)
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
        let ids = Ids::after([0; 16]);
        let given: Vec<_> = [5_000, 5_000, 4_000, 5_001, 5_001].into_iter().map(|at| ids.next(at)).collect();
        assert!(given.is_sorted_by(|a, b| a < b), "{given:?}");
    }

    #[test]
    fn ids_rise_across_a_restart_with_a_clock_that_went_back() {
        let last = Ids::after([0; 16]).next(5_000);
        assert!(Ids::after(last).next(4_000) > last);
    }
}
