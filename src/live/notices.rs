//! What a player without a socket is told beside its media (WHEP, extension server-sent-events), and who asked for what.
//!
//! Pure: states go in, what to tell comes out. Only the latest state counts, so that nothing waits for a slow reader.

use communiconnect_protocol::{Layer, RtcCloseReason};
use parking_lot::Mutex;
use rand::Rng;
use tokio::sync::watch;

/// Event streams of one peer: a player needs one, and leaves one behind where it reloads.
pub const STREAMS: usize = 4;

/// What can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Media is coming in.
    Active,
    /// It is not any more.
    Inactive,
    /// What can be chosen among.
    Layers,
    /// This session ends, and another can be had.
    Reconnect,
    /// How many watch.
    ViewerCount,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Active, Self::Inactive, Self::Layers, Self::Reconnect, Self::ViewerCount];

    /// As the draft calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Layers => "layers",
            Self::Reconnect => "reconnect",
            Self::ViewerCount => "viewercount",
        }
    }
}

/// Some topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topics(u8);

impl Topics {
    /// Every topic.
    pub fn all() -> Self {
        Topic::ALL.into_iter().collect()
    }

    /// Whether this one is among them.
    pub const fn has(self, topic: Topic) -> bool {
        self.0 & (1 << topic as u8) != 0
    }
}

impl FromIterator<Topic> for Topics {
    fn from_iter<I: IntoIterator<Item = Topic>>(topics: I) -> Self {
        Self(topics.into_iter().fold(0, |bits, topic| bits | (1 << topic as u8)))
    }
}

/// How things are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Present {
    /// Whether media comes in.
    pub is_active: bool,
    /// How many watch.
    pub viewers: u64,
    /// What can be chosen among, once it is known.
    pub layers: Vec<Layer>,
    /// Why the session has ended, where it has.
    pub end: Option<RtcCloseReason>,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Media is coming in.
    Active,
    /// It is not any more.
    Inactive,
    /// What can be chosen among now.
    Layers(Vec<Layer>),
    /// Begin anew: the session has ended for no reason of the live's.
    Reconnect,
    /// How many watch now.
    ViewerCount(u64),
}

/// Remembers what one reader was told.
#[derive(Clone, Debug)]
pub struct Teller {
    topics: Topics,
    told: Present,
    told_viewers: bool,
}

impl Teller {
    /// Nothing was told yet.
    pub fn new(topics: Topics) -> Self {
        Self { topics, told: Present::default(), told_viewers: false }
    }

    /// What is news, in the order to tell it. That there is no media is no news at the beginning, as the draft has it.
    pub fn news(&mut self, present: Present) -> Vec<Notice> {
        let mut news = Vec::new();
        let mut tell = |topic, notice| {
            if self.topics.has(topic) {
                news.push(notice);
            }
        };
        match (self.told.is_active, present.is_active) {
            (false, true) => tell(Topic::Active, Notice::Active),
            (true, false) => tell(Topic::Inactive, Notice::Inactive),
            (false, false) | (true, true) => {}
        }
        if self.told.layers != present.layers {
            tell(Topic::Layers, Notice::Layers(present.layers.clone()));
        }
        if self.told.viewers != present.viewers || !self.told_viewers {
            tell(Topic::ViewerCount, Notice::ViewerCount(present.viewers));
        }
        if present.end != self.told.end && present.end.is_some_and(invites_back) {
            tell(Topic::Reconnect, Notice::Reconnect);
        }
        (self.told, self.told_viewers) = (present, true);
        news
    }

    /// The last news: the session ends for this reason, and nothing else has changed.
    pub fn last_news(&mut self, reason: RtcCloseReason) -> Vec<Notice> {
        self.news(Present { end: Some(reason), ..self.told.clone() })
    }
}

/// Whether who was closed for this reason may watch again at once.
const fn invites_back(reason: RtcCloseReason) -> bool {
    matches!(
        reason,
        RtcCloseReason::Renegotiate | RtcCloseReason::Drain | RtcCloseReason::Timeout | RtcCloseReason::Error
    )
}

/// The event streams of one peer. They end with it.
#[derive(Debug, Default)]
pub struct Streams {
    open: Mutex<Vec<Stream>>,
}

#[derive(Debug)]
struct Stream {
    name: String,
    topics: Topics,
    /// Counts readers: a new one takes the place of the one before, whose connection may be dead.
    reader: watch::Sender<u64>,
}

/// A reader of a stream.
#[derive(Debug)]
pub struct Reading {
    /// What it is told of.
    pub topics: Topics,
    place: watch::Receiver<u64>,
}

impl Reading {
    /// Returns once another reader has come, or the stream was closed.
    pub async fn superseded(&mut self) {
        // An error says that the stream is gone.
        let _ = self.place.changed().await;
    }
}

impl Streams {
    /// Opens one; its name, 128 random bits that let in who knows them. None where there are [`STREAMS`].
    pub fn open(&self, topics: Topics) -> Option<String> {
        let mut open = self.open.lock();
        if open.len() >= STREAMS {
            return None;
        }
        let name = format!("{:032x}", rand::rng().random::<u128>());
        open.push(Stream { name: name.clone(), topics, reader: watch::Sender::new(0) });
        Some(name)
    }

    /// Begins to read one, if there is such.
    pub fn read(&self, name: &str) -> Option<Reading> {
        let open = self.open.lock();
        let stream = open.iter().find(|stream| stream.name == name)?;
        stream.reader.send_modify(|readers| *readers += 1);
        Some(Reading { topics: stream.topics, place: stream.reader.subscribe() })
    }

    /// Closes one; whether there was such.
    pub fn close(&self, name: &str) -> bool {
        let mut open = self.open.lock();
        let before = open.len();
        open.retain(|stream| stream.name != name);
        open.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(rid: &str) -> Layer {
        Layer { rid: rid.into(), width: 640, height: 360, fps: 30, bitrate: 500_000 }
    }

    #[test]
    fn a_reader_is_told_of_what_changed_and_of_the_present_at_first() {
        let mut teller = Teller::new(Topics::all());
        let mut present = Present { is_active: true, viewers: 1, ..Present::default() };
        assert_eq!(teller.news(present.clone()), [Notice::Active, Notice::ViewerCount(1)]);
        assert_eq!(teller.news(present.clone()), []);
        present.layers = vec![layer("l")];
        (present.viewers, present.is_active) = (2, false);
        let news = [Notice::Inactive, Notice::Layers(vec![layer("l")]), Notice::ViewerCount(2)];
        assert_eq!(teller.news(present.clone()), news);
        present.end = Some(RtcCloseReason::Drain);
        assert_eq!(teller.clone().last_news(RtcCloseReason::Drain), [Notice::Reconnect]);
        assert_eq!(teller.news(present.clone()), [Notice::Reconnect]);
        assert_eq!(teller.news(present), []);
    }

    #[test]
    fn no_media_at_the_beginning_is_no_news() {
        let mut teller = Teller::new(Topics::all());
        assert_eq!(teller.news(Present::default()), [Notice::ViewerCount(0)]);
    }

    #[test]
    fn a_reader_is_told_of_nothing_else_than_it_asked_for() {
        let mut teller = Teller::new([Topic::Inactive].into_iter().collect());
        let active = Present { is_active: true, viewers: 3, layers: vec![layer("l")], end: None };
        assert_eq!(teller.news(active), []);
        assert_eq!(teller.news(Present::default()), [Notice::Inactive]);
    }

    #[test]
    fn who_was_sent_away_is_not_invited_back() {
        for reason in [RtcCloseReason::Ended, RtcCloseReason::Banned, RtcCloseReason::Closed] {
            let mut teller = Teller::new([Topic::Reconnect].into_iter().collect());
            assert_eq!(teller.news(Present { end: Some(reason), ..Present::default() }), []);
        }
    }

    #[tokio::test]
    async fn streams_are_few_and_the_newest_reader_has_one() {
        let streams = Streams::default();
        let names: Vec<_> = (0..STREAMS).map(|_| streams.open(Topics::all()).expect("room")).collect();
        assert_eq!(streams.open(Topics::all()), None);
        let mut first = streams.read(&names[0]).expect("it is open");
        let mut second = streams.read(&names[0]).expect("it is open");
        first.superseded().await;
        assert!(streams.close(&names[0]) && !streams.close(&names[0]));
        second.superseded().await;
        assert!(streams.read(&names[0]).is_none());
        assert!(streams.open(Topics::all()).is_some(), "there is room again");
    }
}
