//! Export of all points of a store, compacted and in the page cache: record batches alone, then Arrow IPC and Parquet into
//! a file, without and with the sync that gives the file its name. Beside them the floors: copying the bytes of the same
//! batches, and writing the bytes of the same files from memory.
//!
//! `cargo bench -p trackway-arrow`; with `-- --test` few points, once. `TRACKWAY_BENCH_STORE=DIR` exports that store too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../../../benches/support/values.rs"]
mod values;

use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trackway::{ExperimentId, NewRun, RunQuery, Store, StoreOptions};
use trackway_arrow::{Format, Points, PointsOptions, Selection, write, write_file};
use values::{loss, time};

const ROUNDS: usize = 5;

type LogPoints = fn(&Store, i64);

fn main() {
    let test = std::env::args().any(|word| word == "--test");
    let (points, rounds) = if test { (200_000, 1) } else { (10_000_000, ROUNDS) };
    println!("million points a second of processor time, all threads (and by the clock), medians of {rounds}");
    println!("floors: the same bytes copied; the same file written from memory");
    let kinds: [(&str, LogPoints); 3] =
        [("one metric", one_metric), ("rows of 100 metrics", rows), ("runs of 20 metrics, 50 steps", small_runs)];
    for (name, log) in kinds {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        log(&store, points);
        store.compact(&mut |_| {}).unwrap();
        store.close().unwrap();
        measure(name, &dir.path().join("store"), dir.path(), rounds);
    }
    if let Some(path) = std::env::var_os("TRACKWAY_BENCH_STORE").map(PathBuf::from) {
        let dir = tempfile::tempdir().unwrap();
        measure("the store given", &path, dir.path(), rounds);
    }
}

fn measure(name: &str, store: &Path, dir: &Path, rounds: usize) {
    let store = StoreOptions::new().read_only(true).open(store).unwrap();
    let all = Selection::find(&store, &RunQuery::default()).unwrap();
    let points = || Points::new(&store, &all, PointsOptions::default());
    let schema = points().schema();
    let million = all.points() as f64 / 1e6;
    let show = |what: &str, work: &mut dyn FnMut(), floor: &mut dyn FnMut()| {
        let (work, floor) = (rates(million, rounds, work), rates(million, rounds, floor));
        println!("{what:<28} {:>7.1} ({:>6.1})   floor {:>7.1} ({:>6.1})", work[0], work[1], floor[0], floor[1]);
    };
    let bytes = |format| {
        let mut bytes = Vec::new();
        assert_eq!(write(&mut bytes, format, &schema, points()).unwrap(), all.points());
        bytes
    };
    println!("{name}");
    let plain = bytes(Format::Arrow);
    let mut copy = vec![0; plain.len()];
    let mut batches = || points().for_each(|batch| drop(black_box(batch.unwrap())));
    show("  batches", &mut batches, &mut || black_box(&mut copy).copy_from_slice(black_box(&plain)));
    drop(copy);
    let path = dir.join("exported");
    for format in [Format::Arrow, Format::Parquet] {
        let bytes = if format == Format::Arrow { plain.clone() } else { bytes(format) };
        for sync in [false, true] {
            let mut export = || {
                if sync {
                    write_file(&path, format, &schema, points()).unwrap();
                } else {
                    write(File::create(&path).unwrap(), format, &schema, points()).unwrap();
                }
            };
            let mut floor = || {
                let mut file = File::create(&path).unwrap();
                bytes.chunks(1 << 19).for_each(|piece| file.write_all(piece).unwrap());
                if sync {
                    file.sync_all().unwrap();
                }
            };
            let what = format!("  {format:?}{}", if sync { ", synced and renamed" } else { "" });
            show(&what, &mut export, &mut floor);
        }
        println!("  {format:?}: {:.2} bytes a point", bytes.len() as f64 / all.points() as f64);
    }
}

/// Million points a second of processor time, of all threads, and by the clock.
fn rates(million: f64, rounds: usize, work: &mut dyn FnMut()) -> [f64; 2] {
    let processor = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
    let took: Vec<[f64; 2]> = (0..rounds)
        .map(|_| {
            let (start, begun) = (Instant::now(), processor());
            work();
            [(processor() - begun).as_secs_f64(), start.elapsed().as_secs_f64()]
        })
        .collect();
    [0, 1].map(|of| {
        let mut took: Vec<f64> = took.iter().map(|took| took[of]).collect();
        took.sort_by(f64::total_cmp);
        million / took[took.len() / 2]
    })
}

fn one_metric(store: &Store, points: i64) {
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let steps: Vec<i64> = (0..points).collect();
    let times: Vec<i64> = steps.iter().map(|step| time(*step)).collect();
    let values: Vec<f64> = steps.iter().map(|step| loss(*step)).collect();
    let metric = run.metric("loss").unwrap();
    for part in (0..points as usize).step_by(1_000_000).map(|first| first..(first + 1_000_000).min(points as usize)) {
        metric.log_columns(&steps[part.clone()], &times[part.clone()], &values[part]).unwrap();
    }
    run.finish().unwrap();
}

fn rows(store: &Store, points: i64) {
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    log_rows(&run, 100, points / 100);
    run.finish().unwrap();
}

fn small_runs(store: &Store, points: i64) {
    // A fifth of the points: what counts is how many runs and metrics they take.
    for _ in 0..points / 5 / 1000 {
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
        log_rows(&run, 20, 50);
        run.finish().unwrap();
    }
}

fn log_rows(run: &trackway::RunWriter, metrics: i64, steps: i64) {
    let names: Vec<String> = (0..metrics).map(|metric| format!("metric/{metric}")).collect();
    let row = run.row(&names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    for step in 0..steps {
        let values: Vec<f64> = (0..metrics).map(|metric| loss(step * metrics + metric)).collect();
        row.log_at(step, time(step), &values).unwrap();
    }
}
