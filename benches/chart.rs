//! Charts of a compacted metric of ten million points, beside the floor of summing plain values: whole, by time, and
//! zoomed to a hundredth. `TRACKWAY_POINTS` changes how many points; `-- --test` uses few.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};
use trackway::{ChartAxis, ExperimentId, NewRun, Snapshot, Store};

const WIDTH: usize = 1000;
const CALL: i64 = 1_000_000;

fn points() -> i64 {
    let smoke = std::env::args().any(|arg| arg == "--test");
    let wanted = std::env::var("TRACKWAY_POINTS").ok().and_then(|text| text.parse().ok());
    if smoke { 100_000 } else { wanted.unwrap_or(10_000_000) }
}

/// A float32 loss with noise that falls for a while: what most metrics are like.
fn value(step: i64) -> f64 {
    // splitmix64: a plain multiple of the step is so regular that compression finds it out.
    let z = (step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let noise = ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32;
    f64::from((0.3 + 2.0 / (1.0 + step as f32 / 1e6)) * (1.0 + noise / 4.0))
}

fn logged(store: &Store, points: i64) -> Snapshot {
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let loss = run.metric("loss").unwrap();
    for first in (0..points).step_by(CALL as usize) {
        let steps: Vec<i64> = (first..points.min(first + CALL)).collect();
        let times: Vec<i64> = steps.iter().map(|s| 1_700_000_000_000 + s * 31 + (s * 7919) % 17).collect();
        let values: Vec<f64> = steps.iter().map(|step| value(*step)).collect();
        loss.log_columns(&steps, &times, &values).unwrap();
    }
    run.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    store.snapshot(run.id()).unwrap()
}

fn charts(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let points = points();
    let store = Store::open(&path).unwrap();
    let snapshot = logged(&store, points);
    let id = snapshot.run().id;
    let mut group = c.benchmark_group("chart");
    group.sample_size(20).measurement_time(Duration::from_secs(4)).throughput(Throughput::Elements(points as u64));
    let draw = |axis, snapshot: &Snapshot| snapshot.metric("loss").unwrap().chart(axis, WIDTH).unwrap();
    group.bench_function("all by step, warm", |b| b.iter(|| draw(ChartAxis::Step, black_box(&snapshot))));
    group.bench_function("all by timestamp, warm", |b| b.iter(|| draw(ChartAxis::Timestamp, black_box(&snapshot))));
    group.bench_function("a hundredth by step, warm", |b| {
        let zoom = || snapshot.metric("loss").unwrap().steps(points / 2..points / 2 + points / 100);
        b.iter(|| zoom().chart(ChartAxis::Step, black_box(WIDTH)).unwrap());
    });
    // Nothing of the store is open or decoded; its pages are in the page cache or not as the system has it.
    group.bench_function("all by step, store just opened", |b| {
        b.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let store = trackway::StoreOptions::new().read_only(true).open(&path).unwrap();
                let start = Instant::now();
                black_box(draw(ChartAxis::Step, &store.snapshot(id).unwrap()));
                spent += start.elapsed();
            }
            spent
        });
    });
    let values: Vec<f64> = (0..points).map(value).collect();
    group.bench_function("floor: sum of plain values", |b| b.iter(|| black_box(&values).iter().sum::<f64>()));
    group.finish();
}

criterion_group!(benches, charts);
criterion_main!(benches);
