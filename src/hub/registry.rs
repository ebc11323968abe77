//! Which channels somebody here listens to.
//!
//! The map is asked for one entry and let go: nothing is fanned out, awaited or locked under it.

use super::{channel::ChannelEntry, handle::SessionHandle};
use crate::broker::{BrokerError, SharedBroker};
use communiconnect_protocol::Channel;
use dashmap::DashMap;
use parking_lot::Mutex;
use std::{
    fmt,
    hash::BuildHasher,
    sync::{Arc, OnceLock},
};
use tokio::sync::Notify;

/// Channels by name, and the broker that feeds them.
#[derive(Default)]
pub(super) struct Registry {
    channels: DashMap<Channel, Arc<ChannelEntry>>,
    broker: OnceLock<SharedBroker>,
    /// Channels that lost their last subscriber and of which the broker is still to be told.
    vacant: Mutex<Vec<Channel>>,
    vacated: Notify,
    /// Joining and leaving one channel at the broker must not overtake each other; channels share a lock by hash.
    order: [tokio::sync::Mutex<()>; 16],
}

impl Registry {
    /// Names the broker; the first call counts.
    pub(super) fn attach(&self, broker: SharedBroker) {
        let _ = self.broker.set(broker);
    }

    /// The broker, once there is one.
    pub(super) fn broker(&self) -> Option<&SharedBroker> {
        self.broker.get()
    }

    /// The entry of a channel, if anybody listens.
    pub(super) fn get(&self, channel: &Channel) -> Option<Arc<ChannelEntry>> {
        self.channels.get(channel).map(|entry| Arc::clone(&entry))
    }

    /// How many channels have a subscriber.
    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    /// Every channel with a subscriber.
    pub(super) fn entries(&self) -> Vec<Arc<ChannelEntry>> {
        self.channels.iter().map(|entry| Arc::clone(&entry)).collect()
    }

    /// Adds a subscriber, its pushes held, to a channel that the broker delivers.
    pub(super) async fn register(
        &self,
        channel: &Channel,
        session: &Arc<SessionHandle>,
    ) -> Result<(Arc<ChannelEntry>, usize), BrokerError> {
        let (entry, slot) = loop {
            let entry = self.entry(channel);
            if let Some(slot) = entry.register(session) {
                break (entry, slot);
            }
        };
        let place = Place { registry: self, session, entry: &entry, slot, is_kept: false };
        entry.carried.get_or_try_init(|| self.join(channel)).await?;
        place.keep();
        Ok((entry, slot))
    }

    /// Removes a subscriber, and the channel with the last one.
    pub(super) fn remove(&self, entry: &Arc<ChannelEntry>, slot: usize, session: &SessionHandle) {
        entry.remove(slot, session);
        self.retire(entry);
    }

    /// Drops a channel to which nobody listens any more.
    pub(super) fn retire(&self, entry: &Arc<ChannelEntry>) {
        if !entry.retire() {
            return;
        }
        let removed = self.channels.remove_if(entry.channel(), |_, known| Arc::ptr_eq(known, entry));
        if removed.is_some() && entry.carried.initialized() {
            self.vacant.lock().push(entry.channel().clone());
            self.vacated.notify_one();
        }
    }

    /// Tells the broker of channels that nobody listens to any more; runs for ever.
    pub(super) async fn tend(&self) {
        loop {
            self.vacated.notified().await;
            let vacant = std::mem::take(&mut *self.vacant.lock());
            for channel in vacant {
                self.part(&channel).await;
            }
        }
    }

    fn entry(&self, channel: &Channel) -> Arc<ChannelEntry> {
        if let Some(entry) = self.get(channel) {
            return entry;
        }
        let fresh = || Arc::new(ChannelEntry::new(channel.clone()));
        Arc::clone(&self.channels.entry(channel.clone()).or_insert_with(fresh))
    }

    async fn join(&self, channel: &Channel) -> Result<(), BrokerError> {
        let Some(broker) = self.broker.get() else { return Ok(()) };
        let _order = self.order(channel).lock().await;
        broker.subscribe(channel).await
    }

    async fn part(&self, channel: &Channel) {
        let Some(broker) = self.broker.get() else { return };
        let _order = self.order(channel).lock().await;
        if self.get(channel).is_none()
            && let Err(error) = broker.unsubscribe(channel).await
        {
            tracing::debug!(%channel, %error, "the broker keeps a channel that nobody listens to");
        }
    }

    fn order(&self, channel: &Channel) -> &tokio::sync::Mutex<()> {
        let hash = self.channels.hasher().hash_one(channel);
        let place = usize::try_from(hash % self.order.len() as u64).unwrap_or(0);
        &self.order[place]
    }
}

/// A subscriber's place that is given back unless it is kept: whoever joins may be dropped while the broker is asked.
struct Place<'a> {
    registry: &'a Registry,
    session: &'a SessionHandle,
    entry: &'a Arc<ChannelEntry>,
    slot: usize,
    is_kept: bool,
}

impl Place<'_> {
    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.registry.remove(self.entry, self.slot, self.session);
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("channels", &self.channels.len()).finish_non_exhaustive()
    }
}
