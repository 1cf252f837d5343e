//! What experiments and runs look like on the wire. Empty lists and what is not set are left out, as protobuf does.

use serde::{Serialize, Serializer};
use trackway::{Experiment, LifecycleStage};

/// Tag of an experiment with an artifact location of its own; it is the store's, and no answer shows it.
pub(crate) const LOCATION_TAG: &str = "trackway.artifact_location";

/// A key with a value: a param or tag.
#[derive(Serialize)]
pub(crate) struct Pair<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
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
            tags: shown.map(|(key, value)| Pair { key, value }).collect(),
            workspace: "default",
        }
    }
}

/// A number that MLflow writes as a text.
fn as_text<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(number)
}
