//! The broker of a single node: a call.

use super::{Broadcast, Broker, Carried, Deliver};
use communiconnect_protocol::Channel;
use std::sync::Arc;

/// Delivers in the same process, at once. Subscriptions need nothing: the hub drops what nobody here listens to.
pub struct MemoryBroker {
    deliver: Arc<dyn Deliver>,
}

impl MemoryBroker {
    /// A broker that delivers to `deliver`.
    pub fn new(deliver: Arc<dyn Deliver>) -> Self {
        Self { deliver }
    }
}

impl Broker for MemoryBroker {
    fn publish(&self, batch: Vec<Broadcast>) -> Carried<'_> {
        self.deliver.deliver(batch);
        Box::pin(std::future::ready(Ok(())))
    }

    fn subscribe(&self, _channel: &Channel) -> Carried<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn unsubscribe(&self, _channel: &Channel) -> Carried<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn probe(&self) -> Carried<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_is_a_broker() {
        crate::broker::conformance::run(async |deliver| Arc::new(MemoryBroker::new(deliver)) as _).await;
    }
}
