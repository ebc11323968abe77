//! Who watches a live: people against tabs, how many and how long.
//!
//! Pure: the time is passed in. A person is there while at least one tie holds: a session that joined or a peer that
//! watches. The owner is never counted. Memory is bounded by [`AudienceLimits`], whatever comes and goes.

use cardinality_estimator::CardinalityEstimator;
use communiconnect_protocol::{JoinPhases, JoinTimes, PeerId, SessionId, UserId, Viewers, WatchTimes};
use hdrhistogram::Histogram;
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// Somebody who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Person {
    /// A known person, whatever number of tabs.
    User(UserId),
    /// A guest, known by the session.
    Guest(SessionId),
    /// Somebody without session or token (WHEP): each connection is one.
    Nameless(PeerId),
}

/// What keeps a person there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tie {
    /// A session that has joined.
    Session(SessionId),
    /// A peer that watches.
    Peer(PeerId),
}

/// The bounds of one audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudienceLimits {
    /// People at once; some 200 bytes each.
    pub people: usize,
    /// Ties of one person: tabs, and peers left behind by reloads until they time out.
    pub ties_per_person: usize,
}

impl Default for AudienceLimits {
    fn default() -> Self {
        Self { people: 2_000, ties_per_person: 16 }
    }
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this live has as many viewers as one node serves")]
pub struct Full;

/// How long the phases of one join took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinSpans {
    /// From the request to the answer.
    pub answer: Duration,
    /// From the answer to a secured connection.
    pub connect: Duration,
    /// From there to the first packet of media sent.
    pub media: Duration,
}

/// The audience of one live.
#[derive(Debug)]
pub struct Audience {
    owner: UserId,
    limits: AudienceLimits,
    people: HashMap<Person, Presence>,
    ties: HashMap<Tie, Person>,
    peak: u64,
    uniques: Uniques,
    joins: u64,
    leaves: u64,
    /// Watch times of visits that are over, in milliseconds.
    visits: Histogram<u32>,
    visits_ms: u64,
    joined_in: JoinHistograms,
    timeline: Option<Timeline>,
}

/// One person who is there.
#[derive(Debug, Default)]
struct Presence {
    ties: usize,
    watched: Duration,
    /// Until when the delivered media has been counted: two peers of one person deliver at the same time.
    counted_until: Option<Instant>,
}

/// How many watched when, from the first picture on.
#[derive(Debug)]
struct Timeline {
    began: Instant,
    /// Until when the viewer time has been added up.
    summed_until: Instant,
    viewer_time: Duration,
    points: Vec<(u64, u64)>,
}

/// Between two points of the retention.
const POINT_EVERY: Duration = Duration::from_secs(10);

/// Points kept: twelve hours of them, the longest live, and one more for the very end.
const POINTS: usize = 4_321;

impl Audience {
    /// An empty audience of this owner's live.
    pub fn new(owner: UserId, limits: AudienceLimits) -> Self {
        Self {
            owner,
            limits,
            people: HashMap::new(),
            ties: HashMap::new(),
            peak: 0,
            uniques: Uniques::Exact(HashSet::new()),
            joins: 0,
            leaves: 0,
            visits: milliseconds(),
            visits_ms: 0,
            joined_in: JoinHistograms::default(),
            timeline: None,
        }
    }

    /// Ties a person to the live; whether that changed how many watch. A tie that holds already changes nothing.
    ///
    /// # Errors
    /// [`Full`] where there is no room for one more person, or for one more tie of this one.
    pub fn join(&mut self, person: Person, tie: Tie, now: Instant) -> Result<bool, Full> {
        if person == Person::User(self.owner) || self.ties.contains_key(&tie) {
            return Ok(false);
        }
        let is_new = !self.people.contains_key(&person);
        if is_new && self.people.len() >= self.limits.people {
            return Err(Full);
        }
        if self.people.get(&person).is_some_and(|there| there.ties >= self.limits.ties_per_person) {
            return Err(Full);
        }
        self.advance(now);
        self.ties.insert(tie, person);
        self.people.entry(person).or_default().ties += 1;
        if is_new {
            self.joins += 1;
            self.uniques.insert(person);
            self.peak = self.peak.max(self.current());
        }
        Ok(is_new)
    }

    /// Unties; whether that changed how many watch.
    pub fn leave(&mut self, tie: Tie, now: Instant) -> bool {
        let Some(person) = self.ties.remove(&tie) else { return false };
        self.advance(now);
        let Some(there) = self.people.get_mut(&person) else { return false };
        there.ties -= 1;
        if there.ties > 0 {
            return false;
        }
        if let Some(gone) = self.people.remove(&person) {
            self.count_visit(gone.watched);
        }
        self.leaves += 1;
        true
    }

    /// Media was delivered to this peer for the `span` that ends now.
    pub fn delivered(&mut self, peer: PeerId, span: Duration, now: Instant) {
        let Some(person) = self.ties.get(&Tie::Peer(peer)) else { return };
        let Some(there) = self.people.get_mut(person) else { return };
        let began = now.checked_sub(span).unwrap_or(now);
        let from = there.counted_until.map_or(began, |until| until.max(began));
        there.watched += now.saturating_duration_since(from);
        there.counted_until = Some(now);
    }

    /// Somebody who asked to watch gets media now.
    pub fn joined_in(&mut self, spans: JoinSpans) {
        self.joined_in.record(spans);
    }

    /// Somebody who gets media has got a whole picture, so long after the first packet.
    pub fn pictured_in(&mut self, span: Duration) {
        record(&mut self.joined_in.picture, span);
    }

    /// The live can be watched from now on: averages and retention begin.
    pub fn begin(&mut self, now: Instant) {
        self.timeline.get_or_insert(Timeline {
            began: now,
            summed_until: now,
            viewer_time: Duration::ZERO,
            points: Vec::new(),
        });
        self.advance(now);
    }

    /// Adds up the time that has passed; every second or so is enough.
    pub fn advance(&mut self, now: Instant) {
        let current = self.people.len() as u64;
        if let Some(timeline) = &mut self.timeline {
            timeline.advance(current, now);
        }
    }

    /// Whether somebody is there now; the owner always is.
    pub fn knows(&self, user: UserId) -> bool {
        user == self.owner || self.people.contains_key(&Person::User(user))
    }

    /// Whoever of those who watch now is known by name.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.people.keys().filter_map(|person| match person {
            Person::User(user) => Some(*user),
            Person::Guest(_) | Person::Nameless(_) => None,
        })
    }

    /// People who watch now.
    pub fn current(&self) -> u64 {
        self.people.len() as u64
    }

    /// People who watch.
    pub fn viewers(&self) -> Viewers {
        Viewers { current: self.current(), peak: self.peak }
    }

    /// Different people so far: exact to 10,000, an estimate above.
    pub fn unique(&self) -> u64 {
        self.uniques.count()
    }

    /// How often people came, and went.
    pub fn moves(&self) -> (u64, u64) {
        (self.joins, self.leaves)
    }

    /// People on average since the live can be watched, to one decimal.
    pub fn average(&self) -> f64 {
        let Some(timeline) = &self.timeline else { return 0.0 };
        let lasted = timeline.summed_until.duration_since(timeline.began).as_secs_f64();
        if lasted == 0.0 {
            return self.current() as f64;
        }
        one_decimal(timeline.viewer_time.as_secs_f64() / lasted)
    }

    /// For how long people have watched: visits that are over and those that go on.
    pub fn watch_times(&self) -> WatchTimes {
        let mut visits = self.visits.clone();
        let mut total = self.visits_ms;
        for there in self.people.values() {
            total += record(&mut visits, there.watched);
        }
        let count = visits.len();
        WatchTimes {
            total,
            mean: total.checked_div(count).unwrap_or(0),
            p50: quantile(&visits, 0.5),
            p95: quantile(&visits, 0.95),
        }
    }

    /// How long joining took, by phase.
    pub fn join_phases(&self) -> JoinPhases {
        self.joined_in.phases()
    }

    /// Viewers by time: milliseconds since the beginning, people; every 10 s.
    pub fn retention(&self) -> &[(u64, u64)] {
        self.timeline.as_ref().map_or(&[], |timeline| &timeline.points)
    }

    /// Ties of a person, such as one who was banned.
    pub fn ties_of(&self, person: Person) -> Vec<Tie> {
        self.ties.iter().filter(|(_, whose)| **whose == person).map(|(tie, _)| *tie).collect()
    }

    fn count_visit(&mut self, watched: Duration) {
        self.visits_ms += record(&mut self.visits, watched);
    }
}

impl Timeline {
    fn advance(&mut self, current: u64, now: Instant) {
        let passed = now.saturating_duration_since(self.summed_until);
        self.viewer_time += passed * u32::try_from(current).unwrap_or(u32::MAX);
        self.summed_until = self.summed_until.max(now);
        let mut at = POINT_EVERY * u32::try_from(self.points.len()).unwrap_or(u32::MAX);
        while self.points.len() < POINTS && self.began + at <= now {
            self.points.push((millis(at), current));
            at += POINT_EVERY;
        }
    }
}

/// Different people: the set itself while it is small, an estimate of its size above.
#[derive(Debug)]
enum Uniques {
    Exact(HashSet<Person>),
    Sketch(CardinalityEstimator<Person>),
}

/// People up to whom the number is exact; some 500 KB at most.
const EXACT: usize = 10_000;

impl Uniques {
    fn insert(&mut self, person: Person) {
        match self {
            Self::Sketch(sketch) => sketch.insert(&person),
            Self::Exact(people) => {
                people.insert(person);
                if people.len() > EXACT {
                    let mut sketch = CardinalityEstimator::new();
                    people.iter().for_each(|person| sketch.insert(person));
                    *self = Self::Sketch(sketch);
                }
            }
        }
    }

    fn count(&self) -> u64 {
        match self {
            Self::Exact(people) => people.len() as u64,
            Self::Sketch(sketch) => sketch.estimate() as u64,
        }
    }
}

#[derive(Debug)]
struct JoinHistograms {
    answer: Histogram<u32>,
    connect: Histogram<u32>,
    media: Histogram<u32>,
    picture: Histogram<u32>,
    total: Histogram<u32>,
}

impl Default for JoinHistograms {
    fn default() -> Self {
        Self {
            answer: milliseconds(),
            connect: milliseconds(),
            media: milliseconds(),
            picture: milliseconds(),
            total: milliseconds(),
        }
    }
}

impl JoinHistograms {
    fn record(&mut self, spans: JoinSpans) {
        record(&mut self.answer, spans.answer);
        record(&mut self.connect, spans.connect);
        record(&mut self.media, spans.media);
        record(&mut self.total, spans.answer + spans.connect + spans.media);
    }

    fn phases(&self) -> JoinPhases {
        let of = |histogram: &Histogram<u32>| JoinTimes {
            p50: quantile(histogram, 0.5),
            p95: quantile(histogram, 0.95),
        };
        JoinPhases {
            answer: of(&self.answer),
            connect: of(&self.connect),
            media: of(&self.media),
            picture: (!self.picture.is_empty()).then(|| of(&self.picture)),
            total: of(&self.total),
        }
    }
}

/// A distribution of milliseconds that grows with what it is given, to three digits.
fn milliseconds() -> Histogram<u32> {
    Histogram::new(3).expect("three digits are within what the crate takes")
}

/// Records a span; answers its milliseconds.
fn record(histogram: &mut Histogram<u32>, span: Duration) -> u64 {
    let ms = millis(span);
    // Growing by itself, it takes any value; a full counter only loses precision of a quantile.
    let _ = histogram.record(ms);
    ms
}

/// The lowest value that may be meant: the crate answers the highest, which would be more than anybody watched.
fn quantile(histogram: &Histogram<u32>, share: f64) -> u64 {
    histogram.lowest_equivalent(histogram.value_at_quantile(share))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A figure as people read it.
pub(super) fn one_decimal(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
#[path = "audience_tests.rs"]
mod tests;
