//! The packet path: what comes from a publisher, what is kept of it, and what each viewer gets.
//!
//! Pure: plain (decrypted) packets and the time go in, plain packets come out. No socket, no clock, no key.

pub mod audio;
pub mod codec;
pub mod downtrack;
pub mod egress;
#[cfg(test)]
mod egress_stories;
pub mod estimate;
pub mod header;
pub mod munger;
#[cfg(test)]
pub(crate) mod net;
pub mod outgoing;
pub mod pacer;
pub mod packet;
pub mod replay;
pub mod report;
pub mod ring;
pub mod selector;
pub mod sent;
pub mod source;
pub mod video;
pub mod viewer_rtcp;
