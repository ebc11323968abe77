//! Scenario `live`: synthetic broadcasters, many viewers, every packet decrypted and checked.
//!
//! Owns the course of a run. What a packet must look like is `media`, how a peer connects is `rtc`.

mod comings;
mod publisher;
mod report;
mod scenario;
mod viewer;

pub use comings::Comings;
pub use report::{Report, Server};
pub use scenario::{Options, run};
