//! Equipment of tests, benches and fuzz targets; nothing in the engine uses it.
//!
//! An [`Op`] is one action of a user; [`run_ops`] applies a sequence of them to a store on a simulated machine and to
//! a model, and compares. [`run_with_crashes`] does so with processes killed, or the power lost, in calls to the machine
//! chosen beforehand, also in those of the recovery. A [`Campaign`] makes and runs such cases by the million. [`checks`]
//! has one function for each fuzz target; [`column`] is what a bench of the codecs calls.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test equipment: a wrong use of it, or a wrong store, ends the test"
)]

mod calls;
mod campaign;
mod case;
pub mod checks;
pub mod column;
mod compare;
pub mod damage;
mod loss;
pub mod meter;
mod model;
mod models;
mod observe;
mod op;
mod pools;
mod registry;
mod run;
mod sum;

pub use campaign::{Campaign, Tally, Violation};
pub use case::Case;
pub use op::Op;
pub use registry::RegistryOp;

use crate::env::sim::Crash as SimCrash;
use run::Runner;
use std::fmt;
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
#[derive(Clone, Copy, PartialEq, Eq)]
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

impl fmt::Debug for CrashPoint {
    /// As Rust source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "CrashPoint::Before",
            Self::After => "CrashPoint::After",
            Self::Torn => "CrashPoint::Torn",
        })
    }
}

/// A process is killed in its changing call number `at`; with `power` everybody is. The first crash of a plan counts
/// from the start, a later one from the crash before it: small numbers strike the recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    pub at: u64,
    pub point: CrashPoint,
    pub power: bool,
}

/// What a sequence has come to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Changing calls made to the system until the end of each operation. The opening of the store comes before.
    pub calls_by_op: Vec<u64>,
    /// Changing calls made to the system.
    pub calls: u64,
    /// How many of the planned crashes struck.
    pub struck: usize,
    /// Changing calls from the first crash until the store was open again, when no other crash struck meanwhile.
    pub recovery: u64,
}

/// When the store is compared with the model. In depth in any case at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// After each operation, now and then in depth.
    EachStep,
    /// After what was not planned by the user: in depth after each crash, and where the outcome of a call is in doubt.
    Crashes,
}

/// Applies the operations and compares after each.
///
/// # Errors
/// The first difference between store and model, with the sequence as Rust source.
pub fn run_ops(setup: &Setup, ops: &[Op]) -> Result<Outcome, String> {
    run(setup, ops, &[], Watch::EachStep)
}

/// As [`run_ops`], with crashes, which follow each other.
///
/// # Errors
/// As [`run_ops`].
pub fn run_with_crashes(setup: &Setup, ops: &[Op], crashes: &[Crash]) -> Result<Outcome, String> {
    run(setup, ops, crashes, Watch::EachStep)
}

fn run(setup: &Setup, ops: &[Op], crashes: &[Crash], watch: Watch) -> Result<Outcome, String> {
    let run = || {
        let mut runner = Runner::start(setup, crashes, watch)?;
        let mut calls_by_op = Vec::with_capacity(ops.len());
        for (number, op) in ops.iter().enumerate() {
            runner.step(number, *op).map_err(|error| format!("operation {number}, {op:?}: {error}"))?;
            calls_by_op.push(runner.disk.calls());
        }
        if !runner.crashes.is_empty() && !runner.disk.crash_is_planned() {
            return Err("a process was killed and nobody has noticed".to_owned());
        }
        let (calls, struck, recovery) = (runner.disk.calls(), runner.struck, runner.recovery);
        runner.finish()?;
        Ok(Outcome { calls_by_op, calls, struck, recovery })
    };
    let case = || Case { setup: setup.clone(), ops: ops.to_vec(), crashes: crashes.to_vec() };
    // A machine that meets what no store may do panics.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| format!("{error}\n{}", case().source())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panic: {}\n{}", text.unwrap_or_default(), case().source()))
        }
    }
}
