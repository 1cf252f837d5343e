//! Reading a sealed and a compacted metric of a million points: all of it, one per cent of it, its latest value,
//! beside the floor of copying plain columns.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "support/values.rs"]
mod values;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use trackway::{Columns, ExperimentId, NewRun, Store};
use values::{loss, time};

const POINTS: i64 = 1_000_000;

fn reading(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let steps: Vec<i64> = (0..POINTS).collect();
    let times: Vec<i64> = steps.iter().map(|s| time(*s)).collect();
    let values: Vec<f64> = steps.iter().map(|s| loss(*s)).collect();
    run.metric("loss").unwrap().log_columns(&steps, &times, &values).unwrap();
    run.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    let snapshot = store.snapshot(run.id()).unwrap();
    let mut columns = Columns::default();

    let mut group = c.benchmark_group("read");
    group.sample_size(20).throughput(Throughput::Elements(POINTS as u64));
    group.bench_function("all of a compacted metric", |b| {
        b.iter(|| snapshot.metric("loss").unwrap().read_into(black_box(&mut columns)).unwrap());
    });
    group.bench_function("floor: copy of plain columns", |b| {
        let (mut s, mut t, mut v) = (steps.clone(), times.clone(), values.clone());
        b.iter(|| {
            s.copy_from_slice(black_box(&steps));
            t.copy_from_slice(black_box(&times));
            v.copy_from_slice(black_box(&values));
        });
    });
    group.throughput(Throughput::Elements(POINTS as u64 / 100));
    group.bench_function("one per cent by step", |b| {
        let query = || snapshot.metric("loss").unwrap().steps(500_000..510_000);
        b.iter(|| query().read_into(black_box(&mut columns)).unwrap());
    });
    group.bench_function("one per cent by timestamp", |b| {
        let query = || snapshot.metric("loss").unwrap().timestamps(times[500_000]..times[510_000]);
        b.iter(|| query().read_into(black_box(&mut columns)).unwrap());
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("latest value", |b| b.iter(|| black_box(&snapshot).latest("loss")));
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
