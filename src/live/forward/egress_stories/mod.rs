//! Stories of one viewer, told in virtual time: a publisher in front of the rings, a network and a decoder behind the viewer.
//!
//! Every packet that leaves is checked for what may never happen; see [`stage::Ledger`].

mod join;
mod link;
mod publisher;
mod repeats;
mod stage;
mod switch;
