//! The mutation check: does some test notice when the source is changed?
//!
//! `cargo mutants` makes the list of changes; building the tests anew for each takes minutes. Here all of them are built
//! at once, each behind a question which one is on (Untch, Offutt and Harrold, "Mutation analysis using mutant schemata",
//! ISSTA 1993), and a mutant is tried only with tests that reach it, the quick ones first.
//!
//! ```text
//! cargo run --release --manifest-path tests/mutants/Cargo.toml -- [OPTIONS] PATTERN...
//! ```
//!
//! It is called in the project's folder, on Linux; patterns are those of `cargo mutants -f`. Options:
//!
//! * `--limit SECONDS`: tests that take longer are left out (60).
//! * `--budget SECONDS`: so long the tests of a mutant take in all, without the mutant; the others are left out.
//! * `--target ARGS`: the tests, as `cargo test` names them (`--lib --test it --test model --test crash`).
//! * `--only NUMBER,...`: these mutants, whatever is known of them.
//!
//! `target/mutants/outcomes` gets a line for each mutant, and those that are in it are not tried again. A first run with a
//! small budget, whose survivors are then taken out of it and tried with a larger one, takes the least time.

mod build;
mod mutant;
mod trial;
mod weave;

use crate::mutant::Mutant;
use crate::trial::{Outcome, Test};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Args {
    /// Tests that take longer are left out.
    limit: Duration,
    /// The tests of a mutant end when they have taken so long in all, as things are.
    budget: Duration,
    only: Option<BTreeSet<u32>>,
    patterns: Vec<String>,
    targets: Vec<String>,
}

fn args() -> Args {
    let mut args = Args {
        limit: Duration::from_secs(60),
        budget: Duration::MAX,
        only: None,
        patterns: Vec::new(),
        targets: Vec::new(),
    };
    let mut given = std::env::args().skip(1);
    while let Some(arg) = given.next() {
        let mut value = || given.next().unwrap_or_else(|| panic!("{arg} takes a value"));
        match arg.as_str() {
            "--limit" => args.limit = Duration::from_secs(value().parse().expect("seconds")),
            "--budget" => args.budget = Duration::from_secs(value().parse().expect("seconds")),
            "--only" => args.only = Some(value().split(',').map(|number| number.parse().expect("a number")).collect()),
            "--target" => args.targets.extend(value().split(' ').map(str::to_owned)),
            _ => args.patterns.push(arg),
        }
    }
    if args.targets.is_empty() {
        args.targets = ["--lib", "--test", "it", "--test", "model", "--test", "crash"].map(str::to_owned).to_vec();
    }
    args
}

fn main() {
    let args = args();
    let from = std::env::current_dir().expect("a folder");
    let tree = from.join("target/mutants/tree");
    let mutants = mutant::list(&args.patterns);
    eprintln!("{} mutants", mutants.len());
    build::copy(&from, &tree);
    let built = build::build(&from, &tree, &mutants, &args.targets);
    for mutant in &mutants {
        if let Some(why) = built.left_out.get(&mutant.number) {
            eprintln!("{why}: {}", mutant.name);
        }
    }
    let tried: Vec<&Mutant> = mutants.iter().filter(|mutant| !built.left_out.contains_key(&mutant.number)).collect();
    let tests = look_at_tests(&built, &tree, args.limit);
    try_all(&args, &tried, &tests, &built.sites, &tree, &from.join("target/mutants/outcomes"));
}

fn look_at_tests(built: &build::Built, tree: &Path, limit: Duration) -> Vec<Test> {
    let all: Vec<_> = built
        .programs
        .iter()
        .flat_map(|program| trial::names(program, tree).into_iter().map(move |name| (program, name)))
        .collect();
    let found = Mutex::new(Vec::new());
    in_parallel(&all, |(program, name)| match trial::look(program, name, tree, limit) {
        Some(test) => found.lock().expect("no panic").push(test),
        None => eprintln!("left out, for it fails or takes too long as it is: {} {name}", program.name),
    });
    let mut tests = found.into_inner().expect("no panic");
    tests.sort_by_key(|test| test.takes);
    let total: Duration = tests.iter().map(|test| test.takes).sum();
    eprintln!("{} tests, which take {total:.0?}", tests.len());
    tests
}

fn spend(left: &mut Duration, takes: Duration) -> bool {
    let rest = left.checked_sub(takes);
    *left = rest.unwrap_or_default();
    rest.is_some()
}

fn in_parallel<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(one);
                }
            });
        }
    });
}

fn try_all(args: &Args, mutants: &[&Mutant], tests: &[Test], sites: &BTreeMap<u32, u32>, tree: &Path, file: &Path) {
    let known = fs::read_to_string(file).unwrap_or_default();
    let known: BTreeMap<&str, &str> =
        known.lines().filter_map(|line| line.split_once('\t').map(|(how, name)| (name, how))).collect();
    let wanted: Vec<&Mutant> = match &args.only {
        Some(only) => mutants.iter().copied().filter(|mutant| only.contains(&mutant.number)).collect(),
        None => mutants.iter().copied().filter(|mutant| !known.contains_key(mutant.name.as_str())).collect(),
    };
    let outcomes = Mutex::new(OpenOptions::new().append(true).create(true).open(file).expect("a file of outcomes"));
    let survivors = Mutex::new(Vec::new());
    let done = AtomicUsize::new(0);
    in_parallel(&wanted, |mutant| {
        let site = sites.get(&mutant.number).copied().unwrap_or(mutant.number);
        let reached: Vec<&Test> = tests.iter().filter(|test| test.reaches.contains(&site)).collect();
        let mut left = args.budget;
        let reached: Vec<&Test> = reached.into_iter().take_while(|test| spend(&mut left, test.takes)).collect();
        let caught = reached.iter().find_map(|test| match trial::with(test, mutant.number, tree) {
            Outcome::Passed => None,
            other => Some((test, other)),
        });
        let how = match caught {
            Some((_, Outcome::TooLong)) => "too long".to_owned(),
            Some((test, _)) => format!("caught by {}", test.name),
            None => {
                survivors.lock().expect("no panic").push(mutant.name.clone());
                format!("SURVIVED {} tests", reached.len())
            }
        };
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_multiple_of(50) || caught.is_none() {
            eprintln!("{count} of {}: #{} {} {how}", wanted.len(), mutant.number, mutant.name);
        }
        writeln!(outcomes.lock().expect("no panic"), "{how}\t{}", mutant.name).expect("a line");
    });
    let survived = survivors.into_inner().expect("no panic").len()
        + if args.only.is_none() { known.values().filter(|how| how.starts_with("SURVIVED")).count() } else { 0 };
    println!("{survived} of {} mutants survived", if args.only.is_some() { wanted.len() } else { mutants.len() });
}
