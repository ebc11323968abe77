//! Live streams: from a broadcaster's packets to every viewer's, and the life of a stream around them.
//!
//! Owns lives, their peers and the packets between. `media` is the shared vocabulary; `forward` is the pure packet path;
//! `rtc` is the transport (SDP, ICE, DTLS, SRTP); `shard` is the threads that join both,
//! and `plane` the handle to them. Knows no HTTP and no WebSocket.

pub mod audience;
pub mod chat;
pub mod cockpit;
pub mod forward;
pub mod ice_servers;
pub mod keys;
mod leases;
pub mod machine;
pub mod media;
pub mod notices;
pub mod onair;
pub mod plane;
pub mod registry;
pub mod report;
pub mod rtc;
pub mod selftest;
pub mod service;
pub mod settings;
mod shard;
