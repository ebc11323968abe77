//! Live streams: from a broadcaster's packets to every viewer's, and the life of a stream around them.
//!
//! Owns lives, their peers and the packets between. `media` is the shared vocabulary; `forward` is the pure packet path;
//! `rtc` is the transport (SDP, ICE, DTLS, SRTP). Knows no HTTP and no WebSocket.

pub mod audience;
pub mod chat;
pub mod cockpit;
pub mod forward;
pub mod machine;
pub mod media;
pub mod report;
pub mod rtc;
