//! What entries of a `user:` log tell the server itself: blocks, lost follows, ended logins.

use super::{
    Hub,
    channel::ChannelEntry,
    delivery::Delivery,
    handle::{Closing, SessionHandle},
};
use crate::store::Reader;
use communiconnect_protocol::{Channel, CloseCode, UnsubscribeReason, UserControl, UserId};
use std::{sync::Arc, time::Duration};

/// Pause before rights are asked for again that could not be judged.
const ASK_AGAIN: Duration = Duration::from_millis(500);

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
                UserControl::Unfollowed { .. } | UserControl::Banned { .. } => self.judge_again(session),
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
        let mut unjudged = session.channels();
        unjudged
            .retain(|channel| matches!(channel, Channel::Author(_) | Channel::Post(_) | Channel::Live(_)));
        loop {
            let reader = Reader { user: session.user_id(), role: session.identity().role() };
            let mut unanswered = Vec::new();
            for channel in unjudged {
                match self.access.may_read(&reader, &channel).await {
                    Ok(()) => {}
                    // No answer is no refusal. Nothing is published either while the store is away, so asking on until
                    // it is back, or the reader has left, gives nothing away.
                    Err(error) if error.code.leaves_outcome_unknown() => unanswered.push(channel),
                    Err(_) => self.kick(session, &channel, UnsubscribeReason::Forbidden),
                }
            }
            unanswered.retain(|channel| session.subscription(channel).is_some());
            if unanswered.is_empty() {
                return;
            }
            unjudged = unanswered;
            tokio::select! {
                () = tokio::time::sleep(ASK_AGAIN) => {}
                () = self.tasks.stopping() => return,
            }
        }
    }
}
