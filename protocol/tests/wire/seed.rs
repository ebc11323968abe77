//! Where random tests begin.

use proptest::test_runner::{Config, RngSeed};
use std::hash::{BuildHasher, RandomState};

/// A new seed for each run, or the one in `WIRE_SEED`. It is printed, so that it stands beside a failure.
pub(crate) fn config(cases: u32) -> Config {
    let given = std::env::var("WIRE_SEED").ok().map(|text| text.parse().expect("WIRE_SEED is a number"));
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(cases));
    println!("WIRE_SEED={seed}");
    Config { failure_persistence: None, rng_seed: RngSeed::Fixed(seed), ..Config::with_cases(cases) }
}
