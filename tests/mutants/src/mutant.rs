//! One change to the source that a test should notice, as `cargo mutants --list --json` names it.

use serde_json::Value;
use std::ops::Range;
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body of a function becomes a value.
    Body,
    Binary,
    Unary,
    Arm,
    Guard,
    /// A field that a struct then takes from its base.
    Field,
}

#[derive(Clone, Debug)]
pub struct Mutant {
    pub number: u32,
    /// Where it is and what becomes of it, for people.
    pub name: String,
    pub file: String,
    pub kind: Kind,
    pub replacement: String,
    /// Line and column of its first character, both from 1, as the list gives them.
    start: (usize, usize),
    end: (usize, usize),
}

impl Mutant {
    /// The bytes of `source` that it is about.
    pub fn bytes(&self, source: &str) -> Range<usize> {
        offset(source, self.start)..offset(source, self.end)
    }
}

fn offset(source: &str, (line, column): (usize, usize)) -> usize {
    let before: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    before + source[before..].chars().take(column - 1).map(char::len_utf8).sum::<usize>()
}

/// All mutants of the files that the patterns name, numbered from 1. A kind that is not known here is left out.
pub fn list(patterns: &[String]) -> Vec<Mutant> {
    let mut command = Command::new("cargo");
    command.args(["mutants", "--list", "--json"]);
    for pattern in patterns {
        command.args(["-f", pattern]);
    }
    let output = command.output().expect("cargo mutants is installed: cargo install cargo-mutants");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a list");
    (1..).zip(&all).filter_map(|(number, value)| read(number, value)).collect()
}

fn read(number: u32, value: &Value) -> Option<Mutant> {
    let text = |key: &str| value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value}")).to_owned();
    let kind = match text("genre").as_str() {
        "FnValue" => Kind::Body,
        "BinaryOperator" => Kind::Binary,
        "UnaryOperator" => Kind::Unary,
        "MatchArm" => Kind::Arm,
        "MatchArmGuard" => Kind::Guard,
        "StructField" => Kind::Field,
        other => {
            eprintln!("left out, a {other}: {}", text("name"));
            return None;
        }
    };
    let place = |end: &str| {
        let of = |key: &str| value["span"][end][key].as_u64().expect("a place") as usize;
        (of("line"), of("column"))
    };
    // The list takes the engine's short name of a result for a collection.
    let replacement = text("replacement").replace("Decoded::from(", "Ok(");
    Some(Mutant {
        number,
        name: text("name"),
        file: text("file"),
        kind,
        replacement,
        start: place("start"),
        end: place("end"),
    })
}
