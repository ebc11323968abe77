//! How often a person may do what.
//!
//! Exact: in any minute (for communities: any hour) there are never more than allowed, so that "the 51st post in a
//! minute" is refused however slowly the first fifty came. A retry of a counted operation is let through without being
//! counted again. Time is passed in. Memory is bounded by a setting, and swept.
//!
//! Several nodes tell each other four times a second what they counted ([`Tally`]): a person who acts on *n* of them at once
//! may exceed a limit by what they do on the others in that time.

use super::Rates;
use crate::hub::Tally;
use bytes::Bytes;
use communiconnect_protocol::{Code, ErrorBody, UserId};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Act {
    /// A new post.
    Post,
    /// A new comment.
    Comment,
    /// A reaction.
    Reaction,
    /// A share, or taking one back.
    Share,
    /// A follow or block, a join or leave.
    Follow,
    /// A new community.
    Community,
    /// An upload.
    Upload,
}

/// Counts what people do.
pub struct RateLimits {
    rates: Option<Rates>,
    recent: Mutex<Recent>,
}

/// Hashes ids of operations alike on every node. Whoever makes two of theirs collide gains one act.
const HASHER: BuildHasherDefault<DefaultHasher> = BuildHasherDefault::new();

/// Acts that wait to be told to other nodes, or are told to one that is new; further ones are counted here alone.
const UNTOLD: usize = 65_536;

/// Acts of one piece of what a node that is new is told: about 150 KB.
const PIECE: usize = 4_096;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

#[derive(Default)]
struct Recent {
    acts: HashMap<(UserId, Act), VecDeque<Counted>>,
    /// Length of all queues together.
    remembered: usize,
    swept_at: i64,
    /// What other nodes are still to be told.
    untold: Vec<Acted>,
}

/// One act, as nodes tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Acted {
    user: UserId,
    act: Act,
    at: i64,
    op: Option<u64>,
}

#[derive(Clone, Copy)]
struct Counted {
    at: i64,
    op: Option<u64>,
    /// It went through on this node.
    is_own: bool,
}

impl RateLimits {
    /// Limits at these rates; none lets everything through.
    pub fn new(rates: Option<Rates>) -> Self {
        Self { rates, recent: Mutex::default() }
    }

    /// Counts an act at `at` (milliseconds since 1970 UTC); `op` is the client's id of the operation, where it has one.
    ///
    /// # Errors
    /// `rate_limited` with the time until the next is possible.
    pub fn count(&self, user: UserId, act: Act, op: Option<&str>, at: i64) -> Result<(), ErrorBody> {
        let Some(rates) = self.rates else { return Ok(()) };
        let op = op.map(|op| HASHER.hash_one(op));
        let mut recent = self.recent.lock();
        let Recent { acts, remembered, swept_at, untold } = &mut *recent;
        // Once a minute at most, so that the cost of a look at everybody is spread over all that they did.
        if at - *swept_at >= MINUTE_MS {
            *swept_at = at;
            acts.retain(|(_, act), counted| {
                *remembered -= forget(counted, at - act.window_ms());
                !counted.is_empty()
            });
        }
        let counted = acts.entry((user, act)).or_default();
        *remembered -= forget(counted, at - act.window_ms());
        if op.is_some() && counted.iter().any(|earlier| earlier.op == op) {
            return Ok(());
        }
        let allowed = act.allowed(&rates);
        if counted.len() >= allowed {
            let free_at = counted.front().map_or(at, |first| first.at) + act.window_ms();
            return Err(refusal(act, allowed, free_at - at));
        }
        if *remembered < rates.remembered {
            counted.push_back(Counted { at, op, is_own: true });
            *remembered += 1;
            if untold.len() < UNTOLD {
                untold.push(Acted { user, act, at, op });
            }
        } else if counted.is_empty() {
            acts.remove(&(user, act));
        }
        Ok(())
    }
}

impl Tally for RateLimits {
    fn told(&self) -> Option<Bytes> {
        let untold = std::mem::take(&mut self.recent.lock().untold);
        (!untold.is_empty()).then(|| rmp_serde::to_vec(&untold).expect("our own types always encode").into())
    }

    fn recent(&self, now: i64) -> Vec<Bytes> {
        let recent = self.recent.lock();
        let mut acts = Vec::new();
        for ((user, act), counted) in &recent.acts {
            let counts = |one: &&Counted| one.is_own && one.at > now - act.window_ms();
            let own = counted.iter().filter(counts);
            acts.extend(own.map(|one| Acted { user: *user, act: *act, at: one.at, op: one.op }));
            if acts.len() >= UNTOLD {
                break;
            }
        }
        drop(recent);
        acts.chunks(PIECE)
            .map(|piece| rmp_serde::to_vec(piece).expect("our own types always encode").into())
            .collect()
    }

    fn heard(&self, counted: &[u8]) {
        let (Some(rates), Ok(elsewhere)) = (self.rates, rmp_serde::from_slice::<Vec<Acted>>(counted)) else {
            return;
        };
        let mut recent = self.recent.lock();
        let Recent { acts, remembered, .. } = &mut *recent;
        for Acted { user, act, at, op } in elsewhere {
            let counted = acts.entry((user, act)).or_default();
            let is_known = counted.iter().any(|earlier| match op {
                Some(_) => earlier.op == op,
                // Told again to a node that was away for a while.
                None => earlier.op.is_none() && earlier.at == at && !earlier.is_own,
            });
            if !is_known && *remembered < rates.remembered {
                // Queues are forgotten from the front: an act that comes late keeps its place in time.
                let place = counted.partition_point(|earlier| earlier.at <= at);
                counted.insert(place, Counted { at, op, is_own: false });
                *remembered += 1;
            } else if counted.is_empty() {
                acts.remove(&(user, act));
            }
        }
    }
}

impl Act {
    fn window_ms(self) -> i64 {
        if self == Self::Community { HOUR_MS } else { MINUTE_MS }
    }

    fn allowed(self, rates: &Rates) -> usize {
        let allowed = match self {
            Self::Post => rates.posts_per_minute,
            Self::Comment => rates.comments_per_minute,
            Self::Reaction => rates.reactions_per_minute,
            Self::Share => rates.shares_per_minute,
            Self::Follow => rates.follows_per_minute,
            Self::Community => rates.communities_per_hour,
            Self::Upload => rates.uploads_per_minute,
        };
        usize::try_from(allowed).unwrap_or(usize::MAX)
    }
}

/// Drops what happened at `until` or before; answers how many.
fn forget(counted: &mut VecDeque<Counted>, until: i64) -> usize {
    let before = counted.len();
    while counted.front().is_some_and(|first| first.at <= until) {
        counted.pop_front();
    }
    before - counted.len()
}

fn refusal(act: Act, allowed: usize, wait_ms: i64) -> ErrorBody {
    let span = if act.window_ms() == HOUR_MS { "an hour" } else { "a minute" };
    let wait_ms = u64::try_from(wait_ms).unwrap_or(0).max(1);
    ErrorBody::new(Code::RateLimited, format!("only {allowed} of these {span} are allowed: wait"))
        .retry_after(wait_ms)
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;
    use crate::config::Config;

    const T: i64 = 1_700_000_000_000;

    fn person(n: u8) -> UserId {
        UserId::from_bytes([n; 16])
    }

    fn default_rates() -> Rates {
        Settings::of(&Config::with([]).expect("the defaults")).rates.expect("on by default")
    }

    fn limits(rates: Rates) -> RateLimits {
        RateLimits::new(Some(rates))
    }

    #[test]
    fn the_51st_post_in_a_minute_is_refused_however_slowly_the_first_fifty_came() {
        let limits = limits(default_rates());
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
    fn communities_are_counted_by_the_hour() {
        let limits = limits(Rates { communities_per_hour: 1, ..default_rates() });
        limits.count(person(1), Act::Community, None, T).expect("one is allowed");
        let refusal =
            limits.count(person(1), Act::Community, None, T + MINUTE_MS).expect_err("a minute later");
        assert_eq!(refusal.retry_after_ms, Some(59 * 60_000));
        limits.count(person(1), Act::Community, None, T + HOUR_MS).expect("an hour later");
    }

    #[test]
    fn a_retry_is_neither_refused_nor_counted_again() {
        let limits = limits(Rates { posts_per_minute: 2, ..default_rates() });
        let ada = person(1);
        for op in ["a", "a", "b", "b", "a"] {
            limits.count(ada, Act::Post, Some(op), T).expect(op);
        }
        limits.count(ada, Act::Post, Some("c"), T).expect_err("a third operation");
    }

    #[test]
    fn who_has_been_quiet_for_a_minute_is_forgotten_and_a_full_memory_lets_newcomers_through() {
        let limits = limits(Rates { posts_per_minute: 1, remembered: 2, ..default_rates() });
        limits.count(person(1), Act::Post, None, T).expect("first");
        limits.count(person(2), Act::Post, None, T).expect("second");
        limits.count(person(3), Act::Post, None, T).expect("no room to count the third");
        limits.count(person(3), Act::Post, None, T).expect("still none");
        limits.count(person(2), Act::Post, None, T).expect_err("the second is counted");
        limits.count(person(3), Act::Post, None, T + MINUTE_MS).expect("room again");
        limits.count(person(3), Act::Post, None, T + MINUTE_MS).expect_err("so now it is counted");
        assert_eq!(limits.recent.lock().acts.len(), 1);
    }

    #[test]
    fn what_another_node_counted_counts_here() {
        let rates = Rates { posts_per_minute: 3, ..default_rates() };
        let (here, there) = (limits(rates), limits(rates));
        let ada = person(1);
        there.count(ada, Act::Post, Some("a"), T).expect("one");
        there.count(ada, Act::Post, Some("b"), T + 1).expect("two");
        here.count(ada, Act::Post, Some("c"), T + 2).expect("three");
        here.heard(&there.told().expect("something to tell"));
        assert_eq!(there.told(), None, "told once");
        here.count(ada, Act::Post, Some("b"), T + 3).expect("a retry of what went through elsewhere");
        let refusal = here.count(ada, Act::Post, Some("d"), T + 3).expect_err("a fourth");
        assert_eq!(refusal.retry_after_ms, Some(MINUTE_MS.cast_unsigned() - 3), "the first was elsewhere");
        here.heard(b"nonsense");
    }

    #[test]
    fn a_node_that_comes_later_hears_what_still_matters_and_counts_it_once() {
        let rates = Rates { posts_per_minute: 3, follows_per_minute: 2, ..default_rates() };
        let (here, there) = (limits(rates), limits(rates));
        let (ada, now) = (person(1), T + MINUTE_MS);
        there.count(ada, Act::Post, Some("old"), T).expect("a minute ago");
        there.count(ada, Act::Post, Some("a"), now - 1).expect("one");
        there.count(ada, Act::Follow, None, now - 1).expect("one");
        there.told();
        for _ in 0..2 {
            there.recent(now).iter().for_each(|piece| here.heard(piece));
        }
        here.count(ada, Act::Follow, None, now).expect("a second");
        here.count(ada, Act::Follow, None, now).expect_err("a third");
        here.count(ada, Act::Post, Some("b"), now).expect("two");
        here.count(ada, Act::Post, Some("c"), now).expect("three");
        here.count(ada, Act::Post, Some("d"), now).expect_err("a fourth");
        let own: Vec<Acted> = rmp_serde::from_slice(&here.recent(now)[0]).expect("a piece");
        assert_eq!(own.len(), 3, "each node tells its own");
    }

    #[test]
    fn switched_off_nothing_is_counted() {
        let limits = RateLimits::new(None);
        for _ in 0..1_000 {
            limits.count(person(1), Act::Post, None, T).expect("off");
        }
    }
}
