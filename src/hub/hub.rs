//! The hub itself: everything that handlers and sockets ask of it.

use super::{Access, Caller, HubSettings};
use crate::{
    auth::Identity,
    broker::{Broadcast, Deliver, SharedBroker},
    store::log::Log,
    tasks::Tasks,
};
use communiconnect_protocol::{
    Changed, Code, ErrorBody, Format, History, HistoryPage, Presence, PresencePage, SessionId, Subscribe,
    Subscribed, Sync, Synced, Unsubscribe,
};
use std::sync::{Arc, OnceLock};

/// One connection's place in the hub: identity, outbox, and how to wake its socket.
pub struct SessionHandle {
    id: SessionId,
    identity: Identity,
    format: Format,
}

impl SessionHandle {
    /// Which session.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Who is connected.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How its messages are encoded.
    pub fn format(&self) -> Format {
        self.format
    }
}

/// What a hub is made of.
pub struct HubParts {
    /// Bounds and paces.
    pub settings: HubSettings,
    /// Rights and present values.
    pub access: Arc<dyn Access>,
    /// The channel logs.
    pub log: Arc<dyn Log>,
    /// Where repairs run.
    pub tasks: Tasks,
}

/// Sessions and channels of this node.
pub struct Hub {
    parts: HubParts,
    broker: OnceLock<SharedBroker>,
}

impl Hub {
    /// A hub without anybody; give it its broker with [`Hub::attach`] before the first session.
    pub fn new(parts: HubParts) -> Arc<Self> {
        Arc::new(Self { parts, broker: OnceLock::new() })
    }

    /// Names the broker that delivers here; the first call counts.
    pub fn attach(&self, broker: SharedBroker) {
        let _ = self.broker.set(broker);
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &HubSettings {
        &self.parts.settings
    }

    /// `subscribe`; needs a session.
    pub async fn subscribe(&self, _caller: &Caller, _command: Subscribe) -> Result<Subscribed, ErrorBody> {
        Err(unfinished())
    }

    /// `unsubscribe`; needs a session.
    pub async fn unsubscribe(&self, _caller: &Caller, _command: Unsubscribe) -> Result<Changed, ErrorBody> {
        Err(unfinished())
    }

    /// `history`, also without a session.
    pub async fn history(&self, _caller: &Caller, _command: History) -> Result<HistoryPage, ErrorBody> {
        Err(unfinished())
    }

    /// `sync`; needs a session.
    pub async fn sync(&self, _caller: &Caller, _command: Sync) -> Result<Synced, ErrorBody> {
        Err(unfinished())
    }

    /// `presence`, also without a session.
    pub async fn presence(&self, _caller: &Caller, _command: Presence) -> Result<PresencePage, ErrorBody> {
        Err(unfinished())
    }
}

impl Deliver for Hub {
    fn deliver(&self, _batch: Vec<Broadcast>) {}
}

fn unfinished() -> ErrorBody {
    ErrorBody::new(Code::Unavailable, "being written")
}
