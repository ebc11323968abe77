//! The packet path: what comes from a publisher, what is kept of it, and what each viewer gets.
//!
//! Pure: plain (decrypted) packets and the time go in, plain packets come out. No socket, no clock, no key.

pub mod codec;
pub mod header;
#[cfg(test)]
pub(crate) mod net;
pub mod outgoing;
pub mod packet;
pub mod report;
pub mod ring;
pub mod source;
pub mod viewer_rtcp;
