//! tsink: a store of (time, value). It has no second number for a step, so it logs, keeps and answers a third less
//! than the others, and what is asked by step is not asked of it.
//!
//! Each call writes a small marker file and renames it over the last one, in every mode, which costs more than a sync
//! on file systems that write a file out before it replaces another. `WalSyncMode::Periodic` hands each call's frames to the system (K), `PerAppend` syncs them (P).

use crate::peer::{Class, Contestant, Part, Reader, Setup, Store};
use crate::workload::{Points, View, time, value};
use ::tsink::{DataPoint, Row, Storage, StorageBuilder, TimestampPrecision, WalSyncMode};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Rows a call when loading in bulk.
const BULK: usize = 16_384;

/// The name in the tables.
const TSINK: &str = "tsink (times and values only)";

pub(crate) fn contestants() -> Vec<Contestant> {
    let all = Part { append: true, bulk: true, read: true };
    let append = Part { append: true, bulk: false, read: false };
    vec![
        Contestant { store: TSINK, way: "periodic sync", class: Class::Kill, part: all, open: open_periodic },
        Contestant { store: TSINK, way: "sync a call", class: Class::Power, part: append, open: open_sync },
    ]
}

fn open_periodic(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, WalSyncMode::Periodic(Duration::from_secs(1)))
}

fn open_sync(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, WalSyncMode::PerAppend)
}

fn open(setup: &Setup<'_>, mode: WalSyncMode) -> Box<dyn Store> {
    let path = setup.dir.join("points");
    let storage = connect(&path, mode);
    Box::new(Series { storage, path, keys: setup.keys.to_vec() })
}

fn connect(path: &Path, mode: WalSyncMode) -> Arc<dyn Storage> {
    StorageBuilder::new()
        .with_data_path(path)
        .with_timestamp_precision(TimestampPrecision::Milliseconds)
        .with_retention(Duration::from_secs(100 * 365 * 24 * 3600))
        .with_partition_duration(Duration::from_secs(365 * 24 * 3600))
        .with_wal_sync_mode(mode)
        // Its background workers fail now and then at these rates and would close the store to writers.
        .with_background_fail_fast(false)
        .build()
        .unwrap()
}

struct Series {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    keys: Vec<String>,
}

impl Series {
    fn insert(&self, rows: &[Row]) {
        if let Err(error) = self.storage.insert_rows(rows) {
            panic!("tsink: {error}; {:?}", self.storage.observability_snapshot().health);
        }
    }

    /// Rows whose names are allocated once and whose points are replaced.
    fn row_buffers(&self, metrics: Range<usize>) -> Vec<Row> {
        self.keys[metrics].iter().map(|key| Row::new(key.as_str(), DataPoint::new(0, 0.0))).collect()
    }
}

impl Store for Series {
    fn points(&self, metrics: Range<usize>, steps: Range<i64>) {
        let mut rows = self.row_buffers(metrics.clone());
        for step in steps {
            for (row, metric) in rows.iter_mut().zip(metrics.clone()) {
                row.set_data_point(DataPoint::new(time(step), value(metric, step)));
                self.insert(std::slice::from_ref(row));
            }
        }
    }

    fn rows(&self, steps: Range<i64>) {
        let mut rows = self.row_buffers(0..self.keys.len());
        for step in steps {
            for (metric, row) in rows.iter_mut().enumerate() {
                row.set_data_point(DataPoint::new(time(step), value(metric, step)));
            }
            self.insert(&rows);
        }
    }

    fn bulk(&self, metric: usize, points: View<'_>) {
        let blank = Row::new(self.keys[metric].as_str(), DataPoint::new(0, 0.0));
        let mut rows = vec![blank; BULK.min(points.values.len())];
        for (times, values) in points.times.chunks(BULK).zip(points.values.chunks(BULK)) {
            for ((row, time), value) in rows.iter_mut().zip(times).zip(values) {
                row.set_data_point(DataPoint::new(*time, *value));
            }
            self.insert(&rows[..times.len()]);
        }
    }

    fn sync(&self) {
        // Writes what is in memory into segments; the store is closed then.
        self.storage.close().unwrap();
    }

    fn reader(self: Box<Self>) -> Box<dyn Reader> {
        // An error says that it was closed already.
        let _ = self.storage.close();
        let storage = connect(&self.path, WalSyncMode::PerAppend);
        Box::new(Selects { storage, keys: self.keys.clone(), answer: Vec::new(), buffers: Points::default() })
    }
}

struct Selects {
    storage: Arc<dyn Storage>,
    keys: Vec<String>,
    answer: Vec<DataPoint>,
    buffers: Points,
}

impl Drop for Selects {
    fn drop(&mut self) {
        let _ = self.storage.close();
    }
}

impl Reader for Selects {
    fn has_steps(&self) -> bool {
        false
    }

    fn all(&mut self, metric: usize) -> View<'_> {
        self.by_time(metric, 0..i64::MAX)
    }

    fn by_step(&mut self, _metric: usize, _range: Range<i64>) -> View<'_> {
        self.buffers.clear();
        self.buffers.view()
    }

    fn by_time(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        let key = self.keys[metric].as_str();
        self.storage.select_into(key, &[], range.start, range.end, &mut self.answer).unwrap();
        self.buffers.clear();
        self.buffers.times.extend(self.answer.iter().map(|point| point.timestamp));
        self.buffers.values.extend(self.answer.iter().map(|point| point.value_as_f64().unwrap_or(f64::NAN)));
        View { steps: &[], times: &self.buffers.times, values: &self.buffers.values }
    }

    fn latest(&mut self, _metric: usize) -> Option<f64> {
        None
    }
}
