//! One reader's side of the protocol: connect with positions, subscribe, apply what comes, fetch what a gap tells of.
//!
//! Pure: messages and times go in, frames to send and verdicts come out. It lives through all connections of its reader.

mod pages;
#[cfg(test)]
mod tests;

use super::{
    Names, Tally, frames,
    wire::{Envelope, Gap, Item, OfChannel, Publication, Reconnect, State},
};
use crate::oracle::{Fault, Span, Track};
use serde_json::{Map, Value, json, value::RawValue};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use thiserror::Error;

/// Channels in one `sync`: their names fill a message far below the limit.
const AT_ONCE: usize = 256;

/// Entries of one page, the most that `history` gives.
const PAGE: u64 = 256;

/// What ends a connection of a reader.
#[derive(Debug, Error)]
pub(super) enum SessionError {
    #[error("a message that is no envelope of the protocol: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("{command} was refused: {code}: {message}")]
    Refused { command: &'static str, code: String, message: String },
    #[error("the reply {0} answers no command, or not the next one")]
    OutOfTurn(u64),
    #[error("the subscription of {0} was ended: {1}")]
    Unsubscribed(String, String),
    #[error("the subscription of {0} was answered `{1}`, which is no answer to what was asked")]
    Subscribed(String, String),
}

impl SessionError {
    /// The word for it in figures.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::OutOfTurn(_) | Self::Subscribed(..) => "malformed",
            Self::Refused { .. } | Self::Unsubscribed(..) => "refused",
        }
    }
}

/// A command without its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Connect,
    Sync,
    /// What follows a page that said `more`, of the channel at this place.
    Rest(usize),
    /// What a gap told of.
    Hole(usize),
}

/// One subscription.
#[derive(Debug)]
struct Place {
    channel: u32,
    epoch: Box<str>,
    /// None until the first subscription is answered.
    track: Option<Track>,
    /// The highest version of any state.
    version: u64,
}

/// How an entry came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Pushed,
    Fetched,
}

/// The moment in which a message comes, and where what follows from it goes.
pub(super) struct Moment<'a> {
    /// [`crate::clock::now_us`].
    pub(super) now: u64,
    pub(super) tally: &'a mut Tally,
    /// Frames to send.
    pub(super) out: &'a mut Vec<u8>,
}

/// A reader, whatever its connection does.
#[derive(Debug)]
pub(super) struct Session {
    number: usize,
    voice: usize,
    names: Arc<Names>,
    token: Option<Arc<str>>,
    /// Sorted by channel.
    places: Vec<Place>,
    asked: VecDeque<Asked>,
    last_id: u64,
    goodbye: Option<Duration>,
}

impl Session {
    /// Reader `number` of these channels, counted under `voice`.
    pub(super) fn new(number: usize, voice: usize, names: Arc<Names>, mut channels: Vec<u32>) -> Self {
        channels.sort_unstable();
        channels.dedup();
        let place = |channel| Place { channel, epoch: Box::default(), track: None, version: 0 };
        let places = channels.into_iter().map(place).collect();
        Self { number, voice, names, token: None, places, asked: VecDeque::new(), last_id: 0, goodbye: None }
    }

    /// As the person of this token, not as a guest.
    pub(super) fn with_token(mut self, token: Option<Arc<str>>) -> Self {
        self.token = token;
        self
    }

    /// A reader that is pushed everything from offset 1 on and asks for nothing.
    pub(super) fn unasked(mut self) -> Self {
        for place in &mut self.places {
            place.track = Some(Track::after(0));
        }
        self
    }

    /// Writes what a new connection begins with.
    pub(super) fn begin(&mut self, tally: &mut Tally, out: &mut Vec<u8>) {
        self.asked.clear();
        self.goodbye = None;
        let mut resume = Map::new();
        for place in &mut self.places {
            let Some(track) = &mut place.track else { continue };
            let (offset, lost) = track.resume();
            for fault in lost {
                tally.fault(self.number, place.channel, fault);
            }
            let position = json!({ "epoch": &*place.epoch, "offset": offset });
            resume.insert(self.names.name(place.channel).to_owned(), position);
        }
        let body = json!({ "token": self.token.as_deref(), "resume": resume });
        self.ask(Asked::Connect, "connect", &body, out);
    }

    /// Whether every channel is subscribed and nothing is being fetched.
    pub(super) fn is_settled(&self) -> bool {
        self.asked.is_empty() && self.places.iter().all(|place| place.track.is_some())
    }

    /// Whether it was ever subscribed to everything.
    pub(super) fn has_come(&self) -> bool {
        self.last_id > 0 && self.places.iter().all(|place| place.track.is_some())
    }

    /// Under which voice it is counted.
    pub(super) fn voice(&self) -> usize {
        self.voice
    }

    /// Counts it under another voice from now on.
    pub(super) fn count_under(&mut self, voice: usize) {
        self.voice = voice;
    }

    /// When to come back, where the server has said that it will close.
    pub(super) fn goodbye(&self) -> Option<Duration> {
        self.goodbye
    }

    /// Whether everything up to these heads, by channel, has come.
    pub(super) fn is_whole(&self, heads: &[u64]) -> bool {
        let is_whole = |place: &Place| {
            let head = heads[place.channel as usize];
            place.track.as_ref().is_some_and(|track| track.is_whole(head))
        };
        self.places.iter().all(is_whole)
    }

    /// The end: tells what is missing up to these heads, by channel, and the version of the last state.
    pub(super) fn end(&self, heads: &[u64], versions: &[u64], tally: &mut Tally) {
        for place in &self.places {
            let (channel, reader) = (place.channel, super::tally::Reader(self.number));
            match &place.track {
                Some(track) => {
                    for fault in track.end(heads[channel as usize]) {
                        tally.fault(self.number, channel, fault);
                    }
                }
                None => tally.findings.wrong("not_subscribed", format!("{reader} was never subscribed")),
            }
            let last = versions.get(channel as usize).copied().unwrap_or(0);
            if place.version < last {
                let text = format!(
                    "{reader}, {}: the last state is {last}, and it has {}",
                    self.names.name(channel),
                    place.version
                );
                tally.findings.wrong("old_state", text);
            }
        }
    }

    /// Takes a message of the server; writes what is to be answered.
    pub(super) fn message(&mut self, message: &[u8], moment: &mut Moment<'_>) -> Result<(), SessionError> {
        if let Some(publication) = Publication::read(message) {
            self.publication(&publication, moment);
            return Ok(());
        }
        let envelope = Envelope::read(message)?;
        if envelope.0 == 0 { self.push(&envelope, moment) } else { self.reply(&envelope, moment) }
    }

    fn push(&mut self, envelope: &Envelope<'_>, moment: &mut Moment<'_>) -> Result<(), SessionError> {
        let voice = self.voice;
        match envelope.1.as_ref() {
            "publication" => self.publication(&serde_json::from_str(envelope.2.get())?, moment),
            "skip" => {
                let skip: OfChannel = envelope.body()?;
                if let Some(at) = self.listens(&skip.channel, "a skip", moment.tally) {
                    self.given(at, Item { offset: skip.offset, data: None }, Way::Pushed, moment);
                }
            }
            "gap" => {
                let gap: Gap = envelope.body()?;
                if let Some(at) = self.listens(&gap.channel, "a gap", moment.tally) {
                    self.gap(at, &gap, moment);
                }
            }
            "state" => {
                let state: State = envelope.body()?;
                if let Some(at) = self.listens(&state.channel, "a state", moment.tally) {
                    moment.tally.voices[voice].states += 1;
                    let version = &mut self.places[at].version;
                    *version = state.version.max(*version);
                }
            }
            "signal" => moment.tally.voices[voice].signals += 1,
            "flow" => moment.tally.voices[voice].flows += 1,
            "reconnect" => {
                let reconnect: Reconnect = envelope.body()?;
                self.goodbye = Some(Duration::from_millis(reconnect.after_ms));
            }
            "unsubscribed" => {
                let ended: OfChannel = envelope.body()?;
                if self.place(&ended.channel).is_some() {
                    return Err(SessionError::Unsubscribed(ended.channel, ended.reason));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn publication(&mut self, publication: &Publication<'_>, moment: &mut Moment<'_>) {
        if let Some(at) = self.listens(&publication.channel, "a publication", moment.tally) {
            let item = Item { offset: publication.offset, data: Some(publication.data) };
            self.given(at, item, Way::Pushed, moment);
        }
    }

    fn gap(&mut self, at: usize, gap: &Gap, moment: &mut Moment<'_>) {
        let span = Span { from: gap.from, to: gap.to };
        let Some(track) = &mut self.places[at].track else { return };
        moment.tally.voices[self.voice].cut += span.len();
        let told = if gap.reason == "expired" { track.expired(span) } else { track.told(span) };
        self.judge(at, told, moment.tally);
        self.fetch(at, moment.out);
    }

    /// One entry of a channel, by whatever way; no data is a `skip`.
    fn given(&mut self, at: usize, item: Item<'_>, way: Way, moment: &mut Moment<'_>) {
        let (place, tally) = (&mut self.places[at], &mut *moment.tally);
        let Some(track) = &mut place.track else { return };
        let came = if way == Way::Pushed { track.pushed(item.offset) } else { track.fetched(item.offset) };
        match tally.judge(place.channel, item.offset, item.data.map(RawValue::get)) {
            Ok(due) if way == Way::Pushed => tally.pushed_to(self.voice, due, moment.now),
            Ok(due) => tally.fetched_by(self.voice, due, moment.now),
            Err(fault) => tally.fault(self.number, place.channel, fault),
        }
        self.judge(at, came, tally);
    }

    fn judge(&self, at: usize, verdict: Result<(), Fault>, tally: &mut Tally) {
        if let Err(fault) = verdict {
            tally.fault(self.number, self.places[at].channel, fault);
        }
    }

    /// The place of a channel of which something was pushed. A channel of the run that this reader has not subscribed to, or
    /// whose subscription was not answered yet, is a finding; of others, as its own `user:`, it knows nothing.
    fn listens(&self, channel: &str, what: &str, tally: &mut Tally) -> Option<usize> {
        self.names.number(channel)?;
        let at = self.place(channel).filter(|&at| self.places[at].track.is_some());
        if at.is_none() {
            let reader = super::tally::Reader(self.number);
            tally.findings.wrong("stranger", format!("{reader}, {channel}: {what} without a subscription"));
        }
        at
    }

    fn place(&self, channel: &str) -> Option<usize> {
        let number = self.names.number(channel)?;
        self.places.binary_search_by_key(&number, |place| place.channel).ok()
    }

    fn ask(&mut self, asked: Asked, command: &str, body: &Value, out: &mut Vec<u8>) {
        self.last_id += 1;
        self.asked.push_back(asked);
        frames::text(&json!([self.last_id, command, body]).to_string(), out);
    }
}

impl Asked {
    fn command(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Sync => "sync",
            Self::Rest(_) | Self::Hole(_) => "history",
        }
    }
}
