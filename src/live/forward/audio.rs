//! The sound of one viewer: one encoding, from the live edge on, once the picture is there.
//!
//! Owns when sound begins. Bytes are written by its [`DownTrack`].

use std::sync::Arc;
use std::time::Duration;

use super::downtrack::{Budget, DownTrack, Pulled};
use super::egress::EgressEvent;
use super::replay::Plan;
use super::video::Scene;
use super::wire::Wire;

/// The sound of one viewer.
#[derive(Debug)]
pub struct Audio {
    /// Where packets come from.
    pub track: DownTrack,
    generation: u64,
    /// Sound begins with the first packet from this index on.
    from: Option<u64>,
    unplayable: Option<u64>,
}

impl Audio {
    /// Silence so far.
    pub fn new(track: DownTrack) -> Self {
        Self { track, generation: 0, from: None, unplayable: None }
    }

    /// Sends what is due. While `is_held` sound does not begin: the picture is hurrying to the live edge.
    pub fn poll(
        &mut self,
        scene: &mut Scene<'_>,
        is_held: bool,
        budget: &mut Budget,
        wire: &mut Wire<'_>,
    ) -> Pulled {
        let source = scene.source;
        let id = source.audio.as_ref().map(|encoding| encoding.id);
        if self.generation != source.generation
            || self.track.encoding().is_some_and(|encoding| Some(encoding.id) != id)
        {
            self.track.stop();
            self.from = (self.generation != 0).then_some(0);
            self.generation = source.generation;
        }
        if self.track.encoding().is_none() && (is_held || !self.begin(scene, wire)) {
            return Pulled::Everything;
        }
        self.track.fill_holes(wire);
        let pulled = self.track.pull(budget, wire);
        if pulled == Pulled::FellBehind {
            self.track.stop();
            self.from = None;
        }
        pulled
    }

    /// Begins at the live edge. Returns whether there is something to send.
    fn begin(&mut self, scene: &mut Scene<'_>, wire: &Wire<'_>) -> bool {
        let Some(encoding) = scene.source.audio.as_ref() else { return false };
        let Some(payload) = self.track.plays(encoding.codec) else {
            if self.unplayable.replace(self.generation) != Some(self.generation) {
                scene.events.push(EgressEvent::Renegotiate);
            }
            return false;
        };
        let first = {
            let ring = encoding.ring.read();
            // What came with the newest packet is live; a publisher who came back is heard from its first packet on.
            let from = *self.from.get_or_insert(ring.head().saturating_sub(1));
            ring.packets(from..ring.head()).next().map(Arc::clone)
        };
        let Some(first) = first else { return false };
        let plan = Plan { edge: Arc::clone(&first), first, frames: Vec::new(), lasts: Duration::ZERO };
        self.track.begin(encoding, self.generation, payload, (plan, wire.now));
        self.from = None;
        true
    }
}
