//! What entries of a `user:` log tell the server itself: blocks, lost follows, ended logins.

use super::{
    Hub,
    channel::ChannelEntry,
    delivery::Delivery,
    handle::{Closing, SessionHandle},
};
use crate::store::Reader;
use communiconnect_protocol::{Channel, CloseCode, UnsubscribeReason, UserControl, UserId};
use std::sync::Arc;

impl Hub {
    /// Acts on an entry of the `user:` log of `user`; all their sessions here listen to `entry`.
    pub(super) fn act(&self, user: UserId, entry: &ChannelEntry, delivery: &Delivery) {
        let control = match delivery.data().read::<UserControl>() {
            Ok(control) => control,
            Err(error) => {
                tracing::error!(%user, %error, "an entry for the server cannot be read");
                return;
            }
        };
        for session in entry.sessions() {
            match &control {
                UserControl::Unfollowed { .. } => self.judge_again(session),
                UserControl::Blocked { other, on } => {
                    session.change_blocked(*other, *on);
                    if *on {
                        self.judge_again(session);
                    }
                }
                UserControl::LoggedOut { login } => {
                    let identity = session.identity();
                    if identity.person().is_some_and(|person| person.login.as_ref() == Some(login)) {
                        session.close(Closing { code: CloseCode::InvalidToken, after_ms: 0 });
                    }
                }
            }
        }
    }

    /// Checks every right of a session that follows and blocks may have changed, and ends what was lost.
    fn judge_again(&self, session: Arc<SessionHandle>) {
        let Some(hub) = self.me.upgrade() else { return };
        self.tasks.spawn(async move { hub.end_lost_rights(&session).await });
    }

    async fn end_lost_rights(&self, session: &SessionHandle) {
        let reader = Reader { user: session.user_id(), role: session.identity().role() };
        for channel in session.channels() {
            if !matches!(channel, Channel::Author(_) | Channel::Post(_) | Channel::Live(_)) {
                continue;
            }
            // A right that cannot be confirmed is no right: the client may subscribe again.
            if self.access.may_read(&reader, &channel).await.is_err() {
                self.kick(session, &channel, UnsubscribeReason::Forbidden);
            }
        }
    }
}
