//! The packet path: what comes from a publisher, what is kept of it, and what each viewer gets.
//!
//! Pure: plain (decrypted) packets and the time go in, plain packets come out. No socket, no clock, no key.

pub mod codec;
#[cfg(test)]
pub(crate) mod net;
pub mod packet;
pub mod ring;
pub mod source;
