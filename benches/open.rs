//! What opening costs: a store of 2,000 ended runs for reading and for writing, its list of runs, the first read of one
//! run, and a store whose writer was killed with a full log left. Beside them the floor: reading the bytes of the
//! catalog, or of the log, and adding them up. `-- --test` uses few runs and a small log.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../tests/it/folder.rs"]
mod folder;
#[path = "support/values.rs"]
mod values;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use folder::{copy_dir, files};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use trackway::{ExperimentId, NewRun, RunFilter, RunId, Store, StoreOptions};
use values::{loss, time};

const METRICS: usize = 5;
const PARAMS: usize = 5;
const POINTS: i64 = 100;
/// Metrics of the run whose writer is killed.
const KILLED_METRICS: usize = 20;

fn is_test() -> bool {
    std::env::args().any(|arg| arg == "--test")
}

fn to_read(path: &Path) -> Store {
    StoreOptions::new().read_only(true).open(path).unwrap()
}

/// Ended and compacted runs; the id of one of them.
fn many_runs(path: &Path, runs: usize) -> RunId {
    let store = Store::open(path).unwrap();
    let names: Vec<String> = (0..METRICS).map(|k| format!("metric/{k}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut ids = Vec::new();
    for number in 0..runs {
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
        let params: Vec<_> = (0..PARAMS).map(|k| (format!("param/{k}"), format!("{}", number * k))).collect();
        let params: Vec<_> = params.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        run.log_params(&params).unwrap();
        let row = run.row(&names).unwrap();
        for step in 0..POINTS {
            let values: [f64; METRICS] = std::array::from_fn(|k| loss(step * METRICS as i64 + k as i64));
            row.log_at(step, time(step), &values).unwrap();
        }
        run.finish().unwrap();
        ids.push(run.id());
    }
    store.compact(&mut |_| {}).unwrap();
    store.close().unwrap();
    ids[runs / 2]
}

/// The floor: reads a file and adds up its bytes.
fn sum_of(path: &Path) -> u64 {
    std::fs::read(path).unwrap().iter().map(|byte| u64::from(*byte)).sum()
}

fn open(c: &mut Criterion) {
    let runs = if is_test() { 20 } else { 2000 };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let id = many_runs(&path, runs);
    let mut group = c.benchmark_group(format!("open_{runs}_runs"));
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    group.bench_function("for reading", |b| b.iter(|| to_read(black_box(&path))));
    group.bench_function("for writing, and close", |b| {
        b.iter(|| Store::open(black_box(&path)).unwrap().close().unwrap());
    });
    group.bench_function("for reading, list of all runs", |b| {
        b.iter(|| {
            let found = to_read(black_box(&path)).runs(&RunFilter::default()).unwrap();
            assert_eq!(found.len(), runs);
            found
        });
    });
    group.bench_function("for reading, one run and all of a metric", |b| {
        b.iter(|| {
            let columns = to_read(black_box(&path)).snapshot(id).unwrap().metric("metric/0").unwrap().read().unwrap();
            assert_eq!(columns.values().len(), POINTS as usize);
            columns
        });
    });
    let catalog = path.join("catalog/catalog.tw");
    group.throughput(Throughput::Bytes(catalog.metadata().unwrap().len()));
    group.bench_function("floor: sum of the catalog's bytes", |b| b.iter(|| sum_of(black_box(&catalog))));
    group.finish();
}

/// Logs points one by one, as long as `go_on` says, and leaves the store at `path` as a kill would: copied to `killed`
/// while it is written.
fn log_until(path: &Path, killed: &Path, log_bytes: u64, mut go_on: impl FnMut(u64) -> bool) -> RunId {
    // Without background threads nobody seals the log.
    let store = StoreOptions::new().background(false).log_bytes(log_bytes).open(path).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let metrics: Vec<_> = (0..KILLED_METRICS).map(|k| run.metric(&format!("metric/{k}")).unwrap()).collect();
    let mut step = 0;
    while go_on(step as u64) {
        for (k, metric) in metrics.iter().enumerate() {
            metric.log_at(step, time(step), loss(step * KILLED_METRICS as i64 + k as i64)).unwrap();
        }
        step += 1;
    }
    copy_dir(path, killed);
    run.id()
}

/// A store at `killed` with one log that is full but for a few points; its run, and the steps it has.
fn killed_store(dir: &Path, killed: &Path, log_bytes: u64) -> (RunId, u64) {
    // Its length jumps when it is full: so many steps less one fit.
    let (first, mut steps) = (dir.join("first"), 0);
    log_until(&first, &dir.join("first-killed"), log_bytes, |step| {
        steps = step;
        files(&first, ".log").iter().map(|log| log.metadata().unwrap().len()).sum::<u64>() <= log_bytes
    });
    steps -= 1;
    (log_until(&dir.join("second"), killed, log_bytes, |step| step < steps), steps)
}

fn recovery(c: &mut Criterion) {
    let log_bytes = if is_test() { 1 << 20 } else { 16 << 20 };
    let dir = tempfile::tempdir().unwrap();
    let killed = dir.path().join("killed");
    let (id, steps) = killed_store(dir.path(), &killed, log_bytes);
    let logs = files(&killed, ".log");
    assert_eq!((logs.len(), logs[0].metadata().unwrap().len()), (1, log_bytes));

    let mut group = c.benchmark_group("recover_full_log");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(steps * KILLED_METRICS as u64));
    let read_of = |store: &Store| {
        let columns = store.snapshot(id).unwrap().metric("metric/0").unwrap().read().unwrap();
        assert_eq!(columns.values().len(), steps as usize);
    };
    let mut copies = 0;
    group.bench_function("for writing, until a metric is read", |b| {
        let fresh = || {
            copies += 1;
            let path = dir.path().join(format!("copy-{copies}"));
            copy_dir(&killed, &path);
            path
        };
        // The store is given back, so that closing it, which waits for compaction, is not timed.
        let recover = |path| {
            let store = Store::open(&path).unwrap();
            read_of(&store);
            (store, path)
        };
        b.iter_batched(fresh, recover, BatchSize::PerIteration);
    });
    group.bench_function("for reading, until a metric is read", |b| b.iter(|| read_of(&to_read(black_box(&killed)))));
    group.bench_function("floor: sum of the log's bytes", |b| b.iter(|| sum_of(black_box(&logs[0]))));
    group.finish();
}

criterion_group!(benches, open, recovery);
criterion_main!(benches);
