//! Short sequences with a crash in every call and long ones with crashes at random, as many as wanted: see
//! `trackway::testing::Campaign`.
//!
//! `TRACKWAY_CASES` and `TRACKWAY_SEED` choose how many and which:
//!
//! ```text
//! TRACKWAY_CASES=1000000 cargo test --release --test crash campaign -- --nocapture
//! ```

use trackway::testing::Campaign;

/// A few seconds' worth: every word of one letter, and some long sequences.
const CASES: u64 = 1500;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")),
        Err(_) => default,
    }
}

#[test]
fn campaign() {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let campaign = Campaign { cases: number("TRACKWAY_CASES", CASES), seed: number("TRACKWAY_SEED", 1), threads };
    let ran = campaign.run(&mut |tally, elapsed| {
        let rate = tally.cases() as f64 / elapsed.as_secs_f64().max(0.001);
        eprintln!("{:6.0} s, {rate:.0} a second, of {}: {tally}", elapsed.as_secs_f64(), campaign.cases);
    });
    match ran {
        Ok(tally) => assert!(tally.cases() >= campaign.cases && tally.undecided * 100 <= tally.cases(), "{tally}"),
        Err(violation) => panic!(
            "with {campaign:?}\n\nAs found: {}\n\nShrunk, as a test of tests/model/regressions.rs: {}",
            violation.found, violation.error
        ),
    }
}
