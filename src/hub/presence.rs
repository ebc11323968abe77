//! Who is in a channel, on this node and the others.

use super::{Caller, Hub, subscribe::parse};
use crate::auth::Identity;
use bytes::Bytes;
use communiconnect_protocol::{Channel, ErrorBody, Presence, PresencePage, User, UserId};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

/// People of one page.
const PAGE_PEOPLE: usize = 100;

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
        let mut told = self.present_elsewhere(&channel, after).await?;
        told.push(self.present_here(&channel, after));
        let people: BTreeSet<UserId> =
            told.iter().flat_map(Present::people).filter(|person| Some(*person) != unnamed).collect();
        let count = told.iter().map(|present| present.guests).sum::<u64>() + people.len() as u64;
        // Behind the last that a node had room for, others may come that it did not tell.
        let told_upto = told.iter().filter_map(|present| present.told_upto).min();
        let users: BTreeMap<UserId, User> =
            told.into_iter().flat_map(|present| present.users).map(|user| (user.id, user)).collect();
        let mut users: Vec<User> = users
            .into_values()
            .filter(|user| Some(user.id) != unnamed && !blocked.contains(&user.id))
            .filter(|user| told_upto.is_none_or(|last| user.id <= last))
            .take(PAGE_PEOPLE + 1)
            .collect();
        let has_more = users.len() > PAGE_PEOPLE;
        users.truncate(PAGE_PEOPLE);
        let last = if has_more { users.last().map(|user| user.id) } else { told_upto };
        Ok(PresencePage { count, users, cursor: last.map(|id| id.to_string()) })
    }

    /// Who is in a channel on this node, and of them the first behind `after`.
    pub(super) fn present_here(&self, channel: &Channel, after: Option<UserId>) -> Present {
        let mut guests = 0;
        let mut people: BTreeMap<UserId, Arc<Identity>> = BTreeMap::new();
        let entry = self.registry.get(channel);
        for session in entry.map(|entry| entry.present()).unwrap_or_default() {
            let identity = session.identity();
            match identity.user_id() {
                None => guests += 1,
                Some(user) => drop(people.entry(user).or_insert(identity)),
            }
        }
        let ids: Vec<u8> = people.keys().flat_map(|user| *user.as_bytes()).collect();
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut listed = people.range(behind).filter_map(|(_, identity)| identity.person());
        let users: Vec<User> =
            listed.by_ref().take(PAGE_PEOPLE + 1).map(|person| person.user.clone()).collect();
        let told_upto = listed.next().and_then(|_| users.last()).map(|user| user.id);
        Present { guests, ids: ids.into(), users, told_upto }
    }
}

/// Who is in a channel on one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Present {
    guests: u64,
    /// Sixteen bytes a person.
    ids: Bytes,
    /// The first of them behind the one asked for.
    users: Vec<User>,
    /// The last of these, where there are more.
    told_upto: Option<UserId>,
}

impl Present {
    fn people(&self) -> impl Iterator<Item = UserId> {
        self.ids.as_chunks().0.iter().map(|id| UserId::from_bytes(*id))
    }
}

fn read_cursor(text: &str) -> Result<UserId, ErrorBody> {
    match text.parse() {
        Ok(id) if id != UserId::NOTHING => Ok(id),
        _ => Err(ErrorBody::invalid("cursor", "this is no cursor of a presence page")),
    }
}
