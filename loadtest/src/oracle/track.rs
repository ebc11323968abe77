//! One reader of one channel: which offsets it has been given, and what it has still to be given.

use super::{Fault, Span};

/// Offsets that have not come although later ones have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hole {
    span: Span,
    /// Whether the server has said so by `gap`: such a hole is fetched, any other is a loss.
    is_told: bool,
}

/// What one reader has been given of one channel. A few words of memory while all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    last: u64,
    holes: Vec<Hole>,
}

impl Track {
    /// A reader that begins after this offset: what it is given starts with the next one.
    pub fn after(offset: u64) -> Self {
        Self { last: offset, holes: Vec::new() }
    }

    /// The newest offset that came or was told.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// A push of this offset, a `publication` or a `skip`.
    ///
    /// # Errors
    /// Where it had come before, or comes after what follows it.
    pub fn pushed(&mut self, offset: u64) -> Result<(), Fault> {
        if offset > self.last {
            self.advance(offset);
            return Ok(());
        }
        Err(match self.fill(offset) {
            Some(_) => Fault::Reordered(Fault::at(offset)),
            None => Fault::Repeated(Fault::at(offset)),
        })
    }

    /// The push `gap` of these offsets: they have to be fetched.
    ///
    /// # Errors
    /// Where some of them had come.
    pub fn told(&mut self, gap: Span) -> Result<(), Fault> {
        if gap.to > self.last {
            let from = gap.from.max(self.last + 1);
            self.advance(from);
            self.holes.push(Hole { span: Span { from, to: gap.to }, is_told: true });
            self.last = gap.to;
            if from == gap.from {
                return Ok(());
            }
        }
        Err(Fault::FalseGap(gap))
    }

    /// An entry of a page that was asked for, by `history` or with a position.
    ///
    /// # Errors
    /// Where it had come before, or comes after what follows it although no gap told of it.
    pub fn fetched(&mut self, offset: u64) -> Result<(), Fault> {
        if offset > self.last {
            self.advance(offset);
            return Ok(());
        }
        match self.fill(offset) {
            Some(hole) if hole.is_told => Ok(()),
            Some(_) => Err(Fault::Reordered(Fault::at(offset))),
            None => Err(Fault::Repeated(Fault::at(offset))),
        }
    }

    /// A page told that the log has these no more.
    ///
    /// # Errors
    /// Always: the reader will never have them.
    pub fn expired(&mut self, gone: Span) -> Result<(), Fault> {
        for offset in gone.from..=gone.to.min(self.last) {
            // What had come is told as gone with the rest.
            let _ = self.fill(offset);
        }
        if gone.to > self.last {
            self.advance(gone.from.max(self.last + 1));
            self.last = gone.to;
        }
        Err(Fault::Expired(gone))
    }

    /// What a `gap` has told of and `history` has still to bring, the oldest first.
    pub fn wanted(&self) -> Option<Span> {
        self.holes.iter().find(|hole| hole.is_told).map(|hole| hole.span)
    }

    /// The connection is gone. Answers the position to come back with: everything up to it has come. What came beyond a hole
    /// that was told is asked for again with it, and does not count as repeated. Answers also what was lost without a word,
    /// since coming back would hide it.
    pub fn resume(&mut self) -> (u64, Vec<Fault>) {
        let lost =
            self.holes.iter().filter(|hole| !hole.is_told).map(|hole| Fault::Lost(hole.span)).collect();
        if let Some(span) = self.wanted() {
            self.last = span.from - 1;
        }
        self.holes.clear();
        (self.last, lost)
    }

    /// Whether everything up to `head` has come.
    pub fn is_whole(&self, head: u64) -> bool {
        self.holes.is_empty() && self.last >= head
    }

    /// The end: what is missing up to the channel's head.
    pub fn end(&self, head: u64) -> Vec<Fault> {
        let mut faults: Vec<_> = self.holes.iter().map(Hole::fault).collect();
        if self.last < head {
            faults.push(Fault::Lost(Span { from: self.last + 1, to: head }));
        }
        faults
    }

    /// Goes on to `offset`; what lies between is a hole.
    fn advance(&mut self, offset: u64) {
        if offset > self.last + 1 {
            let span = Span { from: self.last + 1, to: offset - 1 };
            self.holes.push(Hole { span, is_told: false });
        }
        self.last = offset;
    }

    /// Takes `offset` out of the hole that it lies in, and answers that hole as it was; none where it lies in none.
    fn fill(&mut self, offset: u64) -> Option<Hole> {
        let at = self.holes.iter().position(|hole| hole.span.holds(offset))?;
        let hole = self.holes[at];
        let Hole { span, is_told } = hole;
        let sides = [Span { from: span.from, to: offset - 1 }, Span { from: offset + 1, to: span.to }];
        let left = sides.into_iter().filter(|side| !side.is_empty()).map(|span| Hole { span, is_told });
        self.holes.splice(at..=at, left);
        Some(hole)
    }
}

impl Hole {
    fn fault(&self) -> Fault {
        if self.is_told { Fault::NotFetched(self.span) } else { Fault::Lost(self.span) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(from: u64, to: u64) -> Span {
        Span { from, to }
    }

    #[test]
    fn what_comes_in_order_is_clean() {
        let mut track = Track::after(7);
        for offset in 8..=20 {
            assert_eq!(track.pushed(offset), Ok(()));
        }
        assert!(track.is_whole(20));
        assert_eq!(track.end(20), []);
    }

    #[test]
    fn what_never_comes_is_lost() {
        let mut track = Track::after(0);
        for offset in [1, 2, 5] {
            assert_eq!(track.pushed(offset), Ok(()));
        }
        assert!(!track.is_whole(5));
        assert_eq!(track.end(7), [Fault::Lost(span(3, 4)), Fault::Lost(span(6, 7))]);
    }

    #[test]
    fn what_comes_twice_is_repeated() {
        let mut track = Track::after(3);
        assert_eq!(track.pushed(4), Ok(()));
        assert_eq!(track.pushed(4), Err(Fault::Repeated(span(4, 4))));
        assert_eq!(track.pushed(3), Err(Fault::Repeated(span(3, 3))), "it began after this one");
        assert_eq!(track.fetched(4), Err(Fault::Repeated(span(4, 4))), "by whatever way");
    }

    #[test]
    fn what_comes_late_is_reordered_and_not_lost() {
        let mut track = Track::after(0);
        assert_eq!(track.pushed(1), Ok(()));
        assert_eq!(track.pushed(3), Ok(()));
        assert_eq!(track.pushed(2), Err(Fault::Reordered(span(2, 2))));
        assert_eq!(track.end(3), []);
    }

    #[test]
    fn a_gap_that_is_fetched_is_clean_and_one_that_is_not_is_a_fault() {
        let mut track = Track::after(0);
        assert_eq!(track.pushed(1), Ok(()));
        assert_eq!(track.told(span(2, 4)), Ok(()));
        assert_eq!(track.pushed(5), Ok(()));
        assert_eq!(track.wanted(), Some(span(2, 4)));
        assert_eq!(track.end(5), [Fault::NotFetched(span(2, 4))]);
        assert_eq!(track.fetched(3), Ok(()));
        assert_eq!(track.wanted(), Some(span(2, 2)));
        assert_eq!(track.fetched(2), Ok(()));
        assert_eq!(track.fetched(4), Ok(()));
        assert_eq!(track.end(5), []);
        assert_eq!(track.fetched(4), Err(Fault::Repeated(span(4, 4))));
    }

    #[test]
    fn a_page_fills_only_what_a_gap_told_of() {
        let mut track = Track::after(0);
        assert_eq!(track.pushed(2), Ok(()));
        assert_eq!(track.told(span(3, 3)), Ok(()));
        assert_eq!(track.fetched(3), Ok(()));
        assert_eq!(track.fetched(1), Err(Fault::Reordered(span(1, 1))));
        assert_eq!(track.end(3), [], "told once");
    }

    #[test]
    fn a_gap_does_not_hide_what_was_lost_before_it() {
        let mut track = Track::after(0);
        assert_eq!(track.told(span(3, 4)), Ok(()));
        assert_eq!(track.end(4), [Fault::Lost(span(1, 2)), Fault::NotFetched(span(3, 4))]);
    }

    #[test]
    fn a_gap_over_what_had_come_is_false() {
        let mut track = Track::after(5);
        assert_eq!(track.told(span(4, 5)), Err(Fault::FalseGap(span(4, 5))));
        assert_eq!(track.told(span(5, 7)), Err(Fault::FalseGap(span(5, 7))));
        assert_eq!(track.wanted(), Some(span(6, 7)));
    }

    #[test]
    fn what_the_log_has_no_more_is_a_fault_of_its_own() {
        let mut track = Track::after(0);
        assert_eq!(track.told(span(1, 4)), Ok(()));
        assert_eq!(track.expired(span(1, 2)), Err(Fault::Expired(span(1, 2))));
        assert_eq!(track.fetched(3), Ok(()));
        assert_eq!(track.fetched(4), Ok(()));
        assert_eq!(track.end(4), [], "told once");
        assert_eq!(track.expired(span(5, 9)), Err(Fault::Expired(span(5, 9))));
        assert_eq!(track.pushed(10), Ok(()));
        assert_eq!(track.end(10), []);
    }

    #[test]
    fn coming_back_asks_for_what_was_told_and_hides_no_loss() {
        let mut track = Track::after(0);
        track.pushed(1).unwrap();
        track.told(span(2, 3)).unwrap();
        track.pushed(4).unwrap();
        assert_eq!(track.resume(), (1, vec![]));
        for offset in 2..=5 {
            assert_eq!(track.fetched(offset), Ok(()));
        }
        track.pushed(7).unwrap();
        assert_eq!(track.resume(), (7, vec![Fault::Lost(span(6, 6))]));
    }

    proptest! {
        /// Any one thing done to a whole delivery is found, pushed or fetched, or pushed at first and fetched from some offset on.
        #[test]
        fn one_mistake_in_a_delivery_is_found(
            count in 3_u64..60, place in 1_u64..1_000, kind in 0..3, pushes in 0_usize..80,
        ) {
            let place = 1 + place % (count - 1);
            let mut offsets: Vec<u64> = (1..=count).collect();
            let at = place as usize - 1;
            match kind {
                0 => { offsets.remove(at); }
                1 => offsets.insert(at, place),
                _ => offsets.swap(at, at + 1),
            }
            let mut track = Track::after(0);
            let given = |(number, &offset): (usize, &u64)| {
                let came = if number < pushes { track.pushed(offset) } else { track.fetched(offset) };
                came.err()
            };
            let mut faults: Vec<_> = offsets.iter().enumerate().filter_map(given).collect();
            faults.extend(track.end(count));
            prop_assert_eq!(faults.len(), 1);
            prop_assert_eq!(faults[0].kind(), ["lost", "repeated", "reordered"][kind as usize]);
        }
    }
}
