//! Very many readers in one thread: sockets that subscribe, are judged by the oracle, and come back with their positions.
//!
//! `frames`, `wire`, `content`, `session` and `tally` are pure: bytes and times go in, bytes and verdicts come out. `dial` and
//! `seat` drive them over sockets, `room` is the thread that all seats of a run share. A socket that is at rest takes about
//! two kibibytes here: nothing is buffered for it, one buffer serves all.

mod content;
mod dial;
mod frames;
mod log;
mod names;
mod room;
mod seat;
mod session;
mod tally;
mod wire;

pub use content::{Content, make, marked};
pub use names::Names;
pub use room::{Crowd, Order, Plan, Wish};
pub use seat::Manner;
pub use tally::{Second, Tally, Voice};

pub(crate) use frames::server_text;
pub(crate) use log::{LogPage, log_page};
