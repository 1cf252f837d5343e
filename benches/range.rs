//! Reading a sealed and a compacted metric of a million points: all of it, one per cent of it, its latest value,
//! beside the floor of copying plain columns.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use trackway::{Columns, ExperimentId, NewRun, Store};

const POINTS: i64 = 1_000_000;

/// splitmix64: a plain multiple of the step is so regular that compression finds it out.
fn noise(step: i64) -> u64 {
    let z = (step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A float32 loss with a tenth of noise.
fn loss(step: i64) -> f64 {
    let noise = (noise(step) >> 40) as f32 / (1u64 << 24) as f32;
    f64::from((0.1 + 1.0 / (1.0 + step as f32 / 1e5)) * (1.0 + noise / 10.0))
}

fn reading(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let steps: Vec<i64> = (0..POINTS).collect();
    let times: Vec<i64> = steps.iter().map(|s| 1_700_000_000_000 + s * 31 + (noise(*s) % 17) as i64).collect();
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
