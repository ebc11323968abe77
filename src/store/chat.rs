//! The chat of lives: messages, bans, slow mode.

use super::{Actor, ChatFacts, LiveFacts, Op, Result, Rule};
use communiconnect_protocol::{
    ChannelPosition, ChatMessage, ChatMessageId, ChatSlowModeState, LiveId, User, UserId,
};

/// A message to be written; its text is checked and normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Into the chat of which live.
    pub live_id: LiveId,
    /// The text.
    pub content: String,
    /// The message that it answers.
    pub reply_to: Option<ChatMessageId>,
    /// When.
    pub at: i64,
}

/// Whether a person shall stay out of a live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Of which live.
    pub live_id: LiveId,
    /// Whom.
    pub user: UserId,
    /// The wished state.
    pub on: bool,
    /// When.
    pub at: i64,
}

/// How seldom people may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowMode {
    /// In which live.
    pub live_id: LiveId,
    /// The wished pause between two messages of a person; 0 is off.
    pub seconds: u32,
    /// When.
    pub at: i64,
}

/// Chats.
#[async_trait::async_trait]
pub trait Chat: Send + Sync {
    /// Writes a message as a publication of its live; `NotFound` where `reply_to` is no message of it.
    async fn send(
        &self,
        actor: Actor,
        op: Op,
        new: NewMessage,
        rule: Rule<LiveFacts>,
    ) -> Result<(ChatMessage, ChannelPosition)>;
    /// Removes a message: what the log says of it is overwritten. Answers of which live it was.
    async fn delete(&self, actor: Actor, id: ChatMessageId, at: i64, rule: Rule<ChatFacts>)
    -> Result<LiveId>;
    /// Sets whether a person is banned; whether that changed. An entry of the banned person's `user:` log.
    async fn set_ban(&self, actor: Actor, ban: Ban, rule: Rule<LiveFacts>) -> Result<bool>;
    /// Those who are banned from a live, the newest account first: at most so many, and only older ones than `before`.
    async fn bans(&self, live: LiveId, before: Option<UserId>, limit: usize) -> Result<Vec<User>>;
    /// Sets the slow mode; whether that changed.
    async fn set_slow_mode(&self, actor: Actor, wish: SlowMode, rule: Rule<LiveFacts>) -> Result<bool>;
    /// The slow mode of a live; none where there is no such live.
    async fn slow_mode(&self, id: LiveId) -> Result<Option<ChatSlowModeState>>;
}
