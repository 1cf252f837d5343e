//! Bands over groups of runs, and histograms, against a plain look at every point.

use crate::support::{Scene, new_run, options};
use proptest::prelude::*;
use std::collections::BTreeMap;
use trackway::{BandColumn, ChartAxis, ChartOptions, Order, RunId, Store};

type Series = Vec<(i64, f64)>;

/// Of a column the means of runs, all values, and the x that lie in it.
type Known = (Vec<f64>, Vec<f64>, Vec<i64>);

fn series(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Series> {
    let value = prop_oneof![
        16 => (-500..500_i32).prop_map(|k| f64::from(k) / 8.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ];
    prop_oneof![
        prop::collection::vec((0..200_i64, value.clone()), sizes.clone()),
        (prop::collection::vec(value, sizes), 0..30_i64, 1..9_i64).prop_map(|(values, first, stride)| {
            values.into_iter().enumerate().map(|(k, value)| (first + k as i64 * stride, value)).collect()
        }),
    ]
}

/// Looks at the runs while they have logs, when they are sealed, and compacted.
fn in_every_form(all: &[Series], look: impl Fn(&Store, &[RunId])) {
    let scene = Scene::new();
    let store = options().background(false).chunk_rows(1024).open(scene.path()).unwrap();
    let writers: Vec<_> = all.iter().map(|_| new_run(&store)).collect();
    for (run, series) in writers.iter().zip(all) {
        let (steps, values): (Vec<i64>, Vec<f64>) = series.iter().copied().unzip();
        run.metric("m").unwrap().log_columns(&steps, &steps, &values).unwrap();
    }
    let ids: Vec<RunId> = writers.iter().map(|run| run.id()).collect();
    look(&store, &ids);
    writers.into_iter().for_each(|run| run.finish().unwrap());
    store.maintain().unwrap();
    look(&store, &ids);
    store.compact(&mut |_| {}).unwrap();
    look(&store, &ids);
}

/// numpy.quantile, written as its documentation has it.
fn quantile(values: &[f64], q: f64) -> f64 {
    let place = q * (values.len() as f64 - 1.0);
    let (i, part) = (place.trunc() as usize, place.fract());
    let next = values[(i + 1).min(values.len() - 1)];
    values[i] + part * (next - values[i])
}

fn naive(all: &[Series], order: Order, range: (i64, i64), width: usize, quantiles: &[f64]) -> Vec<BandColumn> {
    let span = range.1 - range.0 + 1;
    let mut columns: BTreeMap<usize, Known> = BTreeMap::new();
    for series in all {
        let last: BTreeMap<i64, f64> = series.iter().copied().collect();
        let points = if order == Order::LastPerStep { last.into_iter().collect() } else { series.clone() };
        let mut mine: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (x, value) in points.iter().filter(|(x, _)| range.0 <= *x && *x <= range.1) {
            let column = ((x - range.0) * width as i64 / span) as usize;
            if !value.is_nan() {
                mine.entry(column).or_default().push(*value);
            }
        }
        for (column, values) in mine {
            let (means, known, _) = columns.entry(column).or_default();
            known.extend(&values);
            let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
            if !finite.is_empty() {
                means.push(finite.iter().sum::<f64>() / finite.len() as f64);
            }
        }
    }
    for x in range.0..=range.1 {
        let column = ((x - range.0) * width as i64 / span) as usize;
        columns.entry(column).and_modify(|column| column.2.push(x));
    }
    let of = |(column, (mut means, known, xs)): (usize, Known)| {
        means.sort_by(f64::total_cmp);
        let n = means.len() as f64;
        let mean = means.iter().sum::<f64>() / n;
        let variance = means.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (n - 1.0);
        BandColumn {
            column,
            x: (xs[0], xs[xs.len() - 1]),
            count: means.len(),
            mean,
            std: if means.len() > 1 { variance.sqrt() } else { f64::NAN },
            min: known.iter().copied().fold(f64::INFINITY, f64::min),
            max: known.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            quantiles: quantiles
                .iter()
                .map(|q| if means.is_empty() { f64::NAN } else { quantile(&means, *q) })
                .collect(),
        }
    };
    columns.into_iter().map(of).collect()
}

fn is_near(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * (1.0 + a.abs())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bands_are_those_of_every_point(
        all in prop::collection::vec(series(1..300), 1..6),
        width in prop_oneof![1..30_usize, 200..2500_usize],
        zoom in prop_oneof![Just(None), (-9..150_i64, 0..200_i64).prop_map(|(first, more)| Some((first, first + more)))],
        order in prop_oneof![Just(Order::AsWritten), Just(Order::LastPerStep)],
    ) {
        let xs = || all.iter().flatten().map(|point| point.0);
        let range = zoom.unwrap_or((xs().min().unwrap(), xs().max().unwrap()));
        let quantiles = [0.0, 0.1, 0.5, 0.75, 1.0];
        let expected = naive(&all, order, range, width, &quantiles);
        in_every_form(&all, |store, ids| {
            let snapshots: Vec<_> = ids.iter().map(|id| store.snapshot(*id).unwrap()).collect();
            let group: Vec<_> =
                snapshots.iter().map(|snapshot| snapshot.metric("m").unwrap().order(order)).collect();
            let options = ChartOptions::new(width);
            let options = zoom.map_or(options, |(first, last)| options.range(first as f64..=last as f64));
            for axis in [ChartAxis::Step, ChartAxis::Timestamp] {
                let bands = options.bands(axis, &group, &quantiles).unwrap();
                assert_eq!(bands.range, (!expected.is_empty()).then_some(range));
                assert_eq!(bands.columns.len(), expected.len());
                for (found, expected) in bands.columns.iter().zip(&expected) {
                    let whole = |one: &BandColumn| (one.column, one.x, one.count);
                    assert_eq!(whole(found), whole(expected));
                    let numbers = |one: &BandColumn| {
                        [&[one.mean, one.std, one.min, one.max], &one.quantiles[..]].concat()
                    };
                    let pairs = numbers(found).into_iter().zip(numbers(expected));
                    assert!(pairs.into_iter().all(|(a, b)| is_near(a, b)), "{found:?}, not {expected:?}");
                }
            }
        });
    }

    #[test]
    fn histograms_count_every_value_once(
        series in series(0..3000),
        bins in prop_oneof![1..9_usize, 50..400_usize],
        range in prop_oneof![
            Just((f64::NEG_INFINITY, f64::INFINITY)),
            (-70.0..70.0_f64, 0.0..90.0_f64).prop_map(|(low, width)| (low, low + width)),
            (-99.0..99.0_f64).prop_map(|low| (low, f64::INFINITY)),
            (-99.0..99.0_f64).prop_map(|high| (f64::NEG_INFINITY, high)),
        ],
    ) {
        // A metric without points is none.
        let series = if series.is_empty() { vec![(0, f64::NAN)] } else { series };
        in_every_form(std::slice::from_ref(&series), |store, ids| {
            let snapshot = store.snapshot(ids[0]).unwrap();
            let found = snapshot.metric("m").unwrap().histogram(bins, range.0..=range.1).unwrap();
            let finite: Vec<f64> = series.iter().map(|point| point.1).filter(|value| value.is_finite()).collect();
            let (low, high) = (finite.iter().copied().reduce(f64::min), finite.iter().copied().reduce(f64::max));
            let widened = low.zip(high).map(|(low, high)| if low == high { (low - 0.5, high + 0.5) } else { (low, high) });
            let asked = |end: f64| Some(end).filter(|end| end.is_finite());
            let low = asked(range.0).or(widened.map(|range| range.0));
            let high = asked(range.1).or(widened.map(|range| range.1));
            let range_of_bins = low.zip(high).filter(|(low, high)| low <= high);
            let mut counts = vec![0; if range_of_bins.is_some() { bins } else { 0 }];
            let (mut below, mut above) = (0, 0);
            for value in &finite {
                match range_of_bins {
                    Some((low, high)) if low <= *value && *value <= high => {
                        let edge = |k: usize| if k == 0 { low } else { low + (high - low) * k as f64 / bins as f64 };
                        counts[(0..bins).rfind(|k| edge(*k) <= *value).unwrap()] += 1;
                    }
                    _ if *value > range.1 => above += 1,
                    _ => below += 1,
                }
            }
            let count = |is: fn(f64) -> bool| series.iter().filter(|point| is(point.1)).count() as u64;
            assert_eq!((&found.counts, found.below, found.above), (&counts, below, above));
            assert_eq!(found.nan_count, count(f64::is_nan));
            assert_eq!(found.positive_infinity, count(|value| value == f64::INFINITY));
            assert_eq!(found.negative_infinity, count(|value| value == f64::NEG_INFINITY));
            let ends = found.edges.first().copied().zip(found.edges.last().copied());
            assert_eq!(ends, range_of_bins);
            assert_eq!(found.edges.len(), if range_of_bins.is_some() { bins + 1 } else { 0 });
        });
    }
}

#[test]
fn bands_of_smoothed_runs_smooth_each_run_by_itself() {
    let store_of = Scene::new();
    let store = store_of.open_quiet();
    let runs = [new_run(&store), new_run(&store)];
    for step in 0..50 {
        runs[0].log_metric("m", step, step as f64).unwrap();
        runs[1].log_metric("m", step, (step % 2) as f64).unwrap();
    }
    let snapshots = runs.map(|run| store.snapshot(run.id()).unwrap());
    let group: Vec<_> = snapshots.iter().map(|snapshot| snapshot.metric("m").unwrap()).collect();
    let options = ChartOptions::new(50).smoothing(0.8);
    let bands = options.bands(ChartAxis::Step, &group, &[]).unwrap();
    let charts = options.charts(ChartAxis::Step, &group).unwrap();
    for (band, (one, other)) in bands.columns.iter().zip(charts[0].columns.iter().zip(&charts[1].columns)) {
        let (one, other) = (one.first.value, other.first.value);
        assert_eq!(
            (band.min, band.max, band.mean),
            (one.min(other), one.max(other), (one.min(other) + one.max(other)) / 2.0)
        );
    }
}

#[test]
fn bands_and_histograms_that_cannot_be_are_told() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let run = new_run(&store);
    run.log_metric("m", 1, 1.0).unwrap();
    let snapshot = store.snapshot(run.id()).unwrap();
    let query = snapshot.metric("m").unwrap();
    let bands = |width: usize, runs: usize, q: f64| {
        ChartOptions::new(width).bands(ChartAxis::Step, &vec![query.clone(); runs], &[q])
    };
    assert!(bands(10, 2, 0.5).is_ok() && bands(10, 0, 0.5).unwrap().columns.is_empty());
    for q in [-0.1, 1.1, f64::NAN] {
        assert!(bands(10, 2, q).is_err(), "{q}");
    }
    assert!(bands(0, 2, 0.5).is_err());
    let error = bands(1 << 20, 129, 0.5).unwrap_err();
    assert!(error.to_string().contains("runs times columns"), "{error}");
    assert!(query.histogram(0, ..).is_err() && query.histogram(1 << 21, ..).is_err());
    assert!(query.histogram(5, f64::NAN..).is_err());
}
