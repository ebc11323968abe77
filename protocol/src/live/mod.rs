//! The live half of the wire: lives, their chat, their peers (SPEC.md §Live).

mod command;
mod event;
mod model;
mod reply;

pub use command::*;
pub use event::*;
pub use model::*;
pub use reply::*;
