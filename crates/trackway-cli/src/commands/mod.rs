//! One file a command.

mod compact;
mod copy;
mod demo;
mod demo_child;
mod experiments;
mod export;
mod export_text;
mod follow;
mod hist;
mod import;
mod import_table;
mod log;
mod manage;
mod models;
mod models_change;
mod plot;
mod points;
mod runs;
#[cfg(feature = "server")]
mod server;
mod show;
mod stats;
mod transfer;
mod verify;

use crate::args::Command;
use crate::error::Outcome;
use crate::output::Context;

/// Does what the command line says.
pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Log(args) => log::run(args, context),
        Command::Import(args) => import::run(&args, context),
        Command::Copy(args) => copy::run(&args, context),
        Command::Experiments(args) => experiments::run(&args, context),
        Command::Runs(args) => runs::run(&args, context),
        Command::Models(args) => models::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Points(args) => points::run(&args, context),
        Command::Plot(args) => plot::run(&args, context),
        Command::Hist(args) => hist::run(&args, context),
        Command::Rename(args) => manage::rename(&args, context),
        Command::Tag(args) => manage::tag(&args, context),
        Command::Delete(args) => manage::delete(&args, context),
        Command::Restore(args) => manage::restore(&args, context),
        Command::Export(args) => export::run(&args, context),
        #[cfg(feature = "server")]
        Command::Server(args) => server::run(args, context, false),
        #[cfg(feature = "server")]
        Command::Ui(args) => server::run(args, context, true),
        Command::Verify(args) => verify::run(args, context),
        Command::Compact => compact::run(context),
        Command::Stats(args) => stats::run(args, context),
        Command::Follow(args) => follow::run(&args, context),
        Command::Demo(args) => demo::run(&args, context),
        Command::DemoChild => demo_child::run(context),
    }
}
