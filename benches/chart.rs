//! Charts of a compacted metric of ten million points, beside the floor of summing plain values: whole, by time, at
//! widths that were not asked for before, and zoomed to a hundredth; all of it once more for values that compaction gives
//! to pcodec. Then what reads every point: smoothing, a chart against another metric, bands, a histogram. In processor time of the thread, which others on the machine disturb less.
//!
//! `TRACKWAY_POINTS` changes how many points; `TRACKWAY_STORE` names a folder in which the stores are made once and found
//! again by later rounds; `-- --test` uses few points.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trackway::{ChartAxis, ChartOptions, ExperimentId, NewRun, RunFilter, RunId, Snapshot, Store};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

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

/// Uneven noise in few digits: pcodec saves a third of it.
fn skewed(step: i64) -> f64 {
    let noise = value(step) / (0.3 + 2.0 / (1.0 + step as f64 / 1e6));
    f64::from((noise.fract() * 4.0).powi(8) as f32)
}

fn time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn logged(store: &Store, points: i64, value: fn(i64) -> f64) {
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
}

/// The only run of a store, which is made if it is not there.
fn run_of(path: &Path, points: i64, value: fn(i64) -> f64) -> (Store, RunId) {
    let store = Store::open(path).unwrap();
    if store.runs(&RunFilter::default()).unwrap().is_empty() {
        logged(&store, points, value);
    }
    let id = store.runs(&RunFilter::default()).unwrap()[0].id;
    for codec in store.statistics().unwrap().codecs {
        eprintln!("{}: {} of {} chunks, {} bytes", codec.column, codec.codec, codec.chunks, codec.bytes);
    }
    (store, id)
}

fn line(group: &mut Group<'_>, name: &str, draw: &mut dyn FnMut()) {
    group.bench_function(name, |b| {
        b.iter_custom(|rounds| {
            let start = time();
            (0..rounds).for_each(|_| draw());
            time() - start
        });
    });
}

/// Charts on other axes, and what no statistics can tell.
fn every_point(group: &mut Group<'_>, snapshot: &Snapshot) {
    let loss = || snapshot.metric("loss").unwrap();
    let options = ChartOptions::new(WIDTH);
    let chart = |axis, options| drop(black_box(loss().chart(axis, options).unwrap()));
    line(group, "logarithmic axis, warm", &mut || chart(ChartAxis::Step, options.log_x(true)));
    line(group, "time since start, warm", &mut || chart(ChartAxis::SinceStart, options));
    line(group, "smoothed", &mut || chart(ChartAxis::Step, options.smoothing(0.99)));
    line(group, "against itself", &mut || drop(black_box(loss().chart_against(&loss(), options).unwrap())));
    line(group, "histogram", &mut || drop(black_box(loss().histogram(100, ..).unwrap())));
    let four = [loss(), loss(), loss(), loss()];
    line(group, "bands of four", &mut || drop(black_box(options.bands(ChartAxis::Step, &four, &[0.5]).unwrap())));
}

fn charts(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("TRACKWAY_STORE").map_or_else(|| dir.path().to_owned(), PathBuf::from);
    let points = points();
    for (name, value) in [("packed", value as fn(i64) -> f64), ("pcodec", skewed)] {
        let path = folder.join(format!("{name}-{points}"));
        let (store, id) = run_of(&path, points, value);
        let snapshot = store.snapshot(id).unwrap();
        let mut group = c.benchmark_group(format!("chart of {name}"));
        group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
        group.throughput(Throughput::Elements(points as u64));
        let draw = |axis, snapshot: &Snapshot, width| snapshot.metric("loss").unwrap().chart(axis, width).unwrap();
        let mut other = 0;
        for axis in [ChartAxis::Step, ChartAxis::Timestamp] {
            line(&mut group, &format!("all, warm, {axis:?}"), &mut || drop(black_box(draw(axis, &snapshot, WIDTH))));
            line(&mut group, &format!("all, warm, other widths, {axis:?}"), &mut || {
                other = (other + 1) % 199;
                black_box(draw(axis, &snapshot, WIDTH - 100 + other));
            });
            // Nothing of the store is open or decoded; its pages are in the page cache or not as the system has it.
            let just_opened = |axis, spent: &mut Duration| {
                let store = trackway::StoreOptions::new().read_only(true).open(&path).unwrap();
                let start = time();
                black_box(draw(axis, &store.snapshot(id).unwrap(), WIDTH));
                *spent += time() - start;
            };
            group.bench_function(format!("all, store just opened, {axis:?}"), |b| {
                b.iter_custom(|rounds| {
                    let mut spent = Duration::ZERO;
                    (0..rounds).for_each(|_| just_opened(axis, &mut spent));
                    spent
                });
            });
            let zoom = |first: i64| {
                let query = snapshot.metric("loss").unwrap();
                let query = match axis {
                    ChartAxis::Step => query.steps(first..first + points / 100),
                    _ => {
                        let first = 1_700_000_000_000 + first * 31;
                        query.timestamps(first..first + points / 100 * 31)
                    }
                };
                black_box(query.chart(axis, WIDTH).unwrap());
            };
            line(&mut group, &format!("a hundredth, warm, {axis:?}"), &mut || zoom(points / 2));
            let mut first = 0;
            line(&mut group, &format!("a hundredth, elsewhere each time, {axis:?}"), &mut || {
                first = (first + points / 97) % (points / 2);
                zoom(first);
            });
        }
        every_point(&mut group, &snapshot);
        group.finish();
    }
    let values: Vec<f64> = (0..points.min(10_000_000)).map(value).collect();
    c.bench_function("floor: sum of plain values", |b| b.iter(|| black_box(&values).iter().sum::<f64>()));
}

criterion_group!(benches, charts);
criterion_main!(benches);
