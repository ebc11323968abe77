//! Fast delivery between nodes. It may lose: the store's log is the truth, and the hub repairs what was lost.
//!
//! Does not know who listens (it is given a [`Deliver`]) nor what anything means.

#[cfg(test)]
pub mod conformance;
pub mod memory;

use crate::publication::{Publication, Signal, State};
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
/// without a fault of the transport; `publish` returns without waiting for any receiver.
pub trait Broker: Send + Sync {
    /// Publishes a batch in order.
    fn publish(&self, batch: Vec<Broadcast>) -> Carried<'_>;
    /// From the moment this resolves on, broadcasts of the channel are delivered here.
    fn subscribe(&self, channel: &Channel) -> Carried<'_>;
    /// No more of them.
    fn unsubscribe(&self, channel: &Channel) -> Carried<'_>;
}

/// Where a broker delivers on its node. Must not wait: it is called on the broker's own path.
pub trait Deliver: Send + Sync {
    /// A batch in order.
    fn deliver(&self, batch: Vec<Broadcast>);
}

/// A shared broker.
pub type SharedBroker = Arc<dyn Broker>;
