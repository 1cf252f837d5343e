//! SQLite through rusqlite: WAL, prepared statements, points clustered by (series, step, time).
//!
//! A transaction a point means autocommit: the statement is the transaction. The primary key is the table; a store
//! that is read gets an index by time as well, which no append has to pay for. Points of equal series, step and time
//! would replace each other, which a tracker could not allow; it makes the key smaller, in SQLite's favour.

use crate::peer::{Class, Contestant, Part, Reader, Setup, Store};
use crate::workload::{Chart, Points, View, time, value};
use rusqlite::{Connection, Rows, params};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const INSERT: &str = "INSERT OR REPLACE INTO points VALUES (?1, ?2, ?3, ?4)";
const BATCH: usize = 1000;

pub(crate) fn contestants() -> Vec<Contestant> {
    let all = Part { append: true, bulk: true, read: true };
    let append = Part { append: true, bulk: false, read: false };
    vec![
        Contestant {
            store: "SQLite",
            way: "WAL, batches of 1,000",
            class: Class::Buffered,
            part: all,
            open: open_batches,
        },
        Contestant {
            store: "SQLite",
            way: "WAL, synchronous=NORMAL",
            class: Class::Kill,
            part: append,
            open: open_normal,
        },
        Contestant {
            store: "SQLite",
            way: "WAL, synchronous=FULL",
            class: Class::Power,
            part: append,
            open: open_full,
        },
    ]
}

fn open_batches(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, "NORMAL", BATCH)
}

fn open_normal(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, "NORMAL", 1)
}

fn open_full(setup: &Setup<'_>) -> Box<dyn Store> {
    open(setup, "FULL", 1)
}

fn open(setup: &Setup<'_>, synchronous: &str, batch: usize) -> Box<dyn Store> {
    let path = setup.dir.join("points.sqlite");
    let connection = connect(&path);
    connection.pragma_update(None, "synchronous", synchronous).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE points (series INTEGER NOT NULL, step INTEGER NOT NULL, time INTEGER NOT NULL,
                value REAL, PRIMARY KEY (series, step, time)) WITHOUT ROWID;
             CREATE TABLE series (id INTEGER PRIMARY KEY, key TEXT NOT NULL);",
        )
        .unwrap();
    for (id, key) in setup.keys.iter().enumerate() {
        connection.execute("INSERT INTO series VALUES (?1, ?2)", params![id as i64, key]).unwrap();
    }
    let inner = Mutex::new(Inner { connection, open: 0 });
    Box::new(Database { inner, path, metrics: setup.keys.len(), threads: setup.threads, by_time: setup.by_time, batch })
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "cache_size", -262_144).unwrap();
    connection.pragma_update(None, "mmap_size", 8_i64 << 30).unwrap();
    connection
}

struct Database {
    /// One connection for all threads: SQLite has one writer at a time, and waiting here costs less than its retries.
    inner: Mutex<Inner>,
    path: PathBuf,
    metrics: usize,
    threads: usize,
    by_time: bool,
    batch: usize,
}

struct Inner {
    connection: Connection,
    /// Points in the open transaction.
    open: usize,
}

impl Inner {
    /// Inserts points; begins and commits transactions of `batch` points, or leaves that to the statement.
    fn insert(&mut self, batch: usize, points: impl Iterator<Item = (usize, i64)>) {
        let mut statement = self.connection.prepare_cached(INSERT).unwrap();
        for (metric, step) in points {
            if batch > 1 && self.open == 0 {
                self.connection.prepare_cached("BEGIN").unwrap().execute([]).unwrap();
            }
            statement.execute(params![metric as i64, step, time(step), value(metric, step)]).unwrap();
            self.open += 1;
            if batch > 1 && self.open >= batch {
                self.connection.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
                self.open = 0;
            }
        }
    }
}

impl Store for Database {
    fn points(&self, metrics: Range<usize>, steps: Range<i64>) {
        let points = steps.flat_map(|step| metrics.clone().map(move |metric| (metric, step)));
        if self.threads == 1 {
            return self.inner.lock().unwrap().insert(self.batch, points);
        }
        points.for_each(|point| self.inner.lock().unwrap().insert(self.batch, [point].into_iter()));
    }

    fn rows(&self, steps: Range<i64>) {
        let mut inner = self.inner.lock().unwrap();
        if self.batch > 1 {
            let metrics = 0..self.metrics;
            return inner.insert(self.batch, steps.flat_map(|step| metrics.clone().map(move |metric| (metric, step))));
        }
        for step in steps {
            inner.open = 0;
            inner.insert(self.metrics, (0..self.metrics).map(|metric| (metric, step)));
        }
    }

    fn commit(&self) {
        let mut inner = self.inner.lock().unwrap();
        if self.batch > 1 && inner.open > 0 {
            inner.connection.execute_batch("COMMIT").unwrap();
        }
        inner.open = 0;
    }

    fn bulk(&self, metric: usize, points: View<'_>) {
        let mut inner = self.inner.lock().unwrap();
        let transaction = inner.connection.transaction().unwrap();
        let mut statement = transaction.prepare_cached(INSERT).unwrap();
        for at in 0..points.values.len() {
            statement.execute(params![metric as i64, points.steps[at], points.times[at], points.values[at]]).unwrap();
        }
        drop(statement);
        transaction.commit().unwrap();
    }

    fn sync(&self) {
        // Moves the log into the file and syncs both.
        let inner = self.inner.lock().unwrap();
        inner.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }

    fn reader(self: Box<Self>) -> Box<dyn Reader> {
        self.commit();
        let Inner { connection, .. } = self.inner.into_inner().unwrap();
        if self.by_time {
            connection.execute_batch("CREATE INDEX by_time ON points (series, time, step, value)").unwrap();
        }
        connection.execute_batch("ANALYZE").unwrap();
        drop(connection);
        Box::new(Queries { connection: connect(&self.path), buffers: Points::default() })
    }
}

struct Queries {
    connection: Connection,
    buffers: Points,
}

fn fill(mut rows: Rows<'_>, into: &mut Points) {
    into.clear();
    while let Some(row) = rows.next().unwrap() {
        // SQLite has no NaN: it stores NULL.
        let value: Option<f64> = row.get(2).unwrap();
        into.push(row.get(0).unwrap(), row.get(1).unwrap(), value.unwrap_or(f64::NAN));
    }
}

impl Reader for Queries {
    fn all(&mut self, metric: usize) -> View<'_> {
        let sql = "SELECT step, time, value FROM points WHERE series = ?1 ORDER BY step, time";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        fill(statement.query([metric as i64]).unwrap(), &mut self.buffers);
        self.buffers.view()
    }

    fn by_step(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        let sql = "SELECT step, time, value FROM points WHERE series = ?1 AND step >= ?2 AND step < ?3 ORDER BY step";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        fill(statement.query([metric as i64, range.start, range.end]).unwrap(), &mut self.buffers);
        self.buffers.view()
    }

    fn by_time(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        let sql = "SELECT step, time, value FROM points INDEXED BY by_time
            WHERE series = ?1 AND time >= ?2 AND time < ?3 ORDER BY time";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        fill(statement.query([metric as i64, range.start, range.end]).unwrap(), &mut self.buffers);
        self.buffers.view()
    }

    fn latest(&mut self, metric: usize) -> Option<f64> {
        let sql = "SELECT value FROM points WHERE series = ?1 ORDER BY step DESC, time DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        statement.query_row([metric as i64], |row| row.get(0)).ok()
    }

    fn chart(&mut self, metric: usize, chart: &mut Chart) {
        let sql = "SELECT step, value FROM points WHERE series = ?1 ORDER BY step, time";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let mut rows = statement.query([metric as i64]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            chart.push(row.get(0).unwrap(), row.get(1).unwrap());
        }
    }
}
