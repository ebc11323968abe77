//! The transport of one peer: offers answered, addresses checked, keys agreed, packets sealed and opened.
//!
//! Owns everything between a datagram and a plain RTP or RTCP packet. Forwards nothing and knows no live.

pub mod ice;
pub mod sdp;
pub mod stun;
