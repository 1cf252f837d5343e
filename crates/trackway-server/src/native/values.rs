//! What runs, experiments and numbers look like in this API's JSON.

use super::error::{Error, Result};
use crate::mlflow::stage;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use trackway::{DatasetInput, KeyMap, LifecycleStage, MetricSummary, Run, RunId, StatusCause};

/// A number, and where JSON has none for it a text: `NaN`, `Infinity`, `-Infinity`.
#[derive(Clone, Copy)]
pub(super) struct Real(pub(super) f64);

impl Serialize for Real {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            to.serialize_f64(self.0)
        } else if self.0.is_nan() {
            to.serialize_str("NaN")
        } else {
            to.serialize_str(if self.0 > 0.0 { "Infinity" } else { "-Infinity" })
        }
    }
}

/// A run without its points.
#[derive(Serialize)]
pub(super) struct RunShape<'a> {
    id: String,
    experiment: String,
    name: &'a str,
    user: &'a str,
    parent: Option<String>,
    status: &'static str,
    cause: &'static str,
    start: i64,
    end: Option<i64>,
    stage: &'static str,
    params: BTreeMap<&'a str, &'a str>,
    tags: BTreeMap<&'a str, &'a str>,
    metrics: Vec<MetricShape<'a>>,
    datasets: Vec<DatasetShape<'a>>,
}

#[derive(Serialize)]
struct MetricShape<'a> {
    key: &'a str,
    count: u64,
    nan_count: u64,
    latest: PointShape,
    min: Option<Real>,
    max: Option<Real>,
}

#[derive(Serialize)]
struct PointShape {
    step: i64,
    timestamp: i64,
    value: Real,
}

#[derive(Serialize)]
struct DatasetShape<'a> {
    name: &'a str,
    digest: &'a str,
    source: &'a str,
    context: Option<&'a str>,
}

impl<'a> RunShape<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        Self {
            id: run.id.to_string(),
            experiment: run.experiment_id.to_string(),
            name: &run.name,
            user: &run.user,
            parent: run.parent.map(|parent| parent.to_string()),
            status: run.status.as_str(),
            cause: cause(run.status_cause),
            start: run.start_time,
            end: run.end_time,
            stage: stage(run.lifecycle_stage),
            params: texts(&run.params),
            tags: texts(&run.tags),
            metrics: run.metrics.iter().map(|(key, summary)| metric(key, summary)).collect(),
            datasets: run.datasets.iter().map(dataset).collect(),
        }
    }
}

fn texts(map: &KeyMap<String>) -> BTreeMap<&str, &str> {
    map.iter().map(|(key, value)| (&**key, value.as_str())).collect()
}

fn metric<'a>(key: &'a str, summary: &MetricSummary) -> MetricShape<'a> {
    let latest = summary.latest;
    MetricShape {
        key,
        count: summary.count,
        nan_count: summary.nan_count,
        latest: PointShape { step: latest.step, timestamp: latest.timestamp, value: Real(latest.value) },
        min: summary.min.map(Real),
        max: summary.max.map(Real),
    }
}

/// MLflow's tag of what a dataset was used for.
const CONTEXT_TAG: &str = "mlflow.data.context";

fn dataset(input: &DatasetInput) -> DatasetShape<'_> {
    let context = input.tags.iter().find(|(key, _)| key.as_str() == CONTEXT_TAG).map(|(_, value)| value.as_str());
    DatasetShape { name: &input.name, digest: &input.digest, source: &input.source, context }
}

const fn cause(cause: StatusCause) -> &'static str {
    match cause {
        StatusCause::Reported => "reported",
        StatusCause::Dropped => "dropped",
        StatusCause::Vanished => "vanished",
    }
}

pub(super) const fn is_deleted(stage: LifecycleStage) -> bool {
    matches!(stage, LifecycleStage::Deleted)
}

/// Ids of runs, of which a call may name so many.
///
/// # Errors
/// Too many, or one that is no id.
pub(super) fn run_ids(texts: &[String], most: usize) -> Result<Vec<RunId>> {
    if texts.len() > most {
        return Err(Error::too_many("runs", most, texts.len()));
    }
    Ok(texts.iter().map(|text| text.parse()).collect::<trackway::Result<_>>()?)
}

/// A change of tags: a value, or `null` to take one away.
pub(super) type TagChange = BTreeMap<String, Option<String>>;

/// A change of an experiment or a run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) tags: TagChange,
}

/// Which lifecycle stages are wanted.
///
/// # Errors
/// Another word than `active`, `deleted` and `all`.
pub(super) fn view(text: Option<&str>) -> Result<trackway::View> {
    match text {
        None | Some("active") => Ok(trackway::View::Active),
        Some("deleted") => Ok(trackway::View::Deleted),
        Some("all") => Ok(trackway::View::All),
        Some(other) => Err(Error::invalid(format!("view: {other:?} is none of active, deleted, all"))),
    }
}
