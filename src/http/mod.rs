//! HTTP and WebSocket: our own accept loop, the routes on it, and what they refuse.
//!
//! Owns every listener, the names of all routes, problem+json, and the WebSocket protocol. It decides nothing about
//! people, posts or channels: commands go through [`crate::hub::Dispatch`], sockets through the hub.
//! hyper's server and tungstenite are named in this folder alone.

mod accounts;
mod admin;
mod arrival;
mod bearer;
mod body;
mod commands;
mod drain;
mod gate;
mod handshake;
mod health;
mod linger;
mod link;
mod listener;
mod live;
mod media;
mod media_type;
mod openapi;
mod pace;
mod page;
mod post_page;
mod problem;
mod proxies;
mod query;
mod routes;
mod slots;
mod socket;
mod sse;
mod state;
mod trace;
mod watch;
mod watched;
pub mod websocket;
pub mod ws;

pub use drain::Wishes;
pub use handshake::{Handshake, Offer};
pub use health::Readiness;
pub use linger::linger;
pub use listener::{Bounds, Listener, Peer};
pub use live::Manners;
pub use pace::Pace;
pub use problem::Problem;
pub use proxies::Proxies;
pub use routes::{admin_router, public_router};
pub use slots::Slots;
pub use state::{HttpSettings, HttpState};
