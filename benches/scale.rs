//! Stores of many runs with many metrics: what a run costs to log and end, to compact, to keep and to find, from few runs
//! to many. The shape is a tenth of a user's 75,000 runs of 1,500 metrics and 20 steps; a second one is that of
//! benches/search.rs. Searches are made by processes of their own, so that their memory is known. `-- --test` uses few
//! runs; `TMPDIR` says where the stores lie.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../tests/it/folder.rs"]
#[allow(dead_code)]
mod folder;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/runs.rs"]
#[allow(dead_code)]
mod runs;

use folder::files;
use memory::mib;
use runs::{best, unit, with_params};
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use trackway::{NewRun, RunOrder, RunQuery, Store, StoreOptions};

/// Names the store that this process is to search.
const STORE: &str = "TRACKWAY_SCALE_STORE";
const PAGE: usize = 100;

struct Shape {
    runs: usize,
    metrics: usize,
    steps: usize,
}

fn metric(number: usize) -> String {
    match number {
        0 => "acc".to_owned(),
        1 => "loss".to_owned(),
        _ => format!("layer/{}/metric/{}", number / 10, number % 10),
    }
}

/// Curves that fall, each on a level of its own, with noise.
fn value(run: usize, metric: usize, step: usize) -> f64 {
    let noise = unit(run * 31 + metric, step + 7);
    f64::from(((unit(run, metric) + 1.0 / (step + 1) as f64) * (1.0 + 0.05 * noise)) as f32)
}

fn load(path: &Path, shape: &Shape) {
    let store = Store::open(path).unwrap();
    let experiment = store.experiment_or_create("sweep").unwrap();
    let names: Vec<String> = (0..shape.metrics).map(metric).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut values = vec![0.0; shape.metrics];
    let start = Instant::now();
    for number in 0..shape.runs {
        let run = store.create_run(with_params(NewRun::new(experiment), number)).unwrap();
        let row = run.row(&names).unwrap();
        for step in 0..shape.steps {
            values.iter_mut().enumerate().for_each(|(metric, slot)| *slot = value(number, metric, step));
            row.log(step as i64, &values).unwrap();
        }
        run.finish().unwrap();
    }
    let logged = start.elapsed();
    store.compact(&mut |_| {}).unwrap();
    store.close().unwrap();
    let compacted = start.elapsed();
    let files = files(path, "");
    let bytes: u64 = files.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    let points = (shape.runs * shape.metrics * shape.steps) as f64;
    let each = |seconds: f64| seconds * 1e6 / shape.runs as f64;
    println!("{} runs of {} metrics and {} steps", shape.runs, shape.metrics, shape.steps);
    println!(
        "  logged and ended  {:8.0} us a run, {:.1} M points/s",
        each(logged.as_secs_f64()),
        points / logged.as_secs_f64() / 1e6
    );
    println!("  and compacted     {:8.0} us a run", each(compacted.as_secs_f64()));
    println!(
        "  kept in           {:8.0} bytes a run, {:.2} a point, {} files",
        bytes as f64 / shape.runs as f64,
        bytes as f64 / points,
        files.len()
    );
}

/// The shortest of 20 times, in milliseconds.
fn shortest(ask: impl Fn()) -> f64 {
    let time = || {
        let start = Instant::now();
        ask();
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..20).map(|_| time()).fold(f64::INFINITY, f64::min)
}

fn search(path: &Path) {
    let start = Instant::now();
    let store = StoreOptions::new().read_only(true).open(path).unwrap();
    let wanted = best(PAGE);
    assert!(!store.search(&wanted).unwrap().runs.is_empty());
    let first = start.elapsed().as_secs_f64() * 1e3;
    let memory = |when: &str| {
        let of = ["VmHWM", "RssAnon", "RssFile"].map(|name| mib(name).unwrap_or(f64::NAN));
        println!(
            "  memory {when:<12} {:6.1} MiB at most, {:.1} of its own and {:.1} of mapped files at the end",
            of[0], of[1], of[2]
        );
    };
    println!("  open and search   {first:8.2} ms");
    memory("so far");
    let again = shortest(|| drop(store.search(&wanted).unwrap()));
    println!("  search again      {again:8.2} ms");
    let mut page =
        RunQuery { order: RunOrder::new(&["metrics.loss"]).unwrap(), limit: Some(PAGE), ..RunQuery::default() };
    for _ in 0..20 {
        let next = store.search(&page).unwrap().next;
        page.after = next.or(page.after);
    }
    println!("  a later page      {:8.2} ms", shortest(|| drop(store.search(&page).unwrap())));
    memory("in the end");
}

fn main() {
    if let Some(path) = std::env::var_os(STORE) {
        return search(path.as_ref());
    }
    let is_test = std::env::args().any(|arg| arg == "--test");
    let (wide, many) = if is_test { ([20, 60], 200) } else { ([750, 7_500], 100_000) };
    let wide = wide.map(|runs| Shape { runs, metrics: 1_500, steps: 20 });
    for shape in wide.into_iter().chain([Shape { runs: many, metrics: 20, steps: 1 }]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        load(&path, &shape);
        let child = Command::new(std::env::current_exe().unwrap()).env(STORE, &path).status().unwrap();
        assert!(child.success());
    }
}
