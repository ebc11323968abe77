//! What concerns one session alone, or all sessions of one person: the push `message`.
//!
//! It is in no log and ends with the session, so it goes by no channel; its place among the pushes is kept.

use super::{Hub, SessionHandle};
use communiconnect_protocol::{Channel, Data, MessagePush, SessionId, UserId, encode_push, kind};

impl Hub {
    /// Tells all sessions of a person, on whatever node they are.
    pub fn message_to_user(&self, user: UserId, event: &str, data: &Data) {
        self.message_here(user, event, data);
        self.message_elsewhere(user, event, data);
    }

    /// Tells all sessions of a person on this node.
    pub(super) fn message_here(&self, user: UserId, event: &str, data: &Data) {
        // Every session of a person listens to their own channel.
        let Some(entry) = self.registry.get(&Channel::User(user)) else { return };
        for session in entry.sessions() {
            message(&session, event, data);
        }
    }

    /// Tells one session, if it is on this node.
    pub fn message_to_session(&self, session: SessionId, event: &str, data: &Data) {
        if let Some(session) = self.session(session) {
            message(&session, event, data);
        }
    }
}

fn message(session: &SessionHandle, event: &str, data: &Data) {
    let push = MessagePush { event: event.to_owned(), data: data.clone() };
    session.message(encode_push(session.format(), kind::MESSAGE, &push));
}
