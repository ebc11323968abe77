//! Which lanes this node listens to: the first subscriber of a lane brings it, the last takes it away.
//!
//! Wishes are counted here and carried out by the one task that holds a lane's subscribe connection, one command after
//! the other; so joining and leaving cannot overtake each other on the wire.

use super::names::{LANES, Lane};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// Lanes by who wants them and what Redis has confirmed.
#[derive(Debug)]
pub(super) struct Interest {
    lanes: Mutex<Vec<Wish>>,
    /// Some wish changed.
    changed: watch::Sender<()>,
    /// Some confirmation came, or a connection was lost.
    settled: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    listeners: usize,
    /// Redis delivers the lane.
    is_confirmed: bool,
    /// There is a connection that will ask for it.
    is_reachable: bool,
}

/// What must be told to Redis.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) join: Vec<Lane>,
    pub(super) part: Vec<Lane>,
}

impl Interest {
    pub(super) fn new() -> Self {
        Self {
            lanes: Mutex::new(vec![Wish::default(); usize::from(LANES)]),
            changed: watch::channel(()).0,
            settled: Notify::new(),
        }
    }

    /// One more listener. The answer takes it back when it is dropped, unless it is kept.
    pub(super) fn enter(&self, lane: Lane) -> Entry<'_> {
        self.lanes.lock()[lane.index()].listeners += 1;
        self.changed.send_replace(());
        Entry { interest: self, lane, is_kept: false }
    }

    /// One listener less.
    pub(super) fn leave(&self, lane: Lane) {
        let mut lanes = self.lanes.lock();
        let wish = &mut lanes[lane.index()];
        wish.listeners = wish.listeners.saturating_sub(1);
        if wish.listeners == 0 {
            self.changed.send_replace(());
        }
    }

    /// Resolves once Redis delivers the lane, or at once while nobody can be asked for it.
    pub(super) async fn settled(&self, lane: Lane) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            let wish = self.lanes.lock()[lane.index()];
            if wish.is_confirmed || !wish.is_reachable {
                return;
            }
            settled.await;
        }
    }

    /// Wakes whenever some wish changed.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A connection stands that serves these lanes.
    pub(super) fn reach(&self, lanes: &[Lane]) {
        let mut wishes = self.lanes.lock();
        lanes.iter().for_each(|lane| wishes[lane.index()].is_reachable = true);
    }

    /// What the connection that serves `lanes` must tell Redis. A lane that is parted from is not confirmed from now on:
    /// whoever enters it meanwhile waits for it to be joined again.
    pub(super) fn changes(&self, lanes: &[Lane]) -> Changes {
        let mut wishes = self.lanes.lock();
        let mut changes = Changes::default();
        for lane in lanes {
            let wish = &mut wishes[lane.index()];
            match (wish.listeners > 0, wish.is_confirmed) {
                (true, false) => changes.join.push(*lane),
                (false, true) => {
                    wish.is_confirmed = false;
                    changes.part.push(*lane);
                }
                _ => {}
            }
        }
        changes
    }

    /// Redis delivers these lanes.
    pub(super) fn confirm(&self, lanes: &[Lane]) {
        let mut wishes = self.lanes.lock();
        lanes.iter().for_each(|lane| wishes[lane.index()].is_confirmed = true);
        self.settled.notify_waiters();
    }

    /// The connection that served these lanes is gone.
    pub(super) fn lose(&self, lanes: &[Lane]) {
        let mut wishes = self.lanes.lock();
        for lane in lanes {
            let wish = &mut wishes[lane.index()];
            (wish.is_confirmed, wish.is_reachable) = (false, false);
        }
        // A lane that has moved may be wanted of another server by now.
        self.changed.send_replace(());
        self.settled.notify_waiters();
    }
}

/// A listener that is taken back unless it is kept: whoever joins may be dropped while Redis is asked.
#[must_use]
pub(super) struct Entry<'a> {
    interest: &'a Interest,
    lane: Lane,
    is_kept: bool,
}

impl Entry<'_> {
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.interest.leave(self.lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn lanes() -> (Lane, Vec<Lane>) {
        let all: Vec<_> = Lane::all().collect();
        (all[0], all)
    }

    #[test]
    fn first_in_joins_and_last_out_parts() {
        let (interest, (lane, all)) = (Interest::new(), lanes());
        interest.enter(lane).keep();
        interest.enter(lane).keep();
        assert_eq!(interest.changes(&all).join, [lane]);
        interest.confirm(&[lane]);
        assert_eq!(interest.changes(&all), Changes::default());
        interest.leave(lane);
        assert_eq!(interest.changes(&all), Changes::default());
        interest.leave(lane);
        assert_eq!(interest.changes(&all).part, [lane]);
    }

    #[test]
    fn whoever_enters_while_it_is_parted_from_waits_for_a_new_joining() {
        let (interest, (lane, all)) = (Interest::new(), lanes());
        interest.reach(&all);
        interest.enter(lane).keep();
        interest.changes(&all);
        interest.confirm(&[lane]);
        interest.leave(lane);
        assert_eq!(interest.changes(&all).part, [lane]);
        interest.enter(lane).keep();
        assert!(interest.settled(lane).now_or_never().is_none(), "the old confirmation counts no more");
        assert_eq!(interest.changes(&all).join, [lane]);
        interest.confirm(&[lane]);
        assert!(interest.settled(lane).now_or_never().is_some());
    }

    #[test]
    fn nobody_waits_for_what_cannot_be_asked() {
        let (interest, (lane, all)) = (Interest::new(), lanes());
        assert!(interest.settled(lane).now_or_never().is_some());
        interest.reach(&all);
        interest.enter(lane).keep();
        assert!(interest.settled(lane).now_or_never().is_none());
        interest.lose(&all);
        assert!(interest.settled(lane).now_or_never().is_some());
        assert_eq!(interest.changes(&all).join, [lane], "and it is joined when there is a connection again");
    }

    #[test]
    fn a_listener_that_gives_up_counts_no_more() {
        let (interest, (lane, all)) = (Interest::new(), lanes());
        drop(interest.enter(lane));
        assert_eq!(interest.changes(&all), Changes::default());
    }
}
