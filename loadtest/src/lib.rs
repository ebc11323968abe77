//! Client code of the load tester: what broadcasters, viewers and readers do, and what is checked on the way.
//!
//! Owns thin clients of the public interfaces (HTTP, WebSocket, WHIP, WHEP, WebRTC) and the scenarios built on them. Imports
//! nothing of the product: what is measured is what anybody else would get. `rtc` is a WebRTC client with ICE, DTLS and SRTP
//! and nothing else; `media` writes and checks packets; `live` is the scenario on them. `oracle` is pure and judges deliveries
//! and operations; `crowd` are very many readers in one thread, `publish` an open loop of publications, `bare` the baseline,
//! and `scenarios` what happens on these. `socket` is one session for whoever sends commands, `social` what
//! they write about; `writes` is the scenario on it.

pub mod api;
pub mod bare;
pub mod clock;
pub mod crowd;
pub mod live;
pub mod media;
pub mod open_files;
pub mod oracle;
pub mod plot;
pub mod process;
pub mod publish;
pub mod report;
pub mod rtc;
pub mod scenarios;
mod social;
pub mod socket;
pub mod spread;
pub mod watch;
pub mod writes;
