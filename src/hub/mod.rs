//! Sessions and channels: who listens, what they missed, and what reaches whom.
//!
//! Owns the channel registry, subscriptions, outboxes, presence and gap repair. It is memory: nothing here must survive,
//! for the store's log is the truth. It does not know what an event means or who may read what (it asks [`Access`]),
//! nor how bytes travel (`http::ws` drives a socket, the broker calls [`crate::broker::Deliver`]).

mod access;
mod dispatch;
#[expect(clippy::module_inception, reason = "the type that the module is named for")]
mod hub;
mod settings;
mod tokens;

pub use access::Access;
pub use dispatch::{Authenticate, Caller, Denied, Dispatch};
pub use hub::{Hub, HubParts, SessionHandle};
pub use settings::HubSettings;
