//! Names of pushes.

/// A durable event of a channel.
pub const PUBLICATION: &str = "publication";
/// An absolute value of a channel.
pub const STATE: &str = "state";
/// An ephemeral event of a channel.
pub const SIGNAL: &str = "signal";
/// To this session alone.
pub const MESSAGE: &str = "message";
/// Publications that were not sent.
pub const GAP: &str = "gap";
/// A publication that this reader may not see.
pub const SKIP: &str = "skip";
/// How much is degraded for this session.
pub const FLOW: &str = "flow";
/// The server has subscribed the session.
pub const SUBSCRIBED: &str = "subscribed";
/// The server has ended a subscription.
pub const UNSUBSCRIBED: &str = "unsubscribed";
/// A sign of life with moved heads.
pub const PING: &str = "ping";
/// Come back later, or elsewhere.
pub const RECONNECT: &str = "reconnect";
/// The token runs out soon.
pub const TOKEN_EXPIRING: &str = "token.expiring";
