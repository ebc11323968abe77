//! What the broker lost is read from the log, before anything later is delivered.

use super::{Hub, channel::ChannelEntry, delivery::Delivery};
use crate::store::log::{PageSize, Range};
use communiconnect_protocol::Channel;
use std::{sync::Arc, time::Duration};

/// How long a missing publication may be on its way: two nodes that write one channel overtake each other all the time.
const PATIENCE: Duration = Duration::from_millis(20);
/// Pause before the log is asked again when it could not answer or had nothing yet.
const RETRY: Duration = Duration::from_millis(500);
/// One read of the log while repairing.
const PAGE: PageSize = PageSize { items: 256, bytes: 256 << 10 };

impl Hub {
    /// Brings what is missing in a channel; one repair runs per channel.
    pub(super) fn repair(&self, entry: &Arc<ChannelEntry>) {
        let Some(hub) = self.me.upgrade() else { return };
        let entry = Arc::clone(entry);
        self.tasks.spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            while let Some(after) = entry.repair_from() {
                if !hub.read_missing(&entry, after).await {
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        () = hub.tasks.stopping() => return,
                    }
                }
            }
        });
    }

    /// Compares the heads of these channels' logs with what was delivered, so that a lost tail is found; false where the
    /// log could not tell.
    pub(super) async fn compare_heads(&self, entries: &[Arc<ChannelEntry>]) -> bool {
        for some in entries.chunks(PAGE.items) {
            let channels: Vec<Channel> = some.iter().map(|entry| entry.channel().clone()).collect();
            let Ok(heads) = self.log.heads(channels).await else { return false };
            for (entry, head) in some.iter().zip(heads) {
                if entry.knows_of(head).0 {
                    self.repair(entry);
                }
            }
        }
        true
    }

    /// Reads one page; false where it brought nothing.
    async fn read_missing(&self, entry: &Arc<ChannelEntry>, after: u64) -> bool {
        let page = match self.log.page(entry.channel(), Range::After(after), PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(channel = %entry.channel(), %error, "a hole cannot be repaired yet");
                return false;
            }
        };
        entry.expire_before(page.first);
        let deliveries: Vec<_> = page.publications.into_iter().map(Delivery::publication).collect();
        let brought = !deliveries.is_empty() || page.first > after + 1;
        self.bring(entry, deliveries);
        brought
    }
}
