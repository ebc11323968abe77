//! `chat.*`

use super::{Answer, Ask};
use communiconnect_protocol::{ChatDelete, ChatSend, ChatSlowMode, Reply};

pub(super) async fn send(ask: Ask<'_>, body: ChatSend) -> Answer {
    let sent = ask.lives.chat_send(ask.actor()?, body, ask.at).await?;
    Ok(Reply::ChatSent(Box::new(sent)))
}

pub(super) async fn delete(ask: Ask<'_>, body: ChatDelete) -> Answer {
    ask.lives.chat_delete(ask.actor()?, body, ask.at).await.map(Reply::Changed)
}

pub(super) async fn slow_mode(ask: Ask<'_>, body: ChatSlowMode) -> Answer {
    ask.lives.slow_mode(ask.actor()?, body, ask.at).await.map(Reply::Changed)
}
