//! What stories stand on: [`Server`] (the real binary), [`Client`] (a WebSocket client of either encoding), tokens, HTTP.

mod client;
mod events;
#[allow(dead_code, reason = "the library's own tests use the rest")]
mod fault_proxy;
mod http;
mod leash;
pub mod live;
mod media;
mod nodes;
mod oracle;
mod ports;
#[allow(dead_code, reason = "the library's own tests use the rest")]
pub mod postgres;
#[allow(dead_code, reason = "the library's own tests use the rest")]
mod redis;
mod scene;
mod server;
mod token;
mod wire;

use std::future::Future;
use std::time::Duration;

pub use client::Client;
pub use events::Events;
pub use fault_proxy::{Fault, FaultProxy};
pub use http::{Http, HttpReply, password_of, raw_http};
pub use media::{Form, picture};
pub use nodes::two_nodes;
pub use oracle::{assert_whole, offsets};
pub use ports::free_port;
pub use redis::Redis;
pub use scene::{list, optional, post, text, with};
pub use server::Server;
pub use token::{Claims, SECRET, unsigned};
pub use wire::{Encoding, Incoming, Socket};

/// How long a story waits for something that must happen. It bounds a failure, never a success, so it is generous.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A fresh operation id.
pub fn op() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Waits for `wanted`, or panics with `what` was waited for.
pub async fn within<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, wanted).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// Defines one story as two tests, `NAME::json` and `NAME::msgpack`, of `async fn NAME(Encoding)` in the same module.
macro_rules! in_both_encodings {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            use crate::harness::Encoding;

            #[tokio::test]
            async fn json() {
                super::$story(Encoding::Json).await;
            }

            #[tokio::test]
            async fn msgpack() {
                super::$story(Encoding::MessagePack).await;
            }
        }
    )+};
}
pub(crate) use in_both_encodings;
