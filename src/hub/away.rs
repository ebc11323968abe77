//! States of other nodes while the broker is away: they are in no log, so they are read, a bounded number each second.

use super::{
    Hub,
    resync::{has_rights, readers_of, show},
};
use communiconnect_protocol::{Channel, StateItem, UserId};
use futures_util::{StreamExt, stream};
use std::collections::HashMap;

/// Reads of one look, each for one reader of one channel. The others have their turn at the next looks.
const READS: usize = 64;
/// Of these at the same time: the store has others to answer.
const TOGETHER: usize = 4;
/// Readers of channels of whom it is remembered what they were shown; those beyond are shown it when the broker is back.
const REMEMBERED: usize = 4_096;

/// A reader of a channel; guests are one.
type Who = (Channel, Option<UserId>);

/// Whose turn it is, and what they were shown before, so that nobody is told the same each second.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    place: usize,
    shown: HashMap<Who, HashMap<String, u64>>,
}

impl Rounds {
    /// Which of these states are news to the reader.
    fn news(&mut self, who: Who, mut states: Vec<StateItem>) -> Vec<StateItem> {
        if self.shown.len() >= REMEMBERED && !self.shown.contains_key(&who) {
            return Vec::new();
        }
        let before = self.shown.entry(who).or_default();
        let now =
            states.iter().map(|state| (format!("{} {}", state.event, state.key), state.version)).collect();
        states.retain(|state| before.get(&format!("{} {}", state.event, state.key)) != Some(&state.version));
        *before = now;
        states
    }
}

impl Hub {
    /// Shows what changed on other nodes; nothing where the broker tells it.
    pub(super) async fn look_at_states(&self, rounds: &mut Rounds) {
        if !self.whole.is_away() {
            *rounds = Rounds::default();
            return;
        }
        let mut turns = Vec::new();
        for entry in self.registry.entries().into_iter().filter(|entry| has_rights(entry.channel())) {
            let readers = readers_of(&entry).into_values();
            turns.extend(readers.map(|(reader, sessions)| (entry.clone(), reader, sessions)));
        }
        let (count, place) = (turns.len().min(READS), rounds.place % turns.len().max(1));
        rounds.place = place + count;
        turns.rotate_left(place);
        turns.truncate(count);
        let mut read = stream::iter(turns)
            .map(|(entry, reader, sessions)| async move {
                let states = self.access.states(&reader, entry.channel()).await;
                (entry, reader, sessions, states)
            })
            .buffer_unordered(TOGETHER);
        while let Some((entry, reader, sessions, states)) = read.next().await {
            // What cannot be read now is read in a later turn.
            let Ok(states) = states else { continue };
            show(&entry, &sessions, rounds.news((entry.channel().clone(), reader.user), states));
        }
    }
}
