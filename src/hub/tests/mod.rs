//! The hub as its clients see it, on a log in memory and rights set by hand.

pub(crate) mod fixture;
mod flush;
mod nodes;
mod presence;
mod recovery;
mod returning;
mod rights;
