//! Finding runs among 100,000 that have ended, with 20 metrics and 5 params each: opening and the first search, searches on
//! an open store, and pages of 100 runs with all their values. Beside them the floor: adding up one column of numbers as
//! long as there are runs. `-- --test` uses few runs; `TRACKWAY_BENCH_STORE=DIR` keeps the store for the next time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "support/runs.rs"]
mod runs;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use runs::{best, metric, unit, with_params};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trackway::{NewRun, RunOrder, RunQuery, Store, StoreOptions};

const METRICS: usize = 20;

fn count_of_runs() -> usize {
    if std::env::args().any(|arg| arg == "--test") { 500 } else { 100_000 }
}

fn build(path: &Path, runs: usize) {
    let start = Instant::now();
    let store = Store::open(path).unwrap();
    let experiment = store.experiment_or_create("sweep").unwrap();
    let names: Vec<String> = (0..METRICS).map(metric).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for number in 0..runs {
        let run = store.create_run(with_params(NewRun::new(experiment), number)).unwrap();
        let values: [f64; METRICS] = std::array::from_fn(|metric| unit(number, metric));
        run.row(&names).unwrap().log(1, &values).unwrap();
        run.finish().unwrap();
    }
    let made = start.elapsed();
    store.compact(&mut |_| {}).unwrap();
    store.close().unwrap();
    let rate = runs as f64 / made.as_secs_f64();
    println!("{runs} runs created, logged and finished: {rate:.0} a second; compacted after {:?}", start.elapsed());
}

fn open(path: &Path) -> Store {
    StoreOptions::new().read_only(true).open(path).unwrap()
}

fn search(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("TRACKWAY_BENCH_STORE").map(PathBuf::from);
    let path = kept.unwrap_or_else(|| dir.path().join("store"));
    if !path.exists() {
        build(&path, count_of_runs());
    }
    let catalog = std::fs::metadata(path.join("catalog/catalog.tw")).unwrap().len();
    let count = open(&path).search(&RunQuery::default()).unwrap().runs.len();
    println!("{count} runs, catalog of {} bytes a run", catalog / count as u64);

    let mut group = c.benchmark_group("search");
    group.throughput(Throughput::Elements(count as u64));
    let column: Vec<f64> = (0..count).map(|number| unit(number, 0)).collect();
    group.bench_function("floor: adding up a column", |b| b.iter(|| black_box(&column).iter().sum::<f64>()));
    let found = open(&path).search(&best(100)).unwrap();
    assert!(!found.runs.is_empty() && found.runs.iter().all(|run| run.metrics["acc"].latest.value > 0.5));
    group.bench_function("open and search", |b| b.iter(|| open(&path).search(&best(100)).unwrap()));
    let store = open(&path);
    group.bench_function("100 best of those that match", |b| b.iter(|| store.search(&best(100)).unwrap()));
    group.bench_function("1 best of those that match", |b| b.iter(|| store.search(&best(1)).unwrap()));
    for (name, order) in
        [("started", vec![]), ("metrics.loss", vec!["metrics.loss"]), ("params.lr", vec!["params.lr DESC"])]
    {
        let mut query =
            RunQuery { order: RunOrder::new(&order).unwrap(), limit: Some(count / 2), ..RunQuery::default() };
        let half = store.search(&query).unwrap().next;
        query.limit = Some(100);
        group.bench_function(format!("first page by {name}"), |b| b.iter(|| store.search(&query).unwrap()));
        query.after = half;
        group.bench_function(format!("page in the middle by {name}"), |b| b.iter(|| store.search(&query).unwrap()));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = search
}
criterion_main!(benches);
