//! DuckDB, pandas and polars read what was exported. Their packages come from the network, so that this is only done with
//! `TRACKWAY_PYTHON_TESTS=1`, and skipped with a message where they cannot be had.

use crate::harness::{Place, Row, everything, read_parquet, rows};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use trackway::{ExperimentId, NewRun, RunId, Store};
use trackway_arrow::{Format, Points, PointsOptions, Runs, Selection, write_file};

const SWITCH: &str = "TRACKWAY_PYTHON_TESTS";
/// What they are read by; other versions may read otherwise.
const PACKAGES: [&str; 4] = ["duckdb==2.0.1", "pandas==3.1.1", "polars==2.1.0", "pyarrow==26.0.1"];

/// Two runs, one of which is being written, one that is deleted, and one without metrics; NaN of two kinds.
fn fill(store: &Store) -> trackway::RunWriter {
    let new = |number: u8| {
        let start = 1_700_000_000_000 + i64::from(number);
        NewRun::new(ExperimentId::DEFAULT).id(RunId::from_bytes([number; 16])).start_time(start)
    };
    let long =
        store.create_run(new(1).name("long").user("ada").param("lr", "0.1").tag("note", "\u{e4}, \"b\"")).unwrap();
    for step in 0..150_000 {
        let value = if step % 1000 == 7 { f64::NAN } else { 1.0 / (step + 1) as f64 };
        long.row(&["loss", "val/acc"]).unwrap().log_at(step, 1_700_000_000_000 + step, &[value, -value]).unwrap();
    }
    long.finish().unwrap();
    let gone = store.create_run(new(2).param("opt", "adam")).unwrap();
    gone.log_metric_at("loss", -3, 0, f64::NEG_INFINITY).unwrap();
    gone.finish().unwrap();
    store.delete_run(RunId::from_bytes([2; 16])).unwrap();
    store.create_run(new(3).name("empty")).unwrap().finish().unwrap();
    let live = store.create_run(new(4).name("live")).unwrap();
    for (step, bits) in [0x7ff8_0000_0000_0001, 0xfff8_0000_0000_0000, 1 << 63, 1].into_iter().enumerate() {
        live.log_metric_at("odd", i64::MAX - step as i64, step as i64, f64::from_bits(bits)).unwrap();
    }
    store.compact(&mut |_| {}).unwrap();
    live
}

#[test]
fn duckdb_pandas_and_polars_read_both_tables_in_both_formats() {
    if std::env::var_os(SWITCH).is_none_or(|value| value != "1") {
        eprintln!("skipped: set {SWITCH}=1 to have packages of Python fetched and read what was exported");
        return;
    }
    let place = Place::new();
    let store = place.store();
    let _live = fill(&store);
    let all = Selection::find(&store, &everything()).unwrap();
    for (format, ending) in [(Format::Arrow, "arrow"), (Format::ArrowStream, "arrows"), (Format::Parquet, "parquet")] {
        let mut points = Points::new(&store, &all, PointsOptions::default());
        let schema = points.schema();
        write_file(place.path(&format!("points.{ending}")), format, &schema, &mut points).unwrap();
        let mut runs = Runs::new(&store, &all).unwrap();
        let schema = runs.schema();
        write_file(place.path(&format!("runs.{ending}")), format, &schema, &mut runs).unwrap();
    }
    let points = rows(&read_parquet(&place.path("points.parquet")));
    assert_eq!(points.len() as u64, all.points());
    std::fs::write(place.path("expected.json"), expected(&points).to_string()).unwrap();
    let venv = place.path("venv");
    let python = venv.join("bin/python");
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let fetched = run(Command::new("python3").args(["-m", "venv"]).arg(&venv))
        .and_then(|()| run(Command::new(&python).args(quiet).args(PACKAGES)));
    if let Err(error) = fetched {
        eprintln!("skipped: the packages of Python cannot be had: {error}");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/read.py");
    run(Command::new(&python).arg(script).arg(place.path(""))).unwrap();
}

/// Columns of points; values as their bits, which JSON keeps.
fn expected(points: &[Row]) -> serde_json::Value {
    json!({
        "run": points.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(),
        "metric": points.iter().map(|row| row.1.as_str()).collect::<Vec<_>>(),
        "step": points.iter().map(|row| row.2).collect::<Vec<_>>(),
        "time": points.iter().map(|row| row.3).collect::<Vec<_>>(),
        "bits": points.iter().map(|row| row.4 as i64).collect::<Vec<_>>(),
    })
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr)))
}
