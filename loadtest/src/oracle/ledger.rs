//! What an offset holds, by everybody who has said so: each reader that was given it, and the acknowledgement of its
//! publication. All have to say the same.

use super::{Fault, Span};
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// What a reader says of an offset in whose place it was told `skip`. Where nobody may be denied anything, an
/// acknowledgement or another reader will contradict it.
pub const SKIPPED: u32 = u32::MAX;

/// How far an offset may lie beyond what is known: further is no offset, and would take memory without bound.
const BEYOND: u64 = 1_000_000;

/// Contents by channel (its place in the run's list) and offset, told by who is given them. Four bytes each.
#[derive(Debug)]
pub struct Ledger {
    channels: Vec<Mutex<Vec<u32>>>,
}

impl Ledger {
    /// A ledger of so many channels, each of which begins at offset 1.
    pub fn new(channels: usize) -> Self {
        Self { channels: (0..channels).map(|_| Mutex::new(Vec::new())).collect() }
    }

    /// Somebody says that `offset` of `channel` holds `content` (its number or checksum, not 0).
    ///
    /// # Errors
    /// Where somebody else has said otherwise, or the offset is none.
    pub fn note(&self, channel: usize, offset: u64, content: u32) -> Result<(), Fault> {
        let altered = Fault::Altered(Span { from: offset, to: offset });
        let Some(known) = self.channels.get(channel) else { return Err(altered) };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if offset == 0 || offset > known.len() as u64 + BEYOND {
            return Err(altered);
        }
        let place = offset as usize - 1;
        if known.len() <= place {
            known.resize(place + 1, 0);
        }
        match known[place] {
            0 => {
                known[place] = content;
                Ok(())
            }
            said if said == content => Ok(()),
            _ => Err(altered),
        }
    }

    /// The newest offset that anybody has told of, by channel.
    pub fn heads(&self) -> Vec<u64> {
        let head =
            |known: &Mutex<Vec<u32>>| known.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        self.channels.iter().map(head).collect()
    }

    /// The channel and offset of every content that an earlier offset holds too: one publication with two effects. Only
    /// where contents are numbers of publications, which differ.
    pub fn doubles(&self) -> Vec<(usize, Fault)> {
        let mut doubles = Vec::new();
        for (channel, known) in self.channels.iter().enumerate() {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let mut seen = HashSet::with_capacity(known.len());
            for (content, offset) in known.iter().zip(1..) {
                if ![0, SKIPPED].contains(content) && !seen.insert(*content) {
                    doubles.push((channel, Fault::Repeated(Span { from: offset, to: offset })));
                }
            }
        }
        doubles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALTERED_2: Result<(), Fault> = Err(Fault::Altered(Span { from: 2, to: 2 }));

    #[test]
    fn everybody_has_to_say_the_same_of_an_offset() {
        let ledger = Ledger::new(2);
        assert_eq!(ledger.note(0, 2, 40), Ok(()), "a reader");
        assert_eq!(ledger.note(0, 2, 40), Ok(()), "another reader, and the acknowledgement");
        assert_eq!(ledger.note(1, 2, 41), Ok(()), "of another channel");
        assert_eq!(ledger.note(0, 2, 41), ALTERED_2);
        assert_eq!(ledger.heads(), [2, 2]);
    }

    #[test]
    fn a_skip_contradicts_an_acknowledgement() {
        let ledger = Ledger::new(1);
        assert_eq!(ledger.note(0, 2, SKIPPED), Ok(()));
        assert_eq!(ledger.note(0, 2, 7), ALTERED_2);
    }

    #[test]
    fn one_publication_under_two_offsets_is_found() {
        let ledger = Ledger::new(1);
        for (offset, content) in [(1, 10), (2, 11), (4, 10)] {
            ledger.note(0, offset, content).unwrap();
        }
        assert_eq!(ledger.doubles(), [(0, Fault::Repeated(Span { from: 4, to: 4 }))]);
    }

    #[test]
    fn what_is_no_offset_takes_no_memory() {
        let ledger = Ledger::new(1);
        for offset in [0, u64::MAX] {
            assert!(ledger.note(0, offset, 1).is_err());
        }
        assert!(ledger.note(1, 1, 1).is_err(), "no such channel");
        assert_eq!(ledger.heads(), [0]);
    }
}
