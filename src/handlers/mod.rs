//! From a command to its reply: the one door for sockets and HTTP alike.
//!
//! One file per family of commands. Decides who must be a person and what needs a session, gives the time, bounds how
//! long a command may take, and counts outcomes. What a command means is decided in `social` and `hub`.

mod comments;
mod communities;
mod feeds;
mod notifications;
mod people;
mod posts;
mod reactions;
mod session;

use crate::{
    clock::now_ms,
    hub::{Caller, Dispatch, Hub},
    metrics,
    social::Social,
    store::{Actor, Reader},
};
use communiconnect_protocol::{Code, Command, ErrorBody, Reply};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What handlers need.
pub struct Handlers {
    social: Social,
    hub: Arc<Hub>,
    command_limit: Duration,
}

/// Answered by every command.
pub type Answer = Result<Reply, ErrorBody>;

/// Milliseconds after which a command that took too long should be sent again.
const RETRY_AFTER_MS: u64 = 1_000;

impl Handlers {
    /// Handlers over the rules and the hub; a command that takes longer than `command_limit` answers `unavailable`.
    pub fn new(social: Social, hub: Arc<Hub>, command_limit: Duration) -> Self {
        Self { social, hub, command_limit }
    }

    async fn answer(&self, caller: &Caller, command: Command) -> Answer {
        let ask = Ask { social: &self.social, caller, at: now_ms() };
        match command {
            Command::Connect(_) | Command::Refresh(_) => Err(session::not_here()),
            Command::Subscribe(body) => session::subscribe(&self.hub, caller, body).await,
            Command::Unsubscribe(body) => session::unsubscribe(&self.hub, caller, body).await,
            Command::History(body) => session::history(&self.hub, caller, body).await,
            Command::Sync(body) => session::sync(&self.hub, caller, body).await,
            Command::Presence(body) => session::presence(&self.hub, caller, body).await,
            Command::CommunityCreate(body) => communities::create(ask, body).await,
            Command::CommunityGet(body) => communities::get(ask, body).await,
            Command::CommunityList(body) => communities::list(ask, body).await,
            Command::CommunityJoin(body) => communities::join(ask, body).await,
            Command::CommunityLeave(body) => communities::leave(ask, body).await,
            Command::PostCreate(body) => posts::create(ask, body).await,
            Command::PostEdit(body) => posts::edit(ask, body).await,
            Command::PostDelete(body) => posts::delete(ask, body).await,
            Command::PostGet(body) => posts::get(ask, body).await,
            Command::PostView(body) => posts::view(ask, body).await,
            Command::PostCountsGet(body) => posts::counts(ask, body).await,
            Command::FeedList(body) => feeds::list(ask, body).await,
            Command::ReactionSet(body) => reactions::set(ask, body).await,
            Command::CommentAdd(body) => comments::add(ask, body).await,
            Command::CommentEdit(body) => comments::edit(ask, body).await,
            Command::CommentDelete(body) => comments::delete(ask, body).await,
            Command::CommentList(body) => comments::list(ask, body).await,
            Command::ProfileGet(body) => people::profile(ask, body).await,
            Command::FollowSet(body) => people::follow(ask, body).await,
            Command::BlockSet(body) => people::block(ask, body).await,
            Command::NotificationList(body) => notifications::list(ask, body).await,
            Command::NotificationRead(body) => notifications::read(ask, body).await,
            Command::NotificationPreferences(body) => notifications::preferences(ask, body).await,
            Command::LiveStart(_)
            | Command::LiveStop(_)
            | Command::LiveList(_)
            | Command::LiveGet(_)
            | Command::LiveJoin(_)
            | Command::LiveLeave(_)
            | Command::LiveReportGet(_)
            | Command::LiveKeyRotate(_)
            | Command::LiveKeyGet(_)
            | Command::LiveDefaultsSet(_)
            | Command::LiveBan(_)
            | Command::LiveReact(_)
            | Command::ChatSend(_)
            | Command::ChatDelete(_)
            | Command::ChatSlowMode(_)
            | Command::RtcPublish(_)
            | Command::RtcWatch(_)
            | Command::RtcTrickle(_)
            | Command::RtcRestart(_)
            | Command::RtcLayer(_)
            | Command::RtcClose(_) => Err(no_live()),
        }
    }
}

#[async_trait::async_trait]
impl Dispatch for Handlers {
    async fn run(&self, caller: &Caller, command: Command) -> Answer {
        let name = command.name();
        let began = Instant::now();
        let answer = tokio::time::timeout(self.command_limit, self.answer(caller, command)).await;
        let answer = answer.unwrap_or_else(|_| Err(took_too_long()));
        metrics::COMMANDS.add(name, 1);
        metrics::COMMAND_SECONDS.record(began.elapsed().as_secs_f64());
        if let Err(refusal) = &answer {
            metrics::COMMANDS_REFUSED.add(refusal.code.as_str(), 1);
            tracing::debug!(command = name, code = refusal.code.as_str(), refusal.message, "refused");
        }
        answer
    }
}

/// One command being answered: the rules, who asks, and when.
#[derive(Clone, Copy)]
struct Ask<'a> {
    social: &'a Social,
    caller: &'a Caller,
    at: i64,
}

impl Ask<'_> {
    /// For commands that guests may run too: reads, and `post.view`.
    fn reader(&self) -> Reader {
        self.caller.reader()
    }

    /// For everything else.
    fn actor(&self) -> Result<Actor, ErrorBody> {
        let Reader { user, role } = self.caller.reader();
        let user = user.ok_or_else(|| {
            ErrorBody::new(Code::Unauthenticated, "guests only read: connect with a token for this")
        })?;
        Ok(Actor { user, role })
    }
}

fn no_live() -> ErrorBody {
    ErrorBody::new(Code::Unavailable, "this node carries no lives").retry_after(RETRY_AFTER_MS)
}

fn took_too_long() -> ErrorBody {
    ErrorBody::new(Code::Unavailable, "this took too long, outcome unknown: send the same op again")
        .retry_after(RETRY_AFTER_MS)
}

#[cfg(test)]
mod tests;
