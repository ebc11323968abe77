//! How often a person may do what.
//!
//! Exact: in any 60 seconds there are never more than allowed, so that "the 51st post in a minute" is refused however
//! slowly the first fifty came. A retry of a counted operation is let through without being counted again. Time is
//! passed in. Memory is bounded: people by a setting, instants by the rates, and both are swept.

use super::Rates;
use communiconnect_protocol::{Code, ErrorBody, UserId};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A new post.
    Post,
    /// A new comment.
    Comment,
    /// A reaction.
    Reaction,
    /// A follow or block.
    Follow,
    /// A new community, a join or a leave.
    Community,
}

/// Counts what people do.
pub struct RateLimits {
    rates: Option<Rates>,
    hasher: RandomState,
    recent: Mutex<Recent>,
}

const WINDOW_MS: i64 = 60_000;

#[derive(Default)]
struct Recent {
    acts: HashMap<(UserId, Act), VecDeque<Counted>>,
    swept_at: i64,
}

#[derive(Clone, Copy)]
struct Counted {
    at: i64,
    op: Option<u64>,
}

impl RateLimits {
    /// Limits at these rates; none lets everything through.
    pub fn new(rates: Option<Rates>) -> Self {
        Self { rates, hasher: RandomState::new(), recent: Mutex::default() }
    }

    /// Counts an act at `at` (milliseconds since 1970 UTC); `op` is the client's id of the operation, where it has one.
    ///
    /// # Errors
    /// `rate_limited` with the time until the next is possible.
    pub fn count(&self, user: UserId, act: Act, op: Option<&str>, at: i64) -> Result<(), ErrorBody> {
        let Some(rates) = self.rates else { return Ok(()) };
        let allowed = rates.of(act);
        let op = op.map(|op| self.hasher.hash_one(op));
        let mut recent = self.recent.lock();
        recent.sweep(at);
        if recent.acts.len() >= rates.people && !recent.acts.contains_key(&(user, act)) {
            return Ok(());
        }
        let counted = recent.acts.entry((user, act)).or_default();
        while counted.front().is_some_and(|first| first.at <= at - WINDOW_MS) {
            counted.pop_front();
        }
        if op.is_some() && counted.iter().any(|earlier| earlier.op == op) {
            return Ok(());
        }
        if counted.len() < allowed {
            counted.push_back(Counted { at, op });
            return Ok(());
        }
        let free_at = counted.front().map_or(at, |first| first.at) + WINDOW_MS;
        let wait = u64::try_from(free_at - at).unwrap_or(0).max(1);
        Err(ErrorBody::new(Code::RateLimited, format!("{allowed} of these a minute are allowed: wait"))
            .retry_after(wait))
    }
}

impl Rates {
    fn of(&self, act: Act) -> usize {
        match act {
            Act::Post => self.posts,
            Act::Comment => self.comments,
            Act::Reaction => self.reactions,
            Act::Follow => self.follows,
            Act::Community => self.communities,
        }
    }
}

impl Recent {
    /// Once a window at most, so that the cost of a look at everybody is spread over all that they did.
    fn sweep(&mut self, at: i64) {
        if at - self.swept_at < WINDOW_MS {
            return;
        }
        self.swept_at = at;
        self.acts.retain(|_, counted| counted.back().is_some_and(|last| last.at > at - WINDOW_MS));
        self.acts.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_700_000_000_000;

    fn person(n: u8) -> UserId {
        UserId::from_bytes([n; 16])
    }

    fn limits(rates: Rates) -> RateLimits {
        RateLimits::new(Some(rates))
    }

    #[test]
    fn the_51st_post_in_a_minute_is_refused_however_slowly_the_first_fifty_came() {
        let limits = limits(Rates::default());
        let ada = person(1);
        for n in 0..50 {
            limits.count(ada, Act::Post, None, T + n * 1_000).expect("fifty are allowed");
        }
        let refusal = limits.count(ada, Act::Post, None, T + 59_000).expect_err("the 51st");
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(1_000)));
        limits.count(ada, Act::Post, None, T + 60_000).expect("the first is a minute old");
        limits.count(ada, Act::Post, None, T + 60_000).expect_err("the second is not");
        limits.count(ada, Act::Comment, None, T + 60_000).expect("comments are counted apart");
        limits.count(person(2), Act::Post, None, T + 60_000).expect("and so are people");
    }

    #[test]
    fn a_retry_is_neither_refused_nor_counted_again() {
        let limits = limits(Rates { posts: 2, ..Rates::default() });
        let ada = person(1);
        for op in ["a", "a", "b", "b", "a"] {
            limits.count(ada, Act::Post, Some(op), T).expect(op);
        }
        limits.count(ada, Act::Post, Some("c"), T).expect_err("a third operation");
    }

    #[test]
    fn who_has_been_quiet_for_a_minute_is_forgotten_and_a_full_memory_lets_newcomers_through() {
        let limits = limits(Rates { posts: 1, people: 2, ..Rates::default() });
        limits.count(person(1), Act::Post, None, T).expect("first");
        limits.count(person(2), Act::Post, None, T).expect("second");
        limits.count(person(3), Act::Post, None, T).expect("no room to count the third");
        limits.count(person(3), Act::Post, None, T).expect("still none");
        limits.count(person(2), Act::Post, None, T).expect_err("the second is counted");
        limits.count(person(3), Act::Post, None, T + WINDOW_MS).expect("room again");
        limits.count(person(3), Act::Post, None, T + WINDOW_MS).expect_err("so now it is counted");
        assert_eq!(limits.recent.lock().acts.len(), 1);
    }

    #[test]
    fn switched_off_nothing_is_counted() {
        let limits = RateLimits::new(None);
        for _ in 0..1_000 {
            limits.count(person(1), Act::Post, None, T).expect("off");
        }
    }
}
