//! A real Redis, shared with the stories.

// A panic is how a test fails, and the runtime of a test owns its tasks; each test uses a part.
#![allow(dead_code, unreachable_pub, clippy::disallowed_methods)]

#[path = "../../../tests/harness/redis_groups.rs"]
mod groups;
#[path = "../../../tests/harness/leash.rs"]
mod leash;
#[path = "../../../tests/harness/redis.rs"]
mod server;

use crate::ports;
pub(crate) use server::Redis;
