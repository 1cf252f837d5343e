//! Logging to runs. All of a request is checked before any of it is written, and nothing is answered before the engine's
//! calls have returned.

use super::experiments::pairs;
use super::logged_models::{check_models, log_metrics};
use super::request::{Fields, invalid_value, missing};
use super::runs::{find_active_run, refused, rename, run_id};
use super::shapes::NAME_TAG;
use super::{Error, Result, Route, validate};
use crate::reply::Reply;
use crate::state::App;
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use trackway::{Point, RunId, RunWriter};

pub(super) const ROUTES: &[Route] = &[
    Route::post("/mlflow/runs/log-metric", log_metric),
    Route::post("/mlflow/runs/log-parameter", log_param),
    Route::post("/mlflow/runs/set-tag", set_tag),
    Route::post("/mlflow/runs/delete-tag", delete_tag),
    Route::post("/mlflow/runs/log-batch", log_batch),
];

/// Most of each kind in a batch, and of all kinds together.
const MAX_METRICS: usize = 1000;
const MAX_PARAMS: usize = 100;
const MAX_TAGS: usize = 100;
const MAX_TOGETHER: usize = 1000;

/// A point of a metric as it is logged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logged<'a> {
    pub(super) key: &'a str,
    pub(super) point: Point,
    /// The logged model that it is of, if any, and the dataset that it was found on.
    pub(super) model_id: Option<&'a str>,
    pub(super) dataset_name: Option<&'a str>,
    pub(super) dataset_digest: Option<&'a str>,
}

fn log_metric(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.run_id()?;
    let metric = read_metric(fields, missing)?;
    check_metric(&metric, "")?;
    write(app, given, &[], &[metric], &[])
}

fn log_param(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.run_id()?;
    let key = fields.required_text("key")?;
    let value = fields.text("value")?.unwrap_or_default();
    check_key("key", "Param key", key)?;
    let id = run_id(given)?;
    let value = validate::cut(value, validate::MAX_PARAM);
    let logged = app.writers.with(&app.store, id, |writer| writer.log_param(key, value)).flatten();
    logged.map_err(|error| match error {
        trackway::Error::ParamConflict { stored, .. } => Error::invalid(format!(
            "Changing param values is not allowed. Param with key='{key}' was already logged with value='{stored}' for run \
             ID='{given}'. Attempted logging new value '{value}'."
        )),
        other => refused(other, given),
    })?;
    Ok(Reply::empty())
}

fn set_tag(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.run_id()?;
    let key = fields.required_text("key")?;
    let value = fields.text("value")?.unwrap_or_default();
    check_key("key", "key", key)?;
    let value = validate::cut(value, validate::MAX_RUN_TAG);
    let id = run_id(given)?;
    // A run that nobody logs to any more does not need a log for one tag.
    let by_writer = app.writers.if_open(id, |writer| write_tags(writer, &[(key, value)]));
    if let Some(written) = by_writer {
        written.map_err(|error| refused(error, given))?;
        return Ok(Reply::empty());
    }
    find_active_run(app, given)?;
    match key {
        NAME_TAG if value.is_empty() => {}
        NAME_TAG => rename(app, id, value)?,
        _ => app.store.set_run_tag(id, key, value).map_err(|error| refused(error, given))?,
    }
    Ok(Reply::empty())
}

fn delete_tag(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("run_id")?;
    let key = fields.required_text("key")?;
    let (run, _) = find_active_run(app, given)?;
    if !run.tags.contains_key(key) {
        return Err(Error::missing(format!("No tag with name: {key} in run with id {given}")));
    }
    let by_writer = app.writers.if_open(run.id, |writer| writer.delete_tag(key));
    by_writer.unwrap_or_else(|| app.store.delete_run_tag(run.id, key)).map_err(|error| refused(error, given))?;
    Ok(Reply::empty())
}

fn log_batch(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("run_id")?;
    let items = fields.list("metrics")?.into_iter().enumerate();
    let at = |index: usize, name: &str| missing(&format!("metrics[{index}].{name}"));
    let metrics: Vec<Logged<'_>> =
        items.map(|(index, item)| read_metric(item, |name| at(index, name))).collect::<Result<_>>()?;
    let params = keyed(fields, "params")?;
    let tags = keyed(fields, "tags")?;
    validate::run_id_form(given)?;
    metrics.iter().enumerate().try_for_each(|(index, metric)| check_metric(metric, &format!("metrics[{index}].")))?;
    let is_legal =
        |what: &str, index: usize, key: &str, name: &str| check_key(&format!("{what}[{index}].key"), name, key);
    params.iter().enumerate().try_for_each(|(index, (key, _))| is_legal("params", index, key, "Param key"))?;
    tags.iter()
        .enumerate()
        .try_for_each(|(index, (key, _))| is_legal("tags", index, key, &format!("tags[{index}].key")))?;
    check_numbers(metrics.len(), params.len(), tags.len())?;
    check_unique(&params)?;
    let params: Vec<_> = params.iter().map(|(key, value)| (*key, validate::cut(value, validate::MAX_PARAM))).collect();
    let tags: Vec<_> = tags.iter().map(|(key, value)| (*key, validate::cut(value, validate::MAX_RUN_TAG))).collect();
    write(app, given, &params, &metrics, &tags)
}

/// One metric of a request; `missing` is the error for a field that must be there.
fn read_metric<'a>(fields: Fields<'a>, missing: impl Fn(&str) -> Error) -> Result<Logged<'a>> {
    let some = |name: &str| fields.text(name).map(|text| text.filter(|text| !text.is_empty()));
    let key = some("key")?.ok_or_else(|| missing("key"))?;
    if fields.is_blank("value")? {
        return Err(missing("value"));
    }
    let value = fields.double("value")?.ok_or_else(|| missing("value"))?;
    let timestamp = fields.int("timestamp")?.ok_or_else(|| missing("timestamp"))?;
    let step = fields.int("step")?.unwrap_or(0);
    Ok(Logged {
        key,
        point: Point::new(step, timestamp, value),
        model_id: some("model_id")?,
        dataset_name: some("dataset_name")?,
        dataset_digest: some("dataset_digest")?,
    })
}

fn check_metric(metric: &Logged<'_>, path: &str) -> Result<()> {
    let Logged { key, point, .. } = metric;
    validate::key_form(&format!("{path}name"), key)?;
    if point.timestamp < 0 {
        let reason = format!(
            "metric '{key}' (value={}). Timestamp must be a nonnegative long (64-bit integer) ",
            json!(point.value)
        );
        return Err(Error::invalid(invalid_value(&format!("{path}timestamp"), &json!(point.timestamp), &reason)));
    }
    validate::length("Metric name", validate::MAX_KEY, key)
}

fn check_key(path: &str, name: &str, key: &str) -> Result<()> {
    validate::key_form(path, key)?;
    validate::length(name, validate::MAX_KEY, key)
}

/// Params or tags of a batch, each with its key.
fn keyed<'a>(fields: Fields<'a>, name: &str) -> Result<Vec<(&'a str, &'a str)>> {
    let all = pairs(fields, name)?;
    match all.iter().position(|(key, _)| key.is_empty()) {
        Some(index) => Err(missing(&format!("{name}[{index}].key"))),
        None => Ok(all),
    }
}

fn check_numbers(metrics: usize, params: usize, tags: usize) -> Result<()> {
    let kinds = [
        ("metrics", MAX_METRICS, metrics),
        ("params", MAX_PARAMS, params),
        ("tags", MAX_TAGS, tags),
        ("metrics, params, and tags", MAX_TOGETHER, metrics + params + tags),
    ];
    match kinds.into_iter().find(|(_, limit, count)| count > limit) {
        Some((what, limit, count)) => Err(Error::invalid(format!(
            "A batch logging request can contain at most {limit} {what}. Got {count} {what}. Please split up {what} across \
             multiple requests and try again."
        ))),
        None => Ok(()),
    }
}

fn check_unique(params: &[(&str, &str)]) -> Result<()> {
    let mut seen = HashSet::new();
    let twice: Vec<String> =
        params.iter().filter(|(key, _)| !seen.insert(*key)).map(|(key, _)| validate::python_text(key)).collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Duplicate parameter keys have been submitted: [{}]. Please ensure the request contains only one param value per \
         param key.",
        twice.join(", ")
    )))
}

/// Writes what was checked: params first, since only they can be refused.
fn write(
    app: &App,
    given: &str,
    params: &[(&str, &str)],
    metrics: &[Logged<'_>],
    tags: &[(&str, &str)],
) -> Result<Reply> {
    let id = run_id(given)?;
    check_models(app, metrics)?;
    let log = |writer: &RunWriter| {
        if !params.is_empty() {
            writer.log_params(params)?;
        }
        write_metrics(writer, metrics)?;
        write_tags(writer, tags)
    };
    let logged = app.writers.with(&app.store, id, log).flatten();
    logged.map_err(|error| match error {
        trackway::Error::ParamConflict { .. } => params_differ(app, id, given, params),
        other => refused(other, given),
    })?;
    log_metrics(app, id, metrics)?;
    Ok(Reply::empty())
}

/// Which params have another value already.
fn params_differ(app: &App, id: RunId, given: &str, params: &[(&str, &str)]) -> Error {
    let known = app.store.run(id).map(|run| run.params).unwrap_or_default();
    let differs = |(key, value): &&(&str, &str)| known.get(key).is_some_and(|stored| stored != value);
    let text = validate::python_text;
    let told = params.iter().filter(differs).map(|(key, value)| {
        let stored = known.get(key).map_or("", String::as_str);
        format!("{{'key': {}, 'old_value': {}, 'new_value': {}}}", text(key), text(stored), text(value))
    });
    Error::invalid(format!(
        "Changing param values is not allowed. Params were already logged='[{}]' for run ID='{given}'.",
        told.collect::<Vec<_>>().join(", ")
    ))
}

/// Steps, timestamps and values of a metric.
type Columns = (Vec<i64>, Vec<i64>, Vec<f64>);

/// Points of one step and time are a row, which shares both; the others of a metric are columns.
fn write_metrics(writer: &RunWriter, metrics: &[Logged<'_>]) -> trackway::Result<()> {
    if let [metric] = metrics {
        let Point { step, timestamp, value } = metric.point;
        return writer.log_metric_at(metric.key, step, timestamp, value);
    }
    let mut rows: Vec<Vec<&Logged<'_>>> = Vec::new();
    let mut places: HashMap<(i64, i64), usize> = HashMap::new();
    let mut in_row = HashSet::new();
    let mut again = Vec::new();
    for metric in metrics {
        let place = (metric.point.step, metric.point.timestamp);
        let row = *places.entry(place).or_insert_with(|| {
            rows.push(Vec::new());
            rows.len() - 1
        });
        match rows.get_mut(row) {
            Some(row) if in_row.insert((place, metric.key)) => row.push(metric),
            _ => again.push(metric),
        }
    }
    let mut alone: BTreeMap<&str, Columns> = BTreeMap::new();
    for row in &rows {
        if row.len() > 1 {
            let Some(Point { step, timestamp, .. }) = row.first().map(|metric| metric.point) else { continue };
            let values: Vec<(&str, f64)> = row.iter().map(|metric| (metric.key, metric.point.value)).collect();
            writer.log_metrics_at(step, timestamp, &values)?;
        }
    }
    let single = rows.iter().filter_map(|row| if let [metric] = row.as_slice() { Some(*metric) } else { None });
    for metric in single.chain(again) {
        let (steps, timestamps, values) = alone.entry(metric.key).or_default();
        steps.push(metric.point.step);
        timestamps.push(metric.point.timestamp);
        values.push(metric.point.value);
    }
    for (key, (steps, timestamps, values)) in alone {
        writer.metric(key)?.log_columns(&steps, &timestamps, &values)?;
    }
    Ok(())
}

fn write_tags(writer: &RunWriter, tags: &[(&str, &str)]) -> trackway::Result<()> {
    tags.iter().try_for_each(|(key, value)| match *key {
        // The run's name and this tag are one; nobody takes a name away.
        NAME_TAG if value.is_empty() => Ok(()),
        NAME_TAG => writer.set_name(value),
        key => writer.set_tag(key, value),
    })
}
