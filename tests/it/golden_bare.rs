//! Runs that logged metrics once, whose groups of one row have no index, as this version writes them: read for ever, by the
//! engine and by the reader in Python. The files under `tests/data/v1-bare` are never changed; `expected.txt` is what is in
//! them, in the form that `tests/reader/dump.py` describes.

use crate::golden::{compare, dump, python_dump, quiet, run_python};
use crate::support::{Scene, copy_dir};
use std::path::{Path, PathBuf};
use trackway::{ExperimentId, NewRun, Store};

const TIME: i64 = 1_700_000_000_000;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v1-bare")
}

fn expected() -> String {
    std::fs::read_to_string(data().join("expected.txt")).unwrap()
}

/// A row of final results; metrics one by one; both beside a curve; a run of which a second part is in its folder.
fn fill(store: &Store) {
    let nan = f64::from_bits(0x7ff8_0000_dead_beef);
    let row = [("acc", 0.1), ("loss", 0.5), ("nan", nan), ("zero", -0.0), ("inf", f64::NEG_INFINITY)];
    let run = || store.create_run(NewRun::new(ExperimentId::DEFAULT).param("lr", "0.1")).unwrap();
    let rows = run();
    rows.log_metrics_at(i64::MIN, TIME, &row).unwrap();
    rows.finish().unwrap();
    let singly = run();
    for (number, (metric, value)) in (0..).zip(row) {
        singly.log_metric_at(metric, number, TIME + 7 * number, value).unwrap();
    }
    singly.finish().unwrap();
    let mixed = run();
    for step in 0..40 {
        mixed.log_metrics_at(step, TIME + step, &[("curve", 1.0 / (step + 3) as f64)]).unwrap();
    }
    mixed.log_metrics_at(40, TIME + 40, &row).unwrap();
    mixed.finish().unwrap();
    let resumed = run();
    resumed.log_metrics_at(1, TIME, &row).unwrap();
    let id = resumed.id();
    resumed.finish().unwrap();
    while store.maintain().unwrap() {}
    let again = store.resume_run(id).unwrap();
    again.log_metrics_at(2, TIME, &row[..2]).unwrap();
    again.finish().unwrap();
    while store.maintain().unwrap() {}
}

#[test]
fn single_rows_of_version_1_are_read_as_they_are_and_after_compaction() {
    let scene = Scene::new();
    copy_dir(&data().join("store"), &scene.path());
    assert_eq!(dump(&scene.open_read_only()), expected());
    let store = quiet().open(scene.path()).unwrap();
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(dump(&store), expected(), "compacted");
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
}

#[test]
fn the_second_reader_agrees_on_single_rows() {
    let golden = data().join("store");
    let Some(python) = python_dump(&golden) else { return };
    assert_eq!(compare(&python, &expected()), 0);
    let Some(forms) = run_python(&["--forms"], &golden) else { return };
    let only: Vec<&str> = forms.lines().filter(|form| form.starts_with("only value")).collect();
    assert_eq!(only, ["only value with flags 0", "only value with flags 8"]);
    // As this version writes them today.
    let scene = Scene::new();
    fill(&scene.open_quiet());
    let Some(python) = python_dump(&scene.path()) else { return };
    compare(&python, &dump(&scene.open_read_only()));
}

/// Writes the golden store of the current version when there is none. Run it by name, once a version:
/// `cargo test --test it write_the_golden_single_rows -- --ignored`
#[test]
#[ignore = "writes into the repository"]
fn write_the_golden_single_rows() {
    let golden = data().join("store");
    assert!(!golden.exists(), "a golden store is never changed");
    let scene = Scene::new();
    fill(&scene.open_quiet());
    copy_dir(&scene.path(), &golden);
    std::fs::remove_dir_all(golden.join("locks")).unwrap();
    std::fs::write(data().join("expected.txt"), dump(&scene.open_read_only())).unwrap();
}
