//! Experiments.

use super::request::Fields;
use super::shapes::{ExperimentShape, LOCATION_TAG};
use super::{Code, Error, Result, Route, validate};
use crate::reply::Reply;
use crate::state::App;
use serde::Serialize;
use std::sync::Arc;
use trackway::{Experiment, ExperimentId};

pub(super) const ROUTES: &[Route] =
    &[Route::post("/mlflow/experiments/create", create), Route::get("/mlflow/experiments/get", get)];

#[derive(Serialize)]
struct Answer<'a> {
    experiment: ExperimentShape<'a>,
}

fn create(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let name = fields.required_text("name")?;
    let location = fields.text("artifact_location")?.filter(|location| !location.is_empty());
    let tags = pairs(fields, "tags")?;
    validate::length("name", validate::MAX_EXPERIMENT_NAME, name)?;
    tags.iter().try_for_each(|(key, value)| validate::experiment_tag(key, value))?;
    let id = app.store.create_experiment(name).map_err(|error| taken(error, name))?;
    let own = location.map(|location| (LOCATION_TAG, location));
    for (key, value) in tags.into_iter().chain(own) {
        app.store.set_experiment_tag(id, key, value)?;
    }
    Reply::json(&serde_json::json!({ "experiment_id": id.to_string() }))
}

fn get(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let id = validate::experiment_id(fields.required_text("experiment_id")?)?;
    let experiment = find(app, id)?;
    Reply::json(&Answer { experiment: ExperimentShape::new(&experiment) })
}

/// An experiment, or MLflow's error.
pub(crate) fn find(app: &App, id: ExperimentId) -> Result<Experiment> {
    app.store.experiment(id).map_err(|error| unknown(error, id))
}

/// MLflow's text where there is no such experiment.
fn unknown(error: trackway::Error, id: ExperimentId) -> Error {
    match error {
        trackway::Error::NotFound { .. } => Error::missing(format!("No Experiment with id={id} exists")),
        other => other.into(),
    }
}

fn taken(error: trackway::Error, name: &str) -> Error {
    match error {
        trackway::Error::AlreadyExists { .. } => {
            Error::new(Code::ResourceAlreadyExists, format!("Experiment(name={name}) already exists."))
        }
        other => other.into(),
    }
}

/// Keys with values, as tags and params come.
pub(crate) fn pairs<'a>(fields: Fields<'a>, name: &str) -> Result<Vec<(&'a str, &'a str)>> {
    let pair = |item: Fields<'a>| Ok((item.text("key")?.unwrap_or_default(), item.text("value")?.unwrap_or_default()));
    fields.list(name)?.into_iter().map(pair).collect()
}
