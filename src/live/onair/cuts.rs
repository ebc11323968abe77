//! Who was cut off lately: a question that was judged before a cut must not be answered after it.
//!
//! Who wishes to watch is judged by the store, and let in later by the task of the live. A ban may come between the two.

use communiconnect_protocol::UserId;
use std::{collections::VecDeque, time::Instant};

/// Cuts that are remembered one by one. Of more in the time that one question takes, nobody's are told apart: who asked
/// before them asks again.
const REMEMBERED: usize = 256;

/// The last cuts, in their order.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    last: VecDeque<(UserId, Instant)>,
    /// The latest that is forgotten.
    forgotten: Option<Instant>,
}

impl Cuts {
    /// This person was cut off.
    pub(super) fn note(&mut self, user: UserId, at: Instant) {
        if self.last.len() == REMEMBERED {
            self.forgotten = self.last.pop_front().map(|(_, at)| at);
        }
        self.last.push_back((user, at));
    }

    /// Whether what this person asked then may have been judged before a cut of theirs.
    pub(super) fn came_after(&self, user: UserId, asked: Instant) -> bool {
        let since = self.last.iter().rev().take_while(|(_, at)| *at >= asked);
        self.forgotten.is_some_and(|at| at >= asked) || since.into_iter().any(|(cut, _)| *cut == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn person(number: u128) -> UserId {
        UserId::from_bytes(number.to_be_bytes())
    }

    #[test]
    fn what_was_asked_before_a_cut_is_not_answered_after_it() {
        let begun = Instant::now();
        let after = |ms| begun + Duration::from_millis(ms);
        let mut cuts = Cuts::default();
        cuts.note(person(1), after(10));
        assert!(cuts.came_after(person(1), after(9)));
        assert!(!cuts.came_after(person(1), after(11)), "the store has judged it with the ban");
        assert!(!cuts.came_after(person(2), after(9)), "it was not theirs");
    }

    #[test]
    fn of_more_cuts_than_are_remembered_none_is_passed_over() {
        let begun = Instant::now();
        let mut cuts = Cuts::default();
        let last = REMEMBERED as u64;
        for number in 0..=last {
            cuts.note(person(u128::from(number)), begun + Duration::from_millis(number));
        }
        assert_eq!(cuts.last.len(), REMEMBERED);
        assert!(cuts.came_after(person(0), begun), "the one that is forgotten");
        assert!(!cuts.came_after(person(0), begun + Duration::from_millis(1)));
    }
}
