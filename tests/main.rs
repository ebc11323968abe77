//! The product's stories, told from outside: the real binary, real sockets, real HTTP, on free ports and a folder of its own.
//!
//! `harness/` starts and kills the server and speaks its protocol with code of its own (nothing of the server's
//! library is imported, so that the wire is judged by somebody else). `stories/` is named for what a user sees; a test
//! that stands for an acceptance row carries the row's id in its name.

// These three guard the server's code; here a panic is how a story fails, and the runtime of a test owns its tasks.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, unreachable_pub)]

mod harness;
mod stories;
