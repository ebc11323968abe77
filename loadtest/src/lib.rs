//! Client code of the load tester: what a broadcaster and a viewer do, and what is checked on the way.
//!
//! Owns thin clients of the public interfaces (HTTP, WHIP, WHEP, WebRTC) and the scenarios built on them. Imports nothing
//! of the product: what is measured is what anybody else would get. `rtc` is a WebRTC client with ICE, DTLS and SRTP and
//! nothing else; `media` writes and checks packets; `socket` is a session over a WebSocket; `live` and `writes` are scenarios.

pub mod api;
pub mod live;
pub mod media;
pub mod process;
pub mod rtc;
pub mod socket;
pub mod writes;
