//! A real Redis and a faulty network before it, shared with the stories.

// A panic is how a test fails, and the runtime of a test owns its tasks; each test uses a part.
#![allow(dead_code, unreachable_pub, clippy::disallowed_methods)]

#[path = "../../../tests/harness/fault_proxy.rs"]
mod fault_proxy;
#[path = "../../../tests/harness/redis_groups.rs"]
mod groups;
#[path = "../../../tests/harness/leash.rs"]
mod leash;
#[path = "../../../tests/harness/redis.rs"]
mod server;

use crate::ports;
pub(crate) use fault_proxy::{Fault, FaultProxy};
pub(crate) use server::Redis;
