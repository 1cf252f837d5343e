//! The pages in headless Chromium: how long a person waits for a chart of a metric of ten million points, for a zoom into it, and
//! for a table of 10,000 runs. The server is a process of its own; `tests/browser/pages.mjs` looks and tells.
//!
//! `TRACKWAY_PAGES_POINTS`, `TRACKWAY_PAGES_RUNS` and `TRACKWAY_PAGES_ROUNDS` say how many; `TRACKWAY_PAGES_STORE` names a folder
//! in which the store is made once and found again by later rounds; `-- --test` is short. Skipped where a program is not there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "../../tests/browser/node.rs"]
mod node;
#[path = "../shared/serve.rs"]
mod serve;
#[path = "../../../../benches/support/values.rs"]
mod values;

use std::path::{Path, PathBuf};
use trackway::{ExperimentId, NewRun, RunFilter, Store};

/// The experiments of the store.
const LONG: &str = "one long run";
const WIDE: &str = "a sweep";

const METRICS: usize = 20;
const PARAMS: usize = 5;
/// Points that are logged in one call.
const CALL: i64 = 1_000_000;

fn number(name: &str, otherwise: i64) -> i64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// A run with one long metric, that is over and compacted.
fn log_long(store: &Store, experiment: ExperimentId, points: i64) {
    let run = store.create_run(NewRun::new(experiment).name("long")).unwrap();
    let loss = run.metric("loss").unwrap();
    for first in (0..points).step_by(CALL as usize) {
        let steps: Vec<i64> = (first..points.min(first + CALL)).collect();
        let times: Vec<i64> = steps.iter().map(|step| values::time(*step)).collect();
        let values: Vec<f64> = steps.iter().map(|step| values::loss(*step)).collect();
        loss.log_columns(&steps, &times, &values).unwrap();
    }
    run.finish().unwrap();
}

/// Many runs with a few points each.
fn log_wide(store: &Store, experiment: ExperimentId, runs: i64) {
    let names: Vec<String> = (0..METRICS).map(|at| format!("metric/{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for number in 0..runs {
        let spread = |salt: usize| values::noise(number ^ (salt as i64) << 40) as f64 / u64::MAX as f64;
        let new = (0..PARAMS).fold(NewRun::new(experiment).name(format!("run {number}")), |new, at| {
            new.param(format!("param/{at}"), format!("{:.2}", spread(100 + at) * 10.0))
        });
        let run = store.create_run(new).unwrap();
        let row = run.row(&names).unwrap();
        for step in 0..10 {
            let values: [f64; METRICS] = std::array::from_fn(|at| spread(at) + 1.0 / (1.0 + step as f64));
            row.log(step, &values).unwrap();
        }
        run.finish().unwrap();
    }
}

/// Makes what a store does not have yet; the experiments, and the long run.
fn made(path: &Path, points: i64, runs: i64) -> [String; 3] {
    let store = Store::open(path).unwrap();
    let [long, wide] = [LONG, WIDE].map(|name| store.experiment_or_create(name).unwrap());
    let of = |experiment| store.runs(&RunFilter { experiment_id: Some(experiment), ..RunFilter::default() }).unwrap();
    if of(long).is_empty() {
        log_long(&store, long, points);
        log_wide(&store, wide, runs);
        store.compact(&mut |_| {}).unwrap();
    }
    let run = of(long)[0].id;
    store.close().unwrap();
    [long.to_string(), run.to_string(), wide.to_string()]
}

fn main() {
    if serve::is_server() {
        return;
    }
    if let Some(program) = node::missing() {
        println!("skipped: {} is not there", program.display());
        return;
    }
    let is_short = std::env::args().any(|arg| arg == "--test");
    let points = number("TRACKWAY_PAGES_POINTS", if is_short { 100_000 } else { 10_000_000 });
    let runs = number("TRACKWAY_PAGES_RUNS", if is_short { 300 } else { 10_000 });
    let rounds = number("TRACKWAY_PAGES_ROUNDS", if is_short { 1 } else { 9 });
    let dir = tempfile::tempdir().unwrap();
    let path = std::env::var_os("TRACKWAY_PAGES_STORE").map_or_else(|| dir.path().join("store"), PathBuf::from);
    let [long, run, wide] = made(&path, points, runs);
    let server = serve::Process::start(&path);
    let (ready, idle) = (server.ready.as_secs_f64() * 1e3, server.mib("VmRSS"));
    println!("a metric of {points} points, {runs} runs; ready after {ready:.1} ms, idle with {idle:.1} MiB");
    let plan = serde_json::json!({
        "url": server.url, "long": long, "run": run, "wide": wide, "points": points, "runs": runs, "rounds": rounds,
    });
    assert!(node::run("pages.mjs", &[plan.to_string()]), "what was printed says where it went wrong");
    println!("the server: at most {:.1} MiB", server.mib("VmHWM"));
}
