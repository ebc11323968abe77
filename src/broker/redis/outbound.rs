//! What waits to be published on one server: frames under construction, a bound, and whether there is a connection.

use super::{
    names::Lane,
    wire::{Frame, Sender},
};
use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::Notify;

/// Bytes that may wait for a server that takes them slowly; beyond it they are dropped, and read from the log elsewhere.
const WAITING_BYTES: usize = 16 << 20;

/// A frame that has grown to this is closed: receivers begin with it while the next is on its way.
const FRAME_BYTES: usize = 64 << 10;

/// Frames by lane, in the order in which they were begun; items of one lane keep their order.
#[derive(Debug)]
pub(super) struct Outbound {
    sender: Sender,
    pending: Mutex<Pending>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    is_connected: bool,
    /// Something was not taken since the connection stands, or before it stood.
    has_lost: bool,
    frames: Vec<(Lane, Frame)>,
    open: HashMap<Lane, usize>,
    probes: Vec<(Lane, Vec<u8>)>,
    bytes: usize,
}

/// Why something was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no connection.
    Disconnected,
    /// Too much waits.
    Full,
}

/// What is to be published now.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<(Lane, Vec<u8>)>,
    /// Something before these was lost: the others must be told.
    pub(super) has_lost: bool,
}

impl Outbound {
    pub(super) fn new(sender: Sender) -> Self {
        Self { sender, pending: Mutex::default(), more: Notify::new() }
    }

    /// Lets `write` add to the lane's frame; call [`Outbound::flush`] after the last of a batch.
    pub(super) fn add(&self, lane: Lane, write: impl FnOnce(&mut Frame)) -> Result<(), Refused> {
        let mut pending = self.pending.lock();
        let pending = &mut *pending;
        if !pending.is_connected || pending.bytes >= WAITING_BYTES {
            pending.has_lost = true;
            return Err(if pending.is_connected { Refused::Full } else { Refused::Disconnected });
        }
        let place = *pending.open.entry(lane).or_insert_with(|| {
            pending.frames.push((lane, Frame::new(self.sender)));
            pending.frames.len() - 1
        });
        let frame = &mut pending.frames[place].1;
        let before = frame.len();
        write(frame);
        pending.bytes += frame.len() - before;
        if frame.len() >= FRAME_BYTES {
            pending.open.remove(&lane);
        }
        Ok(())
    }

    /// Adds a message of its own.
    pub(super) fn add_probe(&self, lane: Lane, message: Vec<u8>) -> Result<(), Refused> {
        let mut pending = self.pending.lock();
        if !pending.is_connected {
            return Err(Refused::Disconnected);
        }
        pending.probes.push((lane, message));
        self.more.notify_one();
        Ok(())
    }

    /// Wakes the publishing task.
    pub(super) fn flush(&self) {
        self.more.notify_one();
    }

    /// Resolves when something may be waiting.
    pub(super) async fn more(&self) {
        self.more.notified().await;
    }

    /// Takes all that waits.
    pub(super) fn take(&self) -> Batch {
        let mut pending = self.pending.lock();
        pending.open.clear();
        pending.bytes = 0;
        let frames = std::mem::take(&mut pending.frames);
        let mut messages: Vec<_> = frames.into_iter().map(|(lane, frame)| (lane, frame.finish())).collect();
        messages.append(&mut pending.probes);
        Batch { messages, has_lost: std::mem::take(&mut pending.has_lost) }
    }

    /// A connection stands: from now on things are taken.
    pub(super) fn connected(&self) {
        self.pending.lock().is_connected = true;
        self.more.notify_one();
    }

    /// The connection is gone, and with it what waited.
    pub(super) fn disconnected(&self) {
        *self.pending.lock() = Pending { has_lost: true, ..Pending::default() };
    }

    /// What was taken did not arrive, or not all of it.
    pub(super) fn lost(&self) {
        self.pending.lock().has_lost = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::Signal;
    use communiconnect_protocol::{Channel, Data};

    fn signal(bytes: usize) -> Signal {
        let channel: Channel = "test:a".parse().expect("a test channel");
        Signal { channel, event: "e".into(), data: Data::of(&"x".repeat(bytes)) }
    }

    #[test]
    fn items_of_a_lane_share_a_frame_until_it_is_large() {
        let (outbound, lane) = (Outbound::new(1), Lane::all().next().expect("a lane"));
        outbound.connected();
        for _ in 0..3 {
            outbound.add(lane, |frame| frame.signal(&signal(FRAME_BYTES / 2))).expect("taken");
        }
        let batch = outbound.take();
        assert_eq!(batch.messages.len(), 2, "two halves fill one frame, the third begins another");
        assert!(!batch.has_lost && outbound.take().messages.is_empty());
    }

    #[test]
    fn what_waits_is_bounded_and_its_loss_is_remembered() {
        let (outbound, lane) = (Outbound::new(1), Lane::all().next().expect("a lane"));
        assert_eq!(outbound.add(lane, |_| ()), Err(Refused::Disconnected));
        outbound.connected();
        assert!(outbound.take().has_lost, "what came before the connection is lost");
        let mut taken = 0;
        while outbound.add(lane, |frame| frame.signal(&signal(1 << 20))).is_ok() {
            taken += 1;
            assert!(taken <= WAITING_BYTES >> 20);
        }
        let batch = outbound.take();
        assert!(batch.has_lost && batch.messages.len() == taken);
        assert_eq!(outbound.add(lane, |frame| frame.signal(&signal(1))), Ok(()));
    }
}
