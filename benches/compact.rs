//! Sealing and compaction of points logged one by one, in rows, and in columns: million points a second, by the clock
//! and by the processor time of the thread, which also waits for the medium.
//!
//! Not a criterion benchmark: each round needs a store of its own, and the processor time counts. Run with the names of
//! the kinds that are wanted:
//!
//! ```text
//! cargo bench --bench compact
//! cargo bench --bench compact -- points rows
//! ```
//!
//! `live` is another question: how many bytes go to segments while a run of that many logs lives and then ends, for
//! each byte that it ends with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

#[path = "support/values.rs"]
mod values;

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};
use trackway::{ExperimentId, NewRun, RunWriter, StoreOptions};
use values::{loss, time};

const ROUNDS: usize = 5;
const ROW: usize = 100;
const METRICS: usize = 20;
const LIVE_LOG: u64 = 1 << 20;

type LogPoints = fn(&RunWriter, i64);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    // `cargo bench -- --test` wants to know that it runs.
    let test = std::env::args().any(|word| word == "--test");
    let (points, rounds) = if test { (200_000, 1) } else { (6_000_000, ROUNDS) };
    let kinds: [(&str, LogPoints); 3] = [("points", log_points), ("rows", log_rows), ("columns", log_columns)];
    println!("million points a second and core (and by the clock), medians of {rounds}: {points} points");
    for (name, log) in kinds.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|word| word == name)) {
        let mut rates: [Vec<[f64; 2]>; 2] = Default::default();
        for _ in 0..rounds {
            let took = round(*log, points);
            for (rates, took) in rates.iter_mut().zip(took) {
                rates.push(took.map(|time| points as f64 / 1e6 / time.as_secs_f64()));
            }
        }
        let [seal, compact] = rates.map(|rates| [0, 1].map(|of| median(rates.iter().map(|rate| rate[of]).collect())));
        let [[seal, seal_by_clock], [compact, compact_by_clock]] = [seal, compact];
        println!(
            "{name:<8} seal {seal:>6.1} ({seal_by_clock:>6.1})   compaction {compact:>6.1} ({compact_by_clock:>6.1})"
        );
    }
    if words.is_empty() || words.iter().any(|word| word == "live") {
        for logs in if test { &[3][..] } else { &[48, 150, 400] } {
            println!("live, {logs} logs: {:.2} bytes written for each that it ends with", live(*logs));
        }
    }
}

/// Bytes written to segments for each byte that the run ends with. Logs are mapped, so that what this process hands to
/// the system in calls is segments, and some kilobytes of the catalog.
fn live(logs: i64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreOptions::new().log_bytes(LIVE_LOG).open(dir.path()).unwrap();
    let writer = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let before = handed_over();
    let row = writer.row(&["loss", "lr", "grad", "acc"]).unwrap();
    // A row is some 50 bytes in a log.
    let rows = LIVE_LOG as i64 / 50;
    for step in 0..logs * rows {
        row.log_at(step, time(step), &[loss(step), step as f64, loss(-step), loss(step ^ 1)]).unwrap();
        if step % rows == 0 {
            // Maintenance must not fall behind, or it would find the logs all at once.
            std::thread::sleep(Duration::from_millis(30));
        }
    }
    writer.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    let written = handed_over() - before;
    written as f64 / store.statistics().unwrap().bytes as f64
}

fn handed_over() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// What sealing and compaction of so many points took: processor time of this thread, and time.
fn round(log: LogPoints, points: i64) -> [[Duration; 2]; 2] {
    let dir = tempfile::tempdir().unwrap();
    // Without background threads all of the work is done here.
    let options = || StoreOptions::new().background(false);
    let store = options().open(dir.path()).unwrap();
    let writer = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    log(&writer, points);
    // Syncing is no part of sealing.
    writer.sync().unwrap();
    writer.finish().unwrap();
    let seal = timed(|| store.close().unwrap());
    let store = options().open(dir.path()).unwrap();
    let compact = timed(|| assert_eq!(store.compact(&mut |_| {}).unwrap().runs, 1));
    [seal, compact]
}

fn timed(work: impl FnOnce()) -> [Duration; 2] {
    let processor = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let (start, begun) = (Instant::now(), processor());
    work();
    [processor() - begun, start.elapsed()]
}

fn log_points(writer: &RunWriter, points: i64) {
    let metrics: Vec<_> = (0..METRICS).map(|k| writer.metric(&format!("metric/{k}")).unwrap()).collect();
    for step in 0..points / METRICS as i64 {
        for (k, metric) in metrics.iter().enumerate() {
            metric.log_at(step, time(step) + k as i64 / 7, loss(step * METRICS as i64 + k as i64)).unwrap();
        }
    }
}

fn log_rows(writer: &RunWriter, points: i64) {
    let names: Vec<String> = (0..ROW).map(|k| format!("metric/{k}")).collect();
    let row = writer.row(&names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    for step in 0..points / ROW as i64 {
        let values: [f64; ROW] = std::array::from_fn(|k| loss(step * ROW as i64 + k as i64));
        row.log_at(step, time(step), &values).unwrap();
    }
}

fn log_columns(writer: &RunWriter, points: i64) {
    let metric = writer.metric("column").unwrap();
    let steps: Vec<i64> = (0..points).collect();
    let times: Vec<i64> = steps.iter().map(|step| time(*step)).collect();
    let values: Vec<f64> = steps.iter().map(|step| loss(*step)).collect();
    for first in (0..points as usize).step_by(1_000_000) {
        let part = first..points.min(first as i64 + 1_000_000) as usize;
        metric.log_columns(&steps[part.clone()], &times[part.clone()], &values[part]).unwrap();
    }
}
