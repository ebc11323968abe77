//! From a command to its reply: the one door for sockets and HTTP alike.
//!
//! One file per family of commands. Decides who must be a person and what needs a session, gives the time, bounds how
//! long a command may take, and counts outcomes. What a command means is decided in `social` and `hub`.

mod analytics;
mod chat;
mod comments;
mod communities;
mod external_shares;
mod feeds;
mod live;
mod notifications;
mod people;
mod posts;
mod reactions;
mod rtc;
mod session;
mod shares;

use crate::{
    clock::now_ms,
    hub::{Caller, Dispatch, Hub, SessionHandle, needs_a_session},
    live::service::LiveService,
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
    lives: LiveService,
    command_limit: Duration,
}

/// Answered by every command.
pub type Answer = Result<Reply, ErrorBody>;

/// Milliseconds after which a command that took too long should be sent again.
const RETRY_AFTER_MS: u64 = 1_000;

impl Handlers {
    /// Handlers over the rules, the hub and lives; a command that takes longer than `command_limit` answers `unavailable`.
    pub fn new(social: Social, hub: Arc<Hub>, lives: LiveService, command_limit: Duration) -> Self {
        Self { social, hub, lives, command_limit }
    }

    async fn answer(&self, caller: &Caller, command: Command) -> Answer {
        let ask = Ask { social: &self.social, lives: &self.lives, caller, at: now_ms() };
        match command {
            // They change the session itself, so that the socket runs them: here they came by HTTP.
            Command::Connect(_) | Command::Refresh(_) => Err(needs_a_session()),
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
            Command::ShareAdd(body) => shares::add(ask, body).await,
            Command::ShareRemove(body) => shares::remove(ask, body).await,
            Command::ShareList(body) => shares::list(ask, body).await,
            Command::ExternalShareAdd(body) => external_shares::add(ask, body).await,
            Command::ExternalShareList(body) => external_shares::list(ask, body).await,
            Command::AnalyticsPost(body) => analytics::post(ask, body).await,
            Command::ProfileGet(body) => people::profile(ask, body).await,
            Command::ProfileEdit(body) => people::edit(ask, body).await,
            Command::FollowSet(body) => people::follow(ask, body).await,
            Command::BlockSet(body) => people::block(ask, body).await,
            Command::NotificationList(body) => notifications::list(ask, body).await,
            Command::NotificationRead(body) => notifications::read(ask, body).await,
            Command::NotificationPreferences(body) => notifications::preferences(ask, body).await,
            Command::LiveStart(body) => live::start(ask, body).await,
            Command::LiveStop(body) => live::stop(ask, body).await,
            Command::LiveList(body) => live::list(ask, body).await,
            Command::LiveGet(body) => live::get(ask, body).await,
            Command::LiveJoin(body) => live::join(ask, &self.hub, body).await,
            Command::LiveLeave(body) => live::leave(ask, &self.hub, body).await,
            Command::LiveReportGet(body) => live::report(ask, body).await,
            Command::LiveKeyRotate(_) => live::rotate_key(ask).await,
            Command::LiveKeyGet(_) => live::key_info(ask).await,
            Command::LiveDefaultsSet(body) => live::set_defaults(ask, body).await,
            Command::LiveBan(body) => live::ban(ask, body).await,
            Command::LiveBans(body) => live::bans(ask, body).await,
            Command::LiveReact(body) => live::react(ask, body).await,
            Command::ChatSend(body) => chat::send(ask, body).await,
            Command::ChatDelete(body) => chat::delete(ask, body).await,
            Command::ChatSlowMode(body) => chat::slow_mode(ask, body).await,
            Command::RtcPublish(body) => rtc::publish(ask, body).await,
            Command::RtcWatch(body) => rtc::watch(ask, body).await,
            Command::RtcTrickle(body) => rtc::trickle(ask, body),
            Command::RtcRestart(body) => rtc::restart(ask, body),
            Command::RtcLayer(body) => rtc::layer(ask, body),
            Command::RtcClose(body) => rtc::close(ask, body).await,
            Command::RtcProbe(body) => rtc::probe(ask, body),
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
    lives: &'a LiveService,
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

    /// For commands that belong to a connection.
    fn session(&self) -> Result<&SessionHandle, ErrorBody> {
        self.caller.session.as_deref().ok_or_else(needs_a_session)
    }
}

fn took_too_long() -> ErrorBody {
    ErrorBody::new(Code::Unavailable, "this took too long, outcome unknown: send the same op again")
        .retry_after(RETRY_AFTER_MS)
}

#[cfg(test)]
mod tests;
