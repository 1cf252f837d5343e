//! Real training curves: how many bytes a point takes, and how fast all of them are read, in Trackway (both levels of
//! compression) and in one tuned Parquet file (with two sizes of pages). Runs, keys, steps, times and values; no params or tags in either.

use crate::curves::{Run, load};
use crate::measure::{Bench, Samples, disk_usage, seconds};
use crate::peers::parquet::{Layout, PARQUET, Table as ParquetTable, TableWriter};
use crate::peers::trackway::{TRACKWAY, view};
use crate::table::{self, Table};
use crate::workload::{Check, Points};
use std::path::Path;
use trackway::{Columns, Compression, ExperimentId, NewRun, RunFilter, RunWriter, Snapshot, Store, StoreOptions};

/// One stored form of all curves.
struct Form {
    name: String,
    lengths: u64,
    blocks: u64,
    reader: Reading,
}

enum Reading {
    /// A snapshot of each run, with its keys.
    Trackway {
        _store: Store,
        runs: Vec<(Snapshot, Vec<String>)>,
        columns: Columns,
    },
    Parquet {
        table: ParquetTable,
        buffers: Points,
    },
}

impl Reading {
    /// Reads every metric; `each` is given what was read, a metric or (for Parquet) a row group at a time.
    fn all(&mut self, mut each: impl FnMut(crate::workload::View<'_>)) {
        match self {
            Self::Trackway { runs, columns, .. } => {
                for (snapshot, keys) in runs {
                    for key in keys {
                        snapshot.metric(key).unwrap().read_into(columns).unwrap();
                        each(view(columns));
                    }
                }
            }
            Self::Parquet { table, buffers } => {
                for group in 0..table.groups() {
                    buffers.clear();
                    table.read_group(group, buffers);
                    each(buffers.view());
                }
            }
        }
    }
}

/// Sizes and full reads of the curves in `folder`.
pub(crate) fn curves(bench: &Bench, folder: &Path) {
    let mut runs = match load(folder) {
        Ok(runs) => runs,
        Err(error) => {
            eprintln!("curves: left out, {error} (in the folder given by --curves or TRACKWAY_CURVES)");
            return;
        }
    };
    if bench.quick {
        runs.truncate(3);
    }
    // Sorted as the file wants it.
    runs.sort_by(|one, other| one.name.cmp(&other.name));
    runs.iter_mut().for_each(|run| run.series.sort_by(|one, other| one.key.cmp(&other.key)));
    let points: usize = runs.iter().map(Run::len).sum();
    let mut expected = Check::default();
    runs.iter().for_each(|run| run.series.iter().for_each(|series| expected.add(run.points(series).view())));

    let folders = [bench.folder(), bench.folder(), bench.folder(), bench.folder()];
    let mut forms = [
        trackway(TRACKWAY, Compression::Normal, &runs, folders[0].path()),
        trackway("Trackway, Compression::Archive", Compression::Archive, &runs, folders[1].path()),
        parquet(PARQUET, Layout::Size, &runs, folders[2].path()),
        parquet("Parquet, tuned, a page a row group", Layout::Smallest, &runs, folders[3].path()),
    ];
    let mut samples = vec![Samples::default(); forms.len()];
    for round in 0..bench.rounds {
        for (form, samples) in forms.iter_mut().zip(&mut samples) {
            if round == 0 {
                let mut check = Check::default();
                form.reader.all(|view| check.add(view));
                assert_eq!(check, expected, "{}: not the points of the curves", form.name);
            }
            let mut count = 0;
            samples.0.push(points as f64 / seconds(|| form.reader.all(|view| count += view.values.len())));
            assert_eq!(count, points, "{}: not all points", form.name);
        }
        eprintln!("curves: round {} of {}", round + 1, bench.rounds);
    }
    let title = format!("Real curves: {} runs, {} points", runs.len(), table::grouped(points as f64));
    print(&title, points, &forms, &samples);
}

fn print(title: &str, points: usize, forms: &[Form], samples: &[Samples]) {
    let head = [
        "store",
        "bytes",
        "bytes a point",
        "to Parquet",
        "by blocks",
        "read, points/s",
        "lowest to highest",
        "to Parquet",
    ];
    let mut table = Table::new(title, &head);
    let parquet = forms.iter().position(|form| form.name == PARQUET).unwrap_or_default();
    for (form, samples_of) in forms.iter().zip(samples) {
        let (low, high) = samples_of.range();
        table.row(vec![
            form.name.clone(),
            table::grouped(form.lengths as f64),
            format!("{:.3}", form.lengths as f64 / points as f64),
            format!("{:.3}", form.lengths as f64 / forms[parquet].lengths as f64),
            format!("{:.3}", form.blocks as f64 / points as f64),
            table::rate(samples_of.median()),
            format!("{} to {}", table::rate(low), table::rate(high)),
            table::times(samples_of.median() / samples[parquet].median()),
        ]);
    }
    table.note("Every file of the store by length, and by allocated blocks with those of folders. Read: every point");
    table.note(
        "of every metric into columns, one thread; Trackway is asked for each metric, Parquet for whole row groups.",
    );
    table.print();
}

fn trackway(name: &str, compression: Compression, runs: &[Run], folder: &Path) -> Form {
    let path = folder.join("store");
    let store = StoreOptions::new().compression(compression).open(&path).unwrap();
    let logging = seconds(|| {
        for run in runs {
            let writer = store.create_run(NewRun::new(ExperimentId::DEFAULT).name(&run.name)).unwrap();
            log(&writer, run);
            writer.finish().unwrap();
        }
    });
    let compaction = seconds(|| {
        store.compact(&mut |_| {}).unwrap();
        store.close().unwrap();
    });
    eprintln!("curves: {name} logged in {logging:.1} s, compacted in {compaction:.1} s");
    let (lengths, blocks) = disk_usage(&path);
    let store = StoreOptions::new().read_only(true).open(&path).unwrap();
    let snapshots = store.runs(&RunFilter::default()).unwrap().into_iter().map(|run| {
        let snapshot = store.snapshot(run.id).unwrap();
        let keys = snapshot.run().metrics.keys().map(|key| key.to_string()).collect();
        (snapshot, keys)
    });
    let runs = snapshots.collect();
    let reader = Reading::Trackway { runs, _store: store, columns: Columns::default() };
    Form { name: name.to_owned(), lengths, blocks, reader }
}

/// Logs a run call by call, as it was logged: a row for the metrics of an axis.
fn log(writer: &RunWriter, run: &Run) {
    let mut rows = Vec::new();
    for at in 0..run.axes.len() {
        let series: Vec<_> = run.series.iter().filter(|series| series.axis == at).collect();
        let keys: Vec<&str> = series.iter().map(|series| series.key.as_str()).collect();
        rows.push((writer.row(&keys).unwrap(), series, Vec::new()));
    }
    let mut calls: Vec<(u32, usize, usize)> = Vec::new();
    for (at, axis) in run.axes.iter().enumerate() {
        calls.extend(axis.calls.iter().enumerate().map(|(place, call)| (*call, at, place)));
    }
    calls.sort_unstable();
    for (_, at, place) in calls {
        let (row, series, values) = &mut rows[at];
        values.clear();
        values.extend(series.iter().map(|series| series.values[place]));
        let axis = &run.axes[at];
        row.log_at(axis.steps[place], axis.times[place], values).unwrap();
    }
}

fn parquet(name: &str, layout: Layout, runs: &[Run], folder: &Path) -> Form {
    let path = folder.join("curves.parquet");
    let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    let writing = seconds(|| {
        let mut writer = TableWriter::create(&path, layout);
        for (at, run) in runs.iter().enumerate() {
            let (mut points, mut rows) = (Points::default(), Vec::new());
            for (key, series) in run.series.iter().enumerate() {
                let more = run.points(series);
                rows.extend(std::iter::repeat_n(key as i32, more.len()));
                points.steps.extend(more.steps);
                points.times.extend(more.times);
                points.values.extend(more.values);
            }
            let keys: Vec<String> = run.series.iter().map(|series| series.key.clone()).collect();
            writer.write((&names, vec![at as i32; points.len()]), (&keys, rows), points.view());
        }
        writer.finish();
    });
    eprintln!("curves: {name} written in {writing:.1} s");
    let (lengths, blocks) = disk_usage(folder);
    let reader = Reading::Parquet { table: ParquetTable::open(&path), buffers: Points::default() };
    Form { name: name.to_owned(), lengths, blocks, reader }
}
