//! How often people may write and react, and how taps become bursts.
//!
//! Pure: the time is passed in. What a message says, and whether a person may write at all, is judged elsewhere.

use communiconnect_protocol::{LiveReactions, ReactionCounts, ReactionKind, UserId};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

/// How often one person may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatRates {
    /// Messages in any second; 0 is no limit.
    pub messages: usize,
    /// Reactions in any second; 0 is no limit.
    pub reactions: usize,
}

impl Default for ChatRates {
    fn default() -> Self {
        Self { messages: 5, reactions: 10 }
    }
}

/// Too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Duration);

/// The pace of one live's chat.
#[derive(Debug)]
pub struct ChatPace {
    rates: ChatRates,
    slow: Duration,
    hasher: RandomState,
    recent: HashMap<UserId, VecDeque<Written>>,
    swept: Option<Instant>,
    people: HashSet<UserId>,
    messages: u64,
}

#[derive(Clone, Copy, Debug)]
struct Written {
    at: Instant,
    op: u64,
}

/// The span that rates count in.
const SPAN: Duration = Duration::from_secs(1);

/// The longest slow mode.
pub const SLOWEST: Duration = Duration::from_secs(300);

/// People whose last message is remembered at most; beyond it, newcomers are let through. About 100 bytes each.
const REMEMBERED: usize = 20_000;

/// People who wrote, counted exactly up to here; beyond it the number stands still.
const WRITERS: usize = 20_000;

impl ChatPace {
    /// A chat in which nobody has written yet.
    pub fn new(rates: ChatRates) -> Self {
        Self {
            rates,
            slow: Duration::ZERO,
            hasher: RandomState::new(),
            recent: HashMap::new(),
            swept: None,
            people: HashSet::new(),
            messages: 0,
        }
    }

    /// The pause between two messages of a person; longer ones than [`SLOWEST`] are cut.
    pub fn set_slow(&mut self, pause: Duration) {
        self.slow = pause.min(SLOWEST);
    }

    /// A person wishes to write under this operation. The same operation again is a retry, neither refused nor counted.
    /// `is_exempt` are those who keep order: the slow mode is not for them, the rate is.
    ///
    /// # Errors
    /// [`Wait`] with the time until the next message is possible.
    pub fn write(&mut self, user: UserId, op: &str, is_exempt: Exempt, now: Instant) -> Result<(), Wait> {
        self.sweep(now);
        let op = self.hasher.hash_one(op);
        let full = self.recent.len() >= REMEMBERED && !self.recent.contains_key(&user);
        if full {
            return Ok(());
        }
        let written = self.recent.entry(user).or_default();
        if written.iter().any(|earlier| earlier.op == op) {
            return Ok(());
        }
        let keep = self.rates.messages.max(1);
        let by_rate = written.iter().rev().nth(keep - 1).filter(|_| self.rates.messages > 0);
        let free_at = by_rate.map(|earlier| earlier.at + SPAN);
        let by_slow = written.back().filter(|_| is_exempt == Exempt::No).map(|last| last.at + self.slow);
        let free_at = free_at.max(by_slow);
        if let Some(free_at) = free_at.filter(|free_at| *free_at > now) {
            return Err(Wait(free_at - now));
        }
        if written.len() == keep {
            written.pop_front();
        }
        written.push_back(Written { at: now, op });
        Ok(())
    }

    /// A message was written.
    pub fn written(&mut self, user: UserId) {
        self.messages += 1;
        if self.people.len() < WRITERS {
            self.people.insert(user);
        }
    }

    /// Messages and people so far.
    pub fn totals(&self) -> (u64, u64) {
        (self.messages, self.people.len() as u64)
    }

    /// Forgets who has been silent for long enough, once in that long.
    fn sweep(&mut self, now: Instant) {
        let memory = SPAN.max(self.slow);
        if self.swept.is_some_and(|swept| now < swept + memory) {
            return;
        }
        self.swept = Some(now);
        self.recent.retain(|_, written| written.back().is_some_and(|last| last.at + memory > now));
    }
}

/// Whether the slow mode is for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exempt {
    /// It is.
    No,
    /// They keep order.
    Yes,
}

/// Reactions of one live: many taps, few signals.
#[derive(Debug)]
pub struct Bursts {
    rates: ChatRates,
    taps: HashMap<UserId, (Instant, usize)>,
    window: Option<Window>,
    totals: ReactionCounts,
}

#[derive(Debug)]
struct Window {
    ends: Instant,
    counts: ReactionCounts,
}

/// How long taps are gathered.
pub const WINDOW: Duration = Duration::from_millis(250);

impl Bursts {
    /// Nobody has tapped yet.
    pub fn new(rates: ChatRates) -> Self {
        Self { rates, taps: HashMap::new(), window: None, totals: ReactionCounts::new() }
    }

    /// A person taps.
    ///
    /// # Errors
    /// [`Wait`] with the time until the next tap counts.
    pub fn tap(&mut self, user: UserId, kind: ReactionKind, now: Instant) -> Result<(), Wait> {
        if self.rates.reactions > 0 {
            if self.taps.len() >= REMEMBERED {
                self.taps.retain(|_, (began, _)| now < *began + SPAN);
            }
            let (began, count) = self.taps.entry(user).or_insert((now, 0));
            if now >= *began + SPAN {
                (*began, *count) = (now, 0);
            }
            if *count >= self.rates.reactions {
                return Err(Wait(*began + SPAN - now));
            }
            *count += 1;
        }
        *self.totals.entry(kind).or_default() += 1;
        let window =
            self.window.get_or_insert_with(|| Window { ends: now + WINDOW, counts: ReactionCounts::new() });
        *window.counts.entry(kind).or_default() += 1;
        Ok(())
    }

    /// When the open window is over; none where nobody has tapped.
    pub fn deadline(&self) -> Option<Instant> {
        self.window.as_ref().map(|window| window.ends)
    }

    /// What was tapped in the window that is over.
    pub fn take(&mut self, now: Instant) -> Option<LiveReactions> {
        let window = self.window.take_if(|window| window.ends <= now)?;
        let window_ms = u64::try_from(WINDOW.as_millis()).unwrap_or(u64::MAX);
        Some(LiveReactions { counts: window.counts, window_ms })
    }

    /// All taps so far.
    pub fn totals(&self) -> &ReactionCounts {
        &self.totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    fn person(number: u8) -> UserId {
        UserId::from_bytes([number; 16])
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_sixth_message_of_a_second_waits() {
        let (mut pace, now) = (ChatPace::new(ChatRates::default()), Instant::now());
        for number in 0..5 {
            pace.write(person(1), &number.to_string(), Exempt::No, now + 100 * number * MS).expect("five");
        }
        assert_eq!(pace.write(person(1), "6", Exempt::No, now + 500 * MS), Err(Wait(500 * MS)));
        assert_eq!(pace.write(person(1), "2", Exempt::No, now + 500 * MS), Ok(()), "a retry");
        assert_eq!(pace.write(person(2), "6", Exempt::No, now + 500 * MS), Ok(()), "somebody else");
        assert_eq!(pace.write(person(1), "6", Exempt::No, now + 1_000 * MS), Ok(()));
        assert_eq!(pace.write(person(1), "7", Exempt::No, now + 1_000 * MS), Err(Wait(100 * MS)));
    }

    #[test]
    fn in_slow_mode_a_person_waits_between_two_messages_unless_they_keep_order() {
        let (mut pace, now) = (ChatPace::new(ChatRates::default()), Instant::now());
        pace.set_slow(Duration::from_secs(10));
        pace.write(person(1), "a", Exempt::No, now).expect("the first");
        let later = now + 4_000 * MS;
        assert_eq!(pace.write(person(1), "b", Exempt::No, later), Err(Wait(6_000 * MS)));
        assert_eq!(pace.write(person(1), "b", Exempt::Yes, later), Ok(()));
        pace.set_slow(Duration::ZERO);
        assert_eq!(pace.write(person(1), "c", Exempt::No, later), Ok(()));
        pace.set_slow(Duration::from_secs(100_000));
        let refused = pace.write(person(1), "d", Exempt::No, later);
        assert_eq!(refused, Err(Wait(SLOWEST)), "no longer than five minutes");
    }

    #[test]
    fn who_is_silent_is_forgotten() {
        let (mut pace, mut now) = (ChatPace::new(ChatRates::default()), Instant::now());
        for number in 0..=255 {
            pace.write(person(number), "a", Exempt::No, now).expect("the first");
        }
        now += 2 * SPAN;
        pace.write(person(1), "b", Exempt::No, now).expect("long after");
        assert_eq!(pace.recent.len(), 1);
    }

    #[test]
    fn taps_of_a_window_are_one_burst_and_none_is_lost() {
        let seed: u64 = rand::rng().random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let (mut bursts, mut now) = (Bursts::new(ChatRates { messages: 0, reactions: 0 }), Instant::now());
        let (mut told, mut tapped, mut signals) = (0, 0, 0);
        let began = now;
        for _ in 0..10_000 {
            now += MS * random.random_range(0..20);
            if let Some(burst) = bursts.take(now) {
                signals += 1;
                told += burst.counts.values().sum::<u64>();
            }
            let kind = ReactionKind::ALL[random.random_range(0..ReactionKind::ALL.len())];
            bursts.tap(person(random.random_range(0..200)), kind, now).expect("no limit");
            tapped += 1;
        }
        told += bursts.take(now + WINDOW).map_or(0, |burst| burst.counts.values().sum::<u64>());
        assert_eq!((told, bursts.totals().values().sum::<u64>()), (tapped, tapped));
        let most = (now - began).as_millis() / WINDOW.as_millis() + 1;
        assert!(signals as u128 <= most, "{signals} signals in {most} windows");
        assert_eq!(bursts.deadline(), None, "nothing waits where nobody taps");
    }

    #[test]
    fn ten_taps_a_second_count() {
        let (mut bursts, now) = (Bursts::new(ChatRates::default()), Instant::now());
        for _ in 0..10 {
            bursts.tap(person(1), ReactionKind::Love, now).expect("ten");
        }
        assert_eq!(bursts.tap(person(1), ReactionKind::Love, now + 400 * MS), Err(Wait(600 * MS)));
        assert_eq!(bursts.tap(person(1), ReactionKind::Love, now + SPAN), Ok(()));
    }
}
