//! The last offsets of channels that this node published on, told a few times: who missed the last publication of a
//! channel has no later one to notice it by.

use crate::publication::Publication;
use communiconnect_protocol::Channel;
use parking_lot::Mutex;
use std::{collections::HashMap, time::Duration};

/// Between two tellings.
pub(super) const PACE: Duration = Duration::from_millis(250);
/// How often a head is told after it has moved.
const TELLINGS: u8 = 3;
/// Channels remembered; those beyond are found by comparing with the store.
const CHANNELS: usize = 65_536;

/// Heads that are still to be told.
#[derive(Debug, Default)]
pub(super) struct Gossip {
    heads: Mutex<HashMap<Channel, (u64, u8)>>,
}

impl Gossip {
    /// A publication went out.
    pub(super) fn note(&self, publication: &Publication) {
        let mut heads = self.heads.lock();
        if let Some(known) = heads.get_mut(&publication.channel) {
            *known = (known.0.max(publication.offset), TELLINGS);
        } else if heads.len() < CHANNELS {
            heads.insert(publication.channel.clone(), (publication.offset, TELLINGS));
        }
    }

    /// What is to be told now.
    pub(super) fn take(&self) -> Vec<(Channel, u64)> {
        let mut told = Vec::new();
        self.heads.lock().retain(|channel, (offset, left)| {
            told.push((channel.clone(), *offset));
            *left -= 1;
            *left > 0
        });
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::Audience;
    use communiconnect_protocol::Data;

    #[test]
    fn a_head_is_told_a_few_times_after_it_moved() {
        let gossip = Gossip::default();
        let channel: Channel = "test:a".parse().expect("a test channel");
        let note = |offset| {
            let data = Data::of(&());
            let (event, audience) = ("e".into(), Audience::Readers);
            let channel = channel.clone();
            gossip.note(&Publication { channel, offset, event, data, at: 0, actor: None, audience });
        };
        note(5);
        note(4);
        assert_eq!(gossip.take(), [(channel.clone(), 5)]);
        note(6);
        for _ in 0..TELLINGS {
            assert_eq!(gossip.take(), [(channel.clone(), 6)]);
        }
        assert_eq!(gossip.take(), []);
    }
}
