//! Logging: one point a call, rows of 100 metrics, whole columns, two threads, and calls that wait for the medium, each
//! beside its floor or its counterpart.
//!
//! The floor is the plainest way to append to a file that survives a kill: store raw bytes into a freshly
//! preallocated shared mapping, touching its pages on the way, and publish their end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "support/floor.rs"]
mod floor;

use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use std::hint::black_box;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};
use trackway::{Durability, ExperimentId, Metric, NewRun, RunWriter, Store, StoreOptions};

const POINTS: u64 = 100_000;
const ROW: usize = 100;
const COLUMN: usize = 1_000_000;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreOptions::new().open(dir.path().join("store")).unwrap();
    (dir, store)
}

fn run(store: &Store) -> RunWriter {
    store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap()
}

fn metrics(writer: &RunWriter) -> Vec<Metric> {
    (0..20).map(|i| writer.metric(&format!("metric/{i}")).unwrap()).collect()
}

fn group<'a>(c: &'a mut Criterion, name: &str, points: u64) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(points)).sample_size(30).measurement_time(Duration::from_secs(3));
    group
}

/// The floor of `values` words of 8 bytes a call.
fn floor(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, calls: u64, values: &[f64]) {
    let dir = tempfile::tempdir().unwrap();
    let (path, len) = (dir.path().join("floor"), 4096 + calls as usize * values.len() * 8);
    group.bench_function(name, |b| {
        b.iter_batched(
            || floor::Mapping::new(&path, len),
            |mut mapping| {
                (0..calls).for_each(|_| mapping.push(black_box(values)));
                mapping
            },
            BatchSize::PerIteration,
        );
    });
}

/// Logs 100,000 points in turns to some metrics.
fn log_points(metrics: &[Metric], step: &mut i64, points: u64) {
    for _ in 0..points / metrics.len() as u64 {
        *step += 1;
        for metric in metrics {
            metric.log_at(*step, 1_700_000_000_000 + *step, black_box(*step as f64)).unwrap();
        }
    }
}

fn points(c: &mut Criterion) {
    let mut group = group(c, "append_point", POINTS);
    let (_dir, store) = store();
    let writer = run(&store);
    let metrics = metrics(&writer);
    let mut step = 0i64;
    group.bench_function("handle, timestamp given", |b| b.iter(|| log_points(&metrics, &mut step, POINTS)));
    floor(&mut group, "floor: 24 bytes a point into a fresh mapping", POINTS, &[1.0, 1.7e12, 0.5]);
    group.bench_function("handle, clock read", |b| {
        b.iter(|| {
            for _ in 0..POINTS / 20 {
                step += 1;
                metrics.iter().for_each(|metric| metric.log(step, black_box(step as f64)).unwrap());
            }
        });
    });
    group.bench_function("counterpart: a clock read", |b| {
        b.iter(|| (0..POINTS).for_each(|_| _ = black_box(std::time::SystemTime::now())));
    });
    let names: Vec<String> = (0..20).map(|i| format!("metric/{i}")).collect();
    group.bench_function("by name, timestamp given", |b| {
        b.iter(|| {
            for _ in 0..POINTS / 20 {
                step += 1;
                for name in &names {
                    writer.log_metric_at(name, step, 1_700_000_000_000 + step, black_box(step as f64)).unwrap();
                }
            }
        });
    });
    group.finish();
}

fn rows_and_columns(c: &mut Criterion) {
    let mut rows = group(c, "append_rows", POINTS);
    let (_dir, store) = store();
    let writer = run(&store);
    let names: Vec<String> = (0..ROW).map(|i| format!("metric/{i}")).collect();
    let row = writer.row(&names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let values = [0.25; ROW];
    let mut step = 0i64;
    rows.bench_function("rows of 100", |b| {
        b.iter(|| {
            for _ in 0..POINTS / ROW as u64 {
                step += 1;
                row.log_at(step, 1_700_000_000_000 + step, black_box(&values)).unwrap();
            }
        });
    });
    floor(&mut rows, "floor: 8 bytes a value into a fresh mapping", POINTS / ROW as u64, &values);
    rows.finish();

    let mut columns = group(c, "append_columns", COLUMN as u64);
    let writer = run(&store);
    let metric = writer.metric("column").unwrap();
    let steps: Vec<i64> = (0..COLUMN as i64).collect();
    let times: Vec<i64> = steps.iter().map(|step| 1_700_000_000_000 + step * 3).collect();
    let values: Vec<f64> = steps.iter().map(|step| *step as f64).collect();
    columns.bench_function("columns of 1,000,000", |b| {
        b.iter(|| metric.log_columns(&steps, &times, black_box(&values)).unwrap());
    });
    floor(&mut columns, "floor: 8 bytes a value into a fresh mapping", 1, &values);
    columns.finish();
}

/// Time that so many threads need, each for its part of the points; `metrics` gives the handles of each.
fn in_threads(metrics: &[Vec<Metric>], step: i64, points: u64) -> Duration {
    let (begin, times) = (Barrier::new(metrics.len()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for metrics in metrics {
            scope.spawn(|| {
                let mut step = step;
                begin.wait();
                let start = Instant::now();
                log_points(metrics, &mut step, points / 2);
                times.lock().unwrap().push((start, Instant::now()));
            });
        }
    });
    let times = times.into_inner().unwrap();
    let first = times.iter().map(|(start, _)| *start).min().unwrap();
    times.iter().map(|(_, end)| *end).max().unwrap() - first
}

fn threads(c: &mut Criterion) {
    let points = 4 * POINTS;
    let mut group = group(c, "append_threads", points);
    let (_dir, store) = store();
    let (a, b) = (run(&store), run(&store));
    let cases = [
        ("two threads on two runs", vec![metrics(&a), metrics(&b)], points),
        ("two threads on one run", vec![metrics(&a), metrics(&a)], points),
        ("counterpart: one thread", vec![metrics(&a)], 2 * points),
    ];
    let mut step = 0;
    for (name, metrics, points) in &cases {
        group.bench_function(*name, |b| {
            b.iter_custom(|n| {
                step += 1_000_000;
                (0..n).map(|_| in_threads(metrics, step, *points)).sum()
            });
        });
    }
    group.finish();
}

fn medium(c: &mut Criterion) {
    let mut group = c.benchmark_group("append_medium");
    group.sample_size(10).measurement_time(Duration::from_secs(3)).throughput(Throughput::Elements(1));
    let dir = tempfile::tempdir().unwrap();
    let store = StoreOptions::new().durability(Durability::Medium).open(dir.path().join("store")).unwrap();
    let writer = run(&store);
    for threads in [4u64, 1] {
        let name = if threads == 1 { "counterpart: one thread" } else { "four threads" };
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                let each = n.div_ceil(threads);
                let start = Instant::now();
                std::thread::scope(|scope| {
                    for thread in 0..threads {
                        let metric = writer.metric(&format!("thread/{thread}")).unwrap();
                        scope.spawn(move || (0..each).for_each(|step| metric.log_at(step as i64, 0, 0.5).unwrap()));
                    }
                });
                start.elapsed().mul_f64(n as f64 / (each * threads) as f64)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, points, rows_and_columns, threads, medium);
criterion_main!(benches);
