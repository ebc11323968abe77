//! What a broker that may lose asks of the hub: looks at the log's heads while all seems well, and after its return
//! rights first, then publications, then states.

use super::{Hub, SessionHandle, away::Rounds, channel::ChannelEntry, pages::state_of};
use crate::{broker::LinkState, store::Reader};
use communiconnect_protocol::{Channel, StateItem, UnsubscribeReason, UserId};
use futures_util::{StreamExt, stream};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Between two looks at heads, and so the longest that a lost tail or a broker's outage holds anything up.
const LOOK_PACE: Duration = Duration::from_secs(1);
/// Pause before a look is repeated that the store could not answer.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Channels looked at together after a return: enough to keep a store's readers busy, few enough to leave room for others.
const TOGETHER: usize = 8;

/// Whether the broker loses at the moment.
#[derive(Debug, Default)]
pub(super) struct Wholeness {
    /// There is a broker that may lose.
    may_lose: AtomicBool,
    /// The log moves without the broker's word.
    log_moves_alone: AtomicBool,
    /// It is away.
    is_away: AtomicBool,
    /// Something was missed: everything must be looked at.
    missed: Notify,
}

impl Wholeness {
    /// Whether there is a broker that may lose, and so other nodes.
    pub(super) fn may_lose(&self) -> bool {
        self.may_lose.load(Ordering::Relaxed)
    }

    /// Whether the log can hold what nobody delivered here.
    fn must_look(&self) -> bool {
        self.may_lose() || self.log_moves_alone.load(Ordering::Relaxed)
    }

    /// Whether the broker is away.
    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Something was missed: everything is looked at soon.
    pub(super) fn missed(&self) {
        self.missed.notify_one();
    }
}

/// Sessions that see the same, since one person or guests have them, under who that is.
pub(super) type Readers = HashMap<Option<UserId>, (Reader, Vec<Arc<SessionHandle>>)>;

impl Hub {
    /// The log lies on a server: a commit may stand there whose answer was lost, so that nobody published what it wrote.
    /// From now on heads are compared also where the broker itself loses nothing.
    pub fn log_may_move_alone(&self) {
        self.whole.log_moves_alone.store(true, Ordering::Relaxed);
    }

    /// The broker's word on its losses.
    pub(super) fn link_is(&self, state: LinkState) {
        self.whole.may_lose.store(true, Ordering::Relaxed);
        if matches!(state, LinkState::Lost | LinkState::Returned) {
            self.whole.is_away.store(state == LinkState::Lost, Ordering::Relaxed);
        }
        match state {
            LinkState::Returning => {
                let entries = self.registry.entries();
                entries.iter().filter(|entry| has_rights(entry.channel())).for_each(|entry| entry.park());
            }
            // What a return began must end, whatever becomes of it.
            LinkState::Lost | LinkState::Returned | LinkState::Missed => self.whole.missed(),
        }
    }

    /// Looks for what the broker lost, for ever.
    pub(super) async fn keep_whole(&self) {
        let mut rounds = Rounds::default();
        loop {
            tokio::select! {
                () = self.whole.missed.notified() => {
                    while !self.resync().await {
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                    if let Some(neighbour) = self.neighbour() {
                        neighbour.missed();
                    }
                }
                () = tokio::time::sleep(LOOK_PACE) => {
                    if self.whole.must_look() {
                        self.look().await;
                        self.look_at_states(&mut rounds).await;
                    }
                }
            }
        }
    }

    /// Compares the heads of all channels.
    #[cfg(test)]
    pub(super) async fn check_all_heads(&self) -> bool {
        self.compare_heads(&self.registry.entries()).await
    }

    /// Compares the heads of channels that move, and of some others; of all while the broker is away.
    async fn look(&self) {
        let mut entries = self.registry.entries();
        if !self.whole.is_away() {
            entries.retain(|entry| entry.is_due());
        }
        // What is said to the server itself comes first: it ends rights.
        entries.sort_by_key(|entry| !matches!(entry.channel(), Channel::User(_)));
        self.compare_heads(&entries).await;
    }

    /// Brings everything up to date: who is blocked, who may read, what was published, what counts now. False where the
    /// store could not answer all of it.
    async fn resync(&self) -> bool {
        let (own, others): (Vec<_>, Vec<_>) = self
            .registry
            .entries()
            .into_iter()
            .partition(|entry| matches!(entry.channel(), Channel::User(_)));
        let mut is_done = self.compare_heads(&own).await;
        let blocks = stream::iter(own)
            .map(|entry| async move { self.resync_blocks(&entry).await })
            .buffer_unordered(TOGETHER);
        is_done &= blocks.fold(true, async |all, done| all & done).await;
        let rest = stream::iter(others.clone())
            .map(|entry| async move { self.resync_entry(&entry).await })
            .buffer_unordered(TOGETHER);
        is_done &= rest.fold(true, async |all, done| all & done).await;
        is_done & self.compare_heads(&others).await
    }

    async fn resync_blocks(&self, entry: &ChannelEntry) -> bool {
        let Channel::User(user) = entry.channel() else { return true };
        let sessions = entry.sessions();
        sessions.iter().for_each(|session| session.begin_blocked());
        match self.access.blocked_with(*user).await {
            Ok(blocked) => {
                sessions.iter().for_each(|session| session.set_blocked(blocked.clone()));
                true
            }
            Err(_) => {
                sessions.iter().for_each(|session| session.keep_blocked());
                false
            }
        }
    }

    /// Rights first, so that nobody is told what they may not read any more; then what was held back, then states.
    async fn resync_entry(&self, entry: &Arc<ChannelEntry>) -> bool {
        let mut readers = readers_of(entry);
        let channel = entry.channel();
        if has_rights(channel) && !self.judge_readers(channel, &mut readers).await {
            return false;
        }
        if entry.unpark().0 {
            self.repair(entry);
        }
        let mut is_done = true;
        for (reader, sessions) in readers.into_values() {
            is_done &= self.show_states(entry, reader, &sessions).await;
        }
        is_done
    }

    /// Ends what was lost, and takes those readers out.
    async fn judge_readers(&self, channel: &Channel, readers: &mut Readers) -> bool {
        let mut lost = Vec::new();
        for (reader, sessions) in readers.values() {
            match self.access.may_read(reader, channel).await {
                Ok(()) => {}
                Err(error) if error.code.leaves_outcome_unknown() => return false,
                Err(_) => {
                    sessions
                        .iter()
                        .for_each(|session| self.kick(session, channel, UnsubscribeReason::Forbidden));
                    lost.push(reader.user);
                }
            }
        }
        readers.retain(|user, _| !lost.contains(user));
        true
    }

    async fn show_states(
        &self,
        entry: &Arc<ChannelEntry>,
        reader: Reader,
        sessions: &[Arc<SessionHandle>],
    ) -> bool {
        let channel = entry.channel();
        if !has_rights(channel) {
            return true;
        }
        let Ok(states) = self.access.states(&reader, channel).await else { return false };
        show(entry, sessions, states);
        true
    }
}

/// Shows some of who listens what was read for them.
pub(super) fn show(entry: &ChannelEntry, sessions: &[Arc<SessionHandle>], states: Vec<StateItem>) {
    let channel = entry.channel();
    let states: Vec<_> = states.into_iter().map(|state| state_of(state, channel)).collect();
    if states.is_empty() {
        return;
    }
    for session in sessions {
        if let Some(subscription) = session.subscription(channel) {
            entry.show(subscription.slot, session, &states);
        }
    }
}

/// Who listens to a channel.
pub(super) fn readers_of(entry: &ChannelEntry) -> Readers {
    let mut readers = Readers::new();
    for session in entry.sessions() {
        let reader = Reader { user: session.user_id(), role: session.identity().role() };
        readers.entry(reader.user).or_insert_with(|| (reader, Vec::new())).1.push(session);
    }
    readers
}

/// Whether the rules of the product say who may read a channel, and what it shows: a right to be lost, or a state.
pub(super) fn has_rights(channel: &Channel) -> bool {
    !matches!(channel, Channel::Communities | Channel::User(_) | Channel::Test(_))
}
