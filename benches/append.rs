//! Logging: one point a call, rows of 100 metrics, whole columns, beside the floor of storing raw bytes into a
//! preallocated shared mapping and publishing their end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use trackway::{ExperimentId, NewRun, RunWriter, Store, StoreOptions};

const POINTS: u64 = 100_000;
const ROW: usize = 100;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreOptions::new().open(dir.path().join("store")).unwrap();
    (dir, store)
}

fn run(store: &Store) -> RunWriter {
    store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap()
}

fn points(c: &mut Criterion) {
    let mut group = c.benchmark_group("append_point");
    group.throughput(Throughput::Elements(POINTS)).sample_size(20).measurement_time(Duration::from_secs(5));
    let (_dir, store) = store();
    let writer = run(&store);
    let metrics: Vec<_> = (0..20).map(|i| writer.metric(&format!("metric/{i}")).unwrap()).collect();
    let mut step = 0i64;
    group.bench_function("handle, timestamp given", |b| {
        b.iter(|| {
            for _ in 0..POINTS / 20 {
                step += 1;
                for metric in &metrics {
                    metric.log_at(step, 1_700_000_000_000 + step, black_box(step as f64)).unwrap();
                }
            }
        });
    });
    group.bench_function("handle, clock read", |b| {
        b.iter(|| {
            for _ in 0..POINTS / 20 {
                step += 1;
                metrics.iter().for_each(|metric| metric.log(step, black_box(step as f64)).unwrap());
            }
        });
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
    group.bench_function("floor: 24 bytes into a fresh mapping", |b| {
        let dir = tempfile::tempdir().unwrap();
        let mut number = 0;
        b.iter_batched(
            || {
                number += 1;
                floor::Mapping::new(&dir.path().join(number.to_string()), 4096 + POINTS as usize * 24)
            },
            |mut mapping| {
                for step in 0..POINTS {
                    mapping.push(&[step, 1_700_000_000_000 + step, black_box(step as f64).to_bits()]);
                }
                mapping
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn rows_and_columns(c: &mut Criterion) {
    let mut group = c.benchmark_group("append_rows_columns");
    group.throughput(Throughput::Elements(POINTS)).sample_size(20).measurement_time(Duration::from_secs(5));
    let (_dir, store) = store();
    let writer = run(&store);
    let names: Vec<String> = (0..ROW).map(|i| format!("metric/{i}")).collect();
    let row = writer.row(&names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let values = [0.25; ROW];
    let mut step = 0i64;
    group.bench_function("rows of 100", |b| {
        b.iter(|| {
            for _ in 0..POINTS / ROW as u64 {
                step += 1;
                row.log_at(step, 1_700_000_000_000 + step, black_box(&values)).unwrap();
            }
        });
    });
    let metric = writer.metric("column").unwrap();
    let steps: Vec<i64> = (0..POINTS as i64).collect();
    let times: Vec<i64> = steps.iter().map(|step| 1_700_000_000_000 + step * 3).collect();
    let values: Vec<f64> = steps.iter().map(|step| *step as f64).collect();
    group.bench_function("columns", |b| {
        b.iter(|| metric.log_columns(&steps, &times, black_box(&values)).unwrap());
    });
    group.bench_function("floor: 8 bytes a value into a fresh mapping", |b| {
        let dir = tempfile::tempdir().unwrap();
        let mut number = 0;
        b.iter_batched(
            || {
                number += 1;
                floor::Mapping::new(&dir.path().join(number.to_string()), 4096 + POINTS as usize * 8)
            },
            |mut mapping| {
                for row in values.chunks(ROW) {
                    mapping.push_values(black_box(row));
                }
                mapping
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// The plainest way to append to a file that survives a kill.
mod floor {
    use std::path::Path;
    use std::sync::atomic::{Ordering, fence};

    pub(crate) struct Mapping {
        map: memmap2::MmapMut,
        at: usize,
    }

    impl Mapping {
        #[allow(unsafe_code, reason = "the floor is a bare mapping")]
        pub(crate) fn new(path: &Path, len: usize) -> Self {
            let file = std::fs::File::options().read(true).write(true).create_new(true).open(path).unwrap();
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, len as u64).unwrap();
            // SAFETY: the file is this benchmark's own, in a folder that nobody else knows.
            let map = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
            Self { map, at: 4096 }
        }

        pub(crate) fn push(&mut self, words: &[u64; 3]) {
            for word in words {
                self.map[self.at..self.at + 8].copy_from_slice(&word.to_le_bytes());
                self.at += 8;
            }
            self.publish();
        }

        pub(crate) fn push_values(&mut self, values: &[f64]) {
            let place = &mut self.map[self.at..self.at + values.len() * 8];
            place.as_chunks_mut::<8>().0.iter_mut().zip(values).for_each(|(to, value)| *to = value.to_le_bytes());
            self.at += values.len() * 8;
            self.publish();
        }

        fn publish(&mut self) {
            fence(Ordering::Release);
            self.map[..8].copy_from_slice(&(self.at as u64).to_le_bytes());
        }
    }
}

criterion_group!(benches, points, rows_and_columns);
criterion_main!(benches);
