//! One case of a campaign: a machine, operations, and the crashes that strike meanwhile.

use super::{Crash, Op, Outcome, Setup, Watch, run};

/// Everything that a run on the simulated machine depends on: the same case comes to the same end each time.
#[derive(Clone, Debug)]
pub struct Case {
    pub setup: Setup,
    pub ops: Vec<Op>,
    /// See [`Crash`] for what each counts from.
    pub crashes: Vec<Crash>,
}

impl Case {
    /// Runs it; compares where something went wrong by plan, and at the end.
    ///
    /// # Errors
    /// The first difference between store and model, with the case as Rust source.
    pub fn run(&self) -> Result<Outcome, String> {
        run(&self.setup, &self.ops, &self.crashes, Watch::Crashes)
    }

    /// As [`Case::run`]; compares after each operation.
    ///
    /// # Errors
    /// As [`Case::run`].
    pub fn run_watched(&self) -> Result<Outcome, String> {
        run(&self.setup, &self.ops, &self.crashes, Watch::EachStep)
    }

    /// The case as Rust source, to be pasted into a test: see `tests/model/regressions.rs`.
    pub fn source(&self) -> String {
        let mut text = String::from("passes(\n");
        text += &format!("    &{:?},\n    &[\n", self.setup);
        self.ops.iter().for_each(|op| text += &format!("        Op::{op:?},\n"));
        text += "    ],\n    &[";
        if !self.crashes.is_empty() {
            text += "\n";
            self.crashes.iter().for_each(|crash| text += &format!("        {crash:?},\n"));
            text += "    ";
        }
        text + "],\n);"
    }
}
