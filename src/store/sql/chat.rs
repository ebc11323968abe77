//! Chats in SQL.

use super::{
    SqlStore, Tx,
    ahead::{OfChat, Wants},
    columns::count,
    events::{CHAT_DELETED, CHAT_MESSAGE, Happening, tell},
    later::ChatNew,
    lives::{live, view},
    people,
    user_row::{user, user_at, user_columns},
};
use crate::store::sql::db::{Connection, OptionalExtension, params};
use crate::{
    publication::State,
    store::{
        Actor, ChatFacts, LiveFacts, Op, Result, Rule, StoreError,
        chat::{Ban, Chat, NewMessage, SlowMode},
    },
};
use communiconnect_protocol::{
    Channel, ChannelPosition, ChatDeleted, ChatMessage, ChatMessageId, ChatSlowModeState, Data, LiveId,
    Position, User, UserControl, UserId, event,
};

#[async_trait::async_trait]
impl Chat for SqlStore {
    async fn send(
        &self,
        actor: Actor,
        op: Op,
        new: NewMessage,
        rule: Rule<LiveFacts>,
    ) -> Result<(ChatMessage, ChannelPosition)> {
        let channel = Channel::Live(new.live_id);
        let wants = OfChat { actor, op: op.id.clone(), live: new.live_id, reply_to: new.reply_to };
        let work =
            move |tx: &mut Tx<'_>| tx.once(actor.user, &op, new.at, |tx| send(tx, actor, &op.id, new, rule));
        let (message, offset): (ChatMessage, u64) = self.write_wanting_far(Wants::Chat(wants), work).await?;
        let position = Position { epoch: self.epoch.to_string(), offset };
        Ok((message, ChannelPosition { channel, position }))
    }

    async fn delete(
        &self,
        actor: Actor,
        id: ChatMessageId,
        at: i64,
        rule: Rule<ChatFacts>,
    ) -> Result<LiveId> {
        self.write(move |tx| delete(tx, actor, id, at, rule)).await
    }

    async fn set_ban(&self, actor: Actor, ban: Ban, rule: Rule<LiveFacts>) -> Result<bool> {
        self.write(move |tx| set_ban(tx, actor, ban, rule)).await
    }

    async fn bans(&self, live: LiveId, before: Option<UserId>, limit: usize) -> Result<Vec<User>> {
        self.read(move |connection| bans(connection, live, before, limit)).await
    }

    async fn set_slow_mode(&self, actor: Actor, wish: SlowMode, rule: Rule<LiveFacts>) -> Result<bool> {
        self.write(move |tx| set_slow_mode(tx, actor, wish, rule)).await
    }

    async fn slow_mode(&self, id: LiveId) -> Result<Option<ChatSlowModeState>> {
        self.read(move |connection| {
            let state = connection
                .prepare_cached("SELECT slow_mode, slow_version FROM lives WHERE id = ?1")?
                .query_row([id.as_bytes()], |row| {
                    Ok(ChatSlowModeState { live_id: id, seconds: row.get(0)?, version: count(row, 1)? })
                })
                .optional()?;
            Ok(state)
        })
        .await
    }
}

fn send(
    tx: &mut Tx<'_>,
    actor: Actor,
    op: &str,
    new: NewMessage,
    rule: Rule<LiveFacts>,
) -> Result<(ChatMessage, u64)> {
    let live = tx.live(actor, new.live_id)?;
    rule(&live.facts)?;
    if let Some(other) = new.reply_to
        && tx.message(other)?.is_none_or(|(live, _)| live != new.live_id)
    {
        return Err(StoreError::NotFound("message"));
    }
    let id = ChatMessageId::from_bytes(tx.id(new.at));
    let started = live.started_at;
    let message = ChatMessage {
        id,
        op: op.to_owned(),
        user: tx.user(actor.user)?.ok_or(StoreError::NotFound("user"))?,
        content: new.content,
        reply_to: new.reply_to,
        at: new.at,
        stream_ms: started.and_then(|started| u64::try_from(new.at - started).ok()),
    };
    tx.chat(ChatNew { id, live: new.live_id, author: actor.user })?;
    let happening = Happening {
        event: &CHAT_MESSAGE,
        data: Data::of(&message),
        at: new.at,
        actor: Some(actor.user),
        subject: Some(*id.as_bytes()),
    };
    let offset = tell(tx, vec![Channel::Live(new.live_id)], happening)?;
    Ok((message, offset))
}

fn delete(
    tx: &mut Tx<'_>,
    actor: Actor,
    id: ChatMessageId,
    at: i64,
    rule: Rule<ChatFacts>,
) -> Result<LiveId> {
    let (live_id, author) = author(tx.connection(), id)?.ok_or(StoreError::NotFound("message"))?;
    let live = view(tx.connection(), &actor.into(), live_id)?.ok_or(StoreError::NotFound("message"))?.facts;
    rule(&ChatFacts { is_author: author == actor.user, live })?;
    tx.erase_subject(id.as_bytes())?;
    tx.sql("DELETE FROM chat WHERE id = ?1")?.execute([id.as_bytes()])?;
    // What a moderator takes away must reach everybody who saw it, and a moderator is not named.
    let happening = Happening {
        event: &CHAT_DELETED,
        data: Data::of(&ChatDeleted { message_id: id }),
        at,
        actor: (author == actor.user).then_some(author),
        subject: None,
    };
    tell(tx, vec![Channel::Live(live_id)], happening)?;
    Ok(live_id)
}

/// Where a message stands, and whose it is.
pub(super) fn author(connection: &Connection, id: ChatMessageId) -> Result<Option<(LiveId, UserId)>> {
    let found = connection
        .prepare_cached("SELECT live, author FROM chat WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| {
            Ok((LiveId::from_bytes(row.get(0)?), UserId::from_bytes(row.get(1)?)))
        })
        .optional()?;
    Ok(found)
}

fn set_ban(tx: &mut Tx<'_>, actor: Actor, ban: Ban, rule: Rule<LiveFacts>) -> Result<bool> {
    let found = live(tx.connection(), &actor.into(), ban.live_id)?;
    rule(&found.facts)?;
    user(tx.connection(), ban.user)?.ok_or(StoreError::NotFound("user"))?;
    let sql = if ban.on {
        "INSERT INTO live_bans (live, user) VALUES (?1, ?2) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM live_bans WHERE live = ?1 AND user = ?2"
    };
    let changed = tx.sql(sql)?.execute(params![ban.live_id.as_bytes(), ban.user.as_bytes()])? == 1;
    if changed && ban.on {
        people::tell(tx, ban.user, &UserControl::Banned { live: ban.live_id }, ban.at)?;
    }
    Ok(changed)
}

fn bans(connection: &Connection, live: LiveId, before: Option<UserId>, limit: usize) -> Result<Vec<User>> {
    let before = before.unwrap_or(UserId::from_bytes([0xff; 16]));
    let sql = concat!(
        "SELECT ",
        user_columns!(),
        " FROM live_bans b JOIN users u ON u.id = b.user WHERE b.live = ?1 AND b.user < ?2
         ORDER BY b.user DESC LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(sql)?;
    let users = statement
        .query_map(params![live.as_bytes(), before.as_bytes(), limit as i64], |row| user_at(row, 0))?;
    Ok(users)
}

fn set_slow_mode(tx: &mut Tx<'_>, actor: Actor, wish: SlowMode, rule: Rule<LiveFacts>) -> Result<bool> {
    let found = live(tx.connection(), &actor.into(), wish.live_id)?;
    rule(&found.facts)?;
    let version = tx
        .sql(
            "UPDATE lives SET slow_mode = ?2, slow_version = slow_version + 1
             WHERE id = ?1 AND slow_mode != ?2 RETURNING slow_version",
        )?
        .query_row(params![wish.live_id.as_bytes(), wish.seconds], |row| count(row, 0))
        .optional()?;
    let Some(version) = version else { return Ok(false) };
    let state = ChatSlowModeState { live_id: wish.live_id, version, seconds: wish.seconds };
    tx.state(State {
        channels: vec![Channel::Live(wish.live_id)],
        event: event::CHAT_SLOW_MODE.into(),
        key: wish.live_id.to_string(),
        version,
        data: Data::of(&state),
        actor: None,
    });
    Ok(true)
}

/// Drops up to `limit` messages that are older than any log keeps; answers how many went.
pub(super) fn sweep(tx: &mut Tx<'_>, before: i64, limit: usize) -> Result<usize> {
    let bound = ChatMessageId::new(before);
    let swept = tx
        .sql("DELETE FROM chat WHERE id IN (SELECT id FROM chat WHERE id < ?1 ORDER BY id LIMIT ?2)")?
        .execute(params![bound.as_bytes(), limit as i64])?;
    Ok(swept)
}
