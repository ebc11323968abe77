//! The life of a stream: `created` -> `connecting` -> `live` <-> `interrupted` -> `ended`.
//!
//! Pure: an event and the time go in, the next life and effects come out; the service carries the effects out in their
//! order. It knows peers by id alone and nothing of packets, stores or sockets.

use communiconnect_protocol::{LiveReason, LiveState, PeerId, RtcCloseReason};
use std::time::{Duration, Instant};

/// How long a live may be in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Without any media since its start, before it ends.
    pub first_media: Duration,
    /// From a publisher's arrival, or its last packet, to media that can be shown.
    pub connecting: Duration,
    /// For a lost broadcaster to come back.
    pub grace: Duration,
    /// From its first picture to its end.
    pub longest: Duration,
    /// Between two takeovers of a publisher that sends: two encoders with one key would fight for ever.
    pub takeover: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_media: Duration::from_secs(10 * 60),
            connecting: Duration::from_secs(10),
            grace: Duration::from_secs(30),
            longest: Duration::from_secs(12 * 60 * 60),
            takeover: Duration::from_secs(30),
        }
    }
}

/// What happens to a live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A publisher was answered; ask [`Life::admits`] before.
    Arrived(PeerId),
    /// Its connection is secured.
    Connected(PeerId),
    /// Packets come from it, though perhaps none that can be shown yet.
    Receiving(PeerId),
    /// Its media can be shown: a key frame, or a packet where there is no picture.
    MediaStarted(PeerId),
    /// Its media stopped coming; the connection stands.
    Stalled(PeerId),
    /// Its media comes again.
    Resumed(PeerId),
    /// Its connection is gone.
    Gone(PeerId, Gone),
    /// Somebody ends the live.
    Stop(Stop),
    /// Time has passed: [`Life::deadline`] says when that matters.
    Tick,
}

/// How a publisher went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Without a word, or by a broken connection.
    Lost,
    /// It said good-bye: an encoder whose user pressed Stop.
    Left,
}

/// Who ends a live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its owner; also by deleting its post.
    Owner,
    /// A moderator of the server.
    Moderator,
    /// The node stops as planned.
    Drain,
}

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Note the state and tell it.
    Note(LiveState, Option<LiveReason>),
    /// Close this publisher.
    ClosePublisher(PeerId, RtcCloseReason),
    /// Store the report, tell the end, and close everybody who watches.
    End {
        /// Why.
        reason: LiveReason,
        /// What viewers are told.
        viewers: RtcCloseReason,
        /// Whether the encoder had said good-bye before.
        encoder_left: bool,
    },
}

/// Why a publisher is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// The live is over.
    Ended,
    /// A publisher that sends was taken over a moment ago.
    TakenOver {
        /// When another may try.
        after: Duration,
    },
}

/// One live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    patience: Patience,
    state: LiveState,
    reason: Option<LiveReason>,
    born: Instant,
    started: Option<Instant>,
    interrupted: Option<Instant>,
    publisher: Option<Publisher>,
    /// A newer publisher that is not connected yet: the older one goes on until it is.
    challenger: Option<(PeerId, Instant)>,
    taken_over: Option<Instant>,
    encoder_left: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Publisher {
    peer: PeerId,
    is_flowing: bool,
    /// By when its media must come; counts while it does not flow.
    due: Instant,
}

impl Life {
    /// A live that was just started.
    pub fn new(patience: Patience, now: Instant) -> Self {
        Self {
            patience,
            state: LiveState::Created,
            reason: None,
            born: now,
            started: None,
            interrupted: None,
            publisher: None,
            challenger: None,
            taken_over: None,
            encoder_left: false,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> LiveState {
        self.state
    }

    /// Why it is interrupted or has ended.
    pub fn reason(&self) -> Option<LiveReason> {
        self.reason
    }

    /// When it could first be watched.
    pub fn started(&self) -> Option<Instant> {
        self.started
    }

    /// Who sends, or is about to.
    pub fn publisher(&self) -> Option<PeerId> {
        self.publisher.map(|publisher| publisher.peer)
    }

    /// Every publisher that was answered and is not gone: the one that sends, and one that is about to take over.
    pub fn publishers(&self) -> impl Iterator<Item = PeerId> + use<> {
        let publisher = self.publisher.map(|publisher| publisher.peer);
        publisher.into_iter().chain(self.challenger.map(|(peer, _)| peer))
    }

    /// Whether a publisher may arrive now. The newest wins, but not twice in a row against one that sends.
    ///
    /// # Errors
    /// [`NotNow`] with the reason.
    pub fn admits(&self, now: Instant) -> Result<(), NotNow> {
        if self.state == LiveState::Ended {
            return Err(NotNow::Ended);
        }
        let is_flowing = self.publisher.is_some_and(|publisher| publisher.is_flowing);
        let free_at = self.taken_over.map(|at| at + self.patience.takeover);
        match free_at {
            Some(free_at) if is_flowing && now < free_at => Err(NotNow::TakenOver { after: free_at - now }),
            _ => Ok(()),
        }
    }

    /// When [`Event::Tick`] has something to do; none once it has ended.
    pub fn deadline(&self) -> Option<Instant> {
        if self.state == LiveState::Ended {
            return None;
        }
        let not_flowing = self.publisher.filter(|publisher| !publisher.is_flowing);
        [self.ends_at(), not_flowing.map(|publisher| publisher.due), self.challenger.map(|(_, due)| due)]
            .into_iter()
            .flatten()
            .min()
    }

    /// What the event makes of it.
    #[must_use]
    pub fn on(mut self, event: Event, now: Instant) -> (Self, Vec<Effect>) {
        let mut effects = Vec::new();
        if self.state != LiveState::Ended {
            self.take(event, now, &mut effects);
        }
        (self, effects)
    }

    fn take(&mut self, event: Event, now: Instant, effects: &mut Vec<Effect>) {
        match event {
            Event::Arrived(peer) => self.arrived(peer, now, effects),
            Event::Connected(peer) => self.connected(peer, now, effects),
            Event::Receiving(peer) => {
                let due = now + self.patience.connecting;
                if let Some(publisher) = self.of_publisher(peer) {
                    publisher.due = due;
                }
            }
            // A peer whose media comes is connected, even if nobody said so.
            Event::MediaStarted(peer) => {
                self.connected(peer, now, effects);
                self.flows(peer, now, effects);
            }
            Event::Resumed(peer) => self.flows(peer, now, effects),
            Event::Stalled(peer) => {
                let due = now + self.patience.grace;
                let Some(publisher) = self.of_publisher(peer) else { return };
                publisher.is_flowing = false;
                publisher.due = due;
                self.interrupt(LiveReason::Stalled, now, effects);
            }
            Event::Gone(peer, how) => self.gone(peer, how, now, effects),
            Event::Stop(by) => {
                let (reason, told) = match by {
                    Stop::Owner => (LiveReason::Stopped, RtcCloseReason::Stopped),
                    Stop::Moderator => (LiveReason::Banned, RtcCloseReason::Banned),
                    Stop::Drain => (LiveReason::Drain, RtcCloseReason::Drain),
                };
                self.end(reason, told, effects);
            }
            Event::Tick => self.tick(now, effects),
        }
    }

    fn arrived(&mut self, peer: PeerId, now: Instant, effects: &mut Vec<Effect>) {
        let due = now + self.patience.connecting;
        self.encoder_left = false;
        if let Some((older, _)) = self.challenger.replace((peer, due)) {
            effects.push(Effect::ClosePublisher(older, RtcCloseReason::Replaced));
        }
        if self.state == LiveState::Created {
            self.note(LiveState::Connecting, None, effects);
        }
    }

    fn connected(&mut self, peer: PeerId, now: Instant, effects: &mut Vec<Effect>) {
        let Some((_, _)) = self.challenger.take_if(|(challenger, _)| *challenger == peer) else { return };
        let due = now + self.patience.connecting;
        let newest = Publisher { peer, is_flowing: false, due };
        if let Some(older) = self.publisher.replace(newest) {
            if older.is_flowing {
                self.taken_over = Some(now);
            }
            effects.push(Effect::ClosePublisher(older.peer, RtcCloseReason::Replaced));
        }
    }

    fn flows(&mut self, peer: PeerId, now: Instant, effects: &mut Vec<Effect>) {
        let Some(publisher) = self.of_publisher(peer) else { return };
        publisher.is_flowing = true;
        self.started.get_or_insert(now);
        self.interrupted = None;
        if self.state != LiveState::Live {
            self.note(LiveState::Live, None, effects);
        }
    }

    fn gone(&mut self, peer: PeerId, how: Gone, now: Instant, effects: &mut Vec<Effect>) {
        if self.challenger.take_if(|(challenger, _)| *challenger == peer).is_some() {
            self.fall_back(effects);
            return;
        }
        if self.publisher.take_if(|publisher| publisher.peer == peer).is_none() {
            return;
        }
        self.encoder_left = how == Gone::Left;
        self.interrupt(LiveReason::Lost, now, effects);
        self.fall_back(effects);
    }

    /// Nobody is about to send any more, and nothing was ever shown.
    fn fall_back(&mut self, effects: &mut Vec<Effect>) {
        if self.state == LiveState::Connecting && self.publisher.is_none() && self.challenger.is_none() {
            self.note(LiveState::Created, None, effects);
        }
    }

    fn interrupt(&mut self, reason: LiveReason, now: Instant, effects: &mut Vec<Effect>) {
        if self.state == LiveState::Live {
            self.interrupted = Some(now);
            self.note(LiveState::Interrupted, Some(reason), effects);
        }
    }

    fn tick(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if let Some((peer, _)) = self.challenger.take_if(|(_, due)| *due <= now) {
            effects.push(Effect::ClosePublisher(peer, RtcCloseReason::Timeout));
            self.fall_back(effects);
        }
        if let Some(late) = self.publisher.take_if(|publisher| !publisher.is_flowing && publisher.due <= now)
        {
            effects.push(Effect::ClosePublisher(late.peer, RtcCloseReason::Timeout));
            self.interrupt(LiveReason::Stalled, now, effects);
            self.fall_back(effects);
        }
        if self.ends_at().is_some_and(|at| at <= now) {
            let (reason, told) = match (self.started, self.interrupted) {
                (None, _) => (LiveReason::NoMedia, RtcCloseReason::Ended),
                (Some(started), _) if started + self.patience.longest <= now => {
                    (LiveReason::Limit, RtcCloseReason::Duration)
                }
                _ => (LiveReason::Timeout, RtcCloseReason::Ended),
            };
            self.end(reason, told, effects);
        }
    }

    /// When it ends by itself, as things stand.
    fn ends_at(&self) -> Option<Instant> {
        let Some(started) = self.started else { return Some(self.born + self.patience.first_media) };
        let longest = started + self.patience.longest;
        let Some(interrupted) = self.interrupted else { return Some(longest) };
        let back_by = interrupted + self.patience.grace;
        // Who is back in time is given the time that media takes to come: an encoder may have seconds to its key frame.
        let back_by = self
            .publisher
            .map_or(back_by, |publisher| back_by.max(publisher.due.min(back_by + self.patience.connecting)));
        Some(longest.min(back_by))
    }

    fn end(&mut self, reason: LiveReason, told: RtcCloseReason, effects: &mut Vec<Effect>) {
        (self.state, self.reason) = (LiveState::Ended, Some(reason));
        let encoder_left = self.encoder_left && self.publisher.is_none();
        effects.push(Effect::End { reason, viewers: told, encoder_left });
        let peers = [
            self.publisher.take().map(|publisher| publisher.peer),
            self.challenger.take().map(|(peer, _)| peer),
        ];
        effects.extend(peers.into_iter().flatten().map(|peer| Effect::ClosePublisher(peer, told)));
    }

    fn note(&mut self, state: LiveState, reason: Option<LiveReason>, effects: &mut Vec<Effect>) {
        (self.state, self.reason) = (state, reason);
        effects.push(Effect::Note(state, reason));
    }

    fn of_publisher(&mut self, peer: PeerId) -> Option<&mut Publisher> {
        self.publisher.as_mut().filter(|publisher| publisher.peer == peer)
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
