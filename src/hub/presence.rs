//! Who is in a channel.

use super::{Caller, Hub, subscribe::parse};
use communiconnect_protocol::{Channel, ErrorBody, Presence, PresencePage, User, UserId};
use std::collections::BTreeMap;

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
        let mut guests = 0;
        let mut people: BTreeMap<UserId, User> = BTreeMap::new();
        let entry = self.registry.get(&channel);
        for session in entry.map(|entry| entry.present()).unwrap_or_default() {
            match session.identity().person() {
                None => guests += 1,
                Some(person) if Some(person.user.id) == unnamed => {}
                Some(person) => {
                    people.entry(person.user.id).or_insert_with(|| person.user.clone());
                }
            }
        }
        let count = guests + people.len() as u64;
        let mut users: Vec<User> = people
            .into_values()
            .filter(|user| after.is_none_or(|after| user.id > after) && !blocked.contains(&user.id))
            .take(PAGE_PEOPLE + 1)
            .collect();
        let has_more = users.len() > PAGE_PEOPLE;
        users.truncate(PAGE_PEOPLE);
        let cursor = users.last().filter(|_| has_more).map(|user| user.id.to_string());
        Ok(PresencePage { count, users, cursor })
    }
}

fn read_cursor(text: &str) -> Result<UserId, ErrorBody> {
    match text.parse() {
        Ok(id) if id != UserId::NOTHING => Ok(id),
        _ => Err(ErrorBody::invalid("cursor", "this is no cursor of a presence page")),
    }
}
