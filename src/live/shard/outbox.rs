//! Events on their way to the service. None is lost: what the channel has no room for waits here.

use super::event::MediaEvent;
use std::collections::VecDeque;
use tokio::sync::mpsc::{Sender, error::TrySendError};

/// Bounded by the peers: each has a handful of events in its life, and what repeats (figures, layers) is replaced.
#[derive(Debug)]
pub(super) struct Outbox {
    channel: Sender<MediaEvent>,
    kept: VecDeque<MediaEvent>,
}

impl Outbox {
    pub(super) fn new(channel: Sender<MediaEvent>) -> Self {
        Self { channel, kept: VecDeque::new() }
    }

    pub(super) fn tell(&mut self, event: MediaEvent) {
        if !self.kept.is_empty() {
            self.kept.retain(|kept| !replaces(&event, kept));
        }
        self.kept.push_back(event);
        self.flush();
    }

    /// Hands over what waits. Answers whether something still does.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(event) = self.kept.pop_front() {
            match self.channel.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.kept.push_front(event);
                    return true;
                }
                // Nobody listens any more.
                Err(TrySendError::Closed(_)) => {
                    self.kept.clear();
                    return false;
                }
            }
        }
        false
    }

    /// Hands over what waits and waits for room: for the end, when there is nothing else to do.
    pub(super) fn finish(mut self) {
        for event in self.kept.drain(..) {
            if self.channel.blocking_send(event).is_err() {
                return;
            }
        }
    }
}

/// Whether an event makes an older one worthless.
fn replaces(new: &MediaEvent, old: &MediaEvent) -> bool {
    match (new, old) {
        (MediaEvent::Figures(_), MediaEvent::Figures(_)) => true,
        (MediaEvent::Layers { peer: new, .. }, MediaEvent::Layers { peer: old, .. })
        | (MediaEvent::Attending { peer: new, .. }, MediaEvent::Attending { peer: old, .. })
        | (MediaEvent::Warning { peer: new, .. }, MediaEvent::Warning { peer: old, .. }) => new == old,
        (
            MediaEvent::Stalled { peer: new } | MediaEvent::Resumed { peer: new },
            MediaEvent::Stalled { peer: old } | MediaEvent::Resumed { peer: old },
        ) => new == old,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::shard::event::{PeerEnd, PeerId};

    #[test]
    fn a_full_channel_loses_nothing_and_repetitions_merge() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let mut outbox = Outbox::new(sender);
        let peer = PeerId(1);
        let closed = MediaEvent::Closed { peer, reason: PeerEnd::Timeout };
        outbox.tell(MediaEvent::MediaStarted { peer });
        for _ in 0..100 {
            outbox.tell(MediaEvent::Figures(Vec::new()));
            outbox.tell(MediaEvent::Stalled { peer });
            outbox.tell(MediaEvent::Resumed { peer });
        }
        outbox.tell(closed.clone());
        assert_eq!(outbox.kept.len(), 3);
        let mut told = Vec::new();
        while let Ok(event) = receiver.try_recv() {
            told.push(event);
            outbox.flush();
        }
        let figures = MediaEvent::Figures(Vec::new());
        assert_eq!(told, [MediaEvent::MediaStarted { peer }, figures, MediaEvent::Resumed { peer }, closed]);
    }
}
