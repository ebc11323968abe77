//! Lives that are written in, and messages that are replied to.

use super::{Ahead, OfChat};
use crate::store::{
    LiveFacts, Reader,
    lives::LiveView,
    sql::{
        chat,
        db::{Connection, OptionalExtension, Result, Row, params},
        lives,
        postgres::Session,
        user_row::{USER_COLUMNS, user_at, user_columns},
    },
};
use communiconnect_protocol::{Channel, ChatMessageId, LiveId, UserId};
use std::collections::{HashMap, HashSet};

/// What somebody who writes into the chat of a live must know of it.
#[derive(Clone, Debug)]
pub(in crate::store::sql) struct Written {
    /// What rules judge.
    pub(in crate::store::sql) facts: LiveFacts,
    /// Since when it could be watched.
    pub(in crate::store::sql) started_at: Option<i64>,
}

impl From<LiveView> for Written {
    fn from(view: LiveView) -> Self {
        Self { started_at: view.live.started_at, facts: view.facts }
    }
}

/// What was read of chats. None of it changes while operations run on it but by messages, which nobody knows yet.
#[derive(Default)]
pub(super) struct Chats {
    lives: HashMap<(LiveId, UserId), Written>,
    messages: HashMap<ChatMessageId, (LiveId, UserId)>,
}

impl Chats {
    pub(super) fn live(&self, live: LiveId, reader: UserId) -> Option<&Written> {
        self.lives.get(&(live, reader))
    }

    pub(super) fn message(&self, id: ChatMessageId) -> Option<(LiveId, UserId)> {
        self.messages.get(&id).copied()
    }
}

impl Ahead {
    /// Reads what messages will ask; the channels that they will be told in.
    pub(super) fn read_chats(
        &mut self,
        connection: &Connection,
        wants: &[&OfChat],
    ) -> Result<HashSet<Channel>> {
        match connection {
            _ if wants.is_empty() => return Ok(HashSet::new()),
            Connection::Sqlite(_) => {
                wants.iter().try_for_each(|wanted| self.read_chat(connection, wanted))?
            }
            Connection::Postgres(session) => self.read_all_chats(session, wants)?,
        }
        Ok(self.chats.lives.keys().map(|(live, _)| Channel::Live(*live)).collect())
    }

    fn read_chat(&mut self, connection: &Connection, wanted: &OfChat) -> Result<()> {
        let OfChat { actor, op, live, reply_to } = wanted;
        let reader = Reader::from(*actor);
        if !self.chats.lives.contains_key(&(*live, actor.user))
            && let Some(view) = lives::view_row(connection, &reader, *live)?
        {
            self.chats.lives.insert((*live, actor.user), view.into());
        }
        connection
            .prepare_cached(READ_ONE)?
            .query_row(params![actor.user.as_bytes(), op], |row| self.keep_writer(row))
            .optional()?;
        if let Some(id) = reply_to
            && let Some(found) = chat::author(connection, *id)?
        {
            self.chats.messages.insert(*id, found);
        }
        Ok(())
    }

    fn read_all_chats(&mut self, session: &Session, wants: &[&OfChat]) -> Result<()> {
        let asked: HashSet<_> = wants.iter().map(|wanted| (wanted.live, wanted.actor.user)).collect();
        let asked: Vec<_> = asked.into_iter().collect();
        for (reader, view) in lives::views_of_each(session, &asked)? {
            self.chats.lives.insert((view.live.id, reader), view.into());
        }
        let people: Vec<&[u8]> = wants.iter().map(|wanted| &wanted.actor.user.as_bytes()[..]).collect();
        let ops: Vec<&str> = wants.iter().map(|wanted| &*wanted.op).collect();
        for row in session.many(READ, &[&people, &ops])? {
            self.keep_writer(&Row::Postgres(&row))?;
        }
        let replied: Vec<&[u8]> =
            wants.iter().filter_map(|wanted| Some(&wanted.reply_to.as_ref()?.as_bytes()[..])).collect();
        if !replied.is_empty() {
            for row in session.many(READ_REPLIED, &[&replied])? {
                let row = Row::Postgres(&row);
                let found = (LiveId::from_bytes(row.get(1)?), UserId::from_bytes(row.get(2)?));
                self.chats.messages.insert(ChatMessageId::from_bytes(row.get(0)?), found);
            }
        }
        Ok(())
    }

    /// Keeps who writes, and what is known of the operation.
    fn keep_writer(&mut self, row: &Row<'_>) -> Result<()> {
        let user = user_at(row, 0)?;
        self.keep_op(user.id, row, USER_COLUMNS)?;
        self.users.insert(user.id, user);
        Ok(())
    }
}

/// Per message who writes it, and what was done by its name before.
const READ: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", asked.op, o.digest, o.answer FROM unnest(?1::bytea[], ?2::text[]) AS asked (writer, op)
         JOIN users u ON u.id = asked.writer LEFT JOIN ops o ON o.user = asked.writer AND o.op = asked.op"
);

/// The same of one message, on SQLite.
const READ_ONE: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ?2, o.digest, o.answer FROM users u LEFT JOIN ops o ON o.user = u.id AND o.op = ?2 WHERE u.id = ?1"
);

/// Messages that are replied to.
const READ_REPLIED: &str =
    "SELECT c.id, c.live, c.author FROM chat c JOIN unnest(?1::bytea[]) AS asked (id) ON c.id = asked.id";
