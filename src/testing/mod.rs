//! Equipment of tests, benches and fuzz targets; nothing in the engine uses it.
//!
//! An [`Op`] is one action of a user; [`run_ops`] applies a sequence of them to a store on a simulated machine and to
//! a model, and compares. [`checks`] has one function for each fuzz target; [`column`] is what a bench of the codecs
//! calls.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test equipment: a wrong use of it, or a wrong store, ends the test"
)]

mod calls;
pub mod checks;
pub mod column;
mod compare;
pub mod damage;
mod loss;
pub mod meter;
mod model;
mod observe;
mod op;
mod pools;
mod run;
mod sum;

pub use op::Op;

use crate::env::sim::Crash as SimCrash;
use run::Runner;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The machine and the store's options.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Decides every chance of the machine.
    pub seed: u64,
    /// Whether logs are written through a mapping.
    pub mapped: bool,
    /// Whether each call is durable ([`crate::Durability::Medium`]).
    pub medium: bool,
}

impl Setup {
    /// The setup with this seed and the default options.
    pub const fn new(seed: u64) -> Self {
        Self { seed, mapped: true, medium: false }
    }
}

/// What becomes of the call to the system in which a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    Before,
    After,
    Torn,
}

impl CrashPoint {
    const fn simulated(self) -> SimCrash {
        match self {
            Self::Before => SimCrash::Before,
            Self::After => SimCrash::After,
            Self::Torn => SimCrash::Torn,
        }
    }
}

/// A process is killed in its changing call number `at`, counted from the start; with `power` everybody is.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    pub at: u64,
    pub point: CrashPoint,
    pub power: bool,
}

/// What a sequence has come to.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Changing calls made to the system.
    pub calls: u64,
    /// Whether the planned crash struck.
    pub struck: bool,
}

/// Applies the operations and compares after each.
///
/// # Errors
/// The first difference between store and model, with the sequence as Rust source.
pub fn run_ops(setup: &Setup, ops: &[Op]) -> Result<Outcome, String> {
    run(setup, ops, None)
}

/// As [`run_ops`], with a crash.
///
/// # Errors
/// As [`run_ops`].
pub fn run_with_crash(setup: &Setup, ops: &[Op], crash: Crash) -> Result<Outcome, String> {
    run(setup, ops, Some(crash))
}

fn run(setup: &Setup, ops: &[Op], crash: Option<Crash>) -> Result<Outcome, String> {
    let context = |error: String| format!("{error}\nwith {setup:?}, {crash:?}, after {}", Op::source(ops));
    let run = || {
        let mut runner = Runner::start(setup, crash)?;
        for (number, op) in ops.iter().enumerate() {
            runner.step(number, *op).map_err(|error| format!("operation {number}, {op:?}: {error}"))?;
        }
        let outcome = Outcome { calls: runner.disk.calls(), struck: runner.struck };
        runner.finish()?;
        Ok(outcome)
    };
    // A machine that meets what no store may do panics.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(context),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(context(format!("panic: {}", text.unwrap_or_default())))
        }
    }
}
