//! Ids that rise with the order of commits.

use rusqlite::Connection;
use std::fmt;
use uuid::{ContextV7, Timestamp, Uuid};

/// Gives out UUIDv7 ids (RFC 9562 §6.2, method 1: a counter within the millisecond). The writer has the only one, so an
/// id given later is greater, also when the clock stood still or went back, before a restart too: a page that ended at
/// some id never misses what was written after it was read.
pub(super) struct Ids {
    context: ContextV7,
    /// No id is of an earlier millisecond.
    from_ms: u64,
}

impl Ids {
    /// All ids will be greater than this one, which was given before the store was closed.
    pub(super) fn after(last: Option<[u8; 16]>) -> Self {
        let from_ms = last.map_or(0, |last| milliseconds(&last) + 1);
        Self { context: ContextV7::new(), from_ms }
    }

    pub(super) fn next(&self, at_ms: i64) -> [u8; 16] {
        let at_ms = u64::try_from(at_ms).unwrap_or(0).max(self.from_ms);
        let nanos = u32::try_from(at_ms % 1000).unwrap_or(0) * 1_000_000;
        *Uuid::new_v7(Timestamp::from_unix(&self.context, at_ms / 1000, nanos)).as_bytes()
    }
}

/// The first 48 bits (RFC 9562 §5.7).
fn milliseconds(id: &[u8; 16]) -> u64 {
    id[..6].iter().fold(0, |time, byte| time << 8 | u64::from(*byte))
}

/// The greatest id that pages are ordered by.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<Option<[u8; 16]>> {
    connection.query_row(
        "SELECT max(id) FROM (SELECT max(id) AS id FROM communities UNION ALL SELECT max(id) FROM posts
         UNION ALL SELECT max(id) FROM comments UNION ALL SELECT max(id) FROM lives
         UNION ALL SELECT max(id) FROM chat)",
        [],
        |row| row.get(0),
    )
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
        let ids = Ids::after(None);
        let given: Vec<_> = [5_000, 5_000, 4_000, 5_001, 5_001].into_iter().map(|at| ids.next(at)).collect();
        assert!(given.is_sorted_by(|a, b| a < b), "{given:?}");
    }

    #[test]
    fn ids_rise_across_a_restart_with_a_clock_that_went_back() {
        let last = Ids::after(None).next(5_000);
        assert!(Ids::after(Some(last)).next(4_000) > last);
    }
}
