//! Finding runs among many short ones that have ended: Trackway beside SQLite, whose tables have indices on latest values
//! and on params. Both answer with the same runs and all their values.

#[path = "../../support/runs.rs"]
mod runs;

use crate::measure::{self, Bench, disk_usage, mean_seconds};
use crate::table::Table;
use runs::{PARAMS, best, metric, param, unit, value, with_params};
use rusqlite::{Connection, OpenFlags, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trackway::{KeyMap, NewRun, RunOrder, RunQuery, Store, StoreOptions};

const METRICS: usize = 20;
const PAGE: usize = 100;
const BOUND: f64 = 0.5;

/// Name, params and metrics of the runs of a page, in order.
type Page = Vec<(String, BTreeMap<String, String>, BTreeMap<String, f64>)>;

/// Runs a second, one acknowledged after the other, and seconds until all is settled.
fn log_trackway(path: &Path, runs: usize) -> (f64, f64) {
    let store = Store::open(path).unwrap();
    let experiment = store.experiment_or_create("sweep").unwrap();
    let names: Vec<String> = (0..METRICS).map(metric).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let seconds = measure::seconds(|| {
        for number in 0..runs {
            let run = store.create_run(with_params(NewRun::new(experiment), number)).unwrap();
            let values: [f64; METRICS] = std::array::from_fn(|metric| unit(number, metric));
            run.row(&names).unwrap().log(1, &values).unwrap();
            run.finish().unwrap();
        }
    });
    let settling = measure::seconds(|| {
        store.compact(&mut |_| {}).unwrap();
        store.close().unwrap();
    });
    (runs as f64 / seconds, settling)
}

fn connect(path: &Path, read_only: bool) -> Connection {
    if read_only {
        return Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    }
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         CREATE TABLE runs (run INTEGER PRIMARY KEY, name TEXT, status TEXT, start INTEGER);
         CREATE TABLE latest (run INTEGER, key TEXT, value REAL, step INTEGER, time INTEGER, PRIMARY KEY (run, key)) WITHOUT ROWID;
         CREATE TABLE params (run INTEGER, key TEXT, value TEXT, PRIMARY KEY (run, key)) WITHOUT ROWID;
         CREATE INDEX latest_by_value ON latest (key, value);
         CREATE INDEX params_by_value ON params (key, value);
         CREATE INDEX runs_by_start ON runs (start);",
    )
    .unwrap();
    db
}

/// One transaction a run: what was acknowledged survives a kill.
fn log_sqlite(path: &Path, runs: usize) -> (f64, f64) {
    let mut db = connect(path, false);
    let seconds = measure::seconds(|| {
        for number in 0..runs {
            let call = db.transaction().unwrap();
            let mut run = call.prepare_cached("INSERT INTO runs VALUES (?1, ?2, 'FINISHED', ?3)").unwrap();
            run.execute(params![number as i64, format!("run {number}"), number as i64]).unwrap();
            let mut latest = call.prepare_cached("INSERT INTO latest VALUES (?1, ?2, ?3, 1, ?4)").unwrap();
            for at in 0..METRICS {
                latest.execute(params![number as i64, metric(at), unit(number, at), number as i64]).unwrap();
            }
            let mut insert = call.prepare_cached("INSERT INTO params VALUES (?1, ?2, ?3)").unwrap();
            for at in 0..PARAMS {
                insert.execute(params![number as i64, param(at), value(number, at)]).unwrap();
            }
            drop((run, latest, insert));
            call.commit().unwrap();
        }
    });
    let settling = measure::seconds(|| db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); ANALYZE;").unwrap());
    (runs as f64 / seconds, settling)
}

fn ask_trackway(store: &Store, query: &RunQuery) -> Page {
    let runs = store.search(query).unwrap().runs.into_iter();
    let texts =
        |map: &KeyMap<String>| map.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    let latest = |metrics: &KeyMap<trackway::MetricSummary>| {
        metrics.iter().map(|(key, known)| (key.to_string(), known.latest.value)).collect()
    };
    runs.map(|run| (run.name, texts(&run.params), latest(&run.metrics))).collect()
}

const BEST: &str =
    "SELECT r.run, r.name FROM params p JOIN latest a ON a.run = p.run AND a.key = 'acc' AND a.value > ?1
    JOIN latest l ON l.run = p.run AND l.key = 'loss' JOIN runs r ON r.run = p.run
    WHERE p.key = 'lr' AND p.value = '3' ORDER BY l.value LIMIT 100";
const BY_LOSS: &str = "SELECT r.run, r.name FROM latest l JOIN runs r ON r.run = l.run
    WHERE l.key = 'loss' AND l.value > ?1 ORDER BY l.value LIMIT 100";

fn ask_sqlite(db: &Connection, question: &str, bound: f64) -> Page {
    let mut found = db.prepare_cached(question).unwrap();
    let rows = found.query_map([bound], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    let mut params = db.prepare_cached("SELECT key, value FROM params WHERE run = ?1").unwrap();
    let mut latest = db.prepare_cached("SELECT key, value FROM latest WHERE run = ?1").unwrap();
    rows.map(|row| {
        let (run, name) = row.unwrap();
        let of = params.query_map([run], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let of: BTreeMap<String, String> = of.map(Result::unwrap).collect();
        let values = latest.query_map([run], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        (name, of, values.map(Result::unwrap).collect())
    })
    .collect()
}

fn open(path: &Path) -> Store {
    StoreOptions::new().read_only(true).open(path).unwrap()
}

/// Asks the system to forget what it keeps of the files in memory.
fn forget(path: &Path) {
    let files: Vec<PathBuf> = if path.is_dir() {
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect()
    } else {
        vec![path.to_path_buf()]
    };
    for file in files.iter().filter(|file| file.is_file()) {
        let file = std::fs::File::open(file).unwrap();
        rustix::fs::fsync(&file).unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }
}

fn files_below(path: &Path) -> usize {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

pub(crate) fn search(bench: &Bench) {
    let runs = bench.size(100_000, 2_000);
    let folder = bench.folder();
    let (ours, theirs) = (folder.path().join("trackway"), folder.path().join("runs.db"));
    let (our_rate, our_settling) = log_trackway(&ours, runs);
    eprintln!("search: {runs} runs in trackway, {our_rate:.0} a second");
    let (their_rate, their_settling) = log_sqlite(&theirs, runs);
    eprintln!("search: {runs} runs in SQLite, {their_rate:.0} a second");
    bench.quiet();

    let mut table = Table::new(&format!("Finding runs among {runs}"), &["what", "", "Trackway", "SQLite"]);
    table.note("20 metrics and 5 params a run; all values of the runs on a page are read.");
    let rate = |rate: f64| format!("{rate:.0}/s");
    table.row(vec!["create, log, finish".into(), "K".into(), rate(our_rate), rate(their_rate)]);
    let settled = |seconds: f64| format!("{seconds:.1} s");
    table.row(vec!["compact; checkpoint".into(), String::new(), settled(our_settling), settled(their_settling)]);

    let cold = |path: &Path, forgotten: &Path, ask: &dyn Fn(&Path) -> Page| {
        let mut samples = measure::Samples::default();
        for _ in 0..bench.rounds {
            forget(forgotten);
            samples.0.push(measure::seconds(|| assert!(!ask(path).is_empty())));
        }
        milliseconds(samples.median())
    };
    let first = |path: &Path| ask_trackway(&open(path), &best(PAGE));
    let their_first = |path: &Path| ask_sqlite(&connect(path, true), BEST, BOUND);
    let catalog = ours.join("catalog");
    table.row(vec![
        "open and search, from the disk".into(),
        String::new(),
        cold(&ours, &catalog, &first),
        cold(&theirs, &theirs, &their_first),
    ]);
    let (store, db) = (open(&ours), connect(&theirs, true));
    assert_eq!(ask_trackway(&store, &best(PAGE)), ask_sqlite(&db, BEST, BOUND), "both find the same");
    let time = Duration::from_millis(if bench.quick { 20 } else { 1000 });
    let mean = |call: &dyn Fn()| {
        let mut samples = measure::Samples::default();
        (0..bench.rounds).for_each(|_| samples.0.push(mean_seconds(time, |_| call())));
        milliseconds(samples.median())
    };
    table.row(vec![
        "acc > 0.5 and lr = '3', 100 best by loss".into(),
        String::new(),
        mean(&|| assert!(!store.search(&best(PAGE)).unwrap().runs.is_empty())),
        mean(&|| assert!(!ask_sqlite(&db, BEST, BOUND).is_empty())),
    ]);
    let mut page =
        RunQuery { order: RunOrder::new(&["metrics.loss"]).unwrap(), limit: Some(runs / 2), ..RunQuery::default() };
    let half = store.search(&page).unwrap();
    let bound = half.runs.last().unwrap().metrics["loss"].latest.value;
    (page.after, page.limit) = (half.next, Some(PAGE));
    assert_eq!(ask_trackway(&store, &page), ask_sqlite(&db, BY_LOSS, bound), "both find the same");
    table.row(vec![
        "a page in the middle of all by loss".into(),
        String::new(),
        mean(&|| assert!(!store.search(&page).unwrap().runs.is_empty())),
        mean(&|| assert!(!ask_sqlite(&db, BY_LOSS, bound).is_empty())),
    ]);
    let bytes = |path: &Path| {
        let (lengths, blocks) = if path.is_dir() {
            disk_usage(path)
        } else {
            let len = std::fs::metadata(path).unwrap().len();
            (len, len)
        };
        format!("{} ({} of blocks)", lengths / runs as u64, blocks / runs as u64)
    };
    table.row(vec!["bytes a run".into(), String::new(), bytes(&ours), bytes(&theirs)]);
    let catalog = std::fs::metadata(ours.join("catalog/catalog.tw")).unwrap().len() / runs as u64;
    table.row(vec!["of that the catalog".into(), String::new(), catalog.to_string(), String::new()]);
    table.row(vec!["files".into(), String::new(), files_below(&ours).to_string(), "1".into()]);
    table.print();
}
