//! A thin WebRTC client: offers one section of audio and one of video, connects by ICE, DTLS and SRTP, and hands out plain
//! packets.
//!
//! Owns one UDP socket per peer. Decides nothing about media: what is sent and what is checked is `media` and `live`.

mod connection;
mod dtls;
mod sdp;
mod srtp;
mod stun;

pub use connection::{Check, Connection, Identity, Received, RtcError};
pub use sdp::{Answer, Credentials, Offer, PAYLOAD_AUDIO, PAYLOAD_RTX, PAYLOAD_VIDEO, Role};
