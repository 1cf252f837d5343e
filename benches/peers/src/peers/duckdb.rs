//! DuckDB (feature `duckdb`, since its C++ takes long to compile): one table of (series, step, time, value).
//!
//! One point a call is a prepared INSERT, which is a transaction of its own; rows and bulk loads go through its
//! appender, in record batches where they are given as columns. No index: its zone maps serve ranges of sorted data.

use crate::peer::{Class, Contestant, Part, Reader, Setup, Store};
use crate::workload::{Chart, Points, View, time, value};
use ::duckdb::arrow::array::{Array, ArrayRef, Float64Array, Int64Array};
use ::duckdb::arrow::datatypes::{DataType, Field, Schema};
use ::duckdb::arrow::record_batch::RecordBatch;
use ::duckdb::{Connection, ToSql, params};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const TABLE: &str =
    "CREATE TABLE points (series BIGINT NOT NULL, step BIGINT NOT NULL, time BIGINT NOT NULL, value DOUBLE)";

/// Rows of a batch given to the appender.
const BATCH: usize = 122_880;

pub(crate) fn contestants() -> Vec<Contestant> {
    let part = Part { append: true, bulk: true, read: true };
    vec![Contestant { store: "DuckDB", way: "a transaction a call", class: Class::Power, part, open }]
}

fn open(setup: &Setup<'_>) -> Box<dyn Store> {
    let path = setup.dir.join("points.duckdb");
    let connection = connect(&path);
    connection.execute_batch(TABLE).unwrap();
    Box::new(Database { connection: Mutex::new(connection), path, metrics: setup.keys.len() })
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    // One core, as everybody who reads here.
    connection.execute_batch("SET threads = 1").unwrap();
    connection
}

struct Database {
    connection: Mutex<Connection>,
    path: PathBuf,
    metrics: usize,
}

impl Store for Database {
    fn points(&self, metrics: Range<usize>, steps: Range<i64>) {
        for step in steps {
            for metric in metrics.clone() {
                let connection = self.connection.lock().unwrap();
                let mut insert = connection.prepare_cached("INSERT INTO points VALUES (?, ?, ?, ?)").unwrap();
                insert.execute(params![metric as i64, step, time(step), value(metric, step)]).unwrap();
            }
        }
    }

    fn rows(&self, steps: Range<i64>) {
        let connection = self.connection.lock().unwrap();
        for step in steps {
            let mut appender = connection.appender("points").unwrap();
            for metric in 0..self.metrics {
                let row: [&dyn ToSql; 4] = [&(metric as i64), &step, &time(step), &value(metric, step)];
                appender.append_row(row.as_slice()).unwrap();
            }
            appender.flush().unwrap();
        }
    }

    fn bulk(&self, metric: usize, points: View<'_>) {
        let connection = self.connection.lock().unwrap();
        let mut appender = connection.appender("points").unwrap();
        let field = |name: &str, kind: DataType, nullable: bool| Field::new(name, kind, nullable);
        let schema = Arc::new(Schema::new(vec![
            field("series", DataType::Int64, false),
            field("step", DataType::Int64, false),
            field("time", DataType::Int64, false),
            field("value", DataType::Float64, true),
        ]));
        for start in (0..points.values.len()).step_by(BATCH) {
            let part = start..points.values.len().min(start + BATCH);
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from(vec![metric as i64; part.len()])),
                Arc::new(Int64Array::from(points.steps[part.clone()].to_vec())),
                Arc::new(Int64Array::from(points.times[part.clone()].to_vec())),
                Arc::new(Float64Array::from(points.values[part].to_vec())),
            ];
            appender.append_record_batch(RecordBatch::try_new(schema.clone(), columns).unwrap()).unwrap();
        }
        appender.flush().unwrap();
    }

    fn sync(&self) {
        self.connection.lock().unwrap().execute_batch("CHECKPOINT").unwrap();
    }

    fn reader(self: Box<Self>) -> Box<dyn Reader> {
        let connection = self.connection.into_inner().unwrap();
        // Sorted, as the other stores are; what was loaded in order is so already, and this does not take it long.
        connection
            .execute_batch(
                "CREATE TABLE sorted AS SELECT * FROM points ORDER BY series, step, time;
                 DROP TABLE points; ALTER TABLE sorted RENAME TO points; CHECKPOINT",
            )
            .unwrap();
        drop(connection);
        Box::new(Queries { connection: connect(&self.path), buffers: Points::default() })
    }
}

struct Queries {
    connection: Connection,
    buffers: Points,
}

impl Queries {
    fn fill(&mut self, condition: &str, arguments: &[&dyn ToSql]) -> View<'_> {
        let sql = format!("SELECT step, time, value FROM points WHERE series = ? {condition}");
        let mut statement = self.connection.prepare_cached(&sql).unwrap();
        self.buffers.clear();
        for batch in statement.query_arrow(arguments).unwrap() {
            self.buffers.steps.extend_from_slice(integers(batch.column(0)));
            self.buffers.times.extend_from_slice(integers(batch.column(1)));
            self.buffers.values.extend_from_slice(floats(batch.column(2)));
        }
        self.buffers.view()
    }
}

fn integers(column: &ArrayRef) -> &[i64] {
    column.as_any().downcast_ref::<Int64Array>().unwrap().values()
}

fn floats(column: &ArrayRef) -> &[f64] {
    column.as_any().downcast_ref::<Float64Array>().unwrap().values()
}

impl Reader for Queries {
    fn all(&mut self, metric: usize) -> View<'_> {
        self.fill("", &[&(metric as i64)])
    }

    fn by_step(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.fill("AND step >= ? AND step < ?", &[&(metric as i64), &range.start, &range.end])
    }

    fn by_time(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.fill("AND time >= ? AND time < ?", &[&(metric as i64), &range.start, &range.end])
    }

    fn latest(&mut self, metric: usize) -> Option<f64> {
        let sql = "SELECT value FROM points WHERE series = ? ORDER BY step DESC, time DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        statement.query_row([metric as i64], |row| row.get(0)).ok()
    }

    fn chart(&mut self, metric: usize, chart: &mut Chart) {
        let sql = "SELECT step, value FROM points WHERE series = ? ORDER BY step";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        for batch in statement.stream_arrow([metric as i64]).unwrap() {
            let batch = batch.unwrap();
            chart.scan(integers(batch.column(0)), floats(batch.column(1)));
        }
    }
}
