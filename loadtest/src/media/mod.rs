//! Packets of a synthetic broadcaster, and the check that what arrives is what was sent.
//!
//! Pure: the time is passed in. `rtp` and `rtcp` are the headers, `marker` proves content, `picture` makes VP8 that a relay
//! takes for real, `sizes` how large its packets are, `inspect` checks what a viewer gets.

pub mod inspect;
pub mod marker;
pub mod picture;
pub mod rtcp;
pub mod rtp;
pub mod sizes;
