//! What operators ask of sessions and channels, on this node and the others, and how they send somebody away.
//!
//! Whoever calls these is an operator already: the hub asks for no right.

use super::{
    Hub, Rates, SessionHandle,
    handle::Closing,
    peers::{Answer, Inquiry},
};
use communiconnect_protocol::{Channel, CloseCode, Code, ErrorBody, Format, SessionId, UserId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Whom an operator means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whom {
    /// All sessions of a person.
    User(UserId),
    /// One session.
    Session(SessionId),
}

/// A wish to send somebody away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dismissal {
    /// Whom.
    pub whom: Whom,
    /// With which code their sockets close.
    pub code: CloseCode,
    /// Told in place of the code's own reason; 123 bytes at most (RFC 6455 §5.5).
    pub reason: Option<String>,
}

/// How many sessions one node has sent away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissed {
    /// Which node.
    pub node: String,
    /// How many.
    pub closed: u64,
}

/// What one node carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Which node.
    pub node: String,
    /// Sessions, those that have not said `connect` included.
    pub sessions: u64,
    /// People with at least one session.
    pub people: u64,
    /// Channels with a subscriber.
    pub channels: u64,
    /// Whether it sends everybody away.
    pub draining: bool,
}

/// One session, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Which session.
    pub session_id: SessionId,
    /// Where it is.
    pub node: String,
    /// Whose; none for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// By which name they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Which address it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How it is spoken to.
    pub format: String,
    /// When it was opened.
    pub since_at: i64,
    /// How many channels it listens to.
    pub subscriptions: u64,
    /// Bytes of pushes that wait until it reads.
    pub waiting_bytes: u64,
}

/// One channel of this node, as operators see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelView {
    /// Which channel.
    pub channel: Channel,
    /// How many sessions of this node listen.
    pub subscribers: usize,
    /// How much goes to each of them.
    pub rates: Rates,
}

/// What other nodes answered, and how many did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere<T> {
    /// Their answers.
    pub told: Vec<T>,
    /// Nodes that gave a sign of life lately and no answer.
    pub silent: usize,
    /// This node hears no other at the moment: there may be more.
    pub is_cut_off: bool,
}

impl<T> Elsewhere<T> {
    /// Whether every other node has answered.
    pub fn is_whole(&self) -> bool {
        self.silent == 0 && !self.is_cut_off
    }
}

impl Hub {
    /// What this node carries.
    pub fn view(&self) -> NodeView {
        NodeView {
            node: self.settings.node.clone(),
            sessions: self.session_count() as u64,
            people: self.people.count() as u64,
            channels: self.registry.len() as u64,
            draining: self.is_draining(),
        }
    }

    /// What the other nodes carry.
    pub async fn views_elsewhere(&self) -> Elsewhere<NodeView> {
        self.inquire(Inquiry::View, |answer| match answer {
            Answer::View(view) => Some(view),
            _ => None,
        })
        .await
    }

    /// A person's sessions on this node.
    pub fn sessions_of(&self, user: UserId) -> Vec<SessionView> {
        // Every session of a person listens to their own channel.
        let entry = self.registry.get(&Channel::User(user));
        let sessions = entry.map(|entry| entry.sessions()).unwrap_or_default();
        sessions.iter().map(|session| self.show(session)).collect()
    }

    /// A person's sessions on the other nodes.
    pub async fn sessions_elsewhere(&self, user: UserId) -> Elsewhere<Vec<SessionView>> {
        self.inquire(Inquiry::SessionsOf(user), |answer| match answer {
            Answer::Sessions(sessions) => Some(sessions),
            _ => None,
        })
        .await
    }

    /// The first `limit` sessions of this node behind `after`, by id and so by age.
    pub fn sessions_after(&self, after: Option<SessionId>, limit: usize) -> Vec<SessionView> {
        let mut sessions = self.sessions();
        sessions.retain(|session| after.is_none_or(|after| session.id() > after));
        sessions.sort_unstable_by_key(|session| session.id());
        sessions.iter().take(limit).map(|session| self.show(session)).collect()
    }

    /// Every channel with a subscriber on this node, with how much goes through it.
    pub fn channel_views(&self) -> Vec<ChannelView> {
        let entries = self.registry.entries();
        let view = |entry: &Arc<super::channel::ChannelEntry>| ChannelView {
            channel: entry.channel().clone(),
            subscribers: entry.len(),
            rates: entry.rates(),
        };
        entries.iter().map(view).collect()
    }

    /// Sends sessions away on every node; what each node did, this one first.
    ///
    /// # Errors
    /// `unavailable` where a node did not answer: those that did have sent them away, and asking again changes nothing there.
    pub async fn dismiss(&self, dismissal: &Dismissal) -> Result<Vec<Dismissed>, ErrorBody> {
        let here = self.dismiss_here(dismissal);
        let Dismissal { whom, code, reason } = dismissal;
        let inquiry = Inquiry::Dismiss { whom: *whom, code: code.number(), reason: reason.clone() };
        let elsewhere = self
            .inquire(inquiry, |answer| match answer {
                Answer::Dismissed(dismissed) => Some(dismissed),
                _ => None,
            })
            .await;
        if !elsewhere.is_whole() {
            let message = format!(
                "this node and {} others have sent away whom they had, and not every other node answered: send it again",
                elsewhere.told.len()
            );
            return Err(ErrorBody::new(Code::Unavailable, message).retry_after(1_000));
        }
        Ok(std::iter::once(here).chain(elsewhere.told).collect())
    }

    pub(super) fn dismiss_here(&self, dismissal: &Dismissal) -> Dismissed {
        let sessions = match dismissal.whom {
            Whom::Session(session) => self.session(session).into_iter().collect(),
            Whom::User(user) => {
                let entry = self.registry.get(&Channel::User(user));
                entry.map(|entry| entry.sessions()).unwrap_or_default()
            }
        };
        let words: Option<Arc<str>> = dismissal.reason.as_deref().map(Into::into);
        for session in &sessions {
            session.close_saying(Closing { code: dismissal.code, after_ms: 0 }, words.clone());
        }
        Dismissed { node: self.settings.node.clone(), closed: sessions.len() as u64 }
    }

    /// Answers another node's operator.
    pub(super) fn answer(&self, inquiry: Inquiry) -> Option<Answer> {
        Some(match inquiry {
            Inquiry::View => Answer::View(self.view()),
            Inquiry::SessionsOf(user) => Answer::Sessions(self.sessions_of(user)),
            Inquiry::Dismiss { whom, code, reason } => {
                let code = CloseCode::from_number(code)?;
                Answer::Dismissed(self.dismiss_here(&Dismissal { whom, code, reason }))
            }
        })
    }

    fn show(&self, session: &SessionHandle) -> SessionView {
        let identity = session.identity();
        SessionView {
            session_id: session.id(),
            node: self.settings.node.clone(),
            user_id: session.user_id(),
            username: identity.person().map(|person| person.user.username.clone()),
            address: session.client().map(|client| client.to_string()),
            format: match session.format() {
                Format::Json => "json".into(),
                Format::Msgpack => "msgpack".into(),
            },
            since_at: session.id().made_at(),
            subscriptions: session.subscription_count() as u64,
            waiting_bytes: session.waiting_bytes() as u64,
        }
    }
}
