//! `subscribe`, `sync`, `unsubscribe`, and what `connect` resumes.
//!
//! A subscription registers first, then checks, then reads the log, then opens: what is published meanwhile is held, so
//! there is no hole between the log and the live pushes, and nothing comes twice.

use super::{
    Caller, Hub, SessionHandle,
    channel::Opening,
    handle::Subscription,
    pages::{Budget, Start},
};
use communiconnect_protocol::{
    Changed, Channel, Code, ErrorBody, Position, Subscribe, SubscribeOutcome, SubscribeRefused, Subscribed,
    Sync, Synced, Unsubscribe,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

impl Hub {
    /// `subscribe`; needs a session. Subscribing again answers afresh.
    pub async fn subscribe(&self, caller: &Caller, command: Subscribe) -> Result<Subscribed, ErrorBody> {
        let session = session_of(caller)?;
        let channel = parse(&command.channel, "channel")?;
        let from = position(command.epoch, command.offset, "")?;
        self.begin(session, &channel, from, &mut Budget::one_page()).await
    }

    /// `sync`; needs a session. Channels in the order asked, publications within the bytes asked for.
    pub async fn sync(&self, caller: &Caller, command: Sync) -> Result<Synced, ErrorBody> {
        let session = session_of(caller)?;
        if command.channels.len() > self.settings.subscriptions {
            let message = format!("{} channels at most", self.settings.subscriptions);
            return Err(ErrorBody::new(Code::LimitExceeded, message));
        }
        let mut budget = Budget::of_sync(command.bytes);
        let mut subscriptions = Vec::with_capacity(command.channels.len());
        for (place, wish) in command.channels.into_iter().enumerate() {
            let prefix = format!("channels.{place}.");
            let outcome = match wanted(&wish.channel, wish.epoch, wish.offset, &prefix) {
                Ok((channel, from)) => self.begin(session, &channel, from, &mut budget).await,
                Err(error) => Err(error),
            };
            subscriptions.push(match outcome {
                Ok(subscribed) => SubscribeOutcome::Subscribed(subscribed),
                Err(error) => {
                    SubscribeOutcome::Refused(SubscribeRefused { channel: Some(wish.channel), error })
                }
            });
        }
        Ok(Synced { subscriptions })
    }

    /// `unsubscribe`; needs a session. One's own `user:` channel stays.
    pub async fn unsubscribe(&self, caller: &Caller, command: Unsubscribe) -> Result<Changed, ErrorBody> {
        let session = session_of(caller)?;
        let channel = parse(&command.channel, "channel")?;
        if session.user_id().is_some_and(|user| channel == Channel::User(user)) {
            let message = "one's own channel cannot be left: it brings what concerns the session itself";
            return Err(ErrorBody::new(Code::Forbidden, message));
        }
        Ok(Changed { changed: session.forget(&channel) })
    }

    /// What a session that was just admitted listens to: its own channel, and those that it wishes to resume.
    pub async fn greet(
        &self,
        session: &Arc<SessionHandle>,
        mut resume: BTreeMap<String, Position>,
    ) -> Result<BTreeMap<String, SubscribeOutcome>, ErrorBody> {
        let mut budget = Budget::of_sync(None);
        let mut outcomes = BTreeMap::new();
        if let Some(user) = session.user_id() {
            session.begin_blocked();
            let own = Channel::User(user);
            let name = own.to_string();
            let from = resume.remove(&name);
            let subscribed = self.begin(session, &own, from, &mut budget).await?;
            // Read after the own channel was joined: changes that the read misses come through it.
            session.set_blocked(self.access.blocked_with(user).await?);
            outcomes.insert(name, SubscribeOutcome::Subscribed(subscribed));
        }
        for (name, from) in resume {
            let outcome = match parse(&name, "resume") {
                Ok(channel) => self.begin(session, &channel, Some(from), &mut budget).await,
                Err(error) => Err(error),
            };
            let outcome = match outcome {
                Ok(subscribed) => SubscribeOutcome::Subscribed(subscribed),
                Err(error) => SubscribeOutcome::Refused(SubscribeRefused { channel: None, error }),
            };
            outcomes.insert(name, outcome);
        }
        Ok(outcomes)
    }

    /// Registers, checks, reads; the subscription opens with the reply.
    async fn begin(
        &self,
        session: &Arc<SessionHandle>,
        channel: &Channel,
        from: Option<Position>,
        budget: &mut Budget,
    ) -> Result<Subscribed, ErrorBody> {
        let subscription = self.register(session, channel).await?;
        let tentative = Tentative { session, subscription: Some(subscription) };
        match self.start(session, channel, from, budget).await {
            Ok((subscribed, opening)) => {
                tentative.open_with_reply(opening);
                Ok(subscribed)
            }
            Err(error) => {
                if !error.code.leaves_outcome_unknown() {
                    // Not theirs to read (any more), whatever was before.
                    session.forget(channel);
                }
                Err(error)
            }
        }
    }

    async fn register(
        &self,
        session: &Arc<SessionHandle>,
        channel: &Channel,
    ) -> Result<Subscription, ErrorBody> {
        if let Some(subscription) = session.subscription(channel)
            && subscription.entry.hold(subscription.slot, session)
        {
            return Ok(subscription);
        }
        let is_own = session.user_id().is_some_and(|user| *channel == Channel::User(user));
        // One's own channel is not the client's choice and takes nobody's place.
        let taken = session.subscription_count().saturating_sub(usize::from(session.user_id().is_some()));
        if !is_own && taken >= self.settings.subscriptions {
            let message =
                format!("{} subscriptions at most: leave a channel first", self.settings.subscriptions);
            return Err(ErrorBody::new(Code::LimitExceeded, message));
        }
        let (entry, slot) = self.registry.register(channel, session).await.map_err(|error| {
            let message = format!("channels cannot be joined at the moment: {error}");
            ErrorBody::new(Code::Unavailable, message).retry_after(1_000)
        })?;
        if session.note(&entry, slot)
            && let Some(subscription) = session.subscription(channel)
        {
            return Ok(subscription);
        }
        self.registry.remove(&entry, slot, session);
        Err(ErrorBody::new(Code::Unavailable, "the session has ended"))
    }

    async fn start(
        &self,
        session: &Arc<SessionHandle>,
        channel: &Channel,
        from: Option<Position>,
        budget: &mut Budget,
    ) -> Result<(Subscribed, Opening), ErrorBody> {
        let caller = Caller {
            identity: (*session.identity()).clone(),
            session: Some(Arc::clone(session)),
            format: session.format(),
        };
        self.may_read(&caller, channel).await?;
        let Start { subscribed, opening } = self.read_start(&caller, channel, from, budget).await?;
        Ok((subscribed, opening))
    }

    /// Whether the caller may read a channel; one's own and those for load tests need no question.
    pub(super) async fn may_read(&self, caller: &Caller, channel: &Channel) -> Result<(), ErrorBody> {
        match channel {
            Channel::Test(_) if self.settings.test_channels => Ok(()),
            Channel::Test(_) => Err(unknown_channel()),
            Channel::User(user) if caller.identity.user_id() == Some(*user) => Ok(()),
            Channel::User(_) => Err(unknown_channel()),
            _ => self.access.may_read(&caller.reader(), channel).await,
        }
    }

    /// Whom the caller may not see, and who may not see the caller.
    pub(super) async fn blocked_of(
        &self,
        caller: &Caller,
    ) -> Result<HashSet<communiconnect_protocol::UserId>, ErrorBody> {
        match (&caller.session, caller.identity.user_id()) {
            (Some(session), _) => Ok(session.blocked()),
            (None, Some(user)) => Ok(self.access.blocked_with(user).await?.into_iter().collect()),
            (None, None) => Ok(HashSet::new()),
        }
    }
}

/// A subscription that begins. Dropped before it may open, because the store failed or the command took too long, it
/// leaves what was before.
struct Tentative<'a> {
    session: &'a SessionHandle,
    subscription: Option<Subscription>,
}

impl Tentative<'_> {
    fn open_with_reply(mut self, opening: Opening) {
        if let Some(subscription) = self.subscription.take() {
            self.session.open_with_reply(subscription, opening);
        }
    }
}

impl Drop for Tentative<'_> {
    fn drop(&mut self) {
        if let Some(subscription) = &self.subscription {
            self.session.take_back(subscription);
        }
    }
}

/// The channel that a command names in `field`.
pub(super) fn parse(name: &str, field: &str) -> Result<Channel, ErrorBody> {
    name.parse().map_err(|error| ErrorBody::invalid(field, format!("{error}")))
}

/// What a command gets that names something which does not exist for its reader.
pub(super) fn unknown_channel() -> ErrorBody {
    ErrorBody::new(Code::NotFound, "no such channel")
}

fn session_of(caller: &Caller) -> Result<&Arc<SessionHandle>, ErrorBody> {
    let message = "this command belongs to a session: send it over a WebSocket";
    caller.session.as_ref().ok_or_else(|| ErrorBody::new(Code::BadRequest, message))
}

fn wanted(
    name: &str,
    epoch: Option<String>,
    offset: Option<u64>,
    prefix: &str,
) -> Result<(Channel, Option<Position>), ErrorBody> {
    Ok((parse(name, &format!("{prefix}channel"))?, position(epoch, offset, prefix)?))
}

fn position(epoch: Option<String>, offset: Option<u64>, prefix: &str) -> Result<Option<Position>, ErrorBody> {
    match (epoch, offset) {
        (None, None) => Ok(None),
        (Some(epoch), Some(offset)) => Ok(Some(Position { epoch, offset })),
        (Some(_), None) => {
            Err(ErrorBody::invalid(format!("{prefix}offset"), "a position is epoch and offset"))
        }
        (None, Some(_)) => {
            Err(ErrorBody::invalid(format!("{prefix}epoch"), "a position is epoch and offset"))
        }
    }
}
