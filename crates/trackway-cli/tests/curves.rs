//! Recorded training curves through the whole engine, every point compared bit for bit: logged call by call, and
//! imported from an exported file; live, and after a compaction.
//!
//! The sample that the program embeds is always used. `TRACKWAY_CURVES=FOLDER` names a folder of the same layout (see
//! `demo-data/README.md`) that is used instead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use trackway::{ExperimentId, RunFilter, RunId, RunStatus, Store};
use trackway_cli::curves::{self, CurveRun};
use trackway_cli::error::Failure;
use trackway_cli::replay;

fn records() -> Vec<CurveRun> {
    let folder = std::env::var_os("TRACKWAY_CURVES");
    folder.map_or_else(curves::embedded, |folder| curves::load(Path::new(&folder))).map_err(told).unwrap()
}

fn told(failure: Failure) -> String {
    format!("{failure:?}")
}

/// Compares all records with runs of the same name; gives the number of points.
fn compare_all(store: &Store, records: &[CurveRun]) -> u64 {
    let ids: HashMap<String, RunId> =
        store.runs(&RunFilter::default()).unwrap().into_iter().map(|run| (run.name, run.id)).collect();
    assert_eq!(ids.len(), records.len());
    records.iter().map(|record| replay::compare(store, ids[&record.name], record).map_err(told).unwrap()).sum()
}

fn print_bytes_per_point(what: &str, store: &Store) {
    let s = store.statistics().unwrap();
    let per_point = s.bytes_per_point().unwrap();
    println!("{what}: {} points, {} bytes in {} files, {per_point:.3} bytes per point", s.points, s.bytes, s.files);
}

/// Logs all records from two threads.
fn log_all(store: &Store, records: &[CurveRun]) {
    std::thread::scope(|scope| {
        for part in records.chunks(records.len().div_ceil(2)) {
            scope.spawn(move || {
                for record in part {
                    let writer = replay::create(store, ExperimentId::DEFAULT, record).map_err(told).unwrap();
                    let points = replay::log(&writer, record, &record.plan()).map_err(told).unwrap();
                    assert_eq!(points, record.point_count());
                    writer.end(RunStatus::Finished, record.end_ms).unwrap();
                }
            });
        }
    });
}

#[test]
fn every_point_survives_logging_export_import_and_compaction() {
    let records = records();
    let total: u64 = records.iter().map(CurveRun::point_count).sum();
    let folder = tempfile::tempdir().unwrap();
    let (logged, imported) = (folder.path().join("logged"), folder.path().join("imported"));

    let store = Store::open(&logged).unwrap();
    log_all(&store, &records);
    assert_eq!(compare_all(&store, &records), total);
    print_bytes_per_point("logged", &store);
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(compare_all(&store, &records), total);
    print_bytes_per_point("logged and compacted", &store);
    store.close().unwrap();

    let program = || Command::new(env!("CARGO_BIN_EXE_trackway"));
    let file = folder.path().join("curves.csv");
    let out = std::fs::File::create(&file).unwrap();
    let mut export = program();
    export.arg("--store").arg(&logged).args(["export", "--names"]).stdout(Stdio::from(out));
    assert!(export.status().unwrap().success());
    let mut import = program();
    import.arg("--store").arg(&imported).arg("import").arg(&file).stdout(Stdio::null());
    assert!(import.status().unwrap().success());

    let store = Store::open(&imported).unwrap();
    assert_eq!(compare_all(&store, &records), total);
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(compare_all(&store, &records), total);
    print_bytes_per_point("imported and compacted", &store);
    let report = store.verify(&mut |_| {}).unwrap();
    assert_eq!(report.damage.len(), 0);
}
