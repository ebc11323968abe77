//! The bounds and times of lives, each with its reason.

use super::{audience::AudienceLimits, chat::ChatRates, ice_servers::IceServers, machine::Patience};
use std::time::Duration;

/// How lives are carried on this node.
#[derive(Clone)]
pub struct LiveSettings {
    /// The node's id: leases are held under it.
    pub node: String,
    /// Lives at once on this node: each takes some megabytes of packets.
    pub lives: usize,
    /// How long a live may be in a state.
    pub patience: Patience,
    /// People of one live on this node.
    pub audience: AudienceLimits,
    /// How often a person may write and react; zeros are no limit.
    pub rates: ChatRates,
    /// Characters of a title.
    pub title_chars: usize,
    /// Characters of a description.
    pub description_chars: usize,
    /// Characters of a chat message.
    pub chat_chars: usize,
    /// Where this server is reached from outside, without a slash at its end; none tells paths alone.
    pub public_url: Option<String>,
    /// Where this very node is reached from outside, without a slash at its end; other nodes lead players there.
    pub node_url: Option<String>,
    /// STUN and TURN servers that clients are told of.
    pub ice_servers: IceServers,
}

/// How long a lease lasts: a node that is silent for this long has its lives ended by others.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// Between two renewals: two may fail before a lease is lost, and who misses two is taken for [silent](super::leases).
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Between two reports so far: what a crash may lose.
pub(super) const REPORT_EVERY: Duration = Duration::from_secs(10);

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            node: "local".into(),
            lives: 100,
            patience: Patience::default(),
            audience: AudienceLimits::default(),
            rates: ChatRates::default(),
            title_chars: 200,
            description_chars: 5_000,
            chat_chars: 500,
            public_url: None,
            node_url: None,
            ice_servers: IceServers::default(),
        }
    }
}
