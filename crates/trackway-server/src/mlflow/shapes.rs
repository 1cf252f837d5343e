//! What experiments and runs look like on the wire. Empty lists and what is not set are left out, as protobuf does.

use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::sync::Arc;
use trackway::{DatasetInput, Experiment, LifecycleStage, MetricSummary, Point, Run};

/// Tag of an experiment with an artifact location of its own; it is the store's, and no answer shows it.
pub(crate) const LOCATION_TAG: &str = "trackway.artifact_location";

/// Tags that MLflow keeps for what a run says of itself.
pub(crate) const NAME_TAG: &str = "mlflow.runName";
pub(crate) const PARENT_TAG: &str = "mlflow.parentRunId";

/// A key with a value: a param or tag.
#[derive(Serialize)]
pub(crate) struct Pair<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: Cow<'a, str>,
}

fn pair<'a, K: AsRef<str>>((key, value): (&'a K, &'a String)) -> Pair<'a> {
    Pair { key: key.as_ref(), value: Cow::Borrowed(value) }
}

pub(crate) const fn stage(stage: LifecycleStage) -> &'static str {
    match stage {
        LifecycleStage::Active => "active",
        LifecycleStage::Deleted => "deleted",
    }
}

/// Where artifacts of an experiment's runs are, `<this>/<run id>/artifacts`.
pub(crate) fn artifact_location(experiment: &Experiment) -> String {
    let own = experiment.tags.get(LOCATION_TAG);
    own.cloned().unwrap_or_else(|| format!("mlflow-artifacts:/{}", experiment.id))
}

/// An experiment.
#[derive(Serialize)]
pub(crate) struct ExperimentShape<'a> {
    #[serde(serialize_with = "as_text")]
    experiment_id: u64,
    name: &'a str,
    artifact_location: String,
    lifecycle_stage: &'static str,
    last_update_time: i64,
    creation_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
    workspace: &'static str,
}

impl<'a> ExperimentShape<'a> {
    pub(crate) fn new(experiment: &'a Experiment) -> Self {
        let shown = experiment.tags.iter().filter(|(key, _)| *key != LOCATION_TAG);
        Self {
            experiment_id: experiment.id.get(),
            name: &experiment.name,
            artifact_location: artifact_location(experiment),
            lifecycle_stage: stage(experiment.lifecycle_stage),
            last_update_time: experiment.updated_at,
            creation_time: experiment.created_at,
            tags: shown.map(pair).collect(),
            workspace: "default",
        }
    }
}

/// A number that MLflow writes as a text.
fn as_text<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(number)
}

/// A double; what JSON has no number for is a text.
pub(crate) struct Double(pub(crate) f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_nan() => to.serialize_str("NaN"),
            f64::INFINITY => to.serialize_str("Infinity"),
            f64::NEG_INFINITY => to.serialize_str("-Infinity"),
            value => to.serialize_f64(value),
        }
    }
}

/// A point of a metric.
#[derive(Serialize)]
pub(crate) struct MetricShape<'a> {
    pub(crate) key: &'a str,
    value: Double,
    timestamp: i64,
    step: i64,
    /// The run that it is of, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
}

impl<'a> MetricShape<'a> {
    pub(crate) fn new(key: &'a str, point: Point) -> Self {
        let Point { step, timestamp, value } = point;
        Self { key, value: Double(value), timestamp, step, run_id: None }
    }

    pub(crate) fn of_run(key: &'a str, point: Point, run_id: &'a str) -> Self {
        Self { run_id: Some(run_id), ..Self::new(key, point) }
    }
}

/// What a run says of itself.
#[derive(Serialize)]
pub(crate) struct InfoShape<'a> {
    run_uuid: String,
    #[serde(serialize_with = "as_text")]
    experiment_id: u64,
    run_name: &'a str,
    user_id: &'a str,
    status: &'static str,
    start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    artifact_uri: String,
    lifecycle_stage: &'static str,
    run_id: String,
}

impl<'a> InfoShape<'a> {
    /// `location` is that of the run's experiment.
    pub(crate) fn new(run: &'a Run, location: &str) -> Self {
        let run_id = run.id.to_string();
        Self {
            run_uuid: run_id.clone(),
            experiment_id: run.experiment_id.get(),
            run_name: &run.name,
            user_id: &run.user,
            status: run.status.as_str(),
            start_time: run.start_time,
            end_time: run.end_time,
            artifact_uri: artifact_uri(location, &run_id),
            lifecycle_stage: stage(run.lifecycle_stage),
            run_id,
        }
    }
}

/// Where the artifacts of a run are; a query of the location stays at the end.
pub(crate) fn artifact_uri(location: &str, run_id: &str) -> String {
    match location.split_once('?') {
        Some((path, query)) => format!("{}/{run_id}/artifacts?{query}", path.trim_end_matches('/')),
        None => format!("{}/{run_id}/artifacts", location.trim_end_matches('/')),
    }
}

/// A run with everything but its points.
#[derive(Serialize)]
pub(crate) struct RunShape<'a> {
    info: InfoShape<'a>,
    data: DataShape<'a>,
    inputs: InputsShape<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<OutputsShape>,
}

#[derive(Serialize)]
struct DataShape<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricShape<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
}

#[derive(Serialize)]
struct InputsShape<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_inputs: Vec<DatasetInputShape<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_inputs: Vec<ModelLinkShape>,
}

#[derive(Serialize)]
struct OutputsShape {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_outputs: Vec<ModelLinkShape>,
}

/// A logged model that the run used, or made at a step.
#[derive(Serialize)]
struct ModelLinkShape {
    model_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<i64>,
}

/// The models that a run used, or those that it made.
fn links(run: &Run, made: bool) -> Vec<ModelLinkShape> {
    let wanted = run.models.iter().filter(|link| link.made_at.is_some() == made);
    wanted.map(|link| ModelLinkShape { model_id: link.model.to_string(), step: link.made_at }).collect()
}

#[derive(Serialize)]
struct DatasetInputShape<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
    dataset: DatasetShape<'a>,
}

#[derive(Serialize)]
struct DatasetShape<'a> {
    name: &'a str,
    digest: &'a str,
    source_type: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    profile: &'a str,
}

impl<'a> RunShape<'a> {
    /// As MLflow answers whoever has created the run.
    pub(crate) fn of_new(run: &'a Run, location: &str) -> Self {
        Self { outputs: None, ..Self::new(run, location) }
    }

    /// `location` is that of the run's experiment.
    pub(crate) fn new(run: &'a Run, location: &str) -> Self {
        let latest = |(key, summary): (&'a Arc<str>, &MetricSummary)| MetricShape::new(key, summary.latest);
        Self {
            info: InfoShape::new(run, location),
            data: DataShape {
                metrics: run.metrics.iter().map(latest).collect(),
                params: run.params.iter().map(pair).collect(),
                tags: tags(run),
            },
            inputs: InputsShape {
                dataset_inputs: run.datasets.iter().map(dataset_input).collect(),
                model_inputs: links(run, false),
            },
            outputs: Some(OutputsShape { model_outputs: links(run, true) }),
        }
    }
}

/// The tags of a run. Its name and its parent are tags of MLflow's without having been set.
fn tags(run: &Run) -> Vec<Pair<'_>> {
    let name = (!run.name.is_empty()).then_some(Cow::Borrowed(run.name.as_str()));
    let parent = run.parent.map(|parent| Cow::Owned(parent.to_string()));
    let own = [(NAME_TAG, name), (PARENT_TAG, parent)].into_iter();
    let own = own.filter(|(key, _)| !run.tags.contains_key(key));
    let own = own.filter_map(|(key, value)| value.map(|value| Pair { key, value }));
    run.tags.iter().map(pair).chain(own).collect()
}

fn dataset_input(input: &DatasetInput) -> DatasetInputShape<'_> {
    DatasetInputShape {
        tags: input.tags.iter().map(pair).collect(),
        dataset: DatasetShape {
            name: &input.name,
            digest: &input.digest,
            source_type: &input.source_type,
            source: &input.source,
            schema: &input.schema,
            profile: &input.profile,
        },
    }
}
