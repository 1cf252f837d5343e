//! Random sequences of operations on a store and on a model of it.
//!
//! The sequences are the same each time, so that a failure is one of the change that shows it. `PROPTEST_CASES` raises
//! their number, and `PROPTEST_RNG_SEED` chooses others. A failure prints its shrunk sequence as Rust source: it becomes a
//! test in `regressions.rs` or `misreads.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod misreads;
mod regressions;
mod strategy;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use strategy::{Weather, ops};
use trackway::testing::{Setup, run_ops};

fn setup() -> impl Strategy<Value = Setup> {
    (any::<u64>(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(seed, mapped, medium)| Setup {
        seed,
        mapped,
        medium,
    })
}

fn check(weather: Weather) {
    let default = Config { cases: 64, max_shrink_iters: 3000, failure_persistence: None, ..Config::default() };
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default.cases);
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut runner = TestRunner::new(Config { cases, rng_seed: RngSeed::Fixed(seed), ..default });
    let tested = runner.run(&(setup(), ops(weather, 40)), |(setup, ops)| {
        run_ops(&setup, &ops).map(|_| ()).map_err(TestCaseError::fail)
    });
    if let Err(error) = tested {
        panic!("{error}");
    }
}

#[test]
fn a_store_in_calm_weather_is_its_model() {
    check(Weather::Calm);
}

#[test]
fn a_store_that_is_killed_and_loses_power_is_a_state_the_model_allows() {
    check(Weather::Crashes);
}

#[test]
fn a_store_whose_calls_fail_changes_wholly_or_not_at_all() {
    check(Weather::Errors);
}
