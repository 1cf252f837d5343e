//! Trackway itself, through its public API only.

use crate::peer::{Class, Contestant, Part, Reader, Setup, Store};
use crate::workload::{Pixel, View, time, value};
use std::ops::Range;
use std::path::PathBuf;
use trackway::{
    ChartAxis, ChartColumn, Columns, Durability, ExperimentId, Metric, MetricQuery, NewRun, Row, RunWriter, Snapshot,
    StoreOptions,
};

/// The name under which ratios are taken.
pub(crate) const TRACKWAY: &str = "**Trackway**";

pub(crate) fn contestants() -> Vec<Contestant> {
    let all = Part { append: true, bulk: true, read: true };
    let append = Part { append: true, bulk: false, read: false };
    let bulk = Part { append: false, bulk: true, read: false };
    vec![
        Contestant { store: TRACKWAY, way: "", class: Class::Kill, part: all, open: open_default },
        Contestant { store: TRACKWAY, way: "Durability::Medium", class: Class::Power, part: append, open: open_medium },
        Contestant { store: TRACKWAY, way: "and compacted", class: Class::Kill, part: bulk, open: open_compacting },
    ]
}

fn open_default(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, Durability::Process, false)
}

fn open_medium(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, Durability::Medium, false)
}

fn open_compacting(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, Durability::Process, true)
}

fn open(setup: &Setup<'_>, durability: Durability, compact: bool) -> Box<dyn Store> {
    let path = setup.dir.join("store");
    let store = StoreOptions::new().durability(durability).open(&path).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let keys: Vec<&str> = setup.keys.iter().map(String::as_str).collect();
    Box::new(Logged {
        metrics: keys.iter().map(|key| run.metric(key).unwrap()).collect(),
        row: run.row(&keys).unwrap(),
        keys: setup.keys.to_vec(),
        path,
        store,
        run,
        compact,
    })
}

struct Logged {
    metrics: Vec<Metric>,
    row: Row,
    keys: Vec<String>,
    path: PathBuf,
    run: RunWriter,
    store: trackway::Store,
    /// Whether `sync` goes on until everything is compacted.
    compact: bool,
}

impl Store for Logged {
    fn points(&self, metrics: Range<usize>, steps: Range<i64>) {
        for step in steps {
            for metric in metrics.clone() {
                self.metrics[metric].log_at(step, time(step), value(metric, step)).unwrap();
            }
        }
    }

    fn rows(&self, steps: Range<i64>) {
        let mut row = vec![0.0; self.keys.len()];
        for step in steps {
            row.iter_mut().enumerate().for_each(|(metric, place)| *place = value(metric, step));
            self.row.log_at(step, time(step), &row).unwrap();
        }
    }

    fn bulk(&self, metric: usize, points: View<'_>) {
        self.metrics[metric].log_columns(points.steps, points.times, points.values).unwrap();
    }

    fn sync(&self) {
        self.run.sync().unwrap();
        if self.compact {
            self.run.finish().unwrap();
            self.store.compact(&mut |_| {}).unwrap();
        }
    }

    fn reader(self: Box<Self>) -> Box<dyn Reader> {
        let Self { run, store, path, keys, compact, .. } = *self;
        let id = run.id();
        if !compact {
            run.finish().unwrap();
        }
        drop(run);
        store.compact(&mut |_| {}).unwrap();
        store.close().unwrap();
        let store = trackway::Store::open(path).unwrap();
        let snapshot = store.snapshot(id).unwrap();
        Box::new(Compacted { _store: store, snapshot, keys, columns: Columns::default() })
    }
}

struct Compacted {
    _store: trackway::Store,
    snapshot: Snapshot,
    keys: Vec<String>,
    columns: Columns,
}

impl Compacted {
    fn read(&mut self, metric: usize, ask: impl Fn(MetricQuery<'_>) -> MetricQuery<'_>) -> View<'_> {
        ask(self.snapshot.metric(&self.keys[metric]).unwrap()).read_into(&mut self.columns).unwrap();
        view(&self.columns)
    }
}

/// Trackway's columns as everybody's.
pub(crate) fn view(columns: &Columns) -> View<'_> {
    View { steps: columns.steps(), times: columns.timestamps(), values: columns.values() }
}

impl Reader for Compacted {
    fn all(&mut self, metric: usize) -> View<'_> {
        self.read(metric, |query| query)
    }

    fn by_step(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.read(metric, |query| query.steps(range.clone()))
    }

    fn by_time(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.read(metric, |query| query.timestamps(range.clone()))
    }

    fn latest(&mut self, metric: usize) -> Option<f64> {
        self.snapshot.latest(&self.keys[metric]).map(|point| point.value)
    }

    fn drawn(&mut self, metric: usize, range: Range<i64>, columns: usize) -> Option<Vec<Pixel>> {
        let query = self.snapshot.metric(&self.keys[metric]).unwrap().steps(range);
        let chart = query.chart(ChartAxis::Step, columns).unwrap();
        let pixel = |column: &ChartColumn| {
            let (min, max) = (column.min.unwrap().value, column.max.unwrap().value);
            Pixel { first: column.first.value, last: column.last.value, min, max }
        };
        Some(chart.columns.iter().map(pixel).collect())
    }
}
