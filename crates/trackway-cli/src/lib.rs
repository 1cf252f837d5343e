//! The program `trackway`, as a library so that its tests and its demo share what they need.
//!
//! One module a concept: [`args`] is the command line, `commands` has one file a command, [`values`] turns numbers into
//! text and back, [`rows`] reads and writes the long CSV form, [`curves`] loads recorded training curves, `table` and
//! `chart` draw for a terminal. The engine is the crate `trackway`; nothing here knows its files.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod args;
pub mod chart;
mod commands;
pub mod curves;
mod describe;
pub mod error;
mod ingest;
mod log_lines;
mod output;
pub mod replay;
pub mod resolve;
pub mod rows;
pub mod style;
pub mod table;
pub mod text;
pub mod values;

use clap::Parser as _;
use std::process::ExitCode;

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    let cli = args::Cli::parse();
    let mut context = output::Context::new(cli.store);
    let result = commands::run(cli.command, &mut context).and_then(|()| context.flush());
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
