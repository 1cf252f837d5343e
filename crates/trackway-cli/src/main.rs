//! The program `trackway`: see `trackway help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    trackway_cli::run()
}
