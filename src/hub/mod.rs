//! Sessions and channels: who listens, what they missed, and what reaches whom.
//!
//! Owns the channel registry, subscriptions, outboxes, presence and gap repair. It is memory: nothing here must survive,
//! for the store's log is the truth. It does not know what an event means or who may read what (it asks [`Access`]),
//! nor how bytes travel (`http::ws` drives a socket, the broker calls [`crate::broker::Deliver`]).

mod access;
mod away;
mod channel;
mod control;
mod crowds;
pub mod delivery;
mod dispatch;
mod flush;
mod handle;
#[expect(clippy::module_inception, reason = "the type that the module is named for")]
mod hub;
mod message;
mod meter;
mod operators;
pub mod outbox;
mod pages;
mod peers;
mod people;
mod presence;
pub mod publisher;
pub mod rate;
mod reads;
mod registry;
mod repair;
mod resync;
pub mod session;
mod settings;
mod subscribe;
mod tokens;
mod traffic;

#[cfg(test)]
pub(crate) mod tests;

pub use access::Access;
pub use dispatch::{Authenticate, Caller, Denied, Dispatch, Neighbour, SessionEnds, Tally, needs_a_session};
pub use handle::{Closing, SessionHandle};
pub use hub::{Hub, HubParts};
pub use meter::Rates;
pub use operators::{ChannelView, Dismissal, Dismissed, Elsewhere, NodeView, SessionView, Whom};
pub use settings::HubSettings;
pub use traffic::Traffic;
