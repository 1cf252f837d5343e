//! Reading, everything warm: a metric of a million points, parts of it, and a chart of ten million.

use crate::measure::{self, Bench, Samples};
use crate::peer::{Contestant, Reader, Setup, contestants};
use crate::peers::floor::FLOOR;
use crate::peers::trackway::TRACKWAY;
use crate::table::{self, Table};
use crate::workload::{Chart, Check, Points, keys};
use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

const COLUMNS: usize = 1000;

/// Short metrics that lie beside the long one.
const OTHERS: usize = 19;

/// A store that is open to read, and is asked for metric 0.
struct Open {
    name: &'static str,
    reader: Box<dyn Reader>,
    _folder: tempfile::TempDir,
}

fn open(bench: &Bench, entry: &Contestant, parts: &[Points], by_time: bool) -> Open {
    let (folder, keys) = (bench.folder(), keys(1 + OTHERS));
    let others: Vec<Points> = (1..=OTHERS).map(|metric| Points::curve(metric as u64, 1000, 0)).collect();
    let points = parts.iter().chain(&others).map(Points::len).sum();
    let store = (entry.open)(&Setup { dir: folder.path(), keys: &keys, points, threads: 1, by_time });
    let seconds = measure::seconds(|| {
        parts.iter().for_each(|part| store.bulk(0, part.view()));
        others.iter().enumerate().for_each(|(at, other)| store.bulk(at + 1, other.view()));
        store.sync();
    });
    let mut reader = None;
    let settling = measure::seconds(|| reader = Some(store.reader()));
    let (name, Some(reader)) = (entry.store, reader) else { unreachable!("a store always opens") };
    eprintln!("{name}: {points} points loaded in {seconds:.1} s, laid out for reading in {settling:.1} s");
    Open { name, reader, _folder: folder }
}

fn readers(bench: &Bench, parts: &[Points], by_time: bool) -> Vec<Open> {
    let takes_part = |entry: &&Contestant| entry.part.read;
    let all = contestants();
    all.iter().filter(takes_part).map(|entry| open(bench, entry, parts, by_time)).collect()
}

/// A full read, ranges of 1 %, the latest value.
pub(crate) fn reads(bench: &Bench) {
    let count = bench.size(1_000_000, 20_000);
    let points = Points::curve(7, count, 0);
    let mut open = readers(bench, std::slice::from_ref(&points), true);
    open.iter_mut().for_each(|open| check(open, &points));

    let time = Duration::from_millis(if bench.quick { 2 } else { 200 });
    let part = |at: usize| {
        let start = at * 7919 % 99 * (count / 100);
        start..start + count / 100
    };
    let steps = |at: usize| points.steps[part(at).start]..points.steps[part(at).end];
    let times = |at: usize| points.times[part(at).start]..points.times[part(at).end];
    let mut samples = vec![[const { Vec::new() }; 4]; open.len()];
    for round in 0..bench.rounds {
        for (open, samples) in open.iter_mut().zip(&mut samples) {
            let reader = open.reader.as_mut();
            samples[0].push(measure::mean_seconds(time, |_| assert_eq!(reader.all(0).values.len(), count)));
            if reader.has_steps() {
                let one = |at| assert_eq!(black_box(reader.by_step(0, steps(at))).values.len(), count / 100);
                samples[1].push(measure::mean_seconds(time, one));
            }
            let one = |at| assert_eq!(black_box(reader.by_time(0, times(at))).values.len(), count / 100);
            samples[2].push(measure::mean_seconds(time, one));
            if reader.latest(0).is_some() {
                samples[3].push(measure::mean_seconds(time, |_| assert!(black_box(reader.latest(0)).is_some())));
            }
        }
        eprintln!("reads: round {} of {}", round + 1, bench.rounds);
    }

    let medians: Vec<[Option<f64>; 4]> =
        samples.into_iter().map(|of_all| of_all.map(|one| (!one.is_empty()).then(|| Samples(one).median()))).collect();
    let place = |name: &str| open.iter().position(|open| open.name == name);
    let (ours, floor) = (place(TRACKWAY), place(FLOOR));
    let mut table = Table::new(
        &format!("Reading a metric of {} points, warm", table::grouped(count as f64)),
        &[
            "store",
            "all",
            "points/s",
            "to Trackway",
            "to the floor",
            "1 % by step",
            "to Trackway",
            "1 % by time",
            "to Trackway",
            "latest",
            "to Trackway",
        ],
    );
    for (open, median) in open.iter().zip(&medians) {
        let cell = |at: usize| median[at].map_or_else(table::none, table::time);
        let ratio = |to: Option<usize>, at: usize| {
            let ratio = to.and_then(|to| medians[to][at]).zip(median[at]);
            ratio.map_or_else(table::none, |(theirs, mine)| table::times(mine / theirs))
        };
        let mut cells = vec![open.name.to_owned(), cell(0)];
        cells.push(median[0].map_or_else(table::none, |seconds| table::rate(count as f64 / seconds)));
        cells.extend([ratio(ours, 0), ratio(floor, 0), cell(1), ratio(ours, 1), cell(2), ratio(ours, 2)]);
        cells.extend([cell(3), ratio(ours, 3)]);
        table.row(cells);
    }
    table.note("Steps, times and values into buffers that are used again. Ratios are of times: 2 takes twice as long.");
    table.print();
}

/// Compares everything that will be timed with the points.
fn check(open: &mut Open, points: &Points) {
    let (name, reader) = (open.name, open.reader.as_mut());
    let has_steps = reader.has_steps();
    let expected = |range: Range<usize>| {
        let view = points.slice(range);
        if has_steps { Check::of(view) } else { Check::without_steps(view) }
    };
    let count = points.len();
    assert_eq!(Check::of(reader.all(0)), expected(0..count), "{name}: not all points");
    for start in (0..99).map(|part| part * (count / 100)) {
        let part = start..start + count / 100;
        if has_steps {
            let range = points.steps[part.start]..points.steps[part.end];
            assert_eq!(Check::of(reader.by_step(0, range)), expected(part.clone()), "{name}: wrong range of steps");
        }
        let range = points.times[part.start]..points.times[part.end];
        assert_eq!(Check::of(reader.by_time(0, range)), expected(part), "{name}: wrong range of times");
    }
    if let Some(latest) = reader.latest(0) {
        assert_eq!(Some(&latest), points.values.last(), "{name}: wrong latest value");
    }
}

/// Ten million points on a thousand columns of pixels.
pub(crate) fn chart(bench: &Bench) {
    let (parts, each) = (10, bench.size(1_000_000, 10_000));
    let count = parts * each;
    let parts: Vec<Points> = (0..parts).map(|part| Points::curve(9, each, part)).collect();
    let brute = |axis: fn(&Points) -> &[i64]| {
        let (first, last) = (axis(&parts[0])[0], axis(&parts[parts.len() - 1])[each - 1]);
        let blank = Chart::new(first..last + 1, COLUMNS);
        let mut chart = blank.clone();
        parts.iter().for_each(|part| chart.scan(axis(part), &part.values));
        (blank, chart.pixels())
    };
    let (by_step, by_time) = (brute(|points| &points.steps), brute(|points| &points.times));
    let mut open = readers(bench, &parts, false);
    let mut samples = vec![Samples::default(); open.len()];
    let mut own = Samples::default();
    // The first one warms the caches, and is not counted.
    for round in 0..=bench.rounds {
        for (open, samples) in open.iter_mut().zip(&mut samples) {
            let reader = open.reader.as_mut();
            let (blank, expected) = if reader.has_steps() { &by_step } else { &by_time };
            let mut chart = blank.clone();
            let seconds = measure::seconds(|| reader.chart(0, &mut chart));
            samples.0.extend((round > 0).then_some(seconds));
            assert!(chart.pixels() == *expected, "{}: the chart is not the brute-force one", open.name);
            if open.name == TRACKWAY {
                let mut drawn = None;
                let seconds = measure::seconds(|| drawn = reader.drawn(0, 0..count as i64, COLUMNS));
                if let Some(drawn) = drawn {
                    assert!(drawn == by_step.1, "Trackway: the chart is not the brute-force one");
                    own.0.extend((round > 0).then_some(seconds));
                }
            }
        }
        eprintln!("chart: round {round} of {}", bench.rounds);
    }

    let title =
        format!("Chart: {} points to {COLUMNS} columns (first, last, min, max), warm", table::grouped(count as f64));
    let mut table = Table::new(&title, &["store", "how", "time", "lowest to highest", "points/s", "to the floor"]);
    let floor = open.iter().position(|open| open.name == FLOOR).map(|at| samples[at].median());
    let mut row = |name: &str, how: &str, samples: &Samples| {
        let (median, (low, high)) = (samples.median(), samples.range());
        table.row(vec![
            name.to_owned(),
            how.to_owned(),
            table::time(median),
            format!("{} to {}", table::time(low), table::time(high)),
            table::rate(count as f64 / median),
            floor.map_or_else(table::none, |floor| table::times(median / floor)),
        ]);
    };
    if !own.0.is_empty() {
        row(TRACKWAY, "chart call", &own);
    }
    for (open, samples) in open.iter().zip(&samples) {
        let how = if open.reader.has_steps() { "scan" } else { "scan, by time" };
        row(open.name, how, samples);
    }
    table.print();
}
