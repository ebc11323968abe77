//! Identity: tokens, accounts, logins.
//!
//! Owns who somebody is: it judges tokens of this server and of configured issuers, and keeps accounts with passwords
//! for the default start. What somebody *may do* is decided elsewhere; sockets and HTTP routes stand above.
//!
//! A person is an issuer and a subject, made at first use with an id of ours. Tokens signed with the store's secret
//! have this server as issuer: there a subject that is somebody's id means that very person. Whatever comes from
//! outside, even without `iss`, is another issuer, so that nobody outside can speak for an account here.

mod accounts;
mod authenticator;
mod error;
mod hashing;
mod identity;
mod jwks;
mod jwt;
mod keys;
mod network;
mod rates;
mod registration;
mod settings;
#[cfg(test)]
mod story_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod token_tests;
mod wire;

pub use accounts::AccountService;
pub use authenticator::{Authenticator, open};
pub use error::{AccountError, AuthError, Fault, Faults, SetupError, TokenError};
pub use identity::{Identity, Person};
pub use jwt::{Claims, MAX_TOKEN_BYTES, OwnClaims, Signer};
pub use network::{Network, network_of};
pub use settings::{AuthSettings, ClaimNames, OutsideSettings};
pub use wire::{LoginRequest, LogoutRequest, RefreshRequest, RegisterRequest, Session};

/// The name of the store's secret that signs this server's own tokens.
pub const TOKEN_SECRET: &str = "tokens";
