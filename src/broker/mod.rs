//! Fast delivery between nodes. It may lose: the store's log is the truth, and the hub repairs what was lost.
//!
//! Does not know who listens (it is given a [`Deliver`]) nor what anything means.

#[cfg(test)]
pub mod conformance;
pub mod memory;
mod redis;

#[cfg(test)]
pub(crate) use redis::testing as redis_testing;
pub use redis::{Examined, RedisBroker, RedisUrl, Unusable, WrongUrl};

use crate::publication::{Publication, Signal, State};
use bytes::Bytes;
use communiconnect_protocol::Channel;
use std::{future::Future, pin::Pin, sync::Arc};

/// What a broker carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Broadcast {
    /// A durable event, already on disk.
    Publication(Publication),
    /// An absolute value.
    State(State),
    /// An ephemeral event.
    Signal(Signal),
    /// What one hub says to the others.
    Memo(Memo),
}

/// A word from hub to hub, which the broker does not understand.
#[derive(Clone, Debug, PartialEq)]
pub struct Memo {
    /// Whoever has subscribed to this channel hears it.
    pub channel: Channel,
    /// The word.
    pub body: Bytes,
}

/// Why something was not carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// The broker cannot be reached; what was published is repaired from the log when it is back.
    #[error("the broker is not available: {0}")]
    Unavailable(String),
}

/// A boxed future, since the broker is chosen at run time.
pub type Carried<'a> = Pin<Box<dyn Future<Output = Result<(), BrokerError>> + Send + 'a>>;

/// Carries broadcasts to every node that has subscribed to their channel, this one included.
///
/// Contract: what one node publishes to one channel arrives in the order published, or not at all; nothing arrives twice
/// without a fault of the transport; `publish` returns without waiting for any receiver. A broker that may lose says so by
/// [`Deliver::link`] and [`Deliver::heads`].
pub trait Broker: Send + Sync {
    /// Publishes a batch in order.
    fn publish(&self, batch: Vec<Broadcast>) -> Carried<'_>;
    /// From the moment this resolves on, broadcasts of the channel are delivered here; where the transport is away, it
    /// resolves all the same, and [`LinkState::Returned`] tells of its return.
    fn subscribe(&self, channel: &Channel) -> Carried<'_>;
    /// No more of them.
    fn unsubscribe(&self, channel: &Channel) -> Carried<'_>;
    /// Sends something through every part of the transport to this node itself, and waits until it has come.
    fn probe(&self) -> Carried<'_>;
}

/// Where a broker delivers on its node. Must not wait: it is called on the broker's own path.
pub trait Deliver: Send + Sync {
    /// A batch in order.
    fn deliver(&self, batch: Vec<Broadcast>);
    /// Last offsets that other nodes know of, on channels that somebody here may listen to.
    fn heads(&self, _heads: Vec<(Channel, u64)>) {}
    /// The transport loses, or has come back. A broker that cannot lose never calls this.
    fn link(&self, _state: LinkState) {}
}

/// What a broker knows of its losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// From now on broadcasts of other nodes may be missing.
    Lost,
    /// Broadcasts may come again at any moment; those before them are missing.
    Returning,
    /// Everything published from now on comes; what was missed must be looked for.
    Returned,
    /// Something was missed and must be looked for; what is lost apart from that still is.
    Missed,
}

/// A shared broker.
pub type SharedBroker = Arc<dyn Broker>;
