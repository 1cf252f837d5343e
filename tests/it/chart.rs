//! Charts against a naive look at every point.

use crate::support::{Scene, files, new_run};
use proptest::prelude::*;
use trackway::{Chart, ChartAxis, ChartColumn, ChartOptions, ChartPoint, Columns, Snapshot, Store, StoreOptions};

/// What `chart` promises, point by point.
fn naive(points: &Columns, axis: ChartAxis, range: (i64, i64), width: usize) -> Vec<ChartColumn> {
    let mut columns: Vec<Option<ChartColumn>> = vec![None; width];
    let span = i128::from(range.1) - i128::from(range.0) + 1;
    for point in points.iter() {
        let x = if axis == ChartAxis::Step { point.step } else { point.timestamp };
        let column = ((i128::from(x) - i128::from(range.0)) * width as i128 / span) as usize;
        let at = ChartPoint { x, value: point.value };
        let number = (!point.value.is_nan()).then_some(at);
        let Some(known) = &mut columns[column] else {
            let nan_count = u64::from(point.value.is_nan());
            columns[column] =
                Some(ChartColumn { column, count: 1, nan_count, first: at, last: at, min: number, max: number });
            continue;
        };
        known.count += 1;
        known.nan_count += u64::from(point.value.is_nan());
        if x < known.first.x {
            known.first = at;
        }
        if x >= known.last.x {
            known.last = at;
        }
        if let Some(number) = number {
            if known.min.is_none_or(|min| number.value < min.value) {
                known.min = Some(number);
            }
            if known.max.is_none_or(|max| number.value > max.value) {
                known.max = Some(number);
            }
        }
    }
    columns.into_iter().flatten().collect()
}

/// Draws each chart twice, since the second one finds what the first one has kept.
fn check(snapshot: &Snapshot, axis: ChartAxis, steps: std::ops::Range<i64>, widths: &[usize]) {
    let all = i64::MIN..i64::MAX;
    let since = 1_700_000_000_000 + steps.start * 40;
    let later = since..since + (steps.end - steps.start) * 50;
    let ranges = [(&all, &all), (&steps, &all), (&all, &later), (&steps, &later)];
    for ((steps, times), width) in ranges.into_iter().flat_map(|range| widths.iter().map(move |width| (range, *width)))
    {
        let query = || snapshot.metric("m").unwrap().steps(steps.clone()).timestamps(times.clone());
        let points = query().read().unwrap();
        for round in 0..2 {
            let chart: Chart = query().chart(axis, width).unwrap();
            assert_eq!(chart.columns.iter().map(|column| column.count).sum::<u64>(), points.len() as u64);
            let Some(found) = chart.range else {
                assert!(points.is_empty());
                continue;
            };
            // As text, since NaN differs from itself.
            let (found, expected) =
                (format!("{:?}", chart.columns), format!("{:?}", naive(&points, axis, found, width)));
            assert_eq!(found, expected, "{axis:?}, {steps:?}, {times:?}, {width} columns, round {round}");
        }
    }
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let n = 1..3000_usize;
    let noise = || any::<u16>().prop_map(|k| f64::from(f32::from(k) / 7.0));
    prop_oneof![
        prop::collection::vec(noise(), n.clone()),
        prop::collection::vec(
            prop_oneof![30 => noise(), 1 => Just(f64::NAN), 1 => Just(-0.0), 1 => Just(0.0)],
            n.clone()
        ),
        prop::collection::vec(any::<f64>(), 1..200_usize),
        (any::<f32>(), n.clone()).prop_map(|(value, n)| vec![f64::from(value); n]),
        // Of these compaction makes pcodec, as floats, as singles, and as integers.
        prop::collection::vec((0..1000_u16).prop_map(|k| f64::from(k) * 0.1), n.clone()),
        prop::collection::vec(
            noise().prop_map(|noise| f64::from(2.0 + (noise % 256.0) as f32 / 1024.0 + 1e-7)),
            n.clone()
        ),
        prop::collection::vec((0..40_u32).prop_map(|k| f64::from(k).exp2()), n),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn charts_of_logged_sealed_and_compacted_points_are_exact(
        values in values(),
        (stride, jitter, back) in (0..5_i64, 0..4_i64, prop_oneof![2 => Just(0_usize), 1 => 1..900_usize]),
        width in prop_oneof![1..9_usize, 90..3000_usize],
        other_width in 1..70_usize,
        parts in 1..4_usize,
        (from, len) in (0..3000_i64, 0..4000_i64),
    ) {
        let scene = Scene::new();
        let options = StoreOptions::new().background(false).chunk_rows(1024).log_bytes(64 << 10);
        let store = options.open(scene.path()).unwrap();
        let writer = new_run(&store);
        let id = writer.id();
        // A resumed run goes back; the rest goes on at even steps or at steps with noise.
        let at = |k: usize| if k >= 1500 && back > 0 { k - back } else { k } as i64;
        let steps: Vec<i64> = (0..values.len()).map(|k| at(k) * stride + (k as i64 * 7919 % 13) * jitter / 4).collect();
        let times: Vec<i64> = (0..values.len()).map(|k| 1_700_000_000_000 + k as i64 * 50 + k as i64 * k as i64 % 17).collect();
        let widths = [width, other_width, 1, width];
        let look = |store: &Store| {
            let snapshot = store.snapshot(id).unwrap();
            for axis in [ChartAxis::Step, ChartAxis::Timestamp] {
                check(&snapshot, axis, from..from + len, &widths);
            }
        };
        let part = values.len().div_ceil(parts);
        for (number, values) in values.chunks(part).enumerate() {
            let rows = number * part..number * part + values.len();
            writer.metric("m").unwrap().log_columns(&steps[rows.clone()], &times[rows], values).unwrap();
        }
        look(&store);
        // Logs that are full become segments; the last one is still written to.
        store.maintain().unwrap();
        look(&store);
        writer.finish().unwrap();
        store.maintain().unwrap();
        look(&store);
        store.compact(&mut |_| {}).unwrap();
        look(&store);
    }
}

/// Their columns lie at the same places, and both are cut in the same block.
#[test]
fn segments_of_the_same_shape_are_not_taken_for_each_other() {
    let scene = Scene::new();
    let store = StoreOptions::new().background(false).log_bytes(64 << 10).open(scene.path()).unwrap();
    let run = new_run(&store);
    let loss = run.metric("m").unwrap();
    for part in 0..5 {
        let steps: Vec<i64> = (0..6000).map(|k| 20_000 + part * 6000 + k).collect();
        let times: Vec<i64> = steps.iter().map(|step| 1_700_000_000_000 + step * 50 + step * 7919 % 17).collect();
        let values: Vec<f64> =
            (0..6000).map(|k| f64::from((k * 7919 % 6007) as f32 / 7.0 + part as f32 * 64.0)).collect();
        loss.log_columns(&steps, &times, &values).unwrap();
    }
    store.maintain().unwrap();
    let segments = files(&scene.path(), ".seg").len();
    assert!(segments > 2, "a log of 64 KiB has room for one part, but there are {segments} segments");
    let snapshot = store.snapshot(run.id()).unwrap();
    for axis in [ChartAxis::Step, ChartAxis::Timestamp] {
        check(&snapshot, axis, 20_100..43_000, &(3..40).collect::<Vec<_>>());
    }
}

/// Uneven numbers below 2^20: pcodec takes them.
fn skewed(k: i64) -> i64 {
    1 << ((k * 2_654_435_761 % 4093) % 20)
}

#[test]
fn charts_of_what_compaction_gives_to_pcodec_are_exact_at_any_width_one_after_the_other() {
    let scene = Scene::new();
    let store = StoreOptions::new().background(false).chunk_rows(4096).open(scene.path()).unwrap();
    let run = new_run(&store);
    let mut time = 1_700_000_000_000;
    let steps: Vec<i64> = (0..50_000).collect();
    let times: Vec<i64> = steps
        .iter()
        .map(|k| {
            time += skewed(*k) % 5000;
            time
        })
        .collect();
    let values: Vec<f64> = steps.iter().map(|k| (k * 7919 % 1000) as f64 * 0.1).collect();
    run.metric("m").unwrap().log_columns(&steps, &times, &values).unwrap();
    run.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    let codecs = store.statistics().unwrap().codecs;
    for column in ["timestamps", "values"] {
        assert!(codecs.iter().any(|codec| codec.column == column && codec.codec == "pco"), "{codecs:?}");
    }
    let snapshot = store.snapshot(run.id()).unwrap();
    let widths = [1, 3, 100, 101, 1000, 977, 5000, 100];
    for axis in [ChartAxis::Step, ChartAxis::Timestamp] {
        check(&snapshot, axis, 20_000..20_700, &widths);
    }
}

#[test]
fn a_damaged_column_fails_every_chart_that_needs_it_or_is_left_out() {
    let scene = Scene::new();
    let store = StoreOptions::new().background(false).chunk_rows(1024).open(scene.path()).unwrap();
    let run = new_run(&store);
    let steps: Vec<i64> = (0..10_000).collect();
    let times: Vec<i64> = steps.iter().map(|k| 1_700_000_000_000 + k * 50 + k * 7919 % 31).collect();
    let values: Vec<f64> = steps.iter().map(|k| f64::from((k * 2_654_435_761 % 100_003) as f32 / 7.0)).collect();
    run.metric("m").unwrap().log_columns(&steps, &times, &values).unwrap();
    run.finish().unwrap();
    store.maintain().unwrap();
    let id = run.id();
    drop((run, store));
    let [segment] = &files(&scene.path(), ".seg")[..] else { panic!("one segment") };
    let mut bytes = std::fs::read(segment).unwrap();
    // The columns of values lie behind the axes: this is one of them.
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(segment, bytes).unwrap();
    let store = scene.open_read_only();
    let snapshot = store.snapshot(id).unwrap();
    let query = || snapshot.metric("m").unwrap().skip_damaged(true);
    let points = query().read().unwrap();
    assert!((7000..10_000).contains(&points.len()), "{}", points.len());
    for (axis, round) in [ChartAxis::Step, ChartAxis::Timestamp].into_iter().flat_map(|axis| [(axis, 0), (axis, 1)]) {
        assert!(snapshot.metric("m").unwrap().chart(axis, 100).is_err(), "{axis:?}, round {round}");
        let chart = query().chart(axis, 100).unwrap();
        let expected = naive(&points, axis, chart.range.unwrap(), 100);
        assert_eq!(chart.columns, expected, "{axis:?}, round {round}");
    }
    // So does what reads every point.
    let options = ChartOptions::new(100).smoothing(0.5);
    let whole = snapshot.metric("m").unwrap();
    assert!(whole.chart(ChartAxis::Step, options).is_err() && whole.histogram(10, ..).is_err());
    assert!(whole.chart_against(&whole, 100).is_err() && whole.against(&whole).is_err());
    assert!(options.bands(ChartAxis::Step, std::slice::from_ref(&whole), &[]).is_err());
    let all = points.len() as u64;
    let counts = |columns: &[ChartColumn]| columns.iter().map(|column| column.count).sum::<u64>();
    assert_eq!(counts(&query().chart(ChartAxis::Step, options).unwrap().columns), all);
    assert_eq!(query().histogram(10, ..).unwrap().counts.iter().sum::<u64>(), all);
    assert_eq!(query().against(&query()).unwrap().len(), points.len());
    let bands = options.bands(ChartAxis::Step, &[query()], &[]).unwrap();
    assert!(!bands.columns.is_empty() && bands.columns.len() < 100);
}

#[test]
fn a_spike_of_one_point_in_a_million_is_in_every_chart() {
    let scene = Scene::new();
    let store = scene.open();
    let run = new_run(&store);
    let steps: Vec<i64> = (0..1_000_000).collect();
    let mut values: Vec<f64> = steps.iter().map(|step| f64::from(((step * 2_654_435_761) % 1000) as f32)).collect();
    (values[123_456], values[777_777]) = (1e6, -1e6);
    run.metric("m").unwrap().log_columns(&steps, &steps, &values).unwrap();
    run.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    let snapshot = store.snapshot(run.id()).unwrap();
    for width in [1, 7, 100, 1000, 1921] {
        let chart = snapshot.metric("m").unwrap().chart(ChartAxis::Step, width).unwrap();
        let peak = ChartPoint { x: 123_456, value: 1e6 };
        let hole = ChartPoint { x: 777_777, value: -1e6 };
        assert!(chart.columns.iter().any(|column| column.max == Some(peak)), "{width}");
        assert!(chart.columns.iter().any(|column| column.min == Some(hole)), "{width}");
    }
}

#[test]
fn widths_and_ranges_that_cannot_be_are_told() {
    let scene = Scene::new();
    let store = scene.open();
    let run = new_run(&store);
    for step in [i64::MIN, 0, i64::MAX] {
        run.log_metric_at("m", step, step, step as f64).unwrap();
    }
    let snapshot = store.snapshot(run.id()).unwrap();
    let query = || snapshot.metric("m").unwrap();
    assert!(query().chart(ChartAxis::Step, 0).is_err());
    assert!(query().chart(ChartAxis::Step, usize::MAX).is_err());
    let nothing = query().steps(5..5).chart(ChartAxis::Step, 10).unwrap();
    assert!(nothing.range.is_none() && nothing.columns.is_empty());
    let ends = query().chart(ChartAxis::Step, 1000).unwrap();
    assert_eq!(ends.columns.iter().map(|column| column.column).collect::<Vec<_>>(), [0, 500, 999]);
}
