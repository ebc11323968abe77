//! Who is in a channel, on this node and the others.

use super::{Caller, Hub, channel::ChannelEntry, handle::SessionHandle, subscribe::parse};
use crate::auth::Identity;
use bytes::Bytes;
use communiconnect_protocol::{Channel, ErrorBody, Presence, PresencePage, User, UserId};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// People of one page.
const PAGE_PEOPLE: usize = 100;

/// People of one node and channel whose ids are told to another node, so that nobody is counted twice: 320 KB.
const TOLD_PEOPLE: usize = 20_000;

/// A crowd beyond this takes about a millisecond to put in order; it is told as it was a moment ago though some have moved.
const LARGE: u64 = 1_000;
/// That moment.
const LARGE_KEPT: Duration = Duration::from_millis(250);
/// And for so long one in which nobody has moved, though names may have changed.
const LONGEST_KEPT: Duration = Duration::from_secs(10);

impl Hub {
    /// `presence`: people once, however many tabs they have, by id; guests are counted by session. The author of an
    /// anonymous post is neither named nor counted, and people blocked with the reader are not named.
    pub async fn presence(&self, caller: &Caller, command: Presence) -> Result<PresencePage, ErrorBody> {
        let channel = parse(&command.channel, "channel")?;
        if !matches!(channel, Channel::Post(_) | Channel::Live(_)) {
            return Err(ErrorBody::invalid("channel", "presence is known of post: and live: channels"));
        }
        let after = command.cursor.as_deref().map(read_cursor).transpose()?;
        self.may_read(caller, &channel).await?;
        let unnamed = self.access.unnamed_in(&channel).await?;
        let blocked = self.blocked_of(caller).await?;
        let (whole, page) = self.present_elsewhere(&channel, after).await?;
        let here = self.present_here(&channel, after);
        let everywhere = || whole.iter().chain([&here]);
        let people: BTreeSet<UserId> =
            everywhere().flat_map(Present::people).filter(|person| Some(*person) != unnamed).collect();
        let unlisted: u64 = everywhere().map(|present| present.guests + present.beyond).sum();
        let count = unlisted + people.len() as u64;
        // Behind the last that a node had room for, others may come that it did not tell.
        let told = || page.iter().chain([&here]);
        let told_upto = told().filter_map(|present| present.told_upto).min();
        let users: BTreeMap<UserId, &User> =
            told().flat_map(|present| &present.users).map(|user| (user.id, user)).collect();
        let mut users: Vec<User> = users
            .into_values()
            .filter(|user| Some(user.id) != unnamed && !blocked.contains(&user.id))
            .filter(|user| told_upto.is_none_or(|last| user.id <= last))
            .take(PAGE_PEOPLE + 1)
            .cloned()
            .collect();
        let has_more = users.len() > PAGE_PEOPLE;
        users.truncate(PAGE_PEOPLE);
        let last = if has_more { users.last().map(|user| user.id) } else { told_upto };
        Ok(PresencePage { count, users, cursor: last.map(|id| id.to_string()) })
    }

    /// Who is in a channel on this node, and of them the first behind `after`.
    pub(super) fn present_here(&self, channel: &Channel, after: Option<UserId>) -> Present {
        match self.registry.get(channel) {
            Some(entry) => entry.crowd.of(&entry).behind(after),
            None => Crowd::new(0, Vec::new()).behind(after),
        }
    }
}

/// Who is in a channel on one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Present {
    guests: u64,
    /// Sixteen bytes a person, of [`TOLD_PEOPLE`] at most.
    ids: Bytes,
    /// The first of them behind the one asked for.
    users: Vec<User>,
    /// The last of these, where there are more.
    told_upto: Option<UserId>,
    /// People beyond those whose ids are told: one who is on two nodes counts twice among them.
    #[serde(default)]
    beyond: u64,
}

impl Present {
    /// For whoever has the ids already.
    pub(super) fn without_ids(self) -> Self {
        Self { ids: Bytes::new(), ..self }
    }

    fn people(&self) -> impl Iterator<Item = UserId> {
        self.ids.as_chunks().0.iter().map(|id| UserId::from_bytes(*id))
    }
}

/// Who is in a channel of this node, put in order once for all who ask.
#[derive(Debug)]
struct Crowd {
    /// [`ChannelEntry::moves`] when it was looked at, and when that was.
    moves: u64,
    at: Instant,
    guests: u64,
    people: BTreeMap<UserId, Arc<Identity>>,
    ids: Bytes,
}

impl Crowd {
    fn new(moves: u64, sessions: Vec<Arc<SessionHandle>>) -> Self {
        let (mut guests, mut people) = (0, BTreeMap::new());
        for session in sessions {
            let identity = session.identity();
            match identity.user_id() {
                None => guests += 1,
                Some(user) => drop(people.entry(user).or_insert(identity)),
            }
        }
        let ids = people.keys().take(TOLD_PEOPLE).flat_map(|user: &UserId| *user.as_bytes()).collect();
        Self { moves, at: Instant::now(), guests, people, ids }
    }

    fn is_good(&self, moves: u64) -> bool {
        let age = self.at.elapsed();
        let is_large = self.guests + self.people.len() as u64 > LARGE;
        (self.moves == moves && age < LONGEST_KEPT) || (is_large && age < LARGE_KEPT)
    }

    fn behind(&self, after: Option<UserId>) -> Present {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut listed = self.people.range(behind).filter_map(|(_, identity)| identity.person());
        let users: Vec<User> =
            listed.by_ref().take(PAGE_PEOPLE + 1).map(|person| person.user.clone()).collect();
        let told_upto = listed.next().and_then(|_| users.last()).map(|user| user.id);
        let beyond = self.people.len().saturating_sub(TOLD_PEOPLE) as u64;
        Present { guests: self.guests, ids: self.ids.clone(), users, told_upto, beyond }
    }
}

/// The last crowd that somebody asked for.
#[derive(Debug, Default)]
pub(super) struct LastCrowd(Mutex<Option<Arc<Crowd>>>);

impl LastCrowd {
    /// Those of `entry`, whose crowd this is.
    fn of(&self, entry: &ChannelEntry) -> Arc<Crowd> {
        // Who asks meanwhile waits for the one who looks.
        let mut last = self.0.lock();
        let moves = entry.moves();
        if let Some(crowd) = last.as_ref().filter(|crowd| crowd.is_good(moves)) {
            return Arc::clone(crowd);
        }
        let crowd = Arc::new(Crowd::new(moves, entry.present()));
        *last = Some(Arc::clone(&crowd));
        crowd
    }
}

fn read_cursor(text: &str) -> Result<UserId, ErrorBody> {
    match text.parse() {
        Ok(id) if id != UserId::NOTHING => Ok(id),
        _ => Err(ErrorBody::invalid("cursor", "this is no cursor of a presence page")),
    }
}
