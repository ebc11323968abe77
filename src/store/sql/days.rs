//! What came to posts on which day, added up for a whole group commit and written once for each post and day.

use super::{
    bulk,
    db::Connection,
    posts::{Move, reaction_steps},
};
use crate::store::Result;
use communiconnect_protocol::PostId;
use std::collections::BTreeMap;

/// Milliseconds of a day, UTC.
pub(super) const DAY_MS: i64 = 86_400_000;

/// What happened to a post.
#[derive(Clone, Copy, Debug)]
pub(super) enum DayRow {
    /// Its counts moved.
    Moved(PostId, i64, Day),
    /// It was deleted: what came before it in this commit leaves nothing.
    Gone(PostId),
}

/// What came on one day less what was taken back on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) views: i64,
    pub(super) guests: i64,
    pub(super) reactions: i64,
    pub(super) comments: i64,
    pub(super) shares: i64,
    pub(super) reposts: i64,
    pub(super) external_shares: i64,
}

impl DayRow {
    pub(super) fn of(post: PostId, by: Move) -> Self {
        let day = Day {
            views: by.views,
            guests: by.guests,
            reactions: reaction_steps(by.lost, by.won).iter().sum(),
            comments: by.comments,
            shares: by.shares,
            reposts: by.reposts,
            external_shares: by.external_shares,
        };
        Self::Moved(post, by.at.div_euclid(DAY_MS), day)
    }
}

impl Day {
    fn add(&mut self, other: Self) {
        self.views += other.views;
        self.guests += other.guests;
        self.reactions += other.reactions;
        self.comments += other.comments;
        self.shares += other.shares;
        self.reposts += other.reposts;
        self.external_shares += other.external_shares;
    }

    /// In the order of the table's columns.
    pub(super) fn columns(&self) -> [i64; 7] {
        [
            self.views,
            self.guests,
            self.reactions,
            self.comments,
            self.shares,
            self.reposts,
            self.external_shares,
        ]
    }
}

/// Adds these to what is there.
pub(super) fn write(connection: &Connection, rows: &[DayRow]) -> Result<()> {
    bulk::add_days(connection, &sums(rows))?;
    Ok(())
}

/// One row for each post and day on which something changed, in the order of the table.
fn sums(rows: &[DayRow]) -> Vec<(PostId, i64, Day)> {
    let mut sums: BTreeMap<(PostId, i64), Day> = BTreeMap::new();
    for row in rows {
        match *row {
            DayRow::Moved(post, day, by) => sums.entry((post, day)).or_default().add(by),
            DayRow::Gone(post) => sums.retain(|(of, _), _| *of != post),
        }
    }
    sums.into_iter()
        .filter(|(_, by)| *by != Day::default())
        .map(|((post, day), by)| (post, day, by))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use communiconnect_protocol::ReactionKind;

    const ONE: PostId = PostId::from_bytes([1; 16]);
    const OTHER: PostId = PostId::from_bytes([2; 16]);

    #[test]
    fn a_day_is_written_once_however_much_came() {
        let view = |post, at| DayRow::of(post, Move { views: 1, at, ..Move::default() });
        let rows = [view(ONE, 0), view(OTHER, 5), view(ONE, DAY_MS - 1), view(ONE, DAY_MS), view(ONE, -1)];
        let day = |views| Day { views, ..Day::default() };
        assert_eq!(sums(&rows), [(ONE, -1, day(1)), (ONE, 0, day(2)), (ONE, 1, day(1)), (OTHER, 0, day(1))]);
    }

    #[test]
    fn what_moves_within_a_kind_or_comes_and_goes_is_nothing() {
        let (like, love) = (Some(ReactionKind::Like), Some(ReactionKind::Love));
        let rows = [(None, like), (like, love), (love, None)]
            .map(|(lost, won)| DayRow::of(ONE, Move { lost, won, ..Move::default() }));
        assert_eq!(sums(&rows), []);
        assert_eq!(sums(&rows[..2]), [(ONE, 0, Day { reactions: 1, ..Day::default() })]);
    }

    #[test]
    fn a_deleted_post_leaves_nothing() {
        let comment = |post| DayRow::of(post, Move { comments: 1, ..Move::default() });
        let rows = [comment(ONE), comment(OTHER), DayRow::Gone(ONE)];
        assert_eq!(sums(&rows), [(OTHER, 0, Day { comments: 1, ..Day::default() })]);
    }
}
