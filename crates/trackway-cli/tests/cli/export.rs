//! `export` to files, and of other formats than text.

use crate::harness::{Place, program};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_ipc::reader::{FileReader, StreamReader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;

fn read(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap();
    match path.extension().unwrap().to_str().unwrap() {
        "arrow" => FileReader::try_new(file, None).unwrap().map(|batch| batch.unwrap()).collect(),
        "arrows" => StreamReader::try_new(file, None).unwrap().map(|batch| batch.unwrap()).collect(),
        _ => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            reader.map(|batch| batch.unwrap()).collect()
        }
    }
}

/// The points as `export` writes them as CSV. All values here have few digits.
fn csv(batches: &[RecordBatch]) -> String {
    let mut text = "run,key,step,timestamp_ms,value\n".to_owned();
    for batch in batches {
        let name = |column: usize, row: usize| {
            let names = batch.column(column).as_dictionary::<Int32Type>();
            names.values().as_string::<i32>().value(names.keys().value(row) as usize).to_owned()
        };
        for row in 0..batch.num_rows() {
            let step = batch.column(2).as_primitive::<Int64Type>().value(row);
            let time = batch.column(3).as_primitive::<TimestampMillisecondType>().value(row);
            let value = batch.column(4).as_primitive::<Float64Type>().value(row);
            text.push_str(&format!("{},{},{step},{time},{value:?}\n", name(0, row), name(1, row)));
        }
    }
    text
}

fn logged() -> (Place, [String; 3]) {
    let place = Place::new();
    let line = |step: i64, loss: f64| {
        format!("{{\"step\": {step}, \"timestamp_ms\": {step}, \"loss\": {loss}, \"acc\": 0.5}}\n")
    };
    let ids = ["one", "two", "three"].map(|name| {
        let start = name.len() as i64;
        place.log(name, &(0..200).map(|step| line(step + start, 1.0 / (step + 1) as f64)).collect::<String>())
    });
    (place, ids)
}

#[test]
fn all_formats_have_the_points_that_csv_has() {
    let (place, ids) = logged();
    let wanted = place.ok(&["export"]);
    assert_eq!(wanted.lines().count(), 1 + 3 * 400);
    for name in ["p.parquet", "p.arrow", "p.arrows"] {
        let path = place.path(name);
        let ran = place.run(&["export", "--output", path.to_str().unwrap()]);
        assert!(ran.err.starts_with("trackway: 1,200 points of 3 runs to "), "{}", ran.err);
        assert_eq!(ran.ok(), "");
        assert_eq!(csv(&read(&path)), wanted, "{name}");
    }
    let path = place.path("p.csv");
    place.ok(&["export", "--output", path.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), wanted);
    // What is named rules over the ending; standard output takes all formats.
    let path = place.path("odd.csv");
    place.ok(&["export", "--format", "parquet", "--output", path.to_str().unwrap()]);
    let renamed = place.path("odd.parquet");
    std::fs::rename(path, &renamed).unwrap();
    assert_eq!(csv(&read(&renamed)), wanted);
    let mut command = program();
    command.arg("--store").arg(place.store()).args(["export", &ids[1], "--format", "arrow-stream"]);
    let output = command.output().unwrap();
    let batches = StreamReader::try_new(output.stdout.as_slice(), None).unwrap();
    let batches: Vec<RecordBatch> = batches.map(|batch| batch.unwrap()).collect();
    assert_eq!(csv(&batches), place.ok(&["export", &ids[1]]));
}

#[test]
fn runs_and_metrics_are_selected() {
    let (place, ids) = logged();
    let keys = |args: &[&str]| {
        let text = place.ok(&[&["export"], args].concat());
        let field = |line: &str, number| line.split(',').nth(number).unwrap().to_owned();
        let mut keys: Vec<(String, String)> =
            text.lines().skip(1).map(|line| (field(line, 0), field(line, 1))).collect();
        keys.dedup();
        keys
    };
    let of = |numbers: &[usize], metrics: &[&str]| {
        let pairs =
            numbers.iter().flat_map(|number| metrics.iter().map(|key| (ids[*number].clone(), (*key).to_owned())));
        pairs.collect::<Vec<_>>()
    };
    assert_eq!(keys(&["--metric", "loss"]), of(&[0, 1, 2], &["loss"]));
    assert_eq!(keys(&["--filter", "run_name ilike 't%'", "--metric", "acc"]), of(&[1, 2], &["acc"]));
    place.ok(&["delete", "two"]);
    assert_eq!(keys(&[]), of(&[0, 2], &["acc", "loss"]));
    assert_eq!(keys(&["--deleted"]), of(&[1], &["acc", "loss"]));
    assert_eq!(keys(&["--all", "--metric", "acc"]), of(&[0, 1, 2], &["acc"]));
    assert_eq!(keys(&["--experiment", "Default", "--names"])[0].0, "one");
    let ran = place.run(&["export", "--metric", "los"]);
    assert!(ran.err.contains("none of these runs has a metric \"los\""), "{}", ran.err);
    assert_eq!(ran.ok().lines().count(), 1);
    assert!(place.run(&["export", "--filter", "metrics.loss <"]).error().contains("character 15"));
    place.run(&["export", "one", "--filter", "metrics.loss < 1"]).fails(2);
}

#[test]
fn the_table_of_runs() {
    let (place, ids) = logged();
    place.ok(&["tag", "two", "kept", "yes"]);
    for name in ["runs.parquet", "runs.arrow"] {
        let path = place.path(name);
        place.ok(&["export", "--table", "runs", "--output", path.to_str().unwrap()]);
        let [table] = &read(&path)[..] else { panic!("one batch") };
        let text = |name: &str, row: usize| {
            let column = table.column_by_name(name).unwrap().as_string::<i32>().clone();
            column.iter().nth(row).unwrap().map(str::to_owned)
        };
        assert_eq!([0, 1, 2].map(|row| text("run_id", row).unwrap()), ids);
        assert_eq!([0, 1, 2].map(|row| text("tags.kept", row)), [None, Some("yes".to_owned()), None]);
        let losses = table.column_by_name("metrics.loss").unwrap().as_primitive::<Float64Type>();
        assert_eq!(losses.values(), &[1.0 / 200.0; 3]);
    }
    let error = place.run(&["export", "--table", "runs"]).error();
    assert!(error.contains("not exported as text") && error.contains("runs --json"), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let (place, _) = logged();
    let error = |path: &Path| place.run(&["export", "--output", path.to_str().unwrap()]).error();
    assert!(error(&place.path("no/such/folder/p.parquet")).contains("cannot create"));
    assert!(error(&place.store()).contains("is a folder"));
    assert!(error(Path::new("/dev/full")).contains("a device or a pipe"));
}

/// Killed at any moment, an export leaves a whole file or none.
#[test]
fn a_killed_export_leaves_no_file_that_looks_whole() {
    let place = Place::new();
    let mut text = "run,key,step,timestamp_ms,value\n".to_owned();
    (0..200_000).for_each(|step| text.push_str(&format!("run,loss,{step},{step},{step}.5\n")));
    place.feed(&["import", "-"], text.as_bytes()).ok();
    let folder = place.path("out");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("points.parquet");
    let mut killed = 0;
    for _ in 0..20 {
        let mut command = program();
        command.arg("--store").arg(place.store()).args(["export", "--output"]).arg(&path).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let begun = || std::fs::read_dir(&folder).unwrap().next().is_some();
        while !begun() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if path.exists() {
            assert_eq!(read(&path).iter().map(RecordBatch::num_rows).sum::<usize>(), 200_000);
        } else {
            killed += 1;
        }
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
    }
    assert!(killed > 0, "no export was cut");
}
