//! What a writer's streams log, and how much of a stream is found in a run.
//!
//! A stream is one thread of a writer: it has metrics of its own, and its call number n says always the same. So what
//! was read tells by itself of how many calls it is, and whether it is exactly of those.

use std::time::Duration;
use trackway::{Point, RunWriter, Snapshot};

/// Longest time to wait for another process; only a broken store needs it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What a stream's metrics are called behind its name.
pub(crate) const METRICS: [&str; 4] = ["a", "b", "c", "columns"];

/// The name of a stream.
pub(crate) fn stream(writer: u64, thread: u64) -> String {
    format!("c{writer}/t{thread}")
}

/// How many points call `number` logs as columns; 0 when it logs none so. `long`: now and then so many that a log is
/// full at once.
fn column_len(number: u64, long: bool) -> u64 {
    match (number % 8, number % 64) {
        (5, 5) if long => 3000,
        (5, _) => 40,
        _ => 0,
    }
}

/// How many points call `number` logs.
fn len(number: u64, long: bool) -> u64 {
    match number % 8 {
        3 | 6 => 3,
        5 => column_len(number, long),
        _ => 1,
    }
}

/// Gives each point of call `number` and the number of its metric.
fn points_of(number: u64, long: bool, mut each: impl FnMut(usize, Point)) {
    let time = 1_700_000_000_000 + number as i64 * 3;
    let value = |at: u64| if at.is_multiple_of(11) { f64::NAN } else { 1.0 / (at + 1) as f64 };
    match number % 8 {
        3 | 6 => (0..3).for_each(|metric| each(metric, Point::new(number as i64, time, value(number + metric as u64)))),
        5 => (0..column_len(number, long)).for_each(|at| {
            let step = (number * 100 + at * at) as i64;
            each(3, Point::new(step, time - at as i64 * 7, value(at ^ number)));
        }),
        _ => each(0, Point::new(-(number as i64), time, value(number))),
    }
}

/// Makes call `number` of the stream: a point, a row or columns.
pub(crate) fn log(run: &RunWriter, stream: &str, number: u64, long: bool) -> trackway::Result<()> {
    let mut points = Vec::new();
    points_of(number, long, |metric, point| points.push((metric, point)));
    let key = |metric: usize| format!("{stream}/{}", METRICS[metric]);
    let (metric, first) = points[0];
    match metric {
        3 => {
            let steps: Vec<i64> = points.iter().map(|(_, point)| point.step).collect();
            let times: Vec<i64> = points.iter().map(|(_, point)| point.timestamp).collect();
            let values: Vec<f64> = points.iter().map(|(_, point)| point.value).collect();
            run.metric(&key(3))?.log_columns(&steps, &times, &values)
        }
        0 if points.len() == 1 => run.log_metric_at(&key(0), first.step, first.timestamp, first.value),
        _ => {
            let row: Vec<(String, f64)> = points.iter().map(|(metric, point)| (key(*metric), point.value)).collect();
            let row: Vec<(&str, f64)> = row.iter().map(|(key, value)| (key.as_str(), *value)).collect();
            run.log_metrics_at(first.step, first.timestamp, &row)
        }
    }
}

/// How many calls of a stream are in the run: their points, all of them, in order, and no others.
pub(crate) fn calls_in(snapshot: &Snapshot, stream: &str, long: bool) -> Result<u64, String> {
    let read = |metric: &&str| -> Result<Vec<Point>, String> {
        let key = format!("{stream}/{metric}");
        if !snapshot.run().metrics.contains_key(key.as_str()) {
            return Ok(Vec::new());
        }
        let columns = snapshot.metric(&key).and_then(|metric| metric.read());
        Ok(columns.map_err(|error| format!("{key} of run {}: {error}", snapshot.run().id))?.iter().collect())
    };
    let found = METRICS.iter().map(read).collect::<Result<Vec<Vec<Point>>, String>>()?;
    calls_of(&found, long).map_err(|what| format!("{stream} of run {}: {what}", snapshot.run().id))
}

/// Of how many calls these points are, by metric.
pub(crate) fn calls_of(found: &[Vec<Point>], long: bool) -> Result<u64, String> {
    let counts: Vec<usize> = found.iter().map(Vec::len).collect();
    let total: u64 = counts.iter().map(|count| *count as u64).sum();
    let (mut calls, mut sum) = (0, 0);
    while sum < total {
        sum += len(calls, long);
        calls += 1;
    }
    if sum != total {
        return Err(format!("{counts:?} points are not those of {calls} whole calls"));
    }
    let mut taken = vec![0; found.len()];
    let mut wrong = None;
    for number in 0..calls {
        points_of(number, long, |metric, point| {
            let at = taken[metric];
            taken[metric] += 1;
            let same = found[metric].get(at).is_some_and(|found| found.same_bits(&point));
            if !same && wrong.is_none() {
                wrong = Some(format!(
                    "call {number} of {calls}: point {at} of {} is {:?} and not {point:?}",
                    METRICS[metric],
                    found[metric].get(at)
                ));
            }
        });
    }
    wrong.map_or(Ok(calls), Err)
}

fn points(calls: u64) -> Vec<Vec<Point>> {
    let mut all = vec![Vec::new(); METRICS.len()];
    (0..calls).for_each(|number| points_of(number, true, |metric, point| all[metric].push(point)));
    all
}

fn drop_last(points: &mut Vec<Point>) {
    points.truncate(points.len() - 1);
}

#[test]
fn torn_lost_repeated_and_changed_calls_are_seen() {
    for calls in [0, 1, 3, 4, 6, 70] {
        assert_eq!(calls_of(&points(calls), true), Ok(calls));
    }
    let damaged = |damage: fn(&mut Vec<Vec<Point>>)| {
        let mut found = points(70);
        damage(&mut found);
        calls_of(&found, true)
    };
    assert!(damaged(|found| drop_last(&mut found[2])).is_err(), "a part of a row is missing");
    assert!(damaged(|found| drop_last(&mut found[3])).is_err(), "a part of the columns is missing");
    assert!(damaged(|found| found[0].rotate_left(1)).is_err(), "the first call comes last");
    assert!(damaged(|found| found[0].swap(1, 2)).is_err(), "two calls have changed places");
    assert!(damaged(|found| found[0].insert(1, Point::new(0, 0, 0.0))).is_err(), "a point nobody logged");
    assert!(damaged(|found| found[1][0].value = 7.0).is_err(), "another value");
}
