//! What entries of a `user:` log tell the server itself: blocks, lost follows, ended logins.

use super::{
    Hub,
    channel::ChannelEntry,
    delivery::Delivery,
    handle::{Closing, SessionHandle},
};
use crate::store::Reader;
use communiconnect_protocol::{Channel, CloseCode, UnsubscribeReason, UserControl, UserId};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Pause before rights are asked for again that could not be judged.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// For how long a channel stays open to somebody whose right to it cannot be judged. Then the connection is closed, so that
/// it comes back: a store that answers nothing for so long serves nobody anyway.
const LONGEST_DOUBT: Duration = Duration::from_secs(10);

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
                UserControl::Unfollowed { author } => {
                    // No follower, no right: what comes behind this entry must not wait for a look into the store.
                    self.kick(&session, &Channel::Author(*author), UnsubscribeReason::Forbidden);
                    self.judge_again(session);
                }
                UserControl::Banned { .. } => self.judge_again(session),
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

    /// Checks every right of a session that follows, blocks and bans may have changed, and ends what was lost. One task
    /// does so for a session: what comes while it runs makes it begin anew.
    fn judge_again(&self, session: Arc<SessionHandle>) {
        let Some(hub) = self.me.upgrade() else { return };
        if session.doubts().raise() {
            self.tasks.spawn(async move { hub.end_lost_rights(&session).await });
        }
    }

    async fn end_lost_rights(&self, session: &SessionHandle) {
        let mut unjudged = Vec::new();
        let mut doubted_since = Instant::now();
        loop {
            if session.doubts().take_up() {
                unjudged = session.channels();
                unjudged.retain(|channel| {
                    matches!(channel, Channel::Author(_) | Channel::Post(_) | Channel::Live(_))
                });
            }
            self.judge(session, &mut unjudged).await;
            if unjudged.is_empty() {
                if session.doubts().settle() {
                    return;
                }
                doubted_since = Instant::now();
                continue;
            }
            if doubted_since.elapsed() >= LONGEST_DOUBT {
                // Whoever comes back is judged before anything is sent.
                session.close(Closing { code: CloseCode::ServerError, after_ms: 0 });
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_AGAIN) => {}
                () = self.tasks.stopping() => return,
            }
        }
    }

    /// Ends what may not be read any more; `unjudged` keeps the channels of which nobody could say.
    async fn judge(&self, session: &SessionHandle, unjudged: &mut Vec<Channel>) {
        let reader = Reader { user: session.user_id(), role: session.identity().role() };
        for channel in std::mem::take(unjudged) {
            match self.access.may_read(&reader, &channel).await {
                Ok(()) => {}
                // No answer is no refusal: it is asked on, unless the reader has left.
                Err(error) if error.code.leaves_outcome_unknown() => {
                    unjudged.extend(session.subscription(&channel).map(|_| channel));
                }
                Err(_) => self.kick(session, &channel, UnsubscribeReason::Forbidden),
            }
        }
    }
}

/// Whether the rights of a session may have changed since they were last judged.
#[derive(Debug, Default)]
pub(super) struct Doubts(Mutex<Doubt>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Doubt {
    #[default]
    Settled,
    /// Raised, and not taken up yet.
    Raised,
    /// Somebody is at it.
    TakenUp,
}

impl Doubts {
    /// Raises one; true for whoever has to see to it, since nobody does yet.
    fn raise(&self) -> bool {
        let before = std::mem::replace(&mut *self.0.lock(), Doubt::Raised);
        before == Doubt::Settled
    }

    /// Whether one was raised since the last time; what is read from now on answers it.
    fn take_up(&self) -> bool {
        let before = std::mem::replace(&mut *self.0.lock(), Doubt::TakenUp);
        before == Doubt::Raised
    }

    /// Says that all is judged; false where another was raised meanwhile.
    fn settle(&self) -> bool {
        let mut doubt = self.0.lock();
        let is_settled = *doubt == Doubt::TakenUp;
        if is_settled {
            *doubt = Doubt::Settled;
        }
        is_settled
    }
}
