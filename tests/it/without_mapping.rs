//! The scenarios once more, in a process whose stores are written by calls instead of through mappings.

use crate::support::WITHOUT_MAPPING;
use std::process::Command;

/// Those that log nothing, or always in a way of their own.
const SKIPPED: [&str; 5] = ["without_mapping", "golden", "corpus", "corruption", "chart"];

#[test]
fn scenarios_pass_without_a_mapping() {
    let skipped = SKIPPED.iter().flat_map(|name| ["--skip", name]);
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(skipped).env(WITHOUT_MAPPING, "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
