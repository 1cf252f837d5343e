//! Logging: one point a call from one thread and from four, and rows of 100 metrics a call.

use crate::measure::{Bench, Samples};
use crate::peer::{Class, Contestant, Setup, Store, contestants};
use crate::table::{self, Table};
use crate::workload::{Check, Points, keys};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const METRICS: usize = 20;
const ROW: usize = 100;

/// What is asked of all.
#[derive(Clone, Copy)]
struct Task {
    what: &'static str,
    metrics: usize,
    threads: usize,
    rows: bool,
}

/// A store logs until one of these is reached.
#[derive(Clone, Copy)]
struct Limits {
    points: usize,
    time: Duration,
    /// Points between two looks at the clock.
    stride: usize,
}

/// One point a call, 20 metrics.
pub(crate) fn points(bench: &Bench) {
    let one = Task { what: "one point a call", metrics: METRICS, threads: 1, rows: false };
    let four = Task { what: "one point a call, 4 threads", threads: 4, ..one };
    for durable in [false, true] {
        let entries = entries(durable);
        let single = measure(bench, one, &entries);
        let shared = measure(bench, four, &entries);
        let title = format!("One point a call, {METRICS} metrics, timestamp given: {}", promise(durable));
        print(&title, "points/s", &entries, &single, Some(&shared));
    }
}

/// Rows of 100 metrics a call.
pub(crate) fn rows(bench: &Bench) {
    for durable in [false, true] {
        let entries = entries(durable);
        let task = Task { what: "rows", metrics: ROW, threads: 1, rows: true };
        let samples = measure(bench, task, &entries);
        let title = format!("Rows of {ROW} metrics a call: {}", promise(durable));
        print(&title, "points/s", &entries, &samples, None);
    }
}

const fn promise(durable: bool) -> &'static str {
    if durable { "survives power loss" } else { "survives SIGKILL, or less" }
}

fn entries(durable: bool) -> Vec<Contestant> {
    let takes_part = |c: &Contestant| c.part.append && (c.class == Class::Power) == durable;
    contestants().into_iter().filter(takes_part).collect()
}

fn measure(bench: &Bench, task: Task, entries: &[Contestant]) -> Vec<Samples> {
    let durable = entries.iter().all(|entry| entry.class == Class::Power);
    let limits = Limits {
        points: bench.size(4_000_000, 40_000),
        time: if bench.quick { Duration::from_millis(60) } else { Duration::from_secs(2) },
        stride: match (durable, bench.quick) {
            (false, false) => 1000,
            (_, true) => task.metrics,
            // A sync for each of them.
            (true, false) => 100,
        },
    };
    bench.in_turn(task.what, entries, |round, entry| {
        let (folder, keys) = (bench.folder(), keys(task.metrics));
        let (dir, points) = (folder.path(), limits.points + task.threads * task.metrics * limits.stride);
        let store = (entry.open)(&Setup { dir, keys: &keys, points, threads: task.threads, by_time: false });
        bench.quiet();
        let start = Instant::now();
        let logged = log(store.as_ref(), task, limits);
        let elapsed = start.elapsed().as_secs_f64();
        if round == 0 && !entry.is_floor() {
            check(entry, store, task, &logged);
        }
        logged.iter().map(|steps| *steps as usize * task.metrics / task.threads).sum::<usize>() as f64 / elapsed
    })
}

/// Logs from all threads; answers how many steps each thread logged of its metrics.
fn log(store: &dyn Store, task: Task, limits: Limits) -> Vec<i64> {
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let each = task.metrics / task.threads;
    let steps = (limits.stride / each).max(1) as i64;
    let thread = |number: usize| {
        let (metrics, mut step) = (number * each..(number + 1) * each, 0);
        // Every thread logs something, so that every metric can be asked for.
        while step == 0 || !over.load(Ordering::Relaxed) {
            if task.rows {
                store.rows(step..step + steps);
            } else {
                store.points(metrics.clone(), step..step + steps);
            }
            step += steps;
            if step as usize * task.metrics >= limits.points || start.elapsed() >= limits.time {
                over.store(true, Ordering::Relaxed);
            }
        }
        step
    };
    let logged = if task.threads == 1 {
        vec![thread(0)]
    } else {
        let thread = &thread;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..task.threads).map(|number| scope.spawn(move || thread(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    };
    store.commit();
    logged
}

/// Reads everything back.
fn check(entry: &Contestant, store: Box<dyn Store>, task: Task, logged: &[i64]) {
    let mut reader = store.reader();
    for metric in 0..task.metrics {
        let expected = Points::logged(metric, 0..logged[metric * task.threads / task.metrics]);
        let has_steps = reader.has_steps();
        let expected = if has_steps { Check::of(expected.view()) } else { Check::without_steps(expected.view()) };
        let found = Check::of(reader.all(metric));
        assert_eq!(found, expected, "{}, {}: metric {metric} is not what was logged", entry.name(), task.what);
    }
}

fn print(title: &str, unit: &str, entries: &[Contestant], one: &[Samples], four: Option<&[Samples]>) {
    let mut head = vec!["store", "survives", unit, "lowest to highest", "to Trackway", "to the floor"];
    if four.is_some() {
        head.extend(["4 threads", "to Trackway", "to 1 thread"]);
    }
    let median = |samples: &[Samples], wanted: &dyn Fn(&Contestant) -> bool| {
        entries.iter().position(wanted).map_or(f64::NAN, |at| samples[at].median())
    };
    let ours = |samples: &[Samples]| median(samples, &Contestant::is_trackway);
    let mut table = Table::new(title, &head);
    for (at, entry) in entries.iter().enumerate() {
        let (middle, (low, high)) = (one[at].median(), one[at].range());
        let mut cells = vec![
            entry.name(),
            entry.class.letter().to_owned(),
            table::rate(middle),
            format!("{} to {}", table::rate(low), table::rate(high)),
            table::times(middle / ours(one)),
            table::times(middle / median(one, &Contestant::is_floor)),
        ];
        if let Some(four) = four {
            let shared = four[at].median();
            cells.extend([table::rate(shared), table::times(shared / ours(four)), table::times(shared / middle)]);
        }
        table.row(cells);
    }
    table.print();
}
