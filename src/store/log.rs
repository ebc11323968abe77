//! The channel logs.

use super::Result;
use crate::publication::Publication;
use communiconnect_protocol::{Channel, Data};
use std::sync::Arc;

/// Which part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Ascending from the first offset above.
    After(u64),
    /// Descending from the last offset below.
    Before(u64),
}

/// How much of a log at most; the first publication is given in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageSize {
    /// Publications.
    pub items: usize,
    /// Bytes of their data together.
    pub bytes: usize,
}

/// A page of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogPage {
    /// The store's epoch.
    pub epoch: Arc<str>,
    /// The offset of the newest publication; 0 where there was never one.
    pub head: u64,
    /// The lowest offset still kept; `head + 1` where none is.
    pub first: u64,
    /// Publications in the asked order.
    pub publications: Vec<Publication>,
    /// Whether the log has more in this direction.
    pub more: bool,
}

/// What an operator publishes.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Which channel.
    pub channel: Channel,
    /// What happened.
    pub event: Arc<str>,
    /// The event's body.
    pub data: Data,
    /// When, in milliseconds since 1970 UTC.
    pub at: i64,
}

/// The channel logs: durable, ordered, bounded by age and count.
#[async_trait::async_trait]
pub trait Log: Send + Sync {
    /// A page, read from one snapshot: head, first and publications agree.
    async fn page(&self, channel: &Channel, range: Range, size: PageSize) -> Result<LogPage>;
    /// Heads of channels, in the order asked; 0 where there was never a publication.
    async fn heads(&self, channels: Vec<Channel>) -> Result<Vec<u64>>;
    /// Appends an operator's publication; answers its offset.
    async fn append(&self, entry: Entry) -> Result<u64>;
    /// Drops what is beyond the kept age and count as of `now`, a bounded amount a call; answers how many went.
    async fn trim(&self, now: i64) -> Result<usize>;
    /// Writes and reads a row: whether the store works end to end.
    async fn probe(&self, now: i64) -> Result<()>;
}
