//! The picture of one viewer: when it begins, which encoding it comes from, when it skips, pauses and goes on.
//!
//! Owns the phases of a video stream. Every phase begins where decoding can start. Bytes are written by its
//! [`DownTrack`], layers chosen by its [`LayerSelector`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::downtrack::{Budget, DownTrack, Pulled};
use super::egress::{EgressEvent, Events, LayerInfo};
use super::estimate::Estimate;
use super::replay::{self, Asked, BURST, BURST_EVERY, LONG_BURST, Permission, Way};
use super::selector::{Cause, LayerFacts, LayerSelector, Probe, Target};
use super::source::{AnswersKeyFrames, Encoding, EncodingId, Source};
use super::wire::Wire;

/// Most encodings that are chosen from; simulcast has three.
pub const MAX_LAYERS: usize = 8;

/// What waits for longer is skipped, up to a key frame.
const BACKLOG: Duration = Duration::from_millis(500);

/// A key frame is wished for again after this long.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Layers are judged so often.
const JUDGE_EVERY: Duration = Duration::from_millis(200);

/// Requests that were on their way when a replay ended are still answered by it.
const REQUESTS_ON_THEIR_WAY: Duration = Duration::from_millis(200);

/// A viewer that lost its picture, of a publisher who sends no key frames when asked, gets another replay after this long.
const REPLAY_AGAIN: Duration = Duration::from_secs(3);

/// A frame that stays incomplete so long is left for another encoding.
const FRAME_PATIENCE: Duration = Duration::from_millis(100);

/// An encoding without packets for so long has stopped.
const STOPPED: Duration = Duration::from_millis(1_500);

/// What the viewer's other parts know.
#[derive(Debug)]
pub struct Scene<'a> {
    /// What is published.
    pub source: &'a Source,
    /// What the viewer's way carries.
    pub estimate: &'a mut Estimate,
    /// Whether a replay may be sent.
    pub permission: Permission,
    /// Bytes of a replay that would begin, if it were permitted.
    pub wanted: &'a mut Option<usize>,
    /// Whether there is a ceiling on the rate, so that a backlog does not go by itself.
    pub is_limited: bool,
    /// What the viewer is to be told.
    pub events: &'a mut Events,
}

/// What the picture is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is published that could be shown.
    Idle,
    /// For a place where decoding can start.
    Waiting(Waiting),
    /// Hurrying to the live edge.
    Replay { next: Instant, burst: usize },
    /// At the live edge.
    Live,
    /// The way carries too little.
    Paused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    since: Instant,
    asked: Option<Instant>,
    is_told: bool,
    /// Only a key frame from now on will do.
    is_fresh_only: bool,
    /// Where the key frame lies from which no replay can be planned.
    unplannable: Option<u64>,
}

/// The picture of one viewer.
#[derive(Debug)]
pub struct Video {
    /// Where packets come from.
    pub track: DownTrack,
    selector: LayerSelector,
    phase: Phase,
    generation: u64,
    facts: Vec<LayerFacts>,
    judged: Option<Instant>,
    polled: Instant,
    /// When the last replay or start began and ended.
    begun: Option<Instant>,
    caught_up: Option<Instant>,
    switch: Option<Switch>,
    /// Too much waits: what follows the present frame is skipped.
    is_behind: bool,
    /// Why the next layer will be another than the last.
    cause: Cause,
    shown: Option<Option<EncodingId>>,
    /// A source of this session that the viewer cannot play was told of.
    unplayable: Option<u64>,
    pauses: u32,
    skips: u32,
}

/// A switch that waits for a key frame.
#[derive(Clone, Copy, Debug)]
struct Switch {
    to: EncodingId,
    since: Instant,
    asked: Instant,
}

impl Video {
    /// A picture that has not begun.
    pub fn new(track: DownTrack, now: Instant) -> Self {
        Self {
            track,
            selector: LayerSelector::new(now),
            phase: Phase::Idle,
            generation: 0,
            facts: Vec::new(),
            judged: None,
            polled: now,
            begun: None,
            caught_up: None,
            switch: None,
            is_behind: false,
            cause: Cause::Source,
            shown: None,
            unplayable: None,
            pauses: 0,
            skips: 0,
        }
    }

    /// Chooses layers.
    pub fn selector(&mut self) -> &mut LayerSelector {
        &mut self.selector
    }

    /// Chooses anew with the next poll.
    pub fn judge_soon(&mut self) {
        self.judged = None;
    }

    /// Whether the viewer is hurrying to the live edge.
    pub fn is_in_replay(&self) -> bool {
        matches!(self.phase, Phase::Replay { .. })
    }

    /// When the last replay or start began.
    pub fn begun(&self) -> Option<Instant> {
        self.begun
    }

    /// When the picture last came to the live edge.
    pub fn caught_up(&self) -> Option<Instant> {
        self.caught_up
    }

    /// The encoding that is shown.
    pub fn shown(&self) -> Option<&Arc<Encoding>> {
        self.track.encoding()
    }

    /// How often the picture paused for want of bandwidth, and skipped to a key frame.
    pub fn interruptions(&self) -> (u32, u32) {
        (self.pauses, self.skips)
    }

    /// The probe to be sent, if one is.
    pub fn probe(&self) -> Option<Probe> {
        self.selector.probe().filter(|_| matches!(self.phase, Phase::Live | Phase::Paused))
    }

    /// The viewer cannot decode and asks for a key frame.
    pub fn on_key_frame_wanted(&mut self, source: &Source, permission: Permission, now: Instant) {
        if self.phase != Phase::Live {
            return;
        }
        let on_its_way =
            self.caught_up.is_some_and(|at| now.saturating_duration_since(at) < REQUESTS_ON_THEIR_WAY);
        let Some(encoding) = self.track.encoding().filter(|_| !on_its_way) else { return };
        let is_deaf = encoding.answers_key_frames() == AnswersKeyFrames::No;
        let is_due = self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= REPLAY_AGAIN);
        let is_allowed = permission != Permission::Never;
        if is_deaf && is_due && is_allowed && self.generation == source.generation {
            self.wait(now);
        } else {
            encoding.want_key_frame();
        }
    }

    /// Decides what to send: begins, switches, pauses. To be followed by [`Self::send`].
    pub fn decide(&mut self, scene: &mut Scene<'_>, now: Instant) {
        self.follow_source(scene, now);
        if self.judged.is_none_or(|judged| now.saturating_duration_since(judged) >= JUDGE_EVERY) {
            self.judge(scene, now);
        }
        self.polled = now;
        match self.phase {
            Phase::Waiting(waiting) => self.try_begin(waiting, scene, now),
            Phase::Live => self.try_switch(scene, now),
            _ => {}
        }
    }

    /// Sends what is due.
    pub fn send(&mut self, scene: &mut Scene<'_>, budget: &mut Budget, wire: &mut Wire<'_>) -> Pulled {
        match self.phase {
            Phase::Replay { next, .. } if next > wire.now => Pulled::Everything,
            Phase::Replay { burst, .. } => self.hurry(burst, scene, budget, wire),
            Phase::Live => self.stay(scene, budget, wire),
            Phase::Idle | Phase::Waiting(_) | Phase::Paused => Pulled::Everything,
        }
    }

    /// When to poll again although no packet came.
    pub fn timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Idle => None,
            Phase::Waiting(_) | Phase::Paused => Some(self.polled + JUDGE_EVERY),
            Phase::Replay { next, .. } => Some(next),
            Phase::Live => self.track.hole_timeout(),
        }
    }

    /// Notices another publisher, or other encodings of the same.
    fn follow_source(&mut self, scene: &Scene<'_>, now: Instant) {
        if self.generation != scene.source.generation {
            self.generation = scene.source.generation;
            self.cause = Cause::Source;
            self.judged = None;
            self.track.stop();
            // Its key frame may have come since the last poll.
            self.phase = Phase::Waiting(Waiting::new(self.polled));
        }
        let is_there =
            |encoding: &Arc<Encoding>| scene.source.video.iter().any(|known| known.id == encoding.id);
        if scene.source.video.is_empty() {
            self.track.stop();
            self.phase = Phase::Idle;
        } else if self.phase == Phase::Idle && self.unplayable != Some(self.generation) {
            self.wait(now);
        } else if self.track.encoding().is_some_and(|encoding| !is_there(encoding)) {
            self.cause = Cause::Source;
            self.track.stop();
            self.wait(now);
        }
    }

    /// Lets the selector choose.
    fn judge(&mut self, scene: &mut Scene<'_>, now: Instant) {
        self.judged = Some(now);
        self.facts.clear();
        self.facts.extend(scene.source.video.iter().take(MAX_LAYERS).map(|encoding| facts(encoding, now)));
        // While nothing is shown, nothing is learnt about the way.
        let is_judged = matches!(self.phase, Phase::Live | Phase::Paused);
        let had_probe = self.selector.probe().is_some();
        let way = super::selector::Way {
            now,
            congested_since: scene.estimate.congested_since(now).filter(|_| is_judged),
            window: scene.estimate.latest(),
            remb: scene.estimate.remb(now),
            shows_probes: scene.estimate.shows_probes(now) && is_judged,
            is_heard: scene.estimate.is_heard(now),
        };
        let changed = self.selector.judge(&self.facts, &way);
        if had_probe != self.selector.probe().is_some() {
            scene.estimate.restart(now);
        }
        let Some(cause) = changed else { return };
        self.cause = cause;
        scene.estimate.restart(now);
        match (self.selector.target(), self.phase) {
            (Target::Paused, Phase::Live | Phase::Replay { .. } | Phase::Waiting(_)) => {
                self.pauses += 1;
                self.track.stop();
                self.phase = Phase::Paused;
                self.show(None, scene);
            }
            (Target::Layer(_), Phase::Paused) => {
                self.phase = Phase::Waiting(Waiting { is_fresh_only: true, ..Waiting::new(now) });
            }
            _ => {}
        }
    }

    /// Begins where decoding can start, if it can.
    fn try_begin(&mut self, mut waiting: Waiting, scene: &mut Scene<'_>, now: Instant) {
        let Target::Layer(target) = self.selector.target() else { return };
        let Some(encoding) = scene.source.video.iter().find(|encoding| encoding.id == target) else { return };
        let Some(payload) = self.track.plays(encoding.codec) else {
            if self.unplayable.replace(self.generation) != Some(self.generation) {
                scene.events.push(EgressEvent::Renegotiate);
            }
            self.phase = Phase::Idle;
            return;
        };
        let asked = Asked {
            since: waiting.since,
            now,
            is_allowed: scene.permission != Permission::Never && !waiting.is_fresh_only,
            answers: encoding.answers_key_frames(),
        };
        let ring = encoding.ring.read();
        let (is_empty, has_start) = (ring.head() == ring.oldest(), ring.newest_key_frame().is_some());
        let way = match replay::choose(&ring, asked) {
            Way::From(mark, _) if waiting.unplannable == Some(mark.index) => None,
            // It was planned when it was first asked for, and is again when its turn comes.
            Way::From(mark, _) if scene.permission == Permission::Deferred => {
                *scene.wanted = Some(ring.bytes_since(mark.index));
                None
            }
            Way::From(mark, burst) => {
                let plan = replay::plan(&ring, mark.index, burst, now);
                waiting.unplannable = plan.is_none().then_some(mark.index);
                if plan.is_some() && scene.permission == Permission::OnAsking {
                    *scene.wanted = Some(ring.bytes_since(mark.index));
                    None
                } else {
                    plan.map(|plan| (plan, burst))
                }
            }
            Way::Fresh(mark) => replay::plan(&ring, mark.index, BURST, now).map(|plan| (plan, BURST)),
            Way::Wait => None,
        };
        drop(ring);
        if let Some((plan, burst)) = way {
            if burst == LONG_BURST && asked.answers != AnswersKeyFrames::No {
                // Should it come meanwhile, it spares the rest; and whoever comes next has less to catch up on.
                encoding.want_key_frame();
            }
            self.track.begin(encoding, self.generation, payload, (plan, now));
            self.begun = Some(now);
            self.switch = None;
            self.phase = Phase::Replay { next: now, burst };
            self.show(Some(target), scene);
            return;
        }
        if scene.wanted.is_some() && scene.permission == Permission::OnAsking {
            self.phase = Phase::Waiting(waiting);
            return;
        }
        if waiting.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= ASK_AGAIN) {
            waiting.asked = Some(now);
            encoding.want_key_frame();
        }
        let is_early = now.saturating_duration_since(waiting.since) < replay::ANSWER_PATIENCE;
        let is_replay_near = has_start && asked.is_allowed && (is_early || scene.wanted.is_some());
        if !waiting.is_told && !is_empty && !is_replay_near {
            waiting.is_told = true;
            scene.events.push(EgressEvent::WaitingForKeyFrame);
        }
        self.phase = Phase::Waiting(waiting);
    }

    /// Goes over to the chosen encoding once a key frame of it has come and the present frame is complete.
    fn try_switch(&mut self, scene: &mut Scene<'_>, now: Instant) {
        let Target::Layer(target) = self.selector.target() else { return };
        if self.track.encoding().is_some_and(|encoding| encoding.id == target) {
            self.switch = None;
            return;
        }
        let Some(encoding) = scene.source.video.iter().find(|encoding| encoding.id == target) else { return };
        let is_asked = self.switch.is_some_and(|switch| switch.to == target);
        if !is_asked {
            encoding.want_key_frame();
        }
        let switch = match self.switch {
            Some(switch) if switch.to == target => switch,
            _ => Switch { to: target, since: now, asked: now },
        };
        self.switch = Some(switch);
        if now.saturating_duration_since(switch.asked) >= ASK_AGAIN {
            encoding.want_key_frame();
            self.switch = Some(Switch { asked: now, ..switch });
        }
        let Some(payload) = self.track.plays(encoding.codec) else { return };
        let ring = encoding.ring.read();
        let Some(mark) = ring.newest_key_frame().filter(|mark| mark.arrived >= switch.since) else { return };
        let is_late = now.saturating_duration_since(mark.arrived) >= FRAME_PATIENCE;
        if !self.track.is_between_frames() && !is_late {
            return;
        }
        let Some(plan) = replay::plan(&ring, mark.index, BURST, now) else { return };
        drop(ring);
        self.track.begin(encoding, self.generation, payload, (plan, now));
        self.switch = None;
        scene.estimate.restart(now);
        self.show(Some(target), scene);
    }

    /// Sends a burst of the replay.
    fn hurry(
        &mut self,
        burst: usize,
        scene: &mut Scene<'_>,
        budget: &mut Budget,
        wire: &mut Wire<'_>,
    ) -> Pulled {
        let mut part = Budget { packets: burst.min(budget.packets), bytes: budget.bytes };
        wire.transport.is_replay = true;
        let pulled = self.track.pull(&mut part, wire);
        budget.packets -= burst.min(budget.packets) - part.packets;
        budget.bytes = part.bytes;
        // The rest is spared whom a newer key frame shows the same; half a picture would be worth nothing.
        let is_spared = matches!(pulled, Pulled::Part)
            && self.has_key_frame_ahead()
            && matches!(self.track.finish_frame(budget, wire), Pulled::Everything);
        wire.transport.is_replay = false;
        match pulled {
            Pulled::Part if !is_spared => {
                self.phase = Phase::Replay { next: wire.now + BURST_EVERY, burst };
            }
            Pulled::Part | Pulled::FellBehind => {
                self.wait(wire.now);
                // A key frame that came since the replay began needs no other: the turn was paid for.
                let since = self.begun.unwrap_or(wire.now);
                self.phase = Phase::Waiting(Waiting::new(since));
                return Pulled::Part;
            }
            Pulled::Everything => {
                if self.caught_up.is_none() {
                    self.track.repeat_first();
                }
                self.phase = Phase::Live;
                self.caught_up = Some(wire.now);
                scene.estimate.restart(wire.now);
            }
        }
        Pulled::Everything
    }

    /// Sends what came, and skips where too much waits.
    fn stay(&mut self, scene: &mut Scene<'_>, budget: &mut Budget, wire: &mut Wire<'_>) -> Pulled {
        self.track.fill_holes(wire);
        if self.is_behind {
            // The picture that was begun is finished first: half of one is worth nothing to a decoder.
            match self.track.finish_frame(budget, wire) {
                Pulled::Part => return Pulled::Part,
                Pulled::Everything | Pulled::FellBehind => {
                    self.skip(wire.now);
                    return Pulled::Part;
                }
            }
        }
        let pulled = self.track.pull(budget, wire);
        if self.track.take_broken()
            && let Some(encoding) = self.track.encoding()
        {
            encoding.want_key_frame();
        }
        match pulled {
            Pulled::FellBehind => self.skip(wire.now),
            Pulled::Part => self.is_behind = self.is_skip_worth_it(scene.is_limited, wire.now),
            Pulled::Everything => {}
        }
        pulled
    }

    /// Whether too much waits, and going on from a key frame is the faster way to the live edge.
    fn is_skip_worth_it(&self, is_limited: bool, now: Instant) -> bool {
        // Without a ceiling and without a key frame ahead, sending it all is faster.
        self.track.backlog(now) > BACKLOG && (is_limited || self.has_key_frame_ahead())
    }

    /// Whether a key frame has come that the viewer was not sent yet.
    fn has_key_frame_ahead(&self) -> bool {
        let Some((encoding, cursor)) = self.track.encoding().zip(self.track.cursor()) else { return false };
        encoding.ring.read().newest_key_frame().is_some_and(|mark| mark.index > cursor)
    }

    fn skip(&mut self, now: Instant) {
        self.skips += 1;
        self.wait(now);
    }

    fn wait(&mut self, now: Instant) {
        self.is_behind = false;
        self.phase = Phase::Waiting(Waiting::new(now));
    }

    /// Tells the viewer which layer it sees, where it is another.
    fn show(&mut self, layer: Option<EncodingId>, scene: &mut Scene<'_>) {
        if self.shown.replace(layer) == Some(layer) {
            return;
        }
        let layers = scene.source.video.iter().take(MAX_LAYERS);
        scene.events.push(EgressEvent::Layers {
            current: layer.and_then(|id| layers.clone().position(|encoding| encoding.id == id)),
            layers: layers.map(|encoding| LayerInfo::of(encoding)).collect(),
            cause: self.cause,
        });
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.track.heap_bytes() + self.facts.capacity() * size_of::<LayerFacts>()
    }
}

impl Waiting {
    fn new(since: Instant) -> Self {
        Self { since, asked: None, is_told: false, is_fresh_only: false, unplannable: None }
    }
}

fn facts(encoding: &Encoding, now: Instant) -> LayerFacts {
    let ring = encoding.ring.read();
    let newest = ring.head().checked_sub(1).and_then(|newest| ring.get(newest));
    LayerFacts {
        id: encoding.id,
        height: encoding.size().map_or(0, |size| size.height),
        bitrate: encoding.bitrate().into(),
        is_flowing: newest.is_some_and(|packet| now.saturating_duration_since(packet.arrived) < STOPPED),
    }
}
