//! Chat, reactions and bans.

use super::{elsewhere::Word, *};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// The longest slow mode, in seconds.
const SLOWEST_S: u32 = 300;

impl LiveService {
    /// Writes into a live's chat.
    ///
    /// # Errors
    /// `invalid` fields, `not_found` live or message, `forbidden` for who was banned, `conflict` after the end,
    /// `rate_limited`.
    pub async fn chat_send(&self, actor: Actor, body: ChatSend, at: i64) -> Result<ChatSent, ErrorBody> {
        let op = op_of("chat.send", &body.op, &body)?;
        let content =
            Text { field: "content", raw: &body.content, max: self.parts.settings.chat_chars }.check()?;
        let view = self.view(actor.into(), body.live_id).await?;
        policy::chat_in(&view.facts)?;
        let exempt = if policy::moderates_live(actor.into(), &view.facts) { Exempt::Yes } else { Exempt::No };
        let handle = self.running(&view)?;
        handle.ask(|answer| Ask::Write(actor.user, op.id.clone(), exempt, answer)).await?;
        let new = NewMessage { live_id: body.live_id, content, reply_to: body.reply_to, at };
        // Only what is written is judged; a retry was counted when it was written.
        let is_new = Arc::new(AtomicBool::new(false));
        let judged = is_new.clone();
        let rule = Box::new(move |live: &LiveFacts| {
            judged.store(true, Ordering::Relaxed);
            policy::chat_in(live)
        });
        // Whoever asked may leave, or be answered that it took too long: what is written then is counted all the same.
        let chat = self.parts.stores.chat.clone();
        let (answer, answered) = oneshot::channel();
        self.parts.tasks.spawn(async move {
            let sent = chat.send(actor, op, new, rule).await;
            if sent.is_ok() && is_new.load(Ordering::Relaxed) {
                handle.tell(Ask::Written(actor.user)).await;
            }
            let _ = answer.send(sent);
        });
        let sent = answered
            .await
            .map_err(|_| ErrorBody::new(Code::Unavailable, "this node is stopping").retry_after(1_000))?;
        let (message, position) = sent?;
        Ok(ChatSent { message, position })
    }

    /// Removes a message.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for others than its author and those who keep order.
    pub async fn chat_delete(&self, actor: Actor, body: ChatDelete, at: i64) -> Result<Changed, ErrorBody> {
        let rule = Box::new(move |message: &_| policy::delete_message(actor.into(), message));
        self.parts.stores.chat.delete(actor, body.message_id, at, rule).await?;
        Ok(Changed { changed: true })
    }

    /// Sets how seldom people may write.
    ///
    /// # Errors
    /// `invalid` seconds, `not_found`, `forbidden` for others than those who keep order.
    pub async fn slow_mode(&self, actor: Actor, body: ChatSlowMode, at: i64) -> Result<Changed, ErrorBody> {
        let ChatSlowMode { live_id, seconds } = body;
        if seconds > SLOWEST_S {
            let message = format!("`seconds` must be an integer from 0 to {SLOWEST_S}");
            return Err(ErrorBody::invalid("seconds", message));
        }
        let rule = Box::new(move |live: &LiveFacts| policy::moderate_live(actor.into(), live));
        let wish = SlowMode { live_id, seconds, at };
        let changed = self.parts.stores.chat.set_slow_mode(actor, wish, rule).await?;
        self.tell(live_id, Ask::Slow(Duration::from_secs(u64::from(seconds)))).await;
        if changed {
            self.tell_nodes(&Word::Slowed { live: live_id });
        }
        Ok(Changed { changed })
    }

    /// Sets whether a person is banned from a live; a ban cuts their media too.
    ///
    /// # Errors
    /// `not_found` live or person, `forbidden` for others than those who keep order, `invalid` for the owner.
    pub async fn ban(&self, actor: Actor, body: LiveBan, at: i64) -> Result<Changed, ErrorBody> {
        let LiveBan { live_id, user_id: user, on } = body;
        let rule = Box::new(move |live: &LiveFacts| {
            policy::moderate_live(actor.into(), live)?;
            if live.post.author == user {
                return Err(ErrorBody::invalid("user_id", "the owner of a live cannot be banned from it"));
            }
            Ok(())
        });
        let changed = self.parts.stores.chat.set_ban(actor, Ban { live_id, user, on, at }, rule).await?;
        if on {
            self.tell(live_id, Ask::Cut(user, RtcCloseReason::Banned)).await;
            self.tell_nodes(&Word::Banned { live: live_id, user });
        }
        Ok(Changed { changed })
    }

    /// A page of those who are banned from a live, also after its end.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for others than those who keep order, `invalid` cursor.
    pub async fn bans(&self, actor: Actor, body: LiveBans) -> Result<Banned, ErrorBody> {
        let view = self.view(actor.into(), body.live_id).await?;
        policy::moderate_live(actor.into(), &view.facts)?;
        let before = List::Bans.id(body.cursor.as_deref())?.map(UserId::from_bytes);
        let limit = page_limit(None);
        let mut users = self.parts.stores.chat.bans(body.live_id, before, limit + 1).await?;
        let is_last = users.len() <= limit;
        users.truncate(limit);
        let last = users.last().filter(|_| !is_last);
        Ok(Banned { cursor: last.map(|user| List::Bans.cursor(user.id.as_bytes())), users })
    }

    /// A reaction to what is seen; many are told as one.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for who was banned, `conflict` after the end, `rate_limited`.
    pub async fn react(&self, actor: Actor, body: LiveReact) -> Result<Counted, ErrorBody> {
        let LiveReact { live_id, kind } = body;
        // Those who tap most watch: the live knows them, and a crowd that claps does not read the store.
        if let Some(handle) = self.parts.registry.live(live_id) {
            match handle.ask(|answer| Ask::Tap(actor.user, kind, Right::ByWatching, answer)).await {
                Ok(true) => return Ok(Counted { counted: true }),
                Err(refusal) if refusal.code == Code::RateLimited => return Err(refusal),
                // Whether there is a live at all is to be told by the policy alone.
                Ok(false) | Err(_) => {}
            }
        }
        let view = self.view(actor.into(), live_id).await?;
        policy::chat_in(&view.facts)?;
        let handle = self.running(&view)?;
        handle.ask(|answer| Ask::Tap(actor.user, kind, Right::Judged, answer)).await?;
        Ok(Counted { counted: true })
    }
}
