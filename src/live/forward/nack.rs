//! Asking for packets that did not come (RFC 4585 §6.2.1): when, how often, and when to give up.
//!
//! Owns the list of what one stream misses. What came as padding was received and is never asked for.

use std::time::{Duration, Instant};

/// What one stream misses.
#[derive(Debug)]
pub struct NackList {
    most_tries: u32,
    newest: Option<u64>,
    /// In order of their index.
    missing: Vec<Missing>,
    /// The earliest time that anything is due, no later than the truth.
    due: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    index: u64,
    since: Instant,
    asked: Option<Instant>,
    tries: u32,
}

/// What a packet's arrival means for what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the newest, and follows the one before.
    Next,
    /// It is the newest, and some before it are missing now.
    AfterGap,
    /// It is the newest, after a gap too wide to be repaired: nothing that was missing is asked for any more.
    AfterBreak,
    /// It was missing. With the time since it was asked for, if it was asked for exactly once: a round trip.
    Repair(Option<Duration>),
    /// It was not missing.
    Old,
}

impl NackList {
    /// Asks for each packet at most `most_tries` times; 0 where the publisher repeats nothing: then it only notices what is lost.
    pub fn new(most_tries: u32) -> Self {
        Self { most_tries, newest: None, missing: Vec::new(), due: None }
    }

    /// Forgets everything: the stream begins anew.
    pub fn restart(&mut self) {
        *self = Self::new(self.most_tries);
    }

    /// Notes that a packet came, whether with payload or as padding alone.
    pub fn on_packet(&mut self, now: Instant, index: u64) -> Arrival {
        let Some(newest) = self.newest else {
            self.newest = Some(index);
            return Arrival::Next;
        };
        if index <= newest {
            let Ok(at) = self.missing.binary_search_by_key(&index, |missing| missing.index) else {
                return Arrival::Old;
            };
            let missing = self.missing.remove(at);
            let asked = missing.asked.filter(|_| missing.tries == 1);
            return Arrival::Repair(asked.map(|asked| now.saturating_duration_since(asked)));
        }
        self.newest = Some(index);
        let gap = index - newest - 1;
        if gap == 0 {
            return Arrival::Next;
        }
        if gap as usize + self.missing.len() > MOST_MISSING {
            self.missing.clear();
            self.due = None;
            return Arrival::AfterBreak;
        }
        self.missing.extend((newest + 1..index).map(|index| Missing {
            index,
            since: now,
            asked: None,
            tries: 0,
        }));
        self.is_due_by(now + PATIENCE);
        Arrival::AfterGap
    }

    /// When something is to be asked for or given up.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Appends what is to be asked for now, at most `room` numbers, and to `given_up` what will not be asked for again.
    pub fn poll(&mut self, now: Instant, round_trip: Duration, room: usize, lists: &mut Lists) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let again = (round_trip * 5 / 4).max(LEAST_REPEAT) + PATIENCE;
        let most_tries = self.most_tries;
        let life = if most_tries == 0 { UNASKED_LIFE } else { (round_trip * 4).clamp(LEAST_LIFE, MOST_LIFE) };
        let mut room = room;
        self.due = None;
        self.missing.retain_mut(|missing| {
            let end = missing.since + life;
            let due_again = missing.asked.map_or(missing.since + PATIENCE, |asked| asked + again);
            if end <= now || (missing.tries > 0 && missing.tries >= most_tries && due_again <= now) {
                lists.given_up.push(missing.index);
                return false;
            }
            let mut due = if most_tries == 0 { end } else { due_again };
            // Repeats that are due within a moment go along; a first request keeps its patience.
            let along = if missing.tries > 0 { BATCH } else { Duration::ZERO };
            if due <= now + along && missing.tries < most_tries && room > 0 {
                room -= 1;
                lists.asked.push(missing.index);
                missing.asked = Some(now);
                missing.tries += 1;
                due = now + again;
            }
            let due = due.min(end);
            self.due = Some(self.due.map_or(due, |other| other.min(due)));
            true
        });
    }

    fn is_due_by(&mut self, due: Instant) {
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
    }

    /// How many packets are missing and still asked for.
    pub fn len(&self) -> usize {
        self.missing.len()
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }
}

/// What a poll yields, reused from poll to poll.
#[derive(Debug, Default)]
pub struct Lists {
    /// To be asked for, in order.
    pub asked: Vec<u64>,
    /// Given up, in order.
    pub given_up: Vec<u64>,
}

/// Packets as pairs of a number and a bitmap of the sixteen after it.
pub fn pairs(indices: &[u64]) -> Vec<(u16, u16)> {
    let mut pairs: Vec<(u64, u16)> = Vec::new();
    for &index in indices {
        match pairs.last_mut() {
            Some((first, bitmap)) if (1..=16).contains(&(index - *first)) => {
                *bitmap |= 1 << (index - *first - 1)
            }
            _ => pairs.push((index, 0)),
        }
    }
    pairs.into_iter().map(|(first, bitmap)| (first as u16, bitmap)).collect()
}

/// A packet that was only overtaken mostly comes within this.
const PATIENCE: Duration = Duration::from_millis(10);
/// Repeats this close together go in one message.
const BATCH: Duration = Duration::from_millis(5);
/// However short the way, an answer takes a moment to be made.
const LEAST_REPEAT: Duration = Duration::from_millis(20);
/// How often a packet is asked for: over a way that loses a third of everything, one in a thousand stays missing.
pub const MOST_TRIES: u32 = 10;
/// How long a packet is worth repairing: four round trips, within what viewers wait for.
const LEAST_LIFE: Duration = Duration::from_secs(1);
const MOST_LIFE: Duration = Duration::from_secs(2);
/// How long a packet that nobody repeats may be late.
const UNASKED_LIFE: Duration = Duration::from_millis(200);
/// Half a second of 12 Mbit/s: who misses more has lost the way, not packets.
const MOST_MISSING: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(80);

    fn poll(list: &mut NackList, now: Instant) -> Lists {
        let mut lists = Lists::default();
        list.poll(now, ROUND_TRIP, 1_000, &mut lists);
        lists
    }

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_packet_that_was_only_overtaken_is_not_asked_for() {
        let (start, mut list) = (Instant::now(), NackList::new(MOST_TRIES));
        list.on_packet(start, 10);
        assert_eq!(list.on_packet(start, 12), Arrival::AfterGap);
        assert!(poll(&mut list, at(start, 9)).asked.is_empty());
        assert_eq!(list.on_packet(at(start, 9), 11), Arrival::Repair(None));
        assert!(poll(&mut list, at(start, 500)).asked.is_empty());
        assert_eq!(list.poll_timeout(), None);
    }

    #[test]
    fn what_is_missing_is_asked_for_once_a_round_trip_and_then_given_up() {
        let (start, mut list) = (Instant::now(), NackList::new(MOST_TRIES));
        list.on_packet(start, 1);
        list.on_packet(start, 4);
        let mut now = start;
        let mut asked = Vec::new();
        let mut given_up = Vec::new();
        while let Some(due) = list.poll_timeout() {
            assert!(due > now, "time goes on");
            now = due;
            let lists = poll(&mut list, now);
            asked.extend((!lists.asked.is_empty()).then_some((now - start, lists.asked)));
            given_up.extend(lists.given_up);
        }
        assert_eq!(asked.len(), 9, "every 110 ms within a second: {asked:?}");
        assert!(asked.iter().all(|(_, indices)| *indices == [2, 3]));
        assert!(asked.windows(2).all(|pair| pair[1].0 - pair[0].0 >= ROUND_TRIP));
        assert_eq!((given_up, now - start), (vec![2, 3], Duration::from_secs(1)));
    }

    #[test]
    fn repeats_close_together_go_in_one_message_and_room_is_kept() {
        let (start, mut list) = (Instant::now(), NackList::new(MOST_TRIES));
        list.on_packet(start, 1);
        list.on_packet(start, 3);
        list.on_packet(at(start, 4), 5);
        assert_eq!(poll(&mut list, at(start, 10)).asked, [2]);
        assert_eq!(poll(&mut list, at(start, 14)).asked, [4]);
        assert_eq!(poll(&mut list, at(start, 120)).asked, [2, 4]);

        list.on_packet(at(start, 121), 20);
        let mut lists = Lists::default();
        list.poll(at(start, 131), ROUND_TRIP, 4, &mut lists);
        assert_eq!(lists.asked, [6, 7, 8, 9]);
        assert!(list.poll_timeout().is_some_and(|due| due <= at(start, 131)), "the rest is due at once");
    }

    #[test]
    fn an_answer_to_a_single_request_measures_the_round_trip() {
        let (start, mut list) = (Instant::now(), NackList::new(MOST_TRIES));
        list.on_packet(start, 1);
        list.on_packet(start, 3);
        poll(&mut list, at(start, 10));
        assert_eq!(list.on_packet(at(start, 70), 2), Arrival::Repair(Some(Duration::from_millis(60))));
        assert_eq!(list.on_packet(at(start, 71), 2), Arrival::Old);
    }

    #[test]
    fn a_gap_too_wide_is_a_break_and_forgets_what_was_missing() {
        let (start, mut list) = (Instant::now(), NackList::new(MOST_TRIES));
        list.on_packet(start, 1);
        list.on_packet(start, 3);
        assert_eq!(list.on_packet(start, 5_000), Arrival::AfterBreak);
        assert!(list.is_empty() && list.poll_timeout().is_none());
        assert_eq!(list.on_packet(start, 5_001), Arrival::Next);
    }

    #[test]
    fn where_nothing_is_repeated_nothing_is_asked_for_but_losses_are_noticed() {
        let (start, mut list) = (Instant::now(), NackList::new(0));
        list.on_packet(start, 1);
        list.on_packet(start, 3);
        let lists = poll(&mut list, at(start, 150));
        assert_eq!((lists.asked, lists.given_up), (vec![], vec![]));
        let lists = poll(&mut list, at(start, 200));
        assert_eq!((lists.asked, lists.given_up), (vec![], vec![2]));
    }

    #[test]
    fn sequence_numbers_are_packed_across_the_wrap() {
        assert_eq!(
            pairs(&[65_535, 65_536, 65_551, 65_552, 65_600]),
            [(65_535, 0b1000_0000_0000_0001), (16, 0), (64, 0)]
        );
        assert!(pairs(&[]).is_empty());
    }
}
