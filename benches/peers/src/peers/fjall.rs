//! fjall: one keyspace whose key is (series, step, time) in 20 bytes that sort as the numbers do, and whose value is
//! the f64. A store that is read has a second keyspace by (series, time, step), which no append has to pay for.

use crate::peer::{Class, Contestant, Part, Reader, Setup, Store};
use crate::peers::redb::{key, numbers};
use crate::workload::{Chart, Points, View, time, value};
use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::ops::Range;
use std::path::{Path, PathBuf};

const CACHE: u64 = 1 << 30;

pub(crate) fn contestants() -> Vec<Contestant> {
    let all = Part { append: true, bulk: true, read: true };
    let append = Part { append: true, bulk: false, read: false };
    vec![
        Contestant { store: "fjall", way: "", class: Class::Kill, part: all, open: open_buffer },
        Contestant { store: "fjall", way: "SyncData a call", class: Class::Power, part: append, open: open_sync },
    ]
}

fn open_buffer(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, PersistMode::Buffer)
}

fn open_sync(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, PersistMode::SyncData)
}

fn open(setup: &Setup<'_>, mode: PersistMode) -> Box<dyn Store> {
    let path = setup.dir.join("points");
    let (database, by_step) = connect(&path, "by_step");
    Box::new(Journal { database, by_step, path, metrics: setup.keys.len(), by_time: setup.by_time, mode })
}

fn connect(path: &Path, name: &str) -> (Database, Keyspace) {
    let database = Database::builder(path).cache_size(CACHE).open().unwrap();
    let keyspace = database.keyspace(name, KeyspaceCreateOptions::default).unwrap();
    (database, keyspace)
}

struct Journal {
    database: Database,
    by_step: Keyspace,
    path: PathBuf,
    metrics: usize,
    by_time: bool,
    mode: PersistMode,
}

impl Store for Journal {
    fn points(&self, metrics: Range<usize>, steps: Range<i64>) {
        for step in steps {
            for metric in metrics.clone() {
                let bytes = value(metric, step).to_le_bytes();
                self.by_step.insert(key(metric, step, time(step)), bytes).unwrap();
                if self.mode != PersistMode::Buffer {
                    self.database.persist(self.mode).unwrap();
                }
            }
        }
    }

    fn rows(&self, steps: Range<i64>) {
        for step in steps {
            let mut batch = self.database.batch().durability(Some(self.mode));
            for metric in 0..self.metrics {
                batch.insert(&self.by_step, key(metric, step, time(step)), value(metric, step).to_le_bytes());
            }
            batch.commit().unwrap();
        }
    }

    fn bulk(&self, metric: usize, points: View<'_>) {
        let mut load = self.by_step.start_ingestion().unwrap();
        for at in 0..points.values.len() {
            let bytes = points.values[at].to_le_bytes();
            load.write(key(metric, points.steps[at], points.times[at]), bytes).unwrap();
        }
        load.finish().unwrap();
    }

    fn sync(&self) {
        self.database.persist(PersistMode::SyncAll).unwrap();
    }

    fn reader(self: Box<Self>) -> Box<dyn Reader> {
        let Self { database, by_step, path, metrics, by_time: indexed, .. } = *self;
        let by_time = database.keyspace("by_time", KeyspaceCreateOptions::default).unwrap();
        let mut load = by_time.start_ingestion().unwrap();
        for metric in 0..if indexed { metrics } else { 0 } {
            // By time order differs from step order only where the clock went back.
            let mut swapped: Vec<_> = by_step
                .range(key(metric, i64::MIN, i64::MIN)..key(metric + 1, i64::MIN, i64::MIN))
                .map(|entry| {
                    let (old, value) = entry.into_inner().unwrap();
                    let (step, time) = numbers(&old);
                    (key(metric, time, step), value)
                })
                .collect();
            swapped.sort_by_key(|(key, _)| *key);
            swapped.into_iter().for_each(|(key, value)| load.write(key, value).unwrap());
        }
        load.finish().unwrap();
        by_step.rotate_memtable_and_wait().unwrap();
        by_step.major_compact().unwrap();
        by_time.major_compact().unwrap();
        database.persist(PersistMode::SyncAll).unwrap();
        drop((by_step, by_time, database));
        let (database, by_step) = connect(&path, "by_step");
        let by_time = database.keyspace("by_time", KeyspaceCreateOptions::default).unwrap();
        Box::new(Ranges { _database: database, by_step, by_time, buffers: Points::default() })
    }
}

struct Ranges {
    _database: Database,
    by_step: Keyspace,
    by_time: Keyspace,
    buffers: Points,
}

fn number(value: &[u8]) -> f64 {
    value.try_into().map_or(f64::NAN, f64::from_le_bytes)
}

impl Reader for Ranges {
    fn all(&mut self, metric: usize) -> View<'_> {
        self.by_step(metric, i64::MIN..i64::MAX)
    }

    fn by_step(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.buffers.clear();
        for entry in self.by_step.range(key(metric, range.start, i64::MIN)..key(metric, range.end, i64::MIN)) {
            let (key, value) = entry.into_inner().unwrap();
            let (step, time) = numbers(&key);
            self.buffers.push(step, time, number(&value));
        }
        self.buffers.view()
    }

    fn by_time(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.buffers.clear();
        for entry in self.by_time.range(key(metric, range.start, i64::MIN)..key(metric, range.end, i64::MIN)) {
            let (key, value) = entry.into_inner().unwrap();
            let (time, step) = numbers(&key);
            self.buffers.push(step, time, number(&value));
        }
        self.buffers.view()
    }

    fn latest(&mut self, metric: usize) -> Option<f64> {
        let mut range = self.by_step.range(key(metric, i64::MIN, i64::MIN)..key(metric + 1, i64::MIN, i64::MIN));
        range.next_back().map(|entry| number(&entry.value().unwrap()))
    }

    fn chart(&mut self, metric: usize, chart: &mut Chart) {
        for entry in self.by_step.range(key(metric, i64::MIN, i64::MIN)..key(metric + 1, i64::MIN, i64::MIN)) {
            let (key, value) = entry.into_inner().unwrap();
            chart.push(numbers(&key).0, number(&value));
        }
    }
}
