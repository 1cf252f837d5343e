//! Runs tests, each in a process of its own, with a mutant or to see which mutants it reaches.

use crate::build::Program;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A test, what it takes, and what it reaches.
#[derive(Clone, Debug)]
pub struct Test {
    pub program: PathBuf,
    pub name: String,
    pub takes: Duration,
    /// The first mutant of each place.
    pub reaches: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    TooLong,
}

pub fn names(program: &Program, tree: &Path) -> Vec<String> {
    let output =
        Command::new(&program.path).args(["--list", "--format", "terse"]).current_dir(tree).output().expect("a list");
    let text = String::from_utf8(output.stdout).expect("names");
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// How the test goes as things are, and what it reaches; none when it does not pass, or takes longer than `limit`.
pub fn look(program: &Program, name: &str, tree: &Path, limit: Duration) -> Option<Test> {
    let seen = tree.join(format!("target/seen-{}-{}", std::process::id(), name.replace("::", "-")));
    let _ = fs::remove_file(&seen);
    let start = Instant::now();
    let outcome = run(&program.path, name, tree, limit, ("MUTANTS_SEEN", seen.to_str().expect("a path")));
    let takes = start.elapsed();
    let reaches = fs::read_to_string(&seen).unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect();
    let _ = fs::remove_file(&seen);
    (outcome == Outcome::Passed).then(|| Test { program: program.path.clone(), name: name.to_owned(), takes, reaches })
}

pub fn with(test: &Test, mutant: u32, tree: &Path) -> Outcome {
    let limit = Duration::from_secs(10) + test.takes * 5;
    run(&test.program, &test.name, tree, limit, ("MUTANT", &mutant.to_string()))
}

fn run(program: &Path, name: &str, tree: &Path, limit: Duration, env: (&str, &str)) -> Outcome {
    let mut command = Command::new(program);
    command.args(["--exact", name, "--test-threads=1", "--quiet"]).env(env.0, env.1).current_dir(tree);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().expect("a test starts");
    let end = Instant::now() + limit;
    loop {
        match child.try_wait().expect("a child") {
            Some(status) => return if status.success() { Outcome::Passed } else { Outcome::Failed },
            None if Instant::now() > end => {
                kill(&mut child);
                return Outcome::TooLong;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// The test and the processes that it started.
fn kill(child: &mut Child) {
    let _ = Command::new("kill").args(["-s", "KILL", "--", &format!("-{}", child.id())]).status();
    let _ = child.wait();
}
