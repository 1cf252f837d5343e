//! Experiments.
//!
//! Runs of a deleted experiment count as deleted, though nothing of them is changed. Restoring the experiment restores those
//! too that were deleted one by one, as MLflow does.

use super::request::{Fields, missing};
use super::shapes::{ExperimentShape, LOCATION_TAG};
use super::{Code, Error, Result, Route, validate};
use crate::reply::Reply;
use crate::state::App;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use trackway::{Experiment, ExperimentId, LifecycleStage, Query, RunFilter, View};

pub(super) const ROUTES: &[Route] = &[
    Route::post("/mlflow/experiments/create", create),
    Route::get("/mlflow/experiments/get", get),
    Route::get("/mlflow/experiments/get-by-name", get_by_name),
    Route::post("/mlflow/experiments/search", search),
    Route::get("/mlflow/experiments/search", search),
    Route::post("/mlflow/experiments/update", update),
    Route::post("/mlflow/experiments/delete", delete),
    Route::post("/mlflow/experiments/restore", restore),
    Route::post("/mlflow/experiments/set-experiment-tag", set_tag),
    Route::post("/mlflow/experiments/delete-experiment-tag", delete_tag),
];

/// Names of the stages that a search shows, with protobuf's numbers.
pub(super) const VIEWS: &[(&str, i64, View)] =
    &[("ACTIVE_ONLY", 1, View::Active), ("DELETED_ONLY", 2, View::Deleted), ("ALL", 3, View::All)];

/// Most experiments, or runs, on a page.
pub(super) const MAX_PAGE: i64 = 50_000;

#[derive(Serialize)]
struct Answer<'a> {
    experiment: ExperimentShape<'a>,
}

#[derive(Serialize)]
struct Found<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiments: Vec<ExperimentShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
}

fn create(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let name = fields.required_text("name")?;
    let location = fields.text("artifact_location")?.filter(|location| !location.is_empty());
    let tags = pairs(fields, "tags")?;
    location.map_or(Ok(()), validate::artifact_location)?;
    validate::length("name", validate::MAX_EXPERIMENT_NAME, name)?;
    tags.iter().try_for_each(|(key, value)| validate::experiment_tag(key, value))?;
    let id = app.store.create_experiment(name).map_err(|error| match error {
        trackway::Error::AlreadyExists { .. } => {
            Error::new(Code::ResourceAlreadyExists, format!("Experiment(name={name}) already exists."))
        }
        other => other.into(),
    })?;
    let own = location.map(|location| (LOCATION_TAG, location));
    for (key, value) in tags.into_iter().chain(own) {
        app.store.set_experiment_tag(id, key, value)?;
    }
    Reply::json(&json!({ "experiment_id": id.to_string() }))
}

fn get(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let experiment = find(app, required_id(fields)?)?;
    Reply::json(&Answer { experiment: ExperimentShape::new(&experiment) })
}

fn get_by_name(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let name = fields.required_text("experiment_name")?;
    let experiment = app.store.experiment_by_name(name).map_err(|error| match error {
        trackway::Error::NotFound { .. } => Error::missing(format!("Could not find experiment with name '{name}'")),
        other => other.into(),
    })?;
    Reply::json(&Answer { experiment: ExperimentShape::new(&experiment) })
}

fn search(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let limit = page_size(fields, 0)?;
    let filter = fields.text("filter")?.unwrap_or_default();
    let order = fields.texts("order_by")?;
    let after = fields.text("page_token")?.filter(|token| !token.is_empty());
    let view = fields.choice("view_type", VIEWS)?.unwrap_or(View::Active);
    let mut query = Query::<Experiment>::new().view(view).mlflow_order_by(&order)?;
    if !filter.is_empty() {
        query = query.mlflow_filter(filter)?;
    }
    if let Some(after) = after {
        query = query.after(after);
    }
    let page = app.store.search_experiments(&query.limit(limit))?;
    let experiments = page.found.iter().map(ExperimentShape::new).collect();
    Reply::json(&Found { experiments, next_page_token: page.next.as_deref() })
}

/// How many things a page shall have at most. `otherwise` when nothing is said, 0 for nothing.
pub(super) fn page_size(fields: Fields<'_>, otherwise: i64) -> Result<usize> {
    let size = fields.int("max_results")?.unwrap_or(otherwise);
    let what = format!("Invalid value {size} for parameter 'max_results' supplied. It must be");
    if size < 1 {
        return Err(Error::invalid(format!("{what} a positive integer")));
    }
    if size > MAX_PAGE {
        return Err(Error::invalid(format!("{what} at most {MAX_PAGE}")));
    }
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

fn update(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let id = fields.required_text("experiment_id")?;
    let name = fields.text("new_name")?.filter(|name| !name.is_empty()).ok_or_else(|| missing("new_name"))?;
    validate::length("name", validate::MAX_EXPERIMENT_NAME, name)?;
    let id = validate::experiment_id(id)?;
    app.store.rename_experiment(id, name).map_err(|error| match error {
        trackway::Error::InvalidState { .. } => {
            Error::new(Code::InvalidState, "Cannot rename a non-active experiment.")
        }
        trackway::Error::AlreadyExists { .. } => {
            Error::new(Code::BadRequest, format!("Experiment(name={name}) already exists."))
        }
        other => unknown(other, id),
    })?;
    Ok(Reply::empty())
}

fn delete(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let id = required_id(fields)?;
    app.store.delete_experiment(id).map_err(|error| not_in_this_stage(error, id))?;
    // Their next calls look at the experiment, and are refused.
    app.writers.leave_all();
    Ok(Reply::empty())
}

fn restore(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let id = required_id(fields)?;
    app.store.restore_experiment(id).map_err(|error| not_in_this_stage(error, id))?;
    let deleted = RunFilter { experiment_id: Some(id), view: View::Deleted };
    app.store.runs(&deleted)?.iter().try_for_each(|run| app.store.restore_run(run.id))?;
    Ok(Reply::empty())
}

fn set_tag(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let id = fields.required_text("experiment_id")?;
    let key = fields.required_text("key")?;
    let value = fields.text("value")?.unwrap_or_default();
    validate::experiment_tag(key, value)?;
    let id = validate::experiment_id(id)?;
    app.store.set_experiment_tag(id, key, value).map_err(|error| changed(error, id))?;
    Ok(Reply::empty())
}

fn delete_tag(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let id = fields.required_text("experiment_id")?;
    let key = fields.required_text("key")?;
    let id = validate::experiment_id(id)?;
    app.store.delete_experiment_tag(id, key).map_err(|error| match error {
        trackway::Error::NotFound { what: "tag", .. } => {
            Error::missing(format!("No tag with name: {key} in experiment with id {id}"))
        }
        other => changed(other, id),
    })?;
    Ok(Reply::empty())
}

fn required_id(fields: Fields<'_>) -> Result<ExperimentId> {
    validate::experiment_id(fields.required_text("experiment_id")?)
}

/// An experiment, also a deleted one, or MLflow's error.
pub(crate) fn find(app: &App, id: ExperimentId) -> Result<Experiment> {
    app.store.experiment(id).map_err(|error| unknown(error, id))
}

/// An experiment that is not deleted, or MLflow's error.
pub(crate) fn find_active(app: &App, id: ExperimentId) -> Result<Experiment> {
    let experiment = find(app, id)?;
    match experiment.lifecycle_stage {
        LifecycleStage::Active => Ok(experiment),
        LifecycleStage::Deleted => Err(not_active(id)),
    }
}

fn not_active(id: ExperimentId) -> Error {
    Error::invalid(format!("The experiment {id} must be in the 'active' state. Current state is deleted."))
}

fn unknown(error: trackway::Error, id: ExperimentId) -> Error {
    match error {
        trackway::Error::NotFound { .. } => Error::missing(format!("No Experiment with id={id} exists")),
        other => other.into(),
    }
}

/// An experiment that is not in the stage in which it is looked for does not exist, for MLflow.
fn not_in_this_stage(error: trackway::Error, id: ExperimentId) -> Error {
    match error {
        trackway::Error::InvalidState { .. } => Error::missing(format!("No Experiment with id={id} exists")),
        other => unknown(other, id),
    }
}

fn changed(error: trackway::Error, id: ExperimentId) -> Error {
    match error {
        trackway::Error::InvalidState { .. } => not_active(id),
        other => unknown(other, id),
    }
}

/// Keys with values, as tags and params come.
pub(crate) fn pairs<'a>(fields: Fields<'a>, name: &str) -> Result<Vec<(&'a str, &'a str)>> {
    let pair = |item: Fields<'a>| Ok((item.text("key")?.unwrap_or_default(), item.text("value")?.unwrap_or_default()));
    fields.list(name)?.into_iter().map(pair).collect()
}
