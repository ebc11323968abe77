//! Everything that speaks HTTP.

pub mod ws;
