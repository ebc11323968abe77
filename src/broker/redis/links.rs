//! What the hub is told of Redis as a whole, out of what the connections of its servers do.
//!
//! Everything comes again only when the last server that was lost is back; what one of them brings back before is looked for
//! at once all the same.

use crate::broker::{Deliver, LinkState};
use parking_lot::Mutex;
use std::sync::Arc;

/// The connections that a node listens on.
pub(super) struct Links {
    deliver: Arc<dyn Deliver>,
    /// How many of them are not listened to. Held while the hub is told, so that its last word is the last that was true.
    lost: Mutex<usize>,
}

impl Links {
    /// Nobody is listened to yet.
    pub(super) fn new(deliver: &Arc<dyn Deliver>) -> Self {
        deliver.link(LinkState::Lost);
        Self { deliver: Arc::clone(deliver), lost: Mutex::default() }
    }

    /// Something was not delivered here, or another node could not tell: `deliver` brings what did come meanwhile.
    pub(super) fn missed(&self, deliver: impl FnOnce()) {
        self.deliver.link(LinkState::Returning);
        deliver();
        self.deliver.link(LinkState::Missed);
    }
}

/// One connection, and what became of it.
pub(super) struct Link {
    links: Arc<Links>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Lost,
    Returning,
    Whole,
    Over,
}

impl Link {
    /// One more that is to be listened to, and is not yet.
    pub(super) fn of(links: &Arc<Links>) -> Self {
        *links.lost.lock() += 1;
        Self { links: Arc::clone(links), state: Mutex::new(State::Lost) }
    }

    /// Broadcasts may come from now on.
    pub(super) fn returning(&self) {
        *self.state.lock() = State::Returning;
        self.links.deliver.link(LinkState::Returning);
    }

    /// All come from now on.
    pub(super) fn returned(&self) {
        *self.state.lock() = State::Whole;
        self.one_less();
    }

    /// It needs no connection to be whole.
    pub(super) fn found(&self) {
        if *self.state.lock() != State::Whole {
            self.returning();
            self.returned();
        }
    }

    /// It is broken; whether it was there. What a return began ends here too.
    pub(super) fn lost(&self) -> bool {
        let mut state = self.state.lock();
        let mut lost = self.links.lost.lock();
        match *state {
            State::Lost | State::Over => return false,
            State::Returning => {}
            State::Whole => *lost += 1,
        }
        *state = State::Lost;
        self.links.deliver.link(LinkState::Lost);
        true
    }

    /// Nothing is to be heard on it any more.
    pub(super) fn over(&self) {
        let mut state = self.state.lock();
        let was_lost = matches!(*state, State::Lost | State::Returning);
        *state = State::Over;
        drop(state);
        if was_lost {
            self.one_less();
        }
    }

    fn one_less(&self) {
        let mut lost = self.links.lost.lock();
        *lost = lost.saturating_sub(1);
        let state = if *lost == 0 { LinkState::Returned } else { LinkState::Missed };
        self.links.deliver.link(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::conformance::Inbox;
    use LinkState::{Lost, Missed, Returned, Returning};

    #[test]
    fn all_is_back_when_the_last_is_back() {
        let inbox = Arc::<Inbox>::default();
        let deliver: Arc<dyn Deliver> = inbox.clone();
        let links = Arc::new(Links::new(&deliver));
        let (one, other) = (Link::of(&links), Link::of(&links));
        let mut said = 0;
        let mut told = || {
            let links = inbox.links().split_off(said);
            said += links.len();
            links
        };
        assert_eq!(told(), [Lost]);
        one.returning();
        one.returned();
        assert_eq!(told(), [Returning, Missed], "the other is not back");
        links.missed(|| ());
        assert_eq!(told(), [Returning, Missed]);
        other.returning();
        assert!(other.lost() && !other.lost(), "what it began has ended, once");
        other.returning();
        other.returned();
        assert_eq!(told(), [Returning, Lost, Returning, Returned]);
        assert!(one.lost());
        links.missed(|| ());
        one.over();
        assert_eq!(told(), [Lost, Returning, Missed, Returned], "who is gone is missed no more");
    }
}
