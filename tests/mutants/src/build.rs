//! A copy of the project with all mutants in it, built once.

use crate::mutant::Mutant;
use crate::weave::{self, Woven};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program of tests.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub path: PathBuf,
}

pub struct Built {
    pub programs: Vec<Program>,
    /// Every mutant that is in them, with the first one of its place.
    pub sites: BTreeMap<u32, u32>,
    /// Mutants that do not compile, that could not be put in, or that are in functions that run in the compiler.
    pub left_out: BTreeMap<u32, &'static str>,
}

/// Copies what git knows of the project, and what it does not ignore.
pub fn copy(from: &Path, to: &Path) {
    let output =
        Command::new("git").args(["ls-files", "-co", "--exclude-standard"]).current_dir(from).output().expect("git");
    for file in String::from_utf8(output.stdout).expect("names").lines() {
        // What was deleted and not yet committed is listed too.
        let Ok(content) = fs::read(from.join(file)) else { continue };
        write_changed(&to.join(file), &content);
    }
}

/// Files that are as they were keep their time, so that they are not compiled again.
fn write_changed(path: &Path, content: &[u8]) {
    if fs::read(path).is_ok_and(|old| old == content) {
        return;
    }
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

/// Puts the mutants into the copy and builds its tests, without those that keep it from being built.
pub fn build(from: &Path, tree: &Path, mutants: &[Mutant], targets: &[String]) -> Built {
    let mut left_out: BTreeMap<u32, &'static str> = BTreeMap::new();
    let mut constant: BTreeSet<String> = BTreeSet::new();
    let lib = fs::read_to_string(from.join("src/lib.rs")).expect("src/lib.rs");
    write_changed(&tree.join("src/lib.rs"), format!("{lib}\n#[doc(hidden)]\npub mod mutant;\n").as_bytes());
    write_changed(&tree.join("src/mutant.rs"), weave::SWITCH.as_bytes());
    let files: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.file.as_str()).collect();
    loop {
        let (mut places, mut sites) = (BTreeMap::new(), BTreeMap::new());
        for &file in &files {
            let source = fs::read_to_string(from.join(file)).expect("a source");
            let of_file: Vec<_> =
                mutants.iter().filter(|mutant| mutant.file == file && !left_out.contains_key(&mutant.number)).collect();
            let woven: Woven = weave::weave(&source, &of_file, &constant);
            write_changed(&tree.join(file), woven.text.as_bytes());
            let not = of_file.iter().map(|mutant| mutant.number).filter(|number| !woven.sites.contains_key(number));
            left_out.extend(not.map(|number| (number, "not put in")));
            places.insert(file, woven.places);
            sites.extend(woven.sites);
        }
        let (programs, errors) = compile(tree, targets);
        if errors.is_empty() {
            return Built { programs, sites, left_out };
        }
        let known = left_out.len() + constant.len();
        for error in &errors {
            blame(error, &places, &mut left_out, &mut constant);
        }
        let now = left_out.len() + constant.len();
        eprintln!(
            "{} errors; {} mutants are left out and {} functions stay const",
            errors.len(),
            left_out.len(),
            constant.len()
        );
        assert!(
            now > known,
            "does not compile, and not for a mutant: {}",
            errors[0]["rendered"].as_str().unwrap_or_default()
        );
    }
}

/// Leaves out the mutants that an error is about, or lets the function be `const` again that it is about.
fn blame(
    error: &Value,
    places: &BTreeMap<&str, Vec<(Range<usize>, u32)>>,
    left_out: &mut BTreeMap<u32, &'static str>,
    constant: &mut BTreeSet<String>,
) {
    let message = error["message"].as_str().unwrap_or_default();
    if let Some(rest) = message.split("cannot call non-const").nth(1) {
        let path = rest.split('`').nth(1).unwrap_or_default();
        let name =
            path.split('<').next().unwrap_or_default().trim_end_matches("::").rsplit("::").next().unwrap_or_default();
        if name != "at" {
            constant.insert(name.to_owned());
        }
    }
    let (before, none) = (left_out.len(), Vec::new());
    let spans = error["spans"].as_array().unwrap_or(&none);
    for (span, wants_primary) in [true, false].into_iter().flat_map(|is| spans.iter().map(move |span| (span, is))) {
        if left_out.len() > before && !wants_primary {
            break; // What a message only mentions is not to blame when what it is about is.
        }
        if span["is_primary"] != wants_primary {
            continue;
        }
        let of = |key: &str| span[key].as_u64().unwrap_or_default() as usize;
        let (start, end) = (of("byte_start"), of("byte_end"));
        let file = span["file_name"].as_str().unwrap_or_default();
        for (place, number) in places.get(file).into_iter().flatten() {
            if place.start < end && start < place.end {
                left_out.insert(*number, "does not compile");
            }
        }
    }
}

fn compile(tree: &Path, targets: &[String]) -> (Vec<Program>, Vec<Value>) {
    let mut command = Command::new("cargo");
    command.args(["test", "--no-run", "--message-format=json", "-p", "trackway"]).args(targets).current_dir(tree);
    command
        .env("RUSTFLAGS", "-Awarnings -Aarithmetic_overflow -Aunconditional_panic")
        .env("CARGO_TARGET_DIR", tree.join("target"))
        .stderr(Stdio::inherit());
    let output = command.output().expect("cargo");
    let (mut programs, mut errors) = (Vec::new(), Vec::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
        if value["reason"] == "compiler-message" && value["message"]["level"] == "error" {
            errors.push(value["message"].clone());
        }
        if let (true, Some(path)) = (value["profile"]["test"] == true, value["executable"].as_str()) {
            let name = value["target"]["name"].as_str().unwrap_or_default().to_owned();
            programs.push(Program { name, path: path.into() });
        }
    }
    (programs, errors)
}
