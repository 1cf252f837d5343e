//! The comparison with peers: prints the tables of `docs/benchmarks.md` to standard output, its progress to standard
//! error. This file owns the command line and the order of measurements.

mod append;
mod bulk;
mod curves;
mod measure;
mod peer;
mod peers;
mod reads;
mod search;
mod size;
mod table;
mod workload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Trackway beside other embedded stores, on this machine.

usage: trackway-peers [options]
  --quick          tiny sizes, one round: sees that everything works, measures nothing
  --only NAME      one of: points, rows, bulk, reads, curves, chart, search (may be given several times)
  --rounds N       rounds of each measurement, taken in turn (default 5)
  --curves DIR     a folder of recorded curves (default: $TRACKWAY_CURVES; without either, left out)
  --dir DIR        where stores are made; a disk, not a memory file system (default: below ./target)";

/// How each store is used; printed with the tables.
const USES: &[&str] = &[
    "SQLite: one connection, WAL, prepared statements, a table clustered by (series, step, time).",
    "redb, fjall: keys of 20 bytes (series, step, time), values of 8; caches of 1 GiB.",
    "SQLite, redb and fjall get a second index by time where times are asked for; no logging or load pays for it.",
    "tsink: (time, value) only, it has no place for a step; what goes by step is not asked of it.",
    "Parquet: rows by run and key, dictionaries for both, DELTA_BINARY_PACKED steps and times, BYTE_STREAM_SPLIT \
     values, zstd 3; read from a mapping by the column readers, with the page index.",
    "Everything that is read is compared with the points that were logged: number and checksum.",
];

const MEASUREMENTS: &[&str] = &["points", "rows", "bulk", "reads", "curves", "chart", "search"];

struct Options {
    quick: bool,
    only: Vec<String>,
    rounds: Option<usize>,
    curves: Option<PathBuf>,
    dir: PathBuf,
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let curves = std::env::var_os("TRACKWAY_CURVES").map(PathBuf::from);
    let mut options = Options { quick: false, only: Vec::new(), rounds: None, curves, dir: "target".into() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--quick" => options.quick = true,
            "--only" => options.only.push(value()?),
            "--rounds" => options.rounds = Some(value()?.parse().map_err(|_| "--rounds wants a number")?),
            "--curves" => options.curves = Some(value()?.into()),
            "--dir" => options.dir = value()?.into(),
            "--help" | "-h" => return Err(String::new()),
            _ => return Err(format!("{word} is not known")),
        }
    }
    match options.only.iter().find(|name| !MEASUREMENTS.contains(&name.as_str())) {
        Some(name) => Err(format!("there is no measurement {name}")),
        None if options.rounds == Some(0) => Err("--rounds wants at least 1".to_owned()),
        None => Ok(options),
    }
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) if problem.is_empty() => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let folder = std::fs::create_dir_all(&options.dir).and_then(|()| {
        let mut builder = tempfile::Builder::new();
        builder.prefix("peers-").tempdir_in(&options.dir)
    });
    match folder {
        Ok(dir) => {
            let rounds = options.rounds.unwrap_or(if options.quick { 1 } else { 5 });
            run(&options, &measure::Bench { rounds, quick: options.quick, dir });
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", options.dir.display());
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, bench: &measure::Bench) {
    about(bench);
    for name in MEASUREMENTS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == name) {
            continue;
        }
        match *name {
            "points" => append::points(bench),
            "rows" => append::rows(bench),
            "bulk" => bulk::bulk(bench),
            "reads" => reads::reads(bench),
            "chart" => reads::chart(bench),
            "search" => search::search(bench),
            _ => match &options.curves {
                Some(folder) => size::curves(bench, folder),
                None => eprintln!("curves: left out, give a folder of recorded curves by --curves or TRACKWAY_CURVES"),
            },
        }
    }
    println!("Load average at the end: {}.", load());
}

/// What the figures were taken on, and with which versions.
fn about(bench: &measure::Bench) {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let system = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("Machine: {cores} cores, {}, Linux {}.", model.unwrap_or("unknown"), system.trim());
    println!("Peers: {}.", versions());
    let warning = if bench.quick { " A quick look: the sizes are tiny and the figures mean nothing." } else { "" };
    println!("Medians of {} rounds in turn. Load average at the start: {}.{warning}\n", bench.rounds, load());
    USES.iter().for_each(|line| println!("* {line}"));
    println!("\nSurvives: B = a kill loses it, K = survives SIGKILL, P = survives power loss.\n");
}

/// The peers' versions, as they were built.
fn versions() -> String {
    let lock = include_str!("../Cargo.lock");
    let peers = ["rusqlite", "redb", "fjall", "tsink", "parquet", if cfg!(feature = "duckdb") { "duckdb" } else { "" }];
    let version = |peer: &&str| {
        let package = lock.split_once(&format!("name = \"{peer}\"\nversion = \""))?.1;
        Some(format!("{peer} {}", package.split_once('"')?.0))
    };
    peers.iter().filter_map(version).collect::<Vec<_>>().join(", ")
}

fn load() -> String {
    let all = std::fs::read_to_string(Path::new("/proc/loadavg")).unwrap_or_default();
    all.split(' ').take(2).collect::<Vec<_>>().join(", ")
}
