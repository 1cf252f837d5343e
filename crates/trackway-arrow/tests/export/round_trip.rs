//! Random stores, compared value by value through the readers of all formats.

use crate::harness::{FORMATS, Place, Row, everything, points, read, rows, runs};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampMillisecondType};
use arrow_array::{Array, RecordBatch};
use proptest::prelude::*;
use std::collections::BTreeMap;
use trackway::{ExperimentId, NewRun, Run, RunFilter, RunId, RunStatus, RunWriter, Store, View};
use trackway_arrow::Selection;

const KEYS: [&str; 4] = ["loss", "val/loss", "\u{e4} b", "acc"];

#[derive(Clone, Debug)]
enum Step {
    Point(usize, i64, i64, u64),
    Row(i64, i64, [u64; 2]),
    Columns(usize, Vec<(i64, i64, u64)>),
    Param(usize, String),
    Tag(usize, String),
    /// Ends one writer and begins another one.
    Resume,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Live,
    Ended(RunStatus),
    Deleted,
}

#[derive(Clone, Debug)]
struct Plan {
    named: bool,
    steps: Vec<Step>,
    end: End,
}

fn bits() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        any::<f32>().prop_map(|value| f64::from(value).to_bits()),
        // NaN of all kinds, both zeros, both infinities.
        prop::sample::select(vec![0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0001, 0x7ff0_0000_0000_0001, 0, 1 << 63]),
        prop::sample::select(vec![f64::INFINITY.to_bits(), f64::NEG_INFINITY.to_bits()]),
    ]
}

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![0i64..50, any::<i64>(), prop::sample::select(vec![i64::MIN, i64::MAX])]
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..KEYS.len();
    prop_oneof![
        4 => (key(), int(), int(), bits()).prop_map(|(key, step, time, bits)| Step::Point(key, step, time, bits)),
        2 => (int(), int(), [bits(), bits()]).prop_map(|(step, time, bits)| Step::Row(step, time, bits)),
        2 => (key(), prop::collection::vec((int(), int(), bits()), 0..200))
            .prop_map(|(key, points)| Step::Columns(key, points)),
        1 => (key(), "[a-z\u{e4}\" ,]{0,5}").prop_map(|(key, value)| Step::Param(key, value)),
        1 => (key(), "[a-z\n,]{0,5}").prop_map(|(key, value)| Step::Tag(key, value)),
        1 => Just(Step::Resume),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let ends = vec![End::Live, End::Ended(RunStatus::Finished), End::Ended(RunStatus::Failed), End::Deleted];
    (any::<bool>(), prop::collection::vec(step(), 0..25), prop::sample::select(ends))
        .prop_map(|(named, steps, end)| Plan { named, steps, end })
}

/// What was logged: of each run, in their order, the points of each metric.
type Logged = Vec<(RunId, BTreeMap<&'static str, Vec<(i64, i64, u64)>>)>;

/// Does what the plans say; gives the writers that are still open.
fn build(store: &Store, plans: &[Plan]) -> (Logged, Vec<RunWriter>) {
    let (mut logged, mut open) = (Vec::new(), Vec::new());
    for (number, plan) in plans.iter().enumerate() {
        let id = RunId::from_bytes([number as u8 ^ 0x55; 16]);
        let mut new = NewRun::new(ExperimentId::DEFAULT).id(id).start_time(number as i64 * 10).user("ada");
        if plan.named {
            new = new.name(format!("run {}", number / 2));
        }
        let mut writer = store.create_run(new).unwrap();
        let mut metrics: BTreeMap<&'static str, Vec<(i64, i64, u64)>> = BTreeMap::new();
        let mut log = |key: usize, point| metrics.entry(KEYS[key]).or_default().push(point);
        let mut params = [false; KEYS.len()];
        for step in &plan.steps {
            match step {
                Step::Point(key, step, time, bits) => {
                    writer.log_metric_at(KEYS[*key], *step, *time, f64::from_bits(*bits)).unwrap();
                    log(*key, (*step, *time, *bits));
                }
                Step::Row(step, time, bits) => {
                    writer.row(&KEYS[..2]).unwrap().log_at(*step, *time, &bits.map(f64::from_bits)).unwrap();
                    (0..2).for_each(|key| log(key, (*step, *time, bits[key])));
                }
                Step::Columns(key, points) => {
                    let column = |of: fn(&(i64, i64, u64)) -> i64| points.iter().map(of).collect::<Vec<_>>();
                    let values: Vec<f64> = points.iter().map(|point| f64::from_bits(point.2)).collect();
                    let metric = writer.metric(KEYS[*key]).unwrap();
                    metric.log_columns(&column(|point| point.0), &column(|point| point.1), &values).unwrap();
                    points.iter().for_each(|point| log(*key, *point));
                }
                Step::Param(key, value) if !std::mem::replace(&mut params[*key], true) => {
                    writer.log_param(KEYS[*key], value).unwrap();
                }
                Step::Param(..) => {}
                Step::Tag(key, value) => writer.set_tag(KEYS[*key], value).unwrap(),
                Step::Resume => {
                    writer.finish().unwrap();
                    writer = store.resume_run(id).unwrap();
                }
            }
        }
        match plan.end {
            End::Live => open.push(writer),
            End::Ended(RunStatus::Failed) => drop(writer),
            End::Ended(_) => writer.finish().unwrap(),
            End::Deleted => {
                writer.finish().unwrap();
                store.delete_run(id).unwrap();
            }
        }
        logged.push((id, metrics));
    }
    (logged, open)
}

fn expected(logged: &Logged) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, metrics) in logged {
        for (key, points) in metrics {
            rows.extend(
                points.iter().map(|(step, time, bits)| (id.to_string(), (*key).to_owned(), *step, *time, *bits)),
            );
        }
    }
    rows
}

/// The runs table says of each run what the store says, in all columns.
fn check_runs(store: &Store, logged: &Logged, batches: &[RecordBatch]) {
    let mut wanted = store.runs(&RunFilter { view: View::All, ..RunFilter::default() }).unwrap();
    wanted.sort_by_key(|run| run.start_time);
    assert_eq!(wanted.iter().map(|run| run.id).collect::<Vec<_>>(), logged.iter().map(|run| run.0).collect::<Vec<_>>());
    let mut wanted = wanted.iter();
    for batch in batches {
        for row in 0..batch.num_rows() {
            check_run(batch, row, wanted.next().unwrap());
        }
    }
    assert_eq!(wanted.next(), None);
}

fn check_run(batch: &RecordBatch, row: usize, run: &Run) {
    let text = |column: &dyn Array| {
        let texts = column.as_string::<i32>();
        texts.is_valid(row).then(|| texts.value(row).to_owned())
    };
    let time = |column: &dyn Array| {
        let times = column.as_primitive::<TimestampMillisecondType>();
        times.is_valid(row).then(|| times.value(row))
    };
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        match field.name().as_str() {
            "run_id" => assert_eq!(text(column), Some(run.id.to_string())),
            "run_name" => assert_eq!(text(column), given(&run.name)),
            "experiment_id" => assert_eq!(text(column).as_deref(), Some("0")),
            "experiment_name" => assert_eq!(text(column).as_deref(), Some("Default")),
            "status" => assert_eq!(text(column).as_deref(), Some(run.status.as_str())),
            "start_time" => assert_eq!(time(column), Some(run.start_time)),
            "end_time" => assert_eq!(time(column), run.end_time),
            "user_id" => assert_eq!(text(column).as_deref(), Some("ada")),
            "lifecycle_stage" => assert_eq!(text(column).unwrap() == "deleted", run.deleted_at.is_some()),
            "parent_run_id" => assert_eq!(text(column), None),
            name => match name.split_once('.').unwrap() {
                ("params", key) => assert_eq!(text(column), run.params.get(key).cloned()),
                ("tags", key) => assert_eq!(text(column), run.tags.get(key).cloned()),
                ("metrics", key) => {
                    let values = column.as_primitive::<Float64Type>();
                    let latest = run.metrics.get(key).map(|metric| metric.latest.value.to_bits());
                    assert_eq!(values.is_valid(row).then(|| values.value(row).to_bits()), latest);
                }
                other => panic!("a column {other:?}"),
            },
        }
    }
    let columns = |of: &str| batch.schema_ref().fields().iter().filter(|field| field.name().starts_with(of)).count();
    assert!(columns("params.") >= run.params.len() && columns("metrics.") >= run.metrics.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_back_is_what_was_logged(
        plans in prop::collection::vec(plan(), 0..6),
        batch_rows in 1usize..200,
        compacted in any::<bool>(),
        reopened in any::<bool>(),
    ) {
        let place = Place::new();
        let mut store = place.store();
        let (logged, mut open) = build(&store, &plans);
        if reopened {
            open.clear();
            store.close().unwrap();
            store = place.store();
        }
        if compacted {
            store.compact(&mut |_| {}).unwrap();
        }
        let all = Selection::find(&store, &everything()).unwrap();
        let wanted = expected(&logged);
        prop_assert_eq!(all.points(), wanted.len() as u64);
        for format in FORMATS {
            let bytes = points(&store, &all, format, batch_rows).unwrap();
            prop_assert_eq!(&rows(&read(bytes, format)), &wanted);
            let table = runs(&store, &all, format).unwrap();
            check_runs(&store, &logged, &read(table, format));
        }
        // Some of the metrics, some of the runs.
        let some: Vec<RunId> = logged.iter().map(|run| run.0).step_by(2).collect();
        let few = Selection::of(&store, &some).unwrap().only_metrics(&["loss", "no such metric"]);
        let bytes = points(&store, &few, FORMATS[0], batch_rows).unwrap();
        let kept = |row: &&Row| row.1 == "loss" && some.iter().any(|id| id.to_string() == row.0);
        prop_assert_eq!(rows(&read(bytes, FORMATS[0])), wanted.iter().filter(kept).cloned().collect::<Vec<_>>());
    }
}
