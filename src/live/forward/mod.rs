//! The packet path: what comes from a publisher, what is kept of it, and what each viewer gets.
//!
//! Pure: plain (decrypted) packets and the time go in, plain packets come out. No socket, no clock, no key.
//! The receiving half is driven through [`ingress`], the sending half through [`egress`]; they meet in [`source`] and [`ring`].

pub mod audio;
pub mod codec;
pub mod downtrack;
pub mod dropped;
pub mod egress;
#[cfg(test)]
mod egress_stories;
pub mod estimate;
pub mod feedback;
pub mod header;
pub mod ingress;
pub mod keyframes;
pub mod memory;
pub mod meter;
pub mod munger;
pub mod nack;
#[cfg(test)]
pub(crate) mod net;
pub mod outgoing;
pub mod pacer;
pub mod packet;
pub mod publisher_rtcp;
pub mod ration;
mod repeats;
pub mod replay;
pub mod report;
pub mod ring;
pub mod selector;
pub mod sent;
pub mod session_clock;
pub mod source;
pub mod streams;
pub mod track;
pub mod twcc;
pub mod video;
pub mod viewer_rtcp;
pub mod wire;
