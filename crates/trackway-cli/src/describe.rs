//! A run in words and in JSON, as several commands show it.

use crate::style::Style;
use crate::text::now_ms;
use crate::values;
use serde_json::{Map, Value, json};
use trackway::{DatasetInput, KeyMap, LifecycleStage, MetricSummary, Point, Run, RunStatus, StatusCause};

/// The colour of a status.
pub(crate) fn status_style(status: RunStatus) -> Style {
    match status {
        RunStatus::Running => Style::Yellow,
        RunStatus::Finished => Style::Green,
        RunStatus::Failed | RunStatus::Killed => Style::Red,
        RunStatus::Scheduled => Style::Dim,
    }
}

/// The status, and who said so when that was not the writer itself.
pub(crate) fn status_in_words(run: &Run) -> String {
    let cause = match run.status_cause {
        StatusCause::Reported => "",
        StatusCause::Dropped => " (the writer was dropped without ending the run)",
        StatusCause::Vanished => " (the writing process vanished; completed when the store was opened)",
    };
    format!("{}{cause}", run.status)
}

/// Number of points of all metrics.
pub(crate) fn points(run: &Run) -> u64 {
    run.metrics.values().map(|metric| metric.count).sum()
}

/// How long the run took, or has taken until now, in milliseconds.
pub(crate) fn duration_ms(run: &Run) -> Option<i64> {
    let until = run.end_time.or_else(|| (!run.status.is_ended()).then(now_ms))?;
    Some(until.saturating_sub(run.start_time))
}

/// The words for a lifecycle stage.
pub(crate) fn stage(stage: LifecycleStage) -> &'static str {
    match stage {
        LifecycleStage::Active => "active",
        LifecycleStage::Deleted => "deleted",
    }
}

/// A point in JSON.
pub(crate) fn point_json(point: Point) -> Value {
    json!({ "step": point.step, "timestamp_ms": point.timestamp, "value": values::json(point.value) })
}

/// A run in JSON: everything but its points.
pub(crate) fn run_json(run: &Run, experiment: &str) -> Value {
    let cause = match run.status_cause {
        StatusCause::Reported => "reported",
        StatusCause::Dropped => "dropped",
        StatusCause::Vanished => "vanished",
    };
    let metrics: Map<String, Value> =
        run.metrics.iter().map(|(key, metric)| (key.to_string(), summary_json(metric))).collect();
    json!({
        "run_id": run.id.to_string(), "name": run.name,
        "experiment_id": run.experiment_id.to_string(), "experiment": experiment,
        "user": run.user, "parent_run_id": run.parent.map(|id| id.to_string()),
        "status": run.status.as_str(), "status_cause": cause,
        "start_ms": run.start_time, "end_ms": run.end_time, "duration_ms": duration_ms(run),
        "lifecycle_stage": stage(run.lifecycle_stage), "deleted_ms": run.deleted_at,
        "points": points(run), "params": texts(&run.params), "tags": texts(&run.tags), "metrics": metrics,
        "datasets": run.datasets.iter().map(dataset_json).collect::<Vec<_>>(),
        "model_inputs": links(run, false), "model_outputs": links(run, true),
    })
}

fn texts(map: &KeyMap<String>) -> Value {
    map.iter().map(|(key, value)| (&**key, value.as_str())).collect()
}

/// The logged models that a run used, or those that it made.
fn links(run: &Run, made: bool) -> Vec<Value> {
    let wanted = run.models.iter().filter(|link| link.made_at.is_some() == made);
    wanted.map(|link| json!({ "model_id": link.model.to_string(), "step": link.made_at })).collect()
}

fn dataset_json(dataset: &DatasetInput) -> Value {
    json!({
        "name": dataset.name, "digest": dataset.digest, "source_type": dataset.source_type, "source": dataset.source,
        "schema": dataset.schema, "profile": dataset.profile, "tags": dataset.tags,
    })
}

fn summary_json(metric: &MetricSummary) -> Value {
    json!({
        "count": metric.count, "nan_count": metric.nan_count, "latest": point_json(metric.latest),
        "min": metric.min.map(values::json), "max": metric.max.map(values::json),
    })
}
