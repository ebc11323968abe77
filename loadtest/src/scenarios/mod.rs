//! The scenarios of the hub, each a course of its own on the same stage.
//!
//! `stage` opens the readers, publishes, waits for what is still on its way, and lets the oracle judge; `account` puts into a
//! report what every scenario tells. Each scenario says who reads what, and what happens meanwhile.

mod account;
mod broadcast;
pub mod channels;
pub mod churn;
pub mod fanout;
pub mod feed;
pub mod idle;
pub mod slow;
mod stage;
pub mod storm;
mod target;

pub use target::Target;
