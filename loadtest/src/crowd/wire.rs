//! The envelopes of `protocol/SPEC.md` as a reader sees them, borrowed from the received bytes.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashMap};

/// `[id, type, body]`.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a>(
    pub(super) u64,
    #[serde(borrow)] pub(super) Cow<'a, str>,
    #[serde(borrow)] pub(super) &'a RawValue,
);

impl<'a> Envelope<'a> {
    pub(super) fn read(message: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(message)
    }

    pub(super) fn body<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.2.get())
    }
}

/// The body of `publication`.
#[derive(Debug, Deserialize)]
pub(super) struct Publication<'a> {
    #[serde(borrow)]
    pub(super) channel: Cow<'a, str>,
    pub(super) offset: u64,
    #[serde(borrow)]
    pub(super) data: &'a RawValue,
}

impl<'a> Publication<'a> {
    /// Reads the message where it is a publication in the spelling of the server: nearly all are, and this way they are
    /// scanned once. None where it is anything else, which [`Envelope::read`] reads.
    pub(super) fn read(message: &'a [u8]) -> Option<Self> {
        let body = message.strip_prefix(br#"[0,"publication","#)?.strip_suffix(b"]")?;
        serde_json::from_slice(body).ok()
    }
}

/// The bodies of `skip` and `unsubscribed`.
#[derive(Debug, Deserialize)]
pub(super) struct OfChannel {
    pub(super) channel: String,
    #[serde(default)]
    pub(super) offset: u64,
    #[serde(default)]
    pub(super) reason: String,
}

/// The body of `gap`.
#[derive(Debug, Deserialize)]
pub(super) struct Gap {
    pub(super) channel: String,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) reason: String,
}

/// The body of `state`; `signal` has the first alone.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    pub(super) channel: String,
    #[serde(default)]
    pub(super) version: u64,
}

/// The body of `reconnect`.
#[derive(Debug, Deserialize)]
pub(super) struct Reconnect {
    pub(super) after_ms: u64,
}

/// Offsets that a page misses.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Missing {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// SUBSCRIBED, and the answer of `history`, which has a part of it.
#[derive(Debug, Deserialize)]
pub(super) struct Page<'a> {
    #[serde(default)]
    pub(super) channel: String,
    #[serde(default)]
    pub(super) epoch: String,
    #[serde(default)]
    pub(super) offset: u64,
    #[serde(default)]
    pub(super) recovered: String,
    pub(super) gap: Option<Missing>,
    #[serde(borrow, default)]
    pub(super) publications: Vec<Item<'a>>,
    #[serde(default)]
    pub(super) more: bool,
    #[serde(default)]
    pub(super) states: Vec<StateItem>,
    pub(super) error: Option<Refusal>,
}

/// A state in SUBSCRIBED.
#[derive(Debug, Deserialize)]
pub(super) struct StateItem {
    pub(super) version: u64,
}

/// ITEM.
#[derive(Debug, Deserialize)]
pub(super) struct Item<'a> {
    pub(super) offset: u64,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
}

/// The answer of `connect`.
#[derive(Debug, Deserialize)]
pub(super) struct Connected<'a> {
    #[serde(borrow)]
    pub(super) subscriptions: HashMap<String, Page<'a>>,
}

/// The answer of `sync`.
#[derive(Debug, Deserialize)]
pub(super) struct Synced<'a> {
    #[serde(borrow)]
    pub(super) subscriptions: Vec<Page<'a>>,
}

/// The body of `error`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}
