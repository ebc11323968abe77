//! The transport of one peer: offers answered, addresses checked, keys agreed, packets sealed and opened.
//!
//! Owns everything between a datagram and a plain RTP or RTCP packet. Forwards nothing and knows no live.

pub mod dtls;
pub mod handshakes;
pub mod ice;
pub mod mux;
pub mod sdp;
pub mod srtp;
pub mod stun;
