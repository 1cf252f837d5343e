//! Stores with nothing in them, with runs that are being written, and with damage.

use crate::harness::{FORMATS, Place, everything, points, read, rows, runs};
use std::path::{Path, PathBuf};
use trackway::{ExperimentId, Filter, NewRun, RunId, RunQuery, Store, View};
use trackway_arrow::{Error, Format, Points, PointsOptions, Runs, Selection, write_file};

fn new_run(number: u8) -> NewRun {
    NewRun::new(ExperimentId::DEFAULT).id(RunId::from_bytes([number; 16])).start_time(i64::from(number))
}

/// A finished run with `loss` and `acc` at so many steps.
fn log(store: &Store, number: u8, steps: i64) {
    let run = store.create_run(new_run(number).name("twin")).unwrap();
    for step in 0..steps {
        run.log_metric_at("loss", step, step, step as f64 / 3.0).unwrap();
        run.log_metric_at("acc", step, step, -step as f64).unwrap();
    }
    run.finish().unwrap();
}

#[test]
fn nothing_at_all_is_a_table_without_rows() {
    let place = Place::new();
    let store = place.store();
    store.create_run(new_run(1)).unwrap().finish().unwrap();
    let without_metrics = Selection::find(&store, &everything()).unwrap();
    assert_eq!(without_metrics.len(), 1);
    for selection in [Selection::default(), without_metrics] {
        for format in FORMATS {
            let bytes = points(&store, &selection, format, 10).unwrap();
            assert_eq!(rows(&read(bytes, format)), []);
            let table = read(runs(&store, &selection, format).unwrap(), format);
            assert_eq!(table.iter().map(|batch| batch.num_rows()).sum::<usize>(), selection.len());
        }
    }
}

#[test]
fn deleted_runs_come_when_they_are_asked_for() {
    let place = Place::new();
    let store = place.store();
    (1..=3).for_each(|number| log(&store, number, 1));
    store.delete_run(RunId::from_bytes([2; 16])).unwrap();
    let ids = |view: View| {
        let selection = Selection::find(&store, &RunQuery { view, ..everything() }).unwrap();
        let bytes = points(&store, &selection, Format::Arrow, 100).unwrap();
        let mut ids: Vec<String> = rows(&read(bytes, Format::Arrow)).into_iter().map(|row| row.0).collect();
        ids.dedup();
        ids.iter().map(|id| id.parse::<RunId>().unwrap().as_bytes()[0]).collect::<Vec<u8>>()
    };
    assert_eq!((ids(View::Active), ids(View::Deleted), ids(View::All)), (vec![1, 3], vec![2], vec![1, 2, 3]));
}

#[test]
fn a_filter_and_a_limit_choose_runs_over_many_pages() {
    let place = Place::new();
    let store = place.store();
    for number in 0..230_u8 {
        let run =
            store.create_run(new_run(number).param("kind", if number % 2 == 0 { "even" } else { "odd" })).unwrap();
        run.log_metric_at("loss", 1, 1, f64::from(number)).unwrap();
        run.finish().unwrap();
    }
    let filter = || Some(Filter::new("params.kind = 'even'").unwrap());
    let found = |limit| Selection::find(&store, &RunQuery { filter: filter(), limit, ..everything() }).unwrap();
    let numbers = |selection: &Selection| selection.ids().map(|id| id.as_bytes()[0]).collect::<Vec<u8>>();
    assert_eq!(numbers(&found(None)), (0..230).step_by(2).collect::<Vec<u8>>());
    for limit in [0, 1, 99, 100, 101, 114, 115, 116] {
        assert_eq!(numbers(&found(Some(limit))), (0..230).step_by(2).take(limit).collect::<Vec<u8>>(), "{limit}");
    }
    assert_eq!(found(Some(101)).points(), 101);
}

/// However long a metric is and however many there are, all batches but the last have the rows that were asked for.
#[test]
fn batches_are_no_longer_than_asked() {
    let place = Place::new();
    let store = place.store();
    let long = store.create_run(new_run(1)).unwrap();
    let steps: Vec<i64> = (0..300_001).collect();
    let values: Vec<f64> = steps.iter().map(|step| (*step as f64).sqrt()).collect();
    long.metric("long").unwrap().log_columns(&steps, &steps, &values).unwrap();
    long.finish().unwrap();
    let wide = store.create_run(new_run(2)).unwrap();
    for metric in 0..500 {
        (0..3).for_each(|step| wide.log_metric_at(&format!("m{metric}"), step, step, 0.5).unwrap());
    }
    wide.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    let all = Selection::find(&store, &everything()).unwrap();
    for batch_rows in [1000, 1 << 16, 1 << 20] {
        let options = PointsOptions { batch_rows, ..PointsOptions::default() };
        let sizes = Points::new(&store, &all, options).map(|batch| batch.unwrap().num_rows()).collect::<Vec<_>>();
        let (last, full) = sizes.split_last().unwrap();
        assert!(full.iter().all(|rows| *rows == batch_rows) && (1..=batch_rows).contains(last), "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 301_501);
    }
    // Runs with very many columns come in short batches: here a thousandth of a million.
    let table = Runs::new(&store, &all).unwrap();
    assert_eq!(table.schema().fields().len(), 10 + 501);
    assert_eq!(table.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
}

#[test]
fn a_run_that_is_being_written_is_exported_as_far_as_it_is() {
    let place = Place::new();
    let store = place.store();
    let run = store.create_run(new_run(1)).unwrap();
    run.log_metric_at("loss", 1, 1, 0.5).unwrap();
    let selection = Selection::find(&store, &everything()).unwrap();
    // Points that come later are there; a metric is not, of which nothing was known.
    run.log_metric_at("loss", 2, 2, 0.25).unwrap();
    run.log_metric_at("acc", 2, 2, 0.75).unwrap();
    let bytes = points(&store, &selection, Format::Parquet, 10).unwrap();
    let found: Vec<(String, i64)> = rows(&read(bytes, Format::Parquet)).into_iter().map(|row| (row.1, row.2)).collect();
    assert_eq!(found, [("loss".to_owned(), 1), ("loss".to_owned(), 2)]);
}

#[test]
fn names_of_runs_stand_in_a_dictionary_once() {
    let place = Place::new();
    let store = place.store();
    (1..=3).for_each(|number| log(&store, number, 1));
    store.create_run(new_run(4)).unwrap().log_metric_at("loss", 1, 1, 1.0).unwrap();
    let selection = Selection::find(&store, &everything()).unwrap();
    let options = PointsOptions { names: true, ..PointsOptions::default() };
    let batches: Vec<_> = Points::new(&store, &selection, options).map(|batch| batch.unwrap()).collect();
    let names: Vec<String> = rows(&batches).into_iter().map(|row| row.0).collect();
    assert_eq!(names, ["twin", "twin", "twin", "twin", "twin", "twin", ""]);
    let dictionary = arrow_array::cast::as_dictionary_array::<arrow_array::types::Int32Type>(batches[0].column(0));
    assert_eq!(arrow_array::Array::len(dictionary.values()), 2);
}

fn segment(store: &Path, run: u8) -> PathBuf {
    let folder = store.join("experiments/0/runs").join(RunId::from_bytes([run; 16]).to_string());
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "seg")).unwrap()
}

/// Damage is an error that names the file, or all else is exported and the damage told.
#[test]
fn damage_is_named_and_does_not_keep_the_rest() {
    let place = Place::new();
    let store = place.store();
    (1..=3).for_each(|number| log(&store, number, 100));
    store.compact(&mut |_| {}).unwrap();
    store.close().unwrap();
    let damaged = segment(&place.path("store"), 2);
    let intact = std::fs::read(&damaged).unwrap();
    let lenient = PointsOptions { skip_damaged: true, batch_rows: 64, ..PointsOptions::default() };
    // A column of one metric; the file's end, without which nothing of it can be read; the whole file.
    for (cut, lost) in [(None, 100..=100), (Some(intact.len() - 1), 200..=200), (Some(0), 200..=200)] {
        let mut bytes = intact.clone();
        match cut {
            Some(len) => bytes.truncate(len),
            None => bytes[66] ^= 1,
        }
        std::fs::write(&damaged, bytes).unwrap();
        let store = place.store();
        let all = Selection::find(&store, &everything()).unwrap();
        let strict = points(&store, &all, Format::Arrow, 64).unwrap_err();
        let Error::Run { run, source: trackway::Error::Corrupt { path, .. } } = &strict else { panic!("{strict}") };
        assert_eq!((run, path), (&RunId::from_bytes([2; 16]), &damaged));
        let file = place.path("out.parquet");
        let mut batches = Points::new(&store, &all, PointsOptions { batch_rows: 64, ..PointsOptions::default() });
        let schema = batches.schema();
        write_file(&file, Format::Parquet, &schema, &mut batches).unwrap_err();
        assert_eq!(place.names(), [""; 0]);
        let mut batches = Points::new(&store, &all, lenient);
        let found = rows(&batches.by_ref().map(|batch| batch.unwrap()).collect::<Vec<_>>());
        assert!(lost.contains(&(600 - found.len())), "{} of 600 points with {cut:?}", found.len());
        let [damage] = batches.damage() else { panic!("{:?}", batches.damage()) };
        assert!(damage.run == *run && damage.error.to_string().contains(damaged.to_str().unwrap()));
    }
}

/// A column that is damaged in its second chunk: what lies before and behind it is exported once.
#[test]
fn chunks_around_a_damaged_one_are_exported_once() {
    let place = Place::new();
    let store = place.store();
    let run = store.create_run(new_run(1)).unwrap();
    let steps: Vec<i64> = (0..1 << 20).collect();
    let noise = |step: &i64| ((*step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64;
    let values: Vec<f64> = steps.iter().map(noise).collect();
    run.metric("noise").unwrap().log_columns(&steps, &steps, &values).unwrap();
    run.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    store.close().unwrap();
    let damaged = segment(&place.path("store"), 1);
    let mut bytes = std::fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let store = place.store();
    let all = Selection::find(&store, &everything()).unwrap();
    let options = PointsOptions { skip_damaged: true, ..PointsOptions::default() };
    let mut batches = Points::new(&store, &all, options);
    let found = rows(&batches.by_ref().map(|batch| batch.unwrap()).collect::<Vec<_>>());
    let found: Vec<i64> = found.iter().map(|row| row.2).collect();
    assert_eq!(batches.damage().len(), 1);
    assert!(found.is_sorted() && found.windows(2).all(|pair| pair[0] < pair[1]), "a point came twice");
    assert!(found.first() == Some(&0) && found.last() == Some(&((1 << 20) - 1)) && found.len() < 1 << 20);
}
