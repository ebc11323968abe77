//! The rules of one connection: connect first, one command at a time, signs of life, limits, expiry.
//!
//! Pure: time is passed in, in milliseconds of any steady clock. The driver (`http::ws`) reads the socket while
//! [`Session::reads`], tells what happened, and after every event (and at [`Session::deadline`] at the latest) calls
//! [`Session::tick`] until it answers `None`.

use super::rate::Rate;
use communiconnect_protocol::{CloseCode, Code, ErrorBody};
use std::collections::VecDeque;

/// Paces and bounds of a session, in milliseconds unless noted.
#[derive(Clone, Copy, Debug)]
pub struct Paces {
    /// Silence after which the peer is pinged, and pace of `ping` pushes.
    pub ping_ms: u64,
    /// How long it may then stay silent.
    pub pong_ms: u64,
    /// How long it may take to say `connect`.
    pub connect_ms: u64,
    /// How long the socket may accept nothing.
    pub write_timeout_ms: u64,
    /// When a command is answered `unavailable`.
    pub command_ms: u64,
    /// Commands per second; 0 is no limit.
    pub commands_per_second: u32,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a WebSocket Ping.
    Ping,
    /// Send the push `ping`.
    Heads,
    /// Send the push `token.expiring`.
    TokenExpiring,
    /// Answer the running command `unavailable`; it goes on by itself.
    CommandLate {
        /// Which.
        id: u64,
    },
    /// Close the connection.
    Close(CloseCode),
}

/// What to do with a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Run it.
    Run,
    /// Answer this error.
    Refuse(ErrorBody),
}

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    paces: Paces,
    phase: Phase,
    work: Work,
    heart: Heart,
    blocked_since: Option<u64>,
    token: Option<Token>,
    rate: Rate,
    malformed: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing but `connect` is taken, until then.
    New {
        until: u64,
    },
    Connected {
        next_heads: u64,
    },
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Idle,
    Running {
        id: u64,
        since: u64,
    },
    /// The reply waits in the outbox. Since when the socket is not read.
    Replying {
        since: u64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Heart {
    heard_at: u64,
    pinged_at: Option<u64>,
    /// Added to every pace, so that sessions of one moment do not beat together.
    jitter: u64,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    ends_at: u64,
    is_told: bool,
}

/// Messages that are no envelope, within [`MALFORMED_WINDOW_MS`], that end a connection.
const MALFORMED_LIMIT: usize = 20;
const MALFORMED_WINDOW_MS: u64 = 60_000;
/// How long before its end a token's owner is told.
const EXPIRY_NOTICE_MS: u64 = 60_000;
/// After how long a client may ask again for what was not answered in time.
const RETRY_MS: u64 = 1_000;

impl Session {
    /// A connection that was just opened. `jitter` (a fifth of the ping pace at most makes sense) differs by session.
    pub fn new(now: u64, paces: Paces, jitter: u64) -> Self {
        Self {
            paces,
            phase: Phase::New { until: now + paces.connect_ms },
            work: Work::Idle,
            heart: Heart { heard_at: now, pinged_at: None, jitter },
            blocked_since: None,
            token: None,
            rate: Rate::default(),
            malformed: VecDeque::new(),
        }
    }

    /// Whether the socket is to be read.
    pub fn reads(&self) -> bool {
        self.work == Work::Idle && self.phase != Phase::Closed
    }

    /// Whether nothing runs and no reply waits.
    pub fn is_idle(&self) -> bool {
        self.work == Work::Idle
    }

    /// Anything came from the peer.
    pub fn heard(&mut self, now: u64) {
        self.heart.heard_at = now;
        self.heart.pinged_at = None;
    }

    /// A command came. Either way there will be a reply, so the socket is not read until it has left.
    pub fn command(&mut self, now: u64, id: u64, is_connect: bool) -> Verdict {
        let verdict = self.judge(now, is_connect);
        self.work = match verdict {
            Verdict::Run => Work::Running { id, since: now },
            Verdict::Refuse(_) => Work::Replying { since: now },
        };
        verdict
    }

    /// A message came that is no envelope; its reply is to be queued. Too many of them close the connection.
    pub fn malformed(&mut self, now: u64) -> Option<CloseCode> {
        self.work = Work::Replying { since: now };
        while self.malformed.front().is_some_and(|at| at + MALFORMED_WINDOW_MS <= now) {
            self.malformed.pop_front();
        }
        self.malformed.push_back(now);
        (self.malformed.len() >= MALFORMED_LIMIT).then_some(CloseCode::Malformed)
    }

    /// A message came that cannot be run for another reason; its reply is to be queued.
    pub fn refused(&mut self, now: u64) {
        self.work = Work::Replying { since: now };
    }

    /// The reply to the running command was queued.
    pub fn replied(&mut self) {
        if let Work::Running { since, .. } = self.work {
            self.work = Work::Replying { since };
        }
    }

    /// The reply has left the outbox: the next command may come. What was not read meanwhile is not held against the peer.
    pub fn reply_left(&mut self, now: u64) {
        let (Work::Running { since, .. } | Work::Replying { since }) = self.work else { return };
        let pause = now.saturating_sub(since);
        self.heart.heard_at += pause;
        self.heart.pinged_at = self.heart.pinged_at.map(|at| at + pause);
        if let Phase::New { until } = &mut self.phase {
            *until += pause;
        }
        self.work = Work::Idle;
    }

    /// `connect` succeeded with a token that lasts `expires_in` milliseconds, or for ever.
    pub fn connected(&mut self, now: u64, expires_in: Option<u64>) {
        let next_heads = now + self.paces.ping_ms + self.heart.jitter;
        self.phase = Phase::Connected { next_heads };
        self.refreshed(now, expires_in);
    }

    /// Another token was taken.
    pub fn refreshed(&mut self, now: u64, expires_in: Option<u64>) {
        self.token = expires_in.map(|left| Token { ends_at: now + left, is_told: false });
    }

    /// The socket takes nothing at the moment; [`Session::write_moved`] once it has taken a byte or nothing waits.
    pub fn write_blocked(&mut self, now: u64) {
        self.blocked_since.get_or_insert(now);
    }

    /// The socket has taken something.
    pub fn write_moved(&mut self) {
        self.blocked_since = None;
    }

    /// What is due now, one thing at a time.
    pub fn tick(&mut self, now: u64) -> Option<Due> {
        if let Some(code) = self.reason_to_close(now) {
            self.phase = Phase::Closed;
            return Some(Due::Close(code));
        }
        if self.phase == Phase::Closed {
            return None;
        }
        if let Work::Running { id, since } = self.work
            && now >= since + self.paces.command_ms
        {
            self.work = Work::Replying { since };
            return Some(Due::CommandLate { id });
        }
        if let Some(token) = &mut self.token
            && !token.is_told
            && now + EXPIRY_NOTICE_MS >= token.ends_at
        {
            token.is_told = true;
            return Some(Due::TokenExpiring);
        }
        if self.ping_at().is_some_and(|at| now >= at) {
            self.heart.pinged_at = Some(now);
            return Some(Due::Ping);
        }
        match &mut self.phase {
            Phase::Connected { next_heads } if now >= *next_heads => {
                *next_heads = now + self.paces.ping_ms;
                Some(Due::Heads)
            }
            _ => None,
        }
    }

    /// When [`Session::tick`] has something to say next, if nothing happens before.
    pub fn deadline(&self) -> Option<u64> {
        if self.phase == Phase::Closed {
            return None;
        }
        let running = match self.work {
            Work::Running { since, .. } => Some(since + self.paces.command_ms),
            Work::Idle | Work::Replying { .. } => None,
        };
        let phase = match self.phase {
            Phase::New { until } => self.is_idle().then_some(until),
            Phase::Connected { next_heads } => Some(next_heads),
            Phase::Closed => None,
        };
        let token = self.token.map(|token| {
            if token.is_told { token.ends_at } else { token.ends_at.saturating_sub(EXPIRY_NOTICE_MS) }
        });
        let blocked = self.blocked_since.map(|since| since + self.paces.write_timeout_ms);
        [running, phase, token, blocked, self.ping_at(), self.pong_until()].into_iter().flatten().min()
    }

    fn judge(&mut self, now: u64, is_connect: bool) -> Verdict {
        if let Err(wait) = self.rate.take(now, self.paces.commands_per_second) {
            return Verdict::Refuse(too_often(wait));
        }
        match (self.phase, is_connect) {
            (Phase::New { .. }, false) => Verdict::Refuse(ErrorBody::new(
                Code::Unauthenticated,
                "say connect first: no other command is taken before it",
            )),
            (Phase::Connected { .. }, true) => {
                Verdict::Refuse(ErrorBody::new(Code::Conflict, "this session is connected already"))
            }
            _ => Verdict::Run,
        }
    }

    fn reason_to_close(&self, now: u64) -> Option<CloseCode> {
        match self.phase {
            Phase::Closed => return None,
            Phase::New { until } if self.is_idle() && now >= until => return Some(CloseCode::NoConnect),
            Phase::New { .. } | Phase::Connected { .. } => {}
        }
        if self.token.is_some_and(|token| now >= token.ends_at) {
            return Some(CloseCode::TokenExpired);
        }
        if self.pong_until().is_some_and(|until| now >= until) {
            return Some(CloseCode::NoPong);
        }
        let blocked_until = self.blocked_since.map(|since| since + self.paces.write_timeout_ms);
        blocked_until.is_some_and(|until| now >= until).then_some(CloseCode::WriteTimeout)
    }

    /// When the peer has been silent for long enough to be asked; not while it is not listened to.
    fn ping_at(&self) -> Option<u64> {
        let asks = self.is_idle() && self.heart.pinged_at.is_none();
        asks.then(|| self.heart.heard_at + self.paces.ping_ms + self.heart.jitter)
    }

    fn pong_until(&self) -> Option<u64> {
        let pinged_at = self.heart.pinged_at.filter(|_| self.is_idle())?;
        Some(pinged_at + self.paces.pong_ms)
    }
}

/// The refusal of a command that came too early; `wait` in milliseconds.
pub fn too_often(wait: u64) -> ErrorBody {
    ErrorBody::new(Code::RateLimited, "too many commands: wait, then send it again").retry_after(wait)
}

/// The answer to a command that was not done in time; its outcome is unknown.
pub fn too_late() -> ErrorBody {
    ErrorBody::new(Code::Unavailable, "not done in time, outcome unknown: send the same op again")
        .retry_after(RETRY_MS)
}

#[cfg(test)]
mod tests;
