//! Which encoding a viewer should get, by its wish and by what its way carries.
//!
//! Owns the choice and its hysteresis: down after two seconds of congestion, up only after quiet and a probe that held. Sends
//! nothing and switches nothing: whoever asks makes the switch where decoding can start.

use std::time::{Duration, Instant};

use super::estimate::Window;
use super::source::EncodingId;

/// How long a way is congested before something gives.
pub const CONGESTED_FOR: Duration = Duration::from_secs(2);

/// Quiet before a first probe; doubled with every climb that did not hold.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest quiet before a probe.
const MOST_PATIENCE: Duration = Duration::from_secs(60);

/// A climb that held this long was right.
const HELD: Duration = Duration::from_secs(30);

/// A probe that has shown nothing by then has failed: reception reports may be seconds apart.
const PROBE_FOR: Duration = Duration::from_secs(4);

/// A probe must hold this long: buffers on the way take half a second of too much without a sign.
const PROBE_HOLDS: Duration = Duration::from_secs(1);

/// A probe offers this much of what the layer above needs, in percent.
const PROBE_SHARE: u64 = 110;

/// A layer must fit into this much of what was delivered, in percent.
const FITS_SHARE: u64 = 95;

/// What a viewer asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// The best that its way carries.
    #[default]
    Auto,
    /// As [`Wish::Auto`], but no picture higher than so many lines; the lowest encoding where all are.
    MaxHeight(u32),
}

/// Why another layer is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The viewer asked.
    Wish,
    /// Its way carries more or less than before.
    Bandwidth,
    /// The publisher began, came back, or sends other layers than before.
    Source,
}

/// What is known of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerFacts {
    /// Which encoding.
    pub id: EncodingId,
    /// Lines; 0 while unknown.
    pub height: u32,
    /// Bits per second; 0 while unknown.
    pub bitrate: u64,
    /// Whether packets come.
    pub is_flowing: bool,
}

/// What is known of a viewer's way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// The time.
    pub now: Instant,
    /// Since when it has been congested without a pause.
    pub congested_since: Option<Instant>,
    /// The newest comparison of sent and delivered.
    pub window: Option<Window>,
    /// What the viewer itself believes, in bits per second.
    pub remb: Option<u64>,
    /// Whether the viewer reports what arrives in a way that shows a probe.
    pub shows_probes: bool,
    /// Whether anything was heard from the viewer lately.
    pub is_heard: bool,
}

/// What a viewer should get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This encoding.
    Layer(EncodingId),
    /// No video: not even the lowest encoding fits.
    Paused,
    /// There is no video.
    Nothing,
}

/// More than the present layer is sent, to see whether it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Bits per second to be sent, media included.
    pub rate: u64,
    /// Since when.
    pub began: Instant,
    layer: EncodingId,
}

/// Chooses a layer.
#[derive(Debug)]
pub struct LayerSelector {
    wish: Wish,
    /// The highest layer that the way carries; none where it is not the limit.
    limit: Option<EncodingId>,
    is_paused: bool,
    target: Target,
    /// Since when nothing spoke against a climb.
    calm_since: Instant,
    patience: Duration,
    climbed: Option<Instant>,
    probe: Option<Probe>,
    is_wish_new: bool,
}

impl LayerSelector {
    /// Wants the best layer and knows of no limit.
    pub fn new(now: Instant) -> Self {
        Self {
            wish: Wish::Auto,
            limit: None,
            is_paused: false,
            target: Target::Nothing,
            calm_since: now,
            patience: PATIENCE,
            climbed: None,
            probe: None,
            is_wish_new: false,
        }
    }

    /// The viewer asks for something else.
    pub fn wish(&mut self, wish: Wish) {
        self.is_wish_new = self.wish != wish;
        self.wish = wish;
    }

    /// What was chosen last.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The probe that is running.
    pub fn probe(&self) -> Option<Probe> {
        self.probe
    }

    /// Chooses anew among `layers`, the lowest first. Says why where the choice is another than before.
    pub fn judge(&mut self, layers: &[LayerFacts], way: &Way) -> Option<Cause> {
        let had = self.target;
        let is_wish_new = std::mem::take(&mut self.is_wish_new);
        let is_limit_new = self.judge_way(layers, way);
        self.target = self.choose(layers);
        (self.target != had).then_some(match () {
            () if is_limit_new => Cause::Bandwidth,
            () if is_wish_new => Cause::Wish,
            () => Cause::Source,
        })
    }

    /// The highest layer that wish and limit allow and that flows.
    fn choose(&self, layers: &[LayerFacts]) -> Target {
        if self.is_paused {
            return Target::Paused;
        }
        let allowed = self.wished(layers).min(self.limited(layers));
        let below = layers.iter().take(allowed + 1).rev().find(|layer| layer.is_flowing);
        let above = || layers.iter().find(|layer| layer.is_flowing);
        let any = || layers.get(allowed);
        below.or_else(above).or_else(any).map_or(Target::Nothing, |layer| Target::Layer(layer.id))
    }

    /// The highest layer that the wish allows.
    fn wished(&self, layers: &[LayerFacts]) -> usize {
        match self.wish {
            Wish::Auto => layers.len().saturating_sub(1),
            Wish::MaxHeight(most) => layers.iter().rposition(|layer| layer.height <= most).unwrap_or(0),
        }
    }

    /// The highest layer that the way carries.
    fn limited(&self, layers: &[LayerFacts]) -> usize {
        let limit = self.limit.and_then(|limit| layers.iter().position(|layer| layer.id == limit));
        limit.unwrap_or(layers.len().saturating_sub(1))
    }

    /// Moves the limit. Returns whether it moved.
    fn judge_way(&mut self, layers: &[LayerFacts], way: &Way) -> bool {
        if layers.is_empty() {
            self.probe = None;
            return false;
        }
        if self.climbed.is_some_and(|climbed| way.now.saturating_duration_since(climbed) > HELD) {
            self.climbed = None;
            self.patience = PATIENCE;
        }
        if let Some(probe) = self.probe {
            return self.judge_probe(probe, layers, way);
        }
        let congested = way.congested_since.map(|since| since.max(self.calm_since));
        match congested {
            _ if self.is_paused => self.look_up(layers, way),
            Some(since) if way.now.saturating_duration_since(since) >= CONGESTED_FOR => {
                self.step_down(layers, way);
                true
            }
            Some(_) => false,
            None => self.look_up(layers, way),
        }
    }

    fn step_down(&mut self, layers: &[LayerFacts], way: &Way) {
        let Target::Layer(current) = self.target else { return };
        let at = layers.iter().position(|layer| layer.id == current).unwrap_or(0);
        let delivered = way.window.map_or(0, |window| window.delivered as u64);
        let fits = |layer: &&LayerFacts| layer.is_flowing && layer.bitrate <= delivered * FITS_SHARE / 100;
        let flowing = |layer: &&LayerFacts| layer.is_flowing;
        let below = &layers[..at];
        match below.iter().rev().find(fits).or_else(|| below.iter().find(flowing)) {
            Some(layer) => self.limit = Some(layer.id),
            None => {
                self.is_paused = true;
                self.limit = layers.first().map(|layer| layer.id);
            }
        }
        if self.climbed.take().is_some() {
            self.be_patient();
        }
        self.calm_since = way.now;
    }

    /// Looks for the next layer up after quiet. Returns whether the limit moved.
    fn look_up(&mut self, layers: &[LayerFacts], way: &Way) -> bool {
        if way.now.saturating_duration_since(self.calm_since) < self.patience || !way.is_heard {
            return false;
        }
        let from = if self.is_paused { 0 } else { self.limited(layers) + 1 };
        let to = self.wished(layers);
        let Some(next) =
            layers.iter().take(to + 1).skip(from).find(|layer| layer.is_flowing && layer.bitrate > 0)
        else {
            return false;
        };
        let believes = way.remb.is_some_and(|remb| remb >= next.bitrate * 12 / 10);
        if believes || (self.is_paused && !way.shows_probes) {
            self.climb(next.id, layers, way.now);
            return true;
        }
        if way.shows_probes {
            self.probe =
                Some(Probe { rate: next.bitrate * PROBE_SHARE / 100, began: way.now, layer: next.id });
        }
        false
    }

    fn judge_probe(&mut self, probe: Probe, layers: &[LayerFacts], way: &Way) -> bool {
        let window = way.window.filter(|window| window.began >= probe.began);
        let is_offered = |window: &Window| window.sent >= probe.rate as f64 * 0.75;
        let held = window.filter(|window| window.ended.saturating_duration_since(probe.began) >= PROBE_HOLDS);
        if window.is_some_and(|window| window.is_congested())
            || way.now.saturating_duration_since(probe.began) > PROBE_FOR
        {
            self.probe = None;
            self.calm_since = way.now;
            self.be_patient();
            return false;
        }
        if held.is_some_and(|window| is_offered(&window)) {
            self.climb(probe.layer, layers, way.now);
            return true;
        }
        false
    }

    fn climb(&mut self, to: EncodingId, layers: &[LayerFacts], now: Instant) {
        self.probe = None;
        self.is_paused = false;
        self.limit = layers.last().filter(|highest| highest.id != to).map(|_| to);
        self.climbed = Some(now);
        self.calm_since = now;
    }

    fn be_patient(&mut self) {
        self.patience = (self.patience * 2).min(MOST_PATIENCE);
    }
}
