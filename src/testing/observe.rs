//! What a store shows, read in every way there is; each way is held against the plainest one.

use super::pools::Bits;
use super::registry::{self, Registry};
use crate::{
    Columns, KeyMap, LifecycleStage, MetricQuery, MetricSummary, Order, Point, Result, Run, RunFilter, RunId,
    RunStatus, Snapshot, Stats, StatusCause, Store, View,
};
use std::collections::BTreeMap;

/// One experiment: tags, and whether it is deleted.
pub(super) type SeenExperiment = (BTreeMap<String, String>, bool);

/// A whole store.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// By name.
    pub(super) experiments: BTreeMap<String, SeenExperiment>,
    pub(super) registry: Registry,
    pub(super) runs: BTreeMap<RunId, SeenRun>,
}

/// A run with all its points as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SeenRun {
    pub(super) experiment: String,
    pub(super) start_time: i64,
    pub(super) name: String,
    pub(super) status: (RunStatus, StatusCause),
    pub(super) deleted: bool,
    pub(super) params: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) metrics: BTreeMap<String, Vec<Bits>>,
}

fn fail<T>(result: Result<T>, what: impl FnOnce() -> String) -> std::result::Result<T, String> {
    result.map_err(|error| format!("{}: {error}", what()))
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T, what: impl FnOnce() -> String) -> Checked {
    if found == expected { Ok(()) } else { Err(format!("{}: found {found:?}, expected {expected:?}", what())) }
}

pub(super) type Checked = std::result::Result<(), String>;

pub(super) fn bits(point: Point) -> Bits {
    (point.step, point.timestamp, point.value.to_bits())
}

fn all_bits(columns: &Columns) -> Vec<Bits> {
    columns.iter().map(bits).collect()
}

/// Reads everything. `deep`: also by ranges and orders, and what listings leave out.
pub(super) fn observe(store: &Store, deep: bool) -> std::result::Result<Seen, String> {
    let mut seen = Seen { registry: registry::observe(store)?, ..Seen::default() };
    let mut names = BTreeMap::new();
    for experiment in fail(store.experiments(), || "experiments".to_owned())? {
        let deleted = experiment.lifecycle_stage == LifecycleStage::Deleted;
        let name = experiment.name.clone();
        names.insert(experiment.id, name.clone());
        if seen.experiments.insert(name.clone(), (experiment.tags, deleted)).is_some() {
            return Err(format!("two experiments have the name {name:?}"));
        }
    }
    let runs = fail(store.runs(&RunFilter { view: View::All, ..RunFilter::default() }), || "runs".to_owned())?;
    for run in &runs {
        let snapshot = fail(store.snapshot(run.id), || format!("snapshot of {}", run.id))?;
        same_run(run, snapshot.run(), "listed run and its files")
            .map_err(|error| format!("{error}, damage {:?}", snapshot.damage()))?;
        let experiment = names.get(&run.experiment_id).cloned().unwrap_or_default();
        let found = observe_run(&snapshot, experiment, deep).map_err(|error| format!("run {}: {error}", run.id))?;
        if seen.runs.insert(run.id, found).is_some() {
            return Err(format!("run {} is listed twice", run.id));
        }
    }
    if deep {
        check_listing(store, &runs)?;
    }
    Ok(seen)
}

/// Whether two runs are the same to the bit, NaN included.
fn same_run(found: &Run, expected: &Run, what: &str) -> Checked {
    let facts = |run: &Run| {
        let (who, when) = ((run.id, run.experiment_id, run.parent), (run.start_time, run.end_time, run.deleted_at));
        (who, when, run.status, run.status_cause, run.lifecycle_stage)
    };
    let summary = |known: &MetricSummary| {
        let (min, max) = (known.min.map(f64::to_bits), known.max.map(f64::to_bits));
        (known.count, known.nan_count, bits(known.latest), min, max)
    };
    let metrics = |run: &Run| run.metrics.iter().map(|(key, known)| (key.clone(), summary(known))).collect::<Vec<_>>();
    let is_same = facts(found) == facts(expected)
        && (&found.name, &found.user) == (&expected.name, &expected.user)
        && (&found.params, &found.tags) == (&expected.params, &expected.tags)
        && metrics(found) == metrics(expected);
    if is_same { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}

fn check_listing(store: &Store, all: &[Run]) -> Checked {
    if !all.is_sorted_by(|a, b| (b.start_time, a.id) <= (a.start_time, b.id)) {
        return Err("the listing is not sorted by start".to_owned());
    }
    for (view, stage) in [(View::Active, LifecycleStage::Active), (View::Deleted, LifecycleStage::Deleted)] {
        let runs = fail(store.runs(&RunFilter { view, ..RunFilter::default() }), || "runs".to_owned())?;
        let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        let expected = all.iter().filter(|run| run.lifecycle_stage == stage).map(|run| run.id).collect();
        same(ids, expected, || format!("listing of {view:?}"))?;
    }
    for run in all {
        let one = fail(store.run(run.id), || format!("run {}", run.id))?;
        same_run(&one, run, "run by id and as listed")?;
    }
    Ok(())
}

/// Reads one run through its snapshot.
pub(super) fn observe_run(snapshot: &Snapshot, experiment: String, deep: bool) -> std::result::Result<SeenRun, String> {
    let run = snapshot.run();
    let mut metrics = BTreeMap::new();
    for key in run.metrics.keys() {
        let query = fail(snapshot.metric(key), || format!("metric {key}"))?;
        let points: Vec<Point> = fail(query.read(), || format!("points of {key}"))?.iter().collect();
        let stats = snapshot.stats(key).ok_or_else(|| format!("{key} has no statistics"))?;
        check_stats(stats, &points).map_err(|error| format!("statistics of {key}: {error}"))?;
        if deep {
            check_queries(&query, &points).map_err(|error| format!("{key}: {error}"))?;
        }
        metrics.insert(key.to_string(), points.into_iter().map(bits).collect());
    }
    Ok(SeenRun {
        experiment,
        start_time: run.start_time,
        name: run.name.clone(),
        status: (run.status, run.status_cause),
        deleted: run.lifecycle_stage == LifecycleStage::Deleted,
        params: texts(&run.params),
        tags: texts(&run.tags),
        metrics,
    })
}

fn texts(map: &KeyMap<String>) -> BTreeMap<String, String> {
    map.iter().map(|(key, value)| (key.to_string(), value.clone())).collect()
}

/// The first point that none of the later ones beats.
fn best(points: &[Point], beats: impl Fn(&Point, &Point) -> bool) -> Option<Bits> {
    let mut best: Option<&Point> = None;
    for point in points {
        if best.is_none_or(|best| beats(point, best)) {
            best = Some(point);
        }
    }
    best.copied().map(bits)
}

fn check_stats(stats: &Stats, points: &[Point]) -> Checked {
    let numbers: Vec<Point> = points.iter().copied().filter(|point| !point.value.is_nan()).collect();
    let found = (stats.count, stats.nan_count);
    same(found, (points.len() as u64, (points.len() - numbers.len()) as u64), || "counts".to_owned())?;
    same(stats.first.map(bits), points.first().copied().map(bits), || "first".to_owned())?;
    same(stats.last.map(bits), points.last().copied().map(bits), || "last".to_owned())?;
    same(stats.min.map(bits), best(&numbers, |a, b| a.value < b.value), || "smallest".to_owned())?;
    same(stats.max.map(bits), best(&numbers, |a, b| a.value > b.value), || "largest".to_owned())?;
    same(stats.latest.map(bits), best(points, |a, b| a.cmp_latest(b).is_gt()), || "latest".to_owned())?;
    let range = |of: fn(&Point) -> i64| points.iter().map(of).min().zip(points.iter().map(of).max());
    same(stats.step_range, range(|point| point.step), || "step range".to_owned())?;
    same(stats.time_range, range(|point| point.timestamp), || "time range".to_owned())
}

/// Ranges at whose ends the pools have points.
const RANGES: [(i64, i64); 5] = [(i64::MIN, -1), (0, 0), (1, 7), (-5, 1_700_000_000_000), (i64::MAX, i64::MAX)];

fn check_queries(query: &MetricQuery<'_>, points: &[Point]) -> Checked {
    let iterated: Result<Vec<Point>> = query.points().collect();
    let iterated = fail(iterated, || "iteration".to_owned())?;
    let expected: Vec<Bits> = points.iter().copied().map(bits).collect();
    same(iterated.into_iter().map(bits).collect(), expected, || "iterated points".to_owned())?;
    let mut columns = Columns::default();
    for order in [Order::AsWritten, Order::ByStep, Order::LastPerStep] {
        let query = query.clone().order(order);
        fail(query.read_into(&mut columns), || format!("{order:?}"))?;
        same(all_bits(&columns), arranged(points, order), || format!("{order:?}"))?;
        for (at, (low, high)) in
            RANGES.into_iter().enumerate().take(if points.len() > 20_000 { 0 } else { RANGES.len() })
        {
            let by_step = query.clone().steps(low..=high);
            fail(by_step.read_into(&mut columns), || format!("steps {low}..={high}"))?;
            let within: Vec<Point> = points.iter().copied().filter(|p| low <= p.step && p.step <= high).collect();
            same(all_bits(&columns), arranged(&within, order), || format!("{order:?}, steps {low}..={high}"))?;
            // Of the times another range, so that both bounds matter.
            let (from, to) = RANGES[(at + 3) % RANGES.len()];
            fail(by_step.timestamps(from..=to).read_into(&mut columns), || format!("times {from}..={to}"))?;
            let within: Vec<Point> = within.into_iter().filter(|p| from <= p.timestamp && p.timestamp <= to).collect();
            let what = || format!("{order:?}, steps {low}..={high}, times {from}..={to}");
            same(all_bits(&columns), arranged(&within, order), what)?;
        }
    }
    Ok(())
}

/// The orders as their documentation has them, without any cleverness.
fn arranged(points: &[Point], order: Order) -> Vec<Bits> {
    let mut by_step: BTreeMap<i64, Vec<Bits>> = BTreeMap::new();
    for point in points {
        by_step.entry(point.step).or_default().push(bits(*point));
    }
    match order {
        Order::AsWritten => points.iter().copied().map(bits).collect(),
        Order::ByStep => by_step.into_values().flatten().collect(),
        Order::LastPerStep => by_step.into_values().filter_map(|points| points.last().copied()).collect(),
    }
}
