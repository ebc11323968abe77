//! Replies, and the pages in them: what was missed is applied, what is still missing is asked for.

use super::{
    super::{
        tally::Reader,
        wire::{Connected, Envelope, Page, Refusal, Synced},
    },
    AT_ONCE, Asked, Moment, PAGE, Place, Session, SessionError, Way,
};
use crate::oracle::{Fault, Span, Track};
use serde_json::{Value, json};

impl Session {
    pub(super) fn reply(
        &mut self,
        envelope: &Envelope<'_>,
        moment: &mut Moment<'_>,
    ) -> Result<(), SessionError> {
        let (id, body) = (envelope.0, envelope.2.get());
        let first = (self.last_id + 1).saturating_sub(self.asked.len() as u64);
        let asked = self.asked.pop_front().filter(|_| id == first).ok_or(SessionError::OutOfTurn(id))?;
        if envelope.1 != "ok" {
            let Refusal { code, message } = serde_json::from_str(body)?;
            return Err(SessionError::Refused { command: asked.command(), code, message });
        }
        match asked {
            Asked::Connect => {
                let connected: Connected<'_> = serde_json::from_str(body)?;
                self.all_subscribed(connected.subscriptions, moment)?;
                self.subscribe(moment.out);
            }
            Asked::Sync => {
                let synced: Synced<'_> = serde_json::from_str(body)?;
                let pages = synced.subscriptions.into_iter();
                self.all_subscribed(pages.map(|page| (page.channel.clone(), page)), moment)?;
            }
            Asked::Rest(at) => {
                let page: Page<'_> = serde_json::from_str(body)?;
                let (more, _) = self.apply(at, page, moment);
                self.rest(at, more, moment.out);
            }
            Asked::Hole(at) => {
                let page: Page<'_> = serde_json::from_str(body)?;
                // A page without an entry would be asked for again for ever: the end tells of the hole.
                if let (_, true) = self.apply(at, page, moment) {
                    self.fetch(at, moment.out);
                }
            }
        }
        Ok(())
    }

    /// Subscribes to what never was.
    fn subscribe(&mut self, out: &mut Vec<u8>) {
        let wanted: Vec<_> = self.places.iter().filter(|place| place.track.is_none()).collect();
        let item = |place: &&Place| json!({ "channel": self.names.name(place.channel) });
        let syncs: Vec<_> =
            wanted.chunks(AT_ONCE).map(|some| Value::from_iter(some.iter().map(item))).collect();
        for channels in syncs {
            self.ask(Asked::Sync, "sync", &json!({ "channels": channels }), out);
        }
    }

    /// Takes all pages, and only then ends the connection for one of them: each that is wrong is counted, the last by whoever
    /// ends the connection.
    fn all_subscribed<'p>(
        &mut self,
        pages: impl IntoIterator<Item = (String, Page<'p>)>,
        moment: &mut Moment<'_>,
    ) -> Result<(), SessionError> {
        let mut ended = Ok(());
        for (channel, page) in pages {
            if let Err(error) = self.subscribed(&channel, page, moment)
                && let Err(earlier) = std::mem::replace(&mut ended, Err(error))
            {
                let reader = Reader(self.number);
                moment.tally.findings.wrong(earlier.kind(), format!("{reader}: {earlier}"));
            }
        }
        ended
    }

    fn subscribed(
        &mut self,
        channel: &str,
        page: Page<'_>,
        moment: &mut Moment<'_>,
    ) -> Result<(), SessionError> {
        let Some(at) = self.place(channel) else { return Ok(()) };
        if let Some(Refusal { code, message }) = page.error {
            return Err(SessionError::Refused { command: "subscribe", code, message });
        }
        let place = &mut self.places[at];
        let is_same = *place.epoch == *page.epoch;
        place.epoch = page.epoch.as_str().into();
        place.version = page.states.iter().map(|state| state.version).fold(place.version, u64::max);
        let mut more = page.more;
        match (page.recovered.as_str(), &place.track) {
            ("ok" | "gap", Some(_)) if is_same => (more, _) = self.apply(at, page, moment),
            // Whoever named a position must not be told that there was none, nor be given the log of another epoch.
            ("reset" | "new" | "ok" | "gap", Some(track)) => {
                let last = track.last();
                place.track = Some(Track::after(page.offset));
                self.judge(at, Err(Fault::Reset(Span { from: last, to: last })), moment.tally);
            }
            ("new", None) => {
                place.track = Some(Track::after(page.offset));
                // A run has `test:` channels of its own, and publishes once everybody has come.
                if channel.starts_with("test:") && page.offset > 0 {
                    let text =
                        format!("{}, {channel}: begins at {}, not at 0", Reader(self.number), page.offset);
                    moment.tally.findings.wrong("wrong_start", text);
                }
            }
            (word, _) => {
                return Err(SessionError::Subscribed(channel.to_owned(), word.to_owned()));
            }
        }
        self.rest(at, more, moment.out);
        Ok(())
    }

    /// Takes the entries of a page. Answers whether more follow, and whether it brought anything.
    fn apply(&mut self, at: usize, page: Page<'_>, moment: &mut Moment<'_>) -> (bool, bool) {
        if let (Some(gap), Some(track)) = (page.gap, &mut self.places[at].track) {
            let gone = track.expired(Span { from: gap.from, to: gap.to });
            self.judge(at, gone, moment.tally);
        }
        let brings = page.gap.is_some() || !page.publications.is_empty();
        for item in page.publications {
            self.given(at, item, Way::Fetched, moment);
        }
        (page.more, brings)
    }

    /// Asks for what follows a page, where more does.
    fn rest(&mut self, at: usize, more: bool, out: &mut Vec<u8>) {
        let place = &self.places[at];
        if let (true, Some(track)) = (more, &place.track) {
            let channel = self.names.name(place.channel);
            let body = json!({ "channel": channel, "after": track.last(), "limit": PAGE });
            self.ask(Asked::Rest(at), "history", &body, out);
        }
    }

    /// Asks for what gaps told of, unless that is already on its way.
    pub(super) fn fetch(&mut self, at: usize, out: &mut Vec<u8>) {
        let place = &self.places[at];
        let wanted = place.track.as_ref().and_then(Track::wanted);
        if let (Some(span), false) = (wanted, self.asked.contains(&Asked::Hole(at))) {
            let channel = self.names.name(place.channel);
            let body =
                json!({ "channel": channel, "after": span.from - 1, "before": span.to + 1, "limit": PAGE });
            self.ask(Asked::Hole(at), "history", &body, out);
        }
    }
}
