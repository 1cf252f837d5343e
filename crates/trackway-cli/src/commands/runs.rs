//! `runs`: lists them.

use crate::args::RunsArgs;
use crate::describe::{duration_ms, points, run_json, status_style};
use crate::error::Outcome;
use crate::output::{Context, tell_incidents};
use crate::resolve::{is_active, short_ids};
use crate::style::Style;
use crate::table::{Cell, Fit, Table};
use crate::text::{count, duration, utc};
use crate::values::short;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::HashMap;
use trackway::{ExperimentId, Filter, Run, RunFilter, RunId, RunQuery, Store, View};

/// Metrics shown at most; a narrow terminal shows fewer.
const METRICS: usize = 4;

pub(crate) fn run(args: &RunsArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let experiment_id = args.experiment.as_deref().map(|text| crate::resolve::experiment(&store, text)).transpose()?;
    let view = match (args.all, args.deleted) {
        (true, _) => View::All,
        (_, true) => View::Deleted,
        _ => View::Active,
    };
    let filter = args.filter.as_deref().map(Filter::new).transpose()?;
    let query = RunQuery { experiments: experiment_id.into_iter().collect(), view, filter, ..RunQuery::default() };
    let mut runs = store.search(&query)?.runs;
    sort(&mut runs, &args.sort, args.reverse);
    tell_incidents(&store);
    let found = runs.len();
    runs.truncate(args.limit.unwrap_or(usize::MAX));
    let names = experiment_names(&store)?;
    if args.output.json {
        let name = |run: &Run| names.get(&run.experiment_id).map_or("", String::as_str);
        return context.json(&Value::from(runs.iter().map(|run| run_json(run, name(run))).collect::<Vec<_>>()));
    }
    let shown = if args.metrics.is_empty() { common_metrics(&runs) } else { args.metrics.clone() };
    let mut table = table(&store, &runs, &names, &shown, args.full)?;
    if runs.is_empty() {
        table = Table::new().left("no runs", Fit::Whole);
    }
    context.table(&table)?;
    if runs.len() < found {
        context.line(format_args!("... {} more", count((found - runs.len()) as u64)))?;
    }
    Ok(())
}

/// The table of these runs; `demo` shows it too.
pub(crate) fn table(
    store: &Store,
    runs: &[Run],
    names: &HashMap<ExperimentId, String>,
    metrics: &[String],
    full: bool,
) -> Outcome<Table> {
    let ids = if full { runs.iter().map(|run| run.id.to_string()).collect() } else { ids_in(store, runs)? };
    let mut table = Table::new()
        .left("ID", Fit::Whole)
        .left("NAME", Fit::Cut)
        .left("EXPERIMENT", Fit::Cut)
        .left("STATUS", Fit::Whole)
        .left("START (UTC)", Fit::Optional)
        .right("DURATION", Fit::Optional)
        .right("POINTS", Fit::Whole);
    for key in metrics {
        table = table.right(key.as_str(), Fit::Optional);
    }
    for (run, id) in runs.iter().zip(ids) {
        let style = if is_active(run) { Style::Plain } else { Style::Dim };
        let name = if is_active(run) { run.name.clone() } else { format!("{} (deleted)", run.name) };
        let mut row = vec![
            Cell::styled(id, style),
            Cell::styled(name, style),
            Cell::styled(names.get(&run.experiment_id).map_or("", String::as_str), style),
            Cell::styled(run.status.as_str(), status_style(run.status)),
            Cell::styled(utc(run.start_time), style),
            Cell::styled(duration_ms(run).map_or_else(String::new, duration), style),
            Cell::styled(count(points(run)), style),
        ];
        row.extend(metrics.iter().map(|key| latest(run, key).map_or_else(String::new, short).into()));
        table.push(row);
    }
    Ok(table)
}

/// Short ids that are unique among all runs of the store, so that they can be typed.
fn ids_in(store: &Store, runs: &[Run]) -> Outcome<Vec<String>> {
    let all: Vec<RunId> =
        store.runs(&RunFilter { view: View::All, ..RunFilter::default() })?.iter().map(|r| r.id).collect();
    let length = short_ids(&all).first().map_or(8, String::len);
    Ok(runs.iter().map(|run| run.id.to_string().chars().take(length).collect()).collect())
}

/// Names of all experiments by id.
pub(crate) fn experiment_names(store: &Store) -> Outcome<HashMap<ExperimentId, String>> {
    Ok(store.experiments()?.into_iter().map(|experiment| (experiment.id, experiment.name)).collect())
}

/// The metrics that most of the runs have; of equally common ones losses and accuracies go first, then short keys.
/// Readings of the machine (`system/`) are left out.
pub(crate) fn common_metrics(runs: &[Run]) -> Vec<String> {
    let mut runs_with: HashMap<&str, usize> = HashMap::new();
    for key in runs.iter().flat_map(|run| run.metrics.keys()).filter(|key| !key.starts_with("system/")) {
        *runs_with.entry(key).or_default() += 1;
    }
    let dull = |key: &str| !["loss", "acc", "score", "return", "rmse", "auc"].iter().any(|word| key.contains(word));
    let mut keys: Vec<(usize, bool, usize, &str)> =
        runs_with.into_iter().map(|(key, n)| (usize::MAX - n, dull(key), key.len(), key)).collect();
    keys.sort_unstable();
    keys.into_iter().take(METRICS).map(|(.., key)| key.to_owned()).collect()
}

fn latest(run: &Run, key: &str) -> Option<f64> {
    run.metrics.get(key).map(|metric| metric.latest.value)
}

/// Sorts by one of the known words or by a metric's latest value; runs without it come last.
fn sort(runs: &mut [Run], by: &str, reverse: bool) {
    let key = |a: &Run, b: &Run| match by {
        "start" => b.start_time.cmp(&a.start_time),
        "name" => a.name.cmp(&b.name),
        "status" => a.status.as_str().cmp(b.status.as_str()),
        "duration" => duration_ms(a).cmp(&duration_ms(b)),
        "points" => points(a).cmp(&points(b)),
        metric => match (latest(a, metric), latest(b, metric)) {
            (Some(x), Some(y)) if x.is_nan() || y.is_nan() => x.is_nan().cmp(&y.is_nan()),
            (Some(x), Some(y)) => x.total_cmp(&y),
            (x, y) => y.is_some().cmp(&x.is_some()),
        },
    };
    let last = |run: &Run| latest(run, by).is_none_or(f64::is_nan);
    let is_metric = !["start", "name", "status", "duration", "points"].contains(&by);
    runs.sort_by(|a, b| match key(a, b) {
        // What has no value stays last, whichever way round.
        order if reverse && !(is_metric && last(a) != last(b)) => order.reverse(),
        Ordering::Equal => Ordering::Equal,
        order => order,
    });
}
