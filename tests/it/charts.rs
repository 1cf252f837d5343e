//! Axes, scales, zooms, smoothing and many charts at once, against a plain look at every point.

use crate::support::{Scene, options};
use proptest::prelude::*;
use std::collections::BTreeMap;
use trackway::{Chart, ChartAxis, ChartColumn, ChartOptions, ChartPoint, NewRun, Point, RunId, Snapshot, Store};

/// First, last, smallest and largest of each column, of points as they were written.
fn m4<X: Copy + PartialOrd>(points: &[(X, f64)], column: impl Fn(X) -> usize) -> Vec<ChartColumn<X>> {
    let mut columns: BTreeMap<usize, Vec<ChartPoint<X>>> = BTreeMap::new();
    for (x, value) in points {
        columns.entry(column(*x)).or_default().push(ChartPoint { x: *x, value: *value });
    }
    let of = |(column, points): (usize, Vec<ChartPoint<X>>)| {
        let pick = |better: &dyn Fn(&ChartPoint<X>, &ChartPoint<X>) -> bool, numbers: bool| {
            let all = points.iter().filter(|point| !numbers || !point.value.is_nan());
            all.fold(None, |best, point| if best.is_none_or(|best| better(point, best)) { Some(point) } else { best })
        };
        ChartColumn {
            column,
            count: points.len() as u64,
            nan_count: points.iter().filter(|point| point.value.is_nan()).count() as u64,
            first: *pick(&|a, b| a.x < b.x, false).unwrap(),
            last: *pick(&|a, b| a.x >= b.x, false).unwrap(),
            min: pick(&|a, b| a.value < b.value, true).copied(),
            max: pick(&|a, b| a.value > b.value, true).copied(),
        }
    };
    columns.into_iter().map(of).collect()
}

/// TensorBoard's loop.
fn smooth(points: &mut [(i64, f64)], weight: f64) {
    if points.iter().all(|point| point.1 == points[0].1) {
        return;
    }
    let (mut last, mut count) = (0.0, 0);
    for (_, value) in points.iter_mut().filter(|point| point.1.is_finite()) {
        last = last * weight + (1.0 - weight) * *value;
        count += 1;
        *value = last / (1.0 - weight.powf(f64::from(count)));
    }
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    axis: ChartAxis,
    log: bool,
    weight: Option<f64>,
    zoom: (Option<i64>, Option<i64>),
    width: usize,
}

impl Asked {
    fn options(self) -> ChartOptions {
        let options = ChartOptions::new(self.width).log_x(self.log);
        let options = match self.zoom {
            (None, None) => options,
            (Some(first), None) => options.range(first as f64..),
            (None, Some(last)) => options.range(..=last as f64),
            // As inexact as a mouse is.
            (Some(first), Some(last)) => options.range(first as f64 - 0.25..last as f64 + 0.25),
        };
        self.weight.into_iter().fold(options, ChartOptions::smoothing)
    }

    /// What is shown of a run, and how many points have no place.
    fn shown(self, run: &Logged) -> (Vec<(i64, f64)>, u64) {
        let x = |point: &Point| match self.axis {
            ChartAxis::Step => point.step,
            ChartAxis::Timestamp => point.timestamp,
            ChartAxis::SinceStart => point.timestamp - run.start,
        };
        let mut points: Vec<(i64, f64)> = run.points.iter().map(|point| (x(point), point.value)).collect();
        if let Some(weight) = self.weight {
            points.sort_by_key(|point| point.0);
            smooth(&mut points, weight);
        }
        points
            .retain(|(x, _)| self.zoom.0.is_none_or(|first| first <= *x) && self.zoom.1.is_none_or(|last| *x <= last));
        let all = points.len();
        points.retain(|(x, _)| !self.log || *x > 0);
        let left_out = all - points.len();
        (points, left_out as u64)
    }

    /// The charts of runs, laid on top of each other.
    fn charts(self, runs: &[&Logged]) -> Vec<Chart> {
        let shown: Vec<_> = runs.iter().map(|run| self.shown(run)).collect();
        let xs = || shown.iter().flat_map(|(points, _)| points.iter().map(|point| point.0));
        let range = xs().min().zip(xs().max()).map(|(low, high)| {
            let first = self.zoom.0.map(|first| if self.log { first.max(1) } else { first });
            (first.unwrap_or(low), self.zoom.1.unwrap_or(high))
        });
        let width = self.width;
        let column = |x: i64| {
            let (first, last) = range.unwrap();
            if self.log {
                let ratio = (last as f64 + 1.0) / first as f64;
                let begin = |k: usize| (first as f64 * ratio.powf(k as f64 / width as f64)).ceil() as i64;
                return (1..width).rfind(|k| begin(*k) <= x).unwrap_or(0);
            }
            (i128::from(x - first) * width as i128 / (i128::from(last - first) + 1)) as usize
        };
        let chart = |(points, left_out): &(Vec<_>, u64)| Chart {
            range,
            width,
            columns: m4(points, column),
            left_out: *left_out,
        };
        shown.iter().map(chart).collect()
    }
}

/// What was logged into a run.
struct Logged {
    id: RunId,
    start: i64,
    points: Vec<Point>,
}

fn check(store: &Store, runs: &[Logged], asked: Asked) {
    let snapshots: Vec<Snapshot> = runs.iter().map(|run| store.snapshot(run.id).unwrap()).collect();
    let queries: Vec<_> = snapshots.iter().map(|snapshot| snapshot.metric("m").unwrap()).collect();
    let together = asked.options().charts(asked.axis, &queries).unwrap();
    // As text, since NaN differs from itself.
    let expected = asked.charts(&runs.iter().collect::<Vec<_>>());
    assert_eq!(format!("{together:?}"), format!("{expected:?}"), "{asked:?}");
    for (run, query) in runs.iter().zip(&queries) {
        let chart = query.chart(asked.axis, asked.options()).unwrap();
        assert_eq!(format!("{:?}", [&chart]), format!("{:?}", asked.charts(&[run])), "{asked:?}");
        // No spike is hidden, from the points alone, the smallest and the largest ones, and the line.
        let values = |points: &mut dyn Iterator<Item = f64>| {
            let numbers: Vec<f64> = points.filter(|value| !value.is_nan()).collect();
            (numbers.iter().copied().reduce(f64::min), numbers.iter().copied().reduce(f64::max))
        };
        let all = values(&mut asked.shown(run).0.iter().map(|point| point.1));
        assert_eq!(values(&mut chart.min_max().map(|point| point.value)), all);
        assert_eq!(values(&mut chart.line().map(|point| point.value)), all);
        assert!(chart.line().is_sorted_by(|a, b| a.x <= b.x));
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        20 => (-500..500_i32).prop_map(|k| f64::from(k) / 8.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ]
}

/// Steps that rise, stand still, go back once, or jump about, some of them below 0; times likewise.
fn points(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Point>> {
    let values = prop_oneof![
        6 => prop::collection::vec(value(), sizes.clone()),
        1 => (sizes, 0.0..9.0_f64).prop_map(|(n, value)| vec![value; n])
    ];
    let (jumps, back) = (prop_oneof![Just(0_i64), Just(50), Just(4000)], prop_oneof![2 => Just(0), 1 => 1..900_i64]);
    (values, 0..4_i64, jumps, back, -20..20_i64).prop_map(|(values, stride, jumps, back, first)| {
        let n = values.len() as i64;
        let point = |(k, value): (usize, f64)| {
            let k = k as i64;
            let written = if k > n / 2 { k - back } else { k };
            let noise = if jumps == 0 { 0 } else { k * 7919 % jumps };
            Point::new(first + written * stride + noise, 1000 + written * 31 + noise, value)
        };
        values.into_iter().enumerate().map(point).collect()
    })
}

fn zoom() -> impl Strategy<Value = (Option<i64>, Option<i64>)> {
    let end = || prop_oneof![1 => Just(None), 2 => (-100..6000_i64).prop_map(Some)];
    (end(), end()).prop_map(|(a, b)| if a.is_some() && b.is_some() { (a.min(b), a.max(b)) } else { (a, b) })
}

fn asked() -> impl Strategy<Value = Asked> {
    let axis = prop_oneof![Just(ChartAxis::Step), Just(ChartAxis::Timestamp), Just(ChartAxis::SinceStart)];
    let weight = prop_oneof![2 => Just(None), 1 => (0.0..1.0_f64).prop_map(Some), 1 => Just(Some(0.99))];
    let width = prop_oneof![1..9_usize, 90..3000_usize];
    (axis, any::<bool>(), weight, zoom(), width).prop_map(|(axis, log, weight, zoom, width)| Asked {
        axis,
        log,
        weight,
        zoom,
        width,
    })
}

/// Looks at a store while it has logs, when they are sealed, and compacted.
fn in_every_form(logged: &[(i64, Vec<Point>)], parts: usize, look: impl Fn(&Store, &[Logged])) {
    let scene = Scene::new();
    let store = options().background(false).chunk_rows(1024).log_bytes(64 << 10).open(scene.path()).unwrap();
    let mut runs = Vec::new();
    let mut writers = Vec::new();
    for (start, points) in logged {
        let new = NewRun::new(trackway::ExperimentId::DEFAULT).start_time(*start);
        let run = store.create_run(new).unwrap();
        let metric = run.metric("m").unwrap();
        for part in points.chunks(points.len().div_ceil(parts)) {
            let column = |of: fn(&Point) -> i64| part.iter().map(of).collect::<Vec<i64>>();
            let values: Vec<f64> = part.iter().map(|point| point.value).collect();
            metric.log_columns(&column(|point| point.step), &column(|point| point.timestamp), &values).unwrap();
        }
        runs.push(Logged { id: run.id(), start: *start, points: points.clone() });
        writers.push(run);
    }
    look(&store, &runs);
    store.maintain().unwrap();
    look(&store, &runs);
    writers.into_iter().for_each(|run| run.finish().unwrap());
    store.compact(&mut |_| {}).unwrap();
    look(&store, &runs);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn charts_of_every_kind_are_exact(
        logged in prop::collection::vec((-50..3000_i64, points(1..3000)), 1..4),
        parts in 1..4_usize,
        all in prop::collection::vec(asked(), 8),
    ) {
        in_every_form(&logged, parts, |store, runs| all.iter().for_each(|asked| check(store, runs, *asked)));
    }

    #[test]
    fn charts_along_a_metric_are_exact(
        (ys, xs) in (points(1..1500), points(1..1500)),
        parts in 1..3_usize,
        (log, zoom, width) in (any::<bool>(), zoom(), 1..300_usize),
    ) {
        in_every_form(&[(0, ys), (0, xs)], parts, |store, runs| {
            let [ys, xs] = runs else { panic!("two runs") };
            let (y, x) = (store.snapshot(ys.id).unwrap(), store.snapshot(xs.id).unwrap());
            let (y, x) = (y.metric("m").unwrap(), x.metric("m").unwrap());
            // The last one of each step counts.
            let known: BTreeMap<i64, f64> = xs.points.iter().map(|point| (point.step, point.value)).collect();
            let mut by_step = ys.points.clone();
            by_step.sort_by_key(|point| point.step);
            let found = |point: &Point| known.get(&point.step).copied().filter(|x| x.is_finite());
            let joined: Vec<(f64, f64)> =
                by_step.iter().filter_map(|point| Some((found(point)?, point.value))).collect();
            let against = y.against(&x).unwrap();
            let pairs: Vec<_> = against.iter().map(|point| (point.x, point.value)).collect();
            assert_eq!(format!("{pairs:?}"), format!("{joined:?}"));

            let zoom = (zoom.0.map(|x| x as f64 / 50.0), zoom.1.map(|x| x as f64 / 50.0));
            let options = ChartOptions::new(width).log_x(log);
            let options = match zoom {
                (Some(first), Some(last)) => options.range(first..=last),
                (Some(first), None) => options.range(first..),
                (None, Some(last)) => options.range(..=last),
                (None, None) => options,
            };
            let drawn = |x: f64| !log || x > 0.0;
            let left_out = (by_step.len() - joined.iter().filter(|(x, _)| drawn(*x)).count()) as u64;
            let inside = |x: f64| zoom.0.is_none_or(|first| first <= x) && zoom.1.is_none_or(|last| x <= last);
            let shown: Vec<_> = joined.iter().copied().filter(|(x, _)| drawn(*x) && inside(*x)).collect();
            let chart = y.chart_against(&x, options).unwrap();
            assert_eq!(chart.left_out, left_out);
            let ends = |take: fn(f64, f64) -> f64| shown.iter().map(|point| point.0).reduce(take);
            let range = ends(f64::min).zip(ends(f64::max)).map(|(low, high)| {
                (zoom.0.filter(|first| drawn(*first)).unwrap_or(low), zoom.1.unwrap_or(high))
            });
            assert_eq!(chart.range, range);
            let column = |x: f64| {
                let ((low, high), n) = (range.unwrap(), width as f64);
                let edge = |k: usize| match k as f64 {
                    _ if k == 0 => low,
                    k if log => low * (high / low).powf(k / n),
                    k => low + (high - low) * k / n,
                };
                (0..width).rfind(|k| edge(*k) <= x).unwrap()
            };
            assert_eq!(format!("{:?}", chart.columns), format!("{:?}", m4(&shown, column)));
        });
    }
}

#[test]
fn smoothing_takes_the_points_that_a_zoom_hides_but_not_those_that_a_question_leaves_out() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let run = crate::support::new_run(&store);
    for step in 0..100 {
        run.log_metric("m", step, if step < 50 { 0.0 } else { 1.0 }).unwrap();
    }
    let snapshot = store.snapshot(run.id()).unwrap();
    let query = || snapshot.metric("m").unwrap();
    let options = ChartOptions::new(1).smoothing(0.9);
    let zoomed = query().chart(ChartAxis::Step, options.range(50.0..)).unwrap();
    let first = zoomed.columns[0].first;
    assert!(first.x == 50 && (0.05..0.15).contains(&first.value), "{first:?}");
    let asked = query().steps(50..).chart(ChartAxis::Step, options).unwrap();
    assert_eq!(asked.columns[0].first, ChartPoint { x: 50, value: 1.0 });
    // Along a metric as well.
    let along = query().chart_against(&query(), options.range(1.0..)).unwrap();
    assert_eq!((along.columns[0].count, along.columns[0].min.map(|low| low.value)), (50, Some(first.value)));
}

#[test]
fn the_line_of_a_column_has_each_point_once_and_by_x() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let run = crate::support::new_run(&store);
    let line = |key: &str, values: &[f64]| {
        for (step, value) in values.iter().enumerate() {
            run.log_metric(key, step as i64, *value).unwrap();
        }
        let snapshot = store.snapshot(run.id()).unwrap();
        let chart = snapshot.metric(key).unwrap().chart(ChartAxis::Step, 1).unwrap();
        let values = |points: Vec<ChartPoint>| points.iter().map(|point| point.value).collect::<Vec<_>>();
        (values(chart.line().collect()), values(chart.min_max().collect()))
    };
    assert_eq!(line("one", &[3.0]), (vec![3.0], vec![3.0]));
    assert_eq!(line("rise", &[1.0, 2.0, 3.0]), (vec![1.0, 3.0], vec![1.0, 3.0]));
    assert_eq!(line("both", &[2.0, 9.0, 0.0, 3.0]), (vec![2.0, 9.0, 0.0, 3.0], vec![9.0, 0.0]));
    assert_eq!(line("flat", &[2.0, 2.0, 2.0]), (vec![2.0, 2.0], vec![2.0]));
    let (drawn, extremes) = line("gaps", &[f64::NAN, 1.0, f64::NAN]);
    assert!(drawn.len() == 3 && drawn[1] == 1.0 && drawn[0].is_nan() && drawn[2].is_nan() && extremes == [1.0]);
}

#[test]
fn options_that_cannot_be_are_told() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let run = crate::support::new_run(&store);
    run.log_metric("m", i64::MAX, 1.0).unwrap();
    run.log_metric("m", i64::MIN, 2.0).unwrap();
    let snapshot = store.snapshot(run.id()).unwrap();
    let query = || snapshot.metric("m").unwrap();
    let good = ChartOptions::new(10);
    let count = |options| query().chart(ChartAxis::Step, options).map(|chart| (chart.columns.len(), chart.left_out));
    for wrong in [good.smoothing(1.0), good.smoothing(f64::NAN), good.range(f64::NAN..), ChartOptions::new(0)] {
        assert!(count(wrong).is_err() && query().chart_against(&query(), wrong).is_err(), "{wrong:?}");
    }
    // Beyond what a step can be.
    assert_eq!(count(good.range(1e19..)).unwrap(), (0, 0));
    assert_eq!(count(good.range(..-1e19)).unwrap(), (0, 0));
    assert_eq!(count(good.range(5.0..=1.0)).unwrap(), (0, 0));
    assert_eq!(count(good.range(-1e19..=1e19)).unwrap(), (2, 0));
    assert_eq!(count(good.log_x(true)).unwrap(), (1, 1));
    assert!(good.charts(ChartAxis::Step, &[]).unwrap().is_empty());
}
