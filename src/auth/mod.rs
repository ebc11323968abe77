//! Identity: tokens, accounts, logins.

mod identity;

pub use identity::{Identity, Person};
