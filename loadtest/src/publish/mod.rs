//! Publications of an open loop: each has the moment at which it is due, whether or not those before it were answered.
//!
//! They go in through the operators' listener, on many connections that are kept and on each of which many requests may wait
//! (HTTP/1.1 pipelining): the listener takes one publication a request, and each waits for its commit.

mod connection;
mod pace;

pub use pace::{Class, Published, Work, publish};
