#![doc = include_str!("ARCHITECTURE.md")]
// Modules are declared leaf to root; imports go up this list alone (a story reads the sources and says so).

pub mod blank;
pub mod clock;
pub mod config;
/// A faulty network before the servers that tests of brokers and stores start; shared with the stories.
#[cfg(test)]
#[path = "../tests/harness/fault_proxy.rs"]
#[allow(dead_code, unreachable_pub, clippy::disallowed_methods)]
mod fault_proxy;
pub mod metrics;
/// Ports for the servers that tests of brokers and stores start; shared with the stories.
#[cfg(test)]
#[path = "../tests/harness/ports.rs"]
#[allow(unreachable_pub)]
mod ports;
pub mod publication;
pub mod tasks;

pub mod broker;
pub mod store;

pub mod analytics;
pub mod auth;
pub mod hub;

pub mod media;

pub mod social;

pub mod live;

pub mod handlers;

pub mod http;

pub mod server;
