//! What all sessions of one person share on this node: how many there are, and how often they may ask.

use super::rate::Rate;
use communiconnect_protocol::UserId;
use dashmap::DashMap;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Commands of one person after which other nodes are told: who asks little is not worth a word.
pub(super) const LOT: u32 = 4;

/// One person with at least one session here.
#[derive(Debug)]
pub(super) struct PersonEntry {
    user: UserId,
    rate: Mutex<Rate>,
    /// Commands that went through since other nodes were told.
    untold: AtomicU32,
    /// Of all people: who has a lot to tell.
    busy: Arc<Mutex<Vec<UserId>>>,
}

impl PersonEntry {
    fn new(user: UserId, busy: &Arc<Mutex<Vec<UserId>>>) -> Self {
        Self { user, rate: Mutex::default(), untold: AtomicU32::new(0), busy: Arc::clone(busy) }
    }

    /// Takes one command from the rate that the person's sessions share.
    pub(super) fn take_command(&self, now: u64, per_second: u32) -> Result<(), u64> {
        self.rate.lock().take(now, per_second)?;
        if self.untold.fetch_add(1, Ordering::Relaxed) + 1 == LOT {
            self.busy.lock().push(self.user);
        }
        Ok(())
    }
}

/// People by id; an entry lives as long as a session holds it.
#[derive(Debug, Default)]
pub(super) struct People {
    entries: DashMap<UserId, (Arc<PersonEntry>, usize)>,
    busy: Arc<Mutex<Vec<UserId>>>,
}

impl People {
    /// Counts one more session; none where there are `limit` already (0 is no limit).
    pub(super) fn enter(&self, user: UserId, limit: usize) -> Option<Arc<PersonEntry>> {
        let mut entry =
            self.entries.entry(user).or_insert_with(|| (Arc::new(PersonEntry::new(user, &self.busy)), 0));
        if limit > 0 && entry.1 >= limit {
            return None;
        }
        entry.1 += 1;
        Some(Arc::clone(&entry.0))
    }

    /// How many people there are.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Commands that went through since the last time, of people with a lot of them.
    pub(super) fn take_used(&self) -> Vec<(UserId, u32)> {
        let busy = std::mem::take(&mut *self.busy.lock());
        let used = busy.into_iter().filter_map(|user| {
            let entry = self.entries.get(&user)?;
            Some((user, entry.0.untold.swap(0, Ordering::Relaxed)))
        });
        used.collect()
    }

    /// Counts commands that went through on another node, for people who are here as well.
    pub(super) fn spend(&self, used: &[(UserId, u32)], now: u64, per_second: u32) {
        for (user, count) in used {
            if let Some(entry) = self.entries.get(user) {
                entry.0.rate.lock().spend(now, *count, per_second);
            }
        }
    }

    /// One session less.
    pub(super) fn leave(&self, person: &PersonEntry) {
        self.entries.remove_if_mut(&person.user, |_, (_, sessions)| {
            *sessions -= 1;
            *sessions == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_sessions_and_no_more() {
        let people = People::default();
        let user = UserId::new(1);
        let first = people.enter(user, 2).expect("the first");
        let second = people.enter(user, 2).expect("the second");
        assert!(people.enter(user, 2).is_none());
        people.leave(&first);
        let third = people.enter(user, 2).expect("one has left");
        people.leave(&second);
        people.leave(&third);
        assert!(people.entries.is_empty(), "nobody is remembered for ever");
    }

    #[test]
    fn sessions_share_one_rate() {
        let people = People::default();
        let user = UserId::new(1);
        let (a, b) = (people.enter(user, 0).expect("a"), people.enter(user, 0).expect("b"));
        assert_eq!(a.take_command(0, 1), Ok(()));
        assert_eq!(b.take_command(0, 1), Err(1_000));
    }
}
