//! redb: one table whose key is (series, step, time) in 20 bytes that sort as the numbers do, and whose value is the
//! f64. A store that is read has a second table by (series, time, step), which no append has to pay for.

use crate::peer::{Class, Contestant, Part, Reader, Setup, Store};
use crate::workload::{Chart, Points, View, time, value};
use ::redb::{
    Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

/// Series, then two numbers with their signs turned, all big-endian.
pub(crate) type Key = [u8; 20];

const BY_STEP: TableDefinition<'_, Key, f64> = TableDefinition::new("by_step");
const BY_TIME: TableDefinition<'_, Key, f64> = TableDefinition::new("by_time");
const BATCH: usize = 1000;
const CACHE: usize = 1 << 30;

pub(crate) fn contestants() -> Vec<Contestant> {
    let all = Part { append: true, bulk: true, read: true };
    let append = Part { append: true, bulk: false, read: false };
    vec![
        Contestant { store: "redb", way: "batches of 1,000", class: Class::Buffered, part: append, open: open_batches },
        Contestant { store: "redb", way: "Durability::None", class: Class::Buffered, part: append, open: open_none },
        Contestant {
            store: "redb",
            way: "Durability::Immediate",
            class: Class::Power,
            part: all,
            open: open_immediate,
        },
    ]
}

fn open_batches(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, Durability::Immediate, BATCH)
}

fn open_none(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, Durability::None, 1)
}

fn open_immediate(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, Durability::Immediate, 1)
}

fn open(setup: &Setup<'_>, durability: Durability, batch: usize) -> Box<dyn Store> {
    let path = setup.dir.join("points.redb");
    let database = Database::builder().set_cache_size(CACHE).create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(BY_STEP).unwrap();
    write.commit().unwrap();
    Box::new(Tree {
        database,
        path,
        metrics: setup.keys.len(),
        durability,
        batch,
        by_time: setup.by_time,
        open: Mutex::default(),
    })
}

/// The key that sorts by series, then `first`, then `second`.
#[inline]
pub(crate) fn key(series: usize, first: i64, second: i64) -> Key {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&(series as u32).to_be_bytes());
    key[4..12].copy_from_slice(&(first as u64 ^ 1 << 63).to_be_bytes());
    key[12..].copy_from_slice(&(second as u64 ^ 1 << 63).to_be_bytes());
    key
}

/// The two numbers of a key.
#[inline]
pub(crate) fn numbers(key: &[u8]) -> (i64, i64) {
    let number = |at: usize| {
        let bytes = key.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        (u64::from_be_bytes(bytes) ^ 1 << 63) as i64
    };
    (number(4), number(12))
}

struct Tree {
    database: Database,
    path: PathBuf,
    metrics: usize,
    durability: Durability,
    batch: usize,
    by_time: bool,
    /// The transaction of an open batch, and how many points it has.
    open: Mutex<Option<(WriteTransaction, usize)>>,
}

impl Tree {
    fn begin(&self) -> WriteTransaction {
        let mut write = self.database.begin_write().unwrap();
        write.set_durability(self.durability).unwrap();
        write
    }

    /// One transaction with these points.
    fn transact(&self, points: impl Iterator<Item = (usize, i64)>) {
        let write = self.begin();
        insert(&write, points);
        write.commit().unwrap();
    }

    /// Adds points to the open batch and commits it when it is full.
    fn add(&self, points: &[(usize, i64)]) {
        let mut open = self.open.lock().unwrap();
        let (write, count) = open.take().unwrap_or_else(|| (self.begin(), 0));
        insert(&write, points.iter().copied());
        let count = count + points.len();
        if count >= self.batch {
            write.commit().unwrap();
        } else {
            *open = Some((write, count));
        }
    }
}

fn insert(write: &WriteTransaction, points: impl Iterator<Item = (usize, i64)>) {
    let mut table = write.open_table(BY_STEP).unwrap();
    for (metric, step) in points {
        table.insert(key(metric, step, time(step)), value(metric, step)).unwrap();
    }
}

impl Store for Tree {
    fn points(&self, metrics: Range<usize>, steps: Range<i64>) {
        let points = steps.flat_map(|step| metrics.clone().map(move |metric| (metric, step)));
        if self.batch > 1 {
            // Collected by the caller, so that the table is opened once a batch.
            let points: Vec<_> = points.collect();
            return points.chunks(self.batch).for_each(|chunk| self.add(chunk));
        }
        points.for_each(|point| self.transact([point].into_iter()));
    }

    fn rows(&self, steps: Range<i64>) {
        for step in steps {
            let row = (0..self.metrics).map(|metric| (metric, step));
            if self.batch > 1 {
                self.add(&row.collect::<Vec<_>>());
            } else {
                self.transact(row);
            }
        }
    }

    fn commit(&self) {
        if let Some((write, _)) = self.open.lock().unwrap().take() {
            write.commit().unwrap();
        }
    }

    fn bulk(&self, metric: usize, points: View<'_>) {
        let write = self.begin();
        let mut table = write.open_table(BY_STEP).unwrap();
        for at in 0..points.values.len() {
            table.insert(key(metric, points.steps[at], points.times[at]), points.values[at]).unwrap();
        }
        drop(table);
        write.commit().unwrap();
    }

    fn sync(&self) {
        // Commits of bulk loads were durable.
    }

    fn reader(self: Box<Self>) -> Box<dyn Reader> {
        self.commit();
        let Self { mut database, path, by_time, .. } = *self;
        let write = database.begin_write().unwrap();
        if by_time {
            let from = write.open_table(BY_STEP).unwrap();
            let mut to = write.open_table(BY_TIME).unwrap();
            for entry in from.iter().unwrap() {
                let (old, value) = entry.unwrap();
                let (step, time) = numbers(&old.value());
                let series = u32::from_be_bytes(old.value()[..4].try_into().unwrap_or_default());
                to.insert(key(series as usize, time, step), value.value()).unwrap();
            }
        }
        write.commit().unwrap();
        database.compact().unwrap();
        drop(database);
        let database = Database::builder().set_cache_size(CACHE).open(&path).unwrap();
        let read = database.begin_read().unwrap();
        Box::new(Ranges { _database: database, read, buffers: Points::default() })
    }
}

struct Ranges {
    _database: Database,
    read: ReadTransaction,
    buffers: Points,
}

impl Reader for Ranges {
    fn all(&mut self, metric: usize) -> View<'_> {
        self.by_step(metric, i64::MIN..i64::MAX)
    }

    fn by_step(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.buffers.clear();
        let table = self.read.open_table(BY_STEP).unwrap();
        let range = key(metric, range.start, i64::MIN)..key(metric, range.end, i64::MIN);
        for entry in table.range(range).unwrap() {
            let (key, value) = entry.unwrap();
            let (step, time) = numbers(&key.value());
            self.buffers.push(step, time, value.value());
        }
        self.buffers.view()
    }

    fn by_time(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.buffers.clear();
        let table = self.read.open_table(BY_TIME).unwrap();
        let range = key(metric, range.start, i64::MIN)..key(metric, range.end, i64::MIN);
        for entry in table.range(range).unwrap() {
            let (key, value) = entry.unwrap();
            let (time, step) = numbers(&key.value());
            self.buffers.push(step, time, value.value());
        }
        self.buffers.view()
    }

    fn latest(&mut self, metric: usize) -> Option<f64> {
        let table = self.read.open_table(BY_STEP).unwrap();
        let mut range = table.range(key(metric, i64::MIN, i64::MIN)..key(metric + 1, i64::MIN, i64::MIN)).unwrap();
        range.next_back().map(|entry| entry.unwrap().1.value())
    }

    fn chart(&mut self, metric: usize, chart: &mut Chart) {
        let table = self.read.open_table(BY_STEP).unwrap();
        for entry in table.range(key(metric, i64::MIN, i64::MIN)..key(metric + 1, i64::MIN, i64::MIN)).unwrap() {
            let (key, value) = entry.unwrap();
            chart.push(numbers(&key.value()).0, value.value());
        }
    }
}
