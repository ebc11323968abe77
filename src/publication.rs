//! What travels from the store through the broker to the hub.
//!
//! Leaf types: store, broker and hub all speak of publications and must not know each other.

use communiconnect_protocol::{Channel, Data, UserId};
use std::{borrow::Cow, sync::Arc};

/// A durable event of a channel, as its log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Which channel.
    pub channel: Channel,
    /// Its place: offsets of a channel rise by one from 1.
    pub offset: u64,
    /// What happened.
    pub event: Arc<str>,
    /// The event's body, the same for every reader.
    pub data: Data,
    /// When it was written, in milliseconds since 1970 UTC.
    pub at: i64,
    /// Who did it, for the filter of blocked pairs; none where nobody is named (anonymous, the server itself).
    pub actor: Option<UserId>,
    /// Whether readers get the bytes, or `skip` because the entry speaks to the server alone or was overwritten.
    pub audience: Audience,
}

/// Whom an entry of a log speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All who may read the channel.
    Readers,
    /// The server itself (`UserControl`); readers get `skip`.
    Server,
    /// Nobody any more: the thing was deleted; readers get `skip`.
    Nobody,
}

/// An absolute value of a channel; a newer version of the same key replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Channels that show it.
    pub channels: Vec<Channel>,
    /// Which state.
    pub event: Cow<'static, str>,
    /// Of which thing.
    pub key: String,
    /// Rises with every change.
    pub version: u64,
    /// The value.
    pub data: Data,
    /// Whose thing it is, for the filter of blocked pairs; none where nobody is named.
    pub actor: Option<UserId>,
}

/// An ephemeral event of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Which channel.
    pub channel: Channel,
    /// What happens.
    pub event: Arc<str>,
    /// The event's body.
    pub data: Data,
}

/// What one group commit of the store brought, in order: publications of a channel in rising offsets without a hole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Committed {
    /// Durable events, all on disk.
    pub publications: Vec<Publication>,
    /// Values that changed; only the latest of a key matters.
    pub states: Vec<State>,
}

impl Committed {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.publications.is_empty() && self.states.is_empty()
    }
}
