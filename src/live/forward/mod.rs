//! The packet path: what comes from a publisher, what is kept of it, and what each viewer gets.
//!
//! Pure: plain (decrypted) packets and the time go in, plain packets come out. No socket, no clock, no key.
//! The receiving half is driven through [`ingress`]; both halves meet in [`source`] and [`ring`].

pub mod codec;
pub mod dropped;
pub mod feedback;
pub mod ingress;
pub mod keyframes;
pub mod meter;
pub mod nack;
#[cfg(test)]
pub(crate) mod net;
pub mod packet;
pub mod publisher_rtcp;
pub mod ring;
pub mod session_clock;
pub mod source;
pub mod streams;
pub mod track;
pub mod twcc;
