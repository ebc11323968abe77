//! The media plane as the service sees it: offers in, answers and events out.
//!
//! Owns the handle to the shards and what they tell. It knows peers and sources; lives, users and rights are the service's.

mod event;
mod settings;

pub use event::{
    Layer, LayerCause, MediaEvent, PeerEnd, PeerFigures, PeerId, PeerWarning, PublisherFigures, ViewerFigures,
};
pub use settings::PlaneSettings;

use crate::live::{
    media::MediaKind,
    rtc::{ice::IceCredentials, sdp::OfferError},
};
use thiserror::Error;

/// A peer that was answered. It has [`PlaneSettings::silence`] to come, else it is [`MediaEvent::Closed`].
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its id, for everything that follows.
    pub peer: PeerId,
    /// The answer, SDP.
    pub answer: String,
    /// This side's credentials: what an ETag is made of (RFC 9725, section 4.3.1). Not for logs.
    pub ice: IceCredentials,
    /// What was agreed on, in the offer's order.
    pub kinds: Vec<MediaKind>,
}

/// Why an offer was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrepareError {
    /// The offer itself; [`OfferError::code`] says how a client is told.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// Too many peers of the same client address were prepared and have not connected. `rate_limited`.
    #[error("too many unfinished connections from this address; wait until some have connected or given up")]
    HalfOpen,
    /// [`PlaneSettings::peers`] are there. `unavailable`.
    #[error("this node has as many media peers as it may; try again later")]
    Full,
    /// The plane has stopped. `unavailable`.
    #[error("media has stopped on this node")]
    Stopped,
}

/// Why ICE was not restarted. The peer goes on as before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestartError {
    /// The peer has ended. `not_found`.
    #[error("there is no such peer any more")]
    NoSuchPeer,
    /// The offer or fragment cannot restart it.
    #[error(transparent)]
    Offer(#[from] OfferError),
}
