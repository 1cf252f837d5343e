//! Single calls: the median cost of one, batch by batch beside its floor, the worst of many while syncs, seals and
//! compactions run, and the memory that a writer of many metrics takes meanwhile.
//!
//! Not a criterion benchmark: the mean of a log call says nothing of its tail, and on a machine that is shared a median
//! of short batches says what a call costs when its thread has a core. Run with the names of what is wanted:
//!
//! ```text
//! cargo bench --bench latency                      all of it; the tail over 10,000,000 calls
//! cargo bench --bench latency -- tail 100000000    the tail over so many calls
//! cargo bench --bench latency -- memory            by itself; 60,000,000 calls unless a number follows
//! ```
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

#[path = "support/floor.rs"]
mod floor;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/values.rs"]
mod values;

use memory::mib;
use std::hint::black_box;
use std::time::{Duration, Instant};
use trackway::{ExperimentId, NewRun, RunWriter, Store, StoreOptions};

const TIME: i64 = 1_700_000_000_000;
/// Calls of which the time is taken together.
const BATCH: usize = 20_000;
const ROW: usize = 100;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    // `cargo bench -- --test` wants to know that it runs.
    let test = std::env::args().any(|word| word == "--test");
    let wants = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let batches = if test { 2 } else { 300 };
    let calls = |usual: u64| words.iter().find_map(|word| word.parse().ok()).unwrap_or(usual);
    // First: what the others have freed may stay with the process.
    if wants("memory") {
        memory(if test { 300_000 } else { calls(60_000_000) });
    }
    if wants("medians") {
        medians(batches);
    }
    if wants("columns") {
        columns(if test { 2 } else { 100 });
    }
    if wants("tail") {
        tail(if test { 100_000 } else { calls(10_000_000) });
    }
}

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreOptions::new().open(dir.path().join("store")).unwrap();
    (dir, store)
}

fn run(store: &Store) -> RunWriter {
    store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap()
}

/// Nanoseconds a call of one batch.
fn batch(calls: usize, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| call());
    start.elapsed().as_nanos() as f64 / calls as f64
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn report(name: &str, times: &mut [f64]) {
    let (median, n) = (median(times), times.len());
    println!("{name:<44} median {median:>10.1} ns  [p10 {:.1}, p90 {:.1}]", times[n / 10], times[n * 9 / 10]);
}

/// Costs of one call, the batches of all kinds in turns.
fn medians(batches: usize) {
    let (_dir, store) = open();
    let (writer, rows) = (run(&store), run(&store));
    let names: Vec<String> = (0..ROW).map(|i| format!("metric/{i}")).collect();
    let metrics: Vec<_> = names.iter().take(20).map(|name| writer.metric(name).unwrap()).collect();
    let row = rows.row(&names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let values = [0.25; ROW];
    let kinds =
        ["point", "point, clock read", "point, by name", "floor of a point", "row of 100", "floor of a row", "clock"];
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); kinds.len()];
    let (mut step, mut at) = (0i64, 0usize);
    let mut next = || {
        at = (at + 1) % metrics.len();
        step += i64::from(at == 0);
        (at, step)
    };
    for number in 0..batches {
        times[0].push(batch(BATCH, || {
            let (at, step) = next();
            metrics[at].log_at(step, TIME + step, black_box(0.5)).unwrap();
        }));
        times[1].push(batch(BATCH, || {
            let (at, step) = next();
            metrics[at].log(step, black_box(0.5)).unwrap();
        }));
        times[2].push(batch(BATCH, || {
            let (at, step) = next();
            writer.log_metric_at(&names[at], step, TIME + step, black_box(0.5)).unwrap();
        }));
        // A file for some batches: first touch of each page, as the floor is defined.
        let path = _dir.path().join("floor");
        let mut mapping = floor::Mapping::new(&path, 4096 + BATCH * 24);
        times[3].push(batch(BATCH, || mapping.push(black_box(&[1.0, 1.7e12, 0.5]))));
        if number % 2 == 0 {
            times[4].push(batch(BATCH / 10, || {
                let (_, step) = next();
                row.log_at(step, TIME + step, black_box(&values)).unwrap();
            }));
            let mut mapping = floor::Mapping::new(&path, 4096 + BATCH / 10 * ROW * 8);
            times[5].push(batch(BATCH / 10, || mapping.push(black_box(&values))));
        }
        times[6].push(batch(BATCH, || _ = black_box(std::time::SystemTime::now())));
    }
    for (name, times) in kinds.iter().zip(&mut times) {
        report(name, times);
    }
}

/// Metrics of the run whose memory is measured, and calls between two looks at it.
const MANY_METRICS: u64 = 10_000;
const LOOK_CALLS: u64 = 100_000;
/// What the project wants to stay within.
const MEMORY_TARGET_MIB: f64 = 64.0;

/// Memory beyond the mapped files while a writer with many metrics logs one point a call, and sealing and merging go on
/// behind it.
fn memory(calls: u64) {
    let (_dir, store) = open();
    let writer = run(&store);
    let metrics: Vec<_> = (0..MANY_METRICS).map(|i| writer.metric(&format!("metric/{i}")).unwrap()).collect();
    let Some(before) = mib("RssAnon") else { return println!("this system does not say how much memory is whose") };
    let mut looks = Vec::new();
    for number in 0..calls {
        let step = (number / MANY_METRICS) as i64;
        let value = values::loss(number as i64);
        metrics[(number % MANY_METRICS) as usize].log_at(step, values::time(step), black_box(value)).unwrap();
        if (number + 1) % LOOK_CALLS == 0 {
            looks.push((mib("RssAnon").unwrap(), number + 1));
        }
    }
    looks.push((mib("RssAnon").unwrap(), calls));
    let (last, _) = looks[looks.len() - 1];
    let (peak, at) = looks.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    let middle = median(&mut looks.iter().map(|look| look.0).collect::<Vec<_>>());
    writer.finish().unwrap();
    drop((metrics, writer));
    store.close().unwrap();
    let closed = mib("RssAnon").unwrap();
    println!("anonymous memory of {calls} calls to {MANY_METRICS} metrics, MiB (target {MEMORY_TARGET_MIB}):");
    println!(
        "  before the first {before:.1}, peak {peak:.1} after call {at}, median {middle:.1}, after the last {last:.1}, store closed {closed:.1}"
    );
}

/// Whole columns of a million points beside their floor.
fn columns(calls: usize) {
    let (dir, store) = open();
    let writer = run(&store);
    let metric = writer.metric("column").unwrap();
    let steps: Vec<i64> = (0..1_000_000).collect();
    let times: Vec<i64> = steps.iter().map(|step| TIME + step * 3).collect();
    let values: Vec<f64> = steps.iter().map(|step| *step as f64).collect();
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..calls {
        ours.push(batch(1, || metric.log_columns(&steps, &times, black_box(&values)).unwrap()));
        let mut mapping = floor::Mapping::new(&dir.path().join("floor"), 4096 + values.len() * 8);
        floors.push(batch(1, || mapping.push(black_box(&values))));
    }
    report("column of 1,000,000", &mut ours);
    report("floor of a column", &mut floors);
}

/// Every call by itself. Counts by time in steps of a sixteenth of a power of two.
fn tail(calls: u64) {
    let (_dir, store) = open();
    let writer = run(&store);
    let metrics: Vec<_> = (0..20).map(|i| writer.metric(&format!("metric/{i}")).unwrap()).collect();
    let mut counts = vec![0u64; 64 * 16];
    let mut slow: Vec<Slow> = Vec::new();
    let mut last = Idle::read();
    let begin = Instant::now();
    let mut before = begin;
    for number in 0..calls {
        let step = (number / 20) as i64;
        metrics[(number % 20) as usize].log_at(step, TIME + step, black_box(0.5)).unwrap();
        let now = Instant::now();
        let took = now - before;
        let ns = took.as_nanos().max(1) as u64;
        counts[place(ns)] += 1;
        before = now;
        if ns > 1_000_000 {
            let idle = Idle::read();
            let waited_ms = idle.waited_ms - last.waited_ms;
            slow.push(Slow { took, number, waited_ms, slept: idle.slept - last.slept });
            last = idle;
            before = Instant::now();
        }
    }
    let elapsed = begin.elapsed();
    let quantile = |q: f64| {
        let mut left = (calls as f64 * (1.0 - q)) as u64;
        let from_above = counts.iter().enumerate().rev().find(|(_, count)| {
            let found = **count > left;
            left = left.saturating_sub(**count);
            found
        });
        upper(from_above.map_or(0, |(at, _)| at)) as f64 / 1000.0
    };
    println!("{calls} calls in {elapsed:.1?}, {:.1} ns each with the clock", elapsed.as_nanos() as f64 / calls as f64);
    for q in [0.5, 0.99, 0.999, 0.9999, 0.99999, 1.0] {
        println!("  p{:<8} {:>10.2} us", q * 100.0, quantile(q));
    }
    slow.sort_by_key(|slow| std::cmp::Reverse(slow.took));
    println!(
        "  {} calls above 1 ms, {} above 5 ms",
        slow.len(),
        slow.iter().filter(|s| s.took.as_millis() >= 5).count()
    );
    // A thread that never slept was either running or wanted a core and had none: the scheduler's doing.
    for (name, slept) in [("thread never slept since the one before", false), ("thread slept (a lock, the disk)", true)]
    {
        println!("  worst of those where the {name}:");
        for slow in slow.iter().filter(|slow| (slow.slept > 0) == slept).take(8) {
            println!("    {:>10.2?} call {}, waited for a core {:.1} ms", slow.took, slow.number, slow.waited_ms);
        }
    }
}

/// A slow call, and what became of the thread between the slow call before and this one.
struct Slow {
    took: Duration,
    number: u64,
    waited_ms: f64,
    slept: u64,
}

fn place(ns: u64) -> usize {
    let power = ns.ilog2();
    let part = if power >= 4 { (ns >> (power - 4)) & 15 } else { 0 };
    power as usize * 16 + part as usize
}

fn upper(place: usize) -> u64 {
    let (power, part) = (place / 16, place as u64 % 16);
    if power >= 4 { (16 + part + 1) << (power - 4) } else { 2 << power }
}

/// What the system says of this thread, where it does: how long it wanted a core and had none, how often it slept.
struct Idle {
    waited_ms: f64,
    slept: u64,
}

impl Idle {
    fn read() -> Self {
        let number = |text: &str, word: usize| text.split_whitespace().nth(word).and_then(|w| w.parse::<u64>().ok());
        let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let slept = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
        Self {
            waited_ms: number(&schedstat, 1).unwrap_or(0) as f64 / 1e6,
            slept: slept.and_then(|line| number(line, 1)).unwrap_or(0),
        }
    }
}
