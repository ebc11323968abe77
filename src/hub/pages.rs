//! Pages of a channel's log, as one reader may see them: `history`, and how a subscription begins.

use super::{Caller, Hub, channel::Opening, delivery::Delivery, reads::Question, subscribe::parse};
use crate::{
    publication::{Audience, Publication, State},
    store::log::{LogPage, PageSize, Range},
};
use communiconnect_protocol::{
    Channel, ErrorBody, GapRange, History, HistoryPage, LogItem, Position, Recovered, StateItem, Subscribed,
    UserId,
};
use std::{collections::HashSet, sync::Arc};

/// How a subscription begins, and how it opens once that was told.
pub(super) struct Start {
    pub(super) subscribed: Subscribed,
    pub(super) opening: Opening,
}

/// Bytes of publications and states that one reply may still carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    bytes: usize,
    /// What the states of one channel may take beside: they are bounded, and many channels of them are not little.
    states: usize,
}

/// Publications of one page.
const PAGE_ITEMS: usize = 256;
/// Bytes of one page.
const PAGE_BYTES: usize = 256 << 10;
/// Bytes counted for a state beside its own words and data: the keys of its map.
const STATE_FRAME: usize = 48;
/// Bytes of `sync` and of what `connect` resumes, all channels together.
const SYNC_BYTES: usize = 1 << 20;
/// Above every offset: asks for the head alone.
const BEYOND: u64 = i64::MAX as u64;

impl Budget {
    /// What one channel may bring.
    pub(super) fn one_page() -> Self {
        Self { bytes: PAGE_BYTES, states: PAGE_BYTES }
    }

    /// What a client asks for, up to what the server gives.
    pub(super) fn of_sync(bytes: Option<u64>) -> Self {
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(SYNC_BYTES).min(SYNC_BYTES);
        Self { bytes, states: 0 }
    }

    /// Takes what these states weigh; false where there is no room for them.
    fn has_room_for(&mut self, states: &[StateItem]) -> bool {
        let weight = |state: &StateItem| {
            STATE_FRAME + state.event.len() + state.key.len() + state.data.as_bytes().len()
        };
        let beyond = states.iter().map(weight).sum::<usize>().saturating_sub(self.states);
        let fits = beyond <= self.bytes;
        if fits {
            self.bytes -= beyond;
        }
        fits
    }
}

impl Hub {
    /// `history`, also without a session. The page that says `more: false` lets out what was held meanwhile.
    pub async fn history(&self, caller: &Caller, command: History) -> Result<HistoryPage, ErrorBody> {
        let channel = parse(&command.channel, "channel")?;
        self.may_read(caller, &channel).await?;
        let items = command.limit.map_or(PAGE_ITEMS, |limit| (limit as usize).clamp(1, PAGE_ITEMS));
        let before = command.before.map_or(BEYOND, |before| before.min(BEYOND));
        let range = match command.after {
            Some(after) => Range::After(after.min(BEYOND)),
            None => Range::Before(before),
        };
        let mut page = self.read(&channel, range, PageSize { items, bytes: PAGE_BYTES }).await?;
        let gap = match command.after {
            Some(after) => {
                let asked = page.publications.len();
                page.publications.retain(|publication| publication.offset < before);
                page.more &= page.publications.len() == asked;
                gap_between(after.min(BEYOND) + 1, page.first.min(before))
            }
            None => {
                let reaches_the_end = !page.more;
                gap_between(1, page.first.min(before)).filter(|_| reaches_the_end)
            }
        };
        let blocked = self.blocked_of(caller).await?;
        if let (Some(_), None, false) = (command.after, command.before, page.more) {
            self.open_after(caller, &channel, page.head).await?;
        }
        Ok(HistoryPage {
            publications: items_of(page.publications, &blocked),
            gap,
            epoch: page.epoch.to_string(),
            offset: page.head,
            more: page.more,
        })
    }

    /// Reads how a subscription begins; its states are read last, so that none of them is older than what was held.
    pub(super) async fn read_start(
        &self,
        caller: &Caller,
        channel: &Channel,
        from: Option<Position>,
        budget: &mut Budget,
    ) -> Result<Start, ErrorBody> {
        let asked = from.as_ref().filter(|_| budget.bytes > 0).map_or(BEYOND, |from| from.offset.min(BEYOND));
        let size = PageSize { items: PAGE_ITEMS, bytes: budget.bytes.min(PAGE_BYTES) };
        let page = self.read(channel, Range::After(asked), size).await?;
        let mut start = begin_at(&page, from);
        if start.recovers() && budget.bytes > 0 {
            let bytes: usize =
                page.publications.iter().map(|publication| publication.data.as_bytes().len()).sum();
            budget.bytes = budget.bytes.saturating_sub(bytes);
            start.upto = page.publications.last().map_or(start.upto, |publication| publication.offset);
            start.more = page.more;
        }
        let blocked = self.blocked_of(caller).await?;
        let publications = if start.recovers() { items_of(page.publications, &blocked) } else { Vec::new() };
        let mut states = self.states(caller, channel).await?;
        if !budget.has_room_for(&states) {
            states.clear();
            // Whoever goes on from a position is given them behind the last page; others load what they show anyway.
            start.more |= start.recovers();
        }
        let upto = if start.more { start.upto } else { page.head };
        let subscribed = Subscribed {
            channel: channel.clone(),
            epoch: page.epoch.to_string(),
            offset: page.head,
            recovered: start.recovered,
            gap: start.gap,
            publications,
            more: start.more,
            states,
        };
        Ok(Start { subscribed, opening: Opening { upto, has_more: start.more } })
    }

    /// The reader has paged up to the head: behind this reply comes what was held, and the present states, for which there
    /// may have been no room when the subscription began.
    async fn open_after(&self, caller: &Caller, channel: &Channel, upto: u64) -> Result<(), ErrorBody> {
        let Some(session) = &caller.session else { return Ok(()) };
        let Some(subscription) = session.subscription(channel) else { return Ok(()) };
        if subscription.entry.is_paging(subscription.slot, session) {
            let states: Vec<_> =
                self.states(caller, channel).await?.into_iter().map(|item| state_of(item, channel)).collect();
            subscription.entry.keep_states(subscription.slot, session, &states);
            session.open_with_reply(subscription, Opening { upto, has_more: false });
        }
        Ok(())
    }

    async fn states(&self, caller: &Caller, channel: &Channel) -> Result<Vec<StateItem>, ErrorBody> {
        match channel {
            Channel::Test(_) | Channel::User(_) => Ok(Vec::new()),
            _ => self.access.states(&caller.reader(), channel).await,
        }
    }

    async fn read(&self, channel: &Channel, range: Range, size: PageSize) -> Result<LogPage, ErrorBody> {
        let question = Question { channel: channel.clone(), range, size };
        let read = || async { Ok(Arc::new(self.log.page(channel, range, size).await?)) };
        Ok(Arc::unwrap_or_clone(self.reads.ask(question, read).await?))
    }
}

/// What becomes of a position, before publications are counted.
struct Beginning {
    recovered: Recovered,
    gap: Option<GapRange>,
    /// The last offset told of.
    upto: u64,
    more: bool,
}

impl Beginning {
    fn recovers(&self) -> bool {
        matches!(self.recovered, Recovered::Ok | Recovered::Gap)
    }
}

fn begin_at(page: &LogPage, from: Option<Position>) -> Beginning {
    let at_head = |recovered| Beginning { recovered, gap: None, upto: page.head, more: false };
    let Some(from) = from else { return at_head(Recovered::New) };
    if from.epoch != *page.epoch || from.offset > page.head {
        return at_head(Recovered::Reset);
    }
    let gap = gap_between(from.offset + 1, page.first);
    let recovered = if gap.is_some() { Recovered::Gap } else { Recovered::Ok };
    let upto = gap.map_or(from.offset, |gap| gap.to);
    Beginning { recovered, gap, upto, more: upto < page.head }
}

/// What is missing from `from` up to the first that is kept.
fn gap_between(from: u64, first: u64) -> Option<GapRange> {
    (from < first).then(|| GapRange { from, to: first - 1 })
}

/// A page as its reader may see it: every offset is there, what they may not see as `skip`.
fn items_of(publications: Vec<Publication>, blocked: &HashSet<UserId>) -> Vec<LogItem> {
    let item = |publication: Publication| {
        let Publication { offset, event, data, at, actor, audience, .. } = publication;
        let is_hidden = audience != Audience::Readers || actor.is_some_and(|actor| blocked.contains(&actor));
        if is_hidden {
            LogItem::skip(offset)
        } else {
            LogItem::Publication { offset, event: event.to_string(), data, at }
        }
    };
    publications.into_iter().map(item).collect()
}

/// A present state as the push that tells it.
pub(super) fn state_of(item: StateItem, channel: &Channel) -> Arc<Delivery> {
    let StateItem { event, key, version, data } = item;
    // Read for this very reader, who may see it: there is nobody to filter by.
    let state = State { channels: Vec::new(), event: event.into(), key, version, data, actor: None };
    Delivery::state(&state, channel)
}
