//! HTTP and WebSocket: our own accept loop, the routes on it, and what they refuse.
//!
//! Owns every listener, the names of all routes, problem+json, and the WebSocket protocol. It decides nothing about
//! people, posts or channels: commands go through [`crate::hub::Dispatch`], sockets through the hub.
//! hyper's server and tungstenite are named in this folder alone.

mod body;
mod gate;
mod handshake;
mod linger;
mod listener;
mod page;
mod problem;
mod slots;
mod watch;
mod watched;
pub mod websocket;
pub mod ws;

pub use handshake::{Handshake, Offer};
pub use linger::linger;
pub use listener::{Bounds, Listener, Peer};
pub use page::page;
pub use problem::Problem;
