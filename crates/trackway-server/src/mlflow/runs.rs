//! Runs: created, read, changed as a whole, deleted and restored.

use super::experiments::{find, find_active, pairs};
use super::names::random_name;
use super::request::Fields;
use super::shapes::{InfoShape, NAME_TAG, PARENT_TAG, RunShape, artifact_location};
use super::{Code, Error, Result, Route, validate};
use crate::reply::Reply;
use crate::state::App;
use serde::Serialize;
use std::sync::Arc;
use trackway::{LifecycleStage, NewRun, Run, RunId, RunStatus};

pub(super) const ROUTES: &[Route] = &[
    Route::post("/mlflow/runs/create", create),
    Route::get("/mlflow/runs/get", get),
    Route::post("/mlflow/runs/update", update),
    Route::post("/mlflow/runs/delete", delete),
    Route::post("/mlflow/runs/restore", restore),
];

/// Names of states, with protobuf's numbers.
const STATUSES: &[(&str, i64, RunStatus)] = &[
    ("RUNNING", 1, RunStatus::Running),
    ("SCHEDULED", 2, RunStatus::Scheduled),
    ("FINISHED", 3, RunStatus::Finished),
    ("FAILED", 4, RunStatus::Failed),
    ("KILLED", 5, RunStatus::Killed),
];

#[derive(Serialize)]
struct Answer<'a> {
    run: RunShape<'a>,
}

#[derive(Serialize)]
struct InfoAnswer<'a> {
    run_info: InfoShape<'a>,
}

fn create(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let experiment_id = fields.text("experiment_id")?.unwrap_or_default();
    let start_time = fields.int("start_time")?;
    let run_name = fields.text("run_name")?.unwrap_or_default();
    let user = fields.text("user_id")?.unwrap_or_default();
    let tags = pairs(fields, "tags")?;
    if experiment_id.is_empty() {
        return Err(Error::new(Code::BadRequest, "a run needs an experiment: experiment_id is missing"));
    }
    let experiment = find_active(app, validate::experiment_id(experiment_id)?)?;
    let tagged = tags.iter().rev().find(|(key, _)| *key == NAME_TAG).map_or("", |(_, name)| *name);
    if !run_name.is_empty() && !tagged.is_empty() && run_name != tagged {
        return Err(Error::invalid(format!(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values \
             (run_name='{run_name}', mlflow.runName='{tagged}')."
        )));
    }
    let given = [run_name, tagged].into_iter().find(|name| !name.is_empty());
    let mut new = NewRun::new(experiment.id).name(given.map_or_else(random_name, str::to_owned)).user(user);
    new.start_time = start_time;
    for (key, value) in tags {
        match (key, value.parse::<RunId>()) {
            (NAME_TAG, _) => {}
            (PARENT_TAG, Ok(parent)) if parent.to_string() == value => new = new.parent(parent),
            _ => new = new.tag(key, value),
        }
    }
    let writer = app.store.create_run(new)?;
    let id = writer.id();
    app.writers.adopt(writer);
    let (run, location) = read(app, id)?;
    Reply::json(&Answer { run: RunShape::of_new(&run, &location) })
}

fn get(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let (run, location) = read(app, run_id(fields.run_id()?)?)?;
    Reply::json(&Answer { run: RunShape::new(&run, &location) })
}

fn update(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.run_id()?;
    let end_time = fields.int("end_time")?;
    let status = fields.choice("status", STATUSES)?;
    let name = fields.text("run_name")?.filter(|name| !name.is_empty());
    let (run, _) = find_active_run(app, given)?;
    if status.is_some() || end_time.is_some() {
        let status = status.unwrap_or(run.status);
        app.writers
            .set_status(&app.store, run.id, status, end_time.or(run.end_time))
            .map_err(|error| refused(error, given))?;
    }
    if let Some(name) = name {
        rename(app, run.id, name)?;
    }
    let (run, location) = read(app, run.id)?;
    Reply::json(&InfoAnswer { run_info: InfoShape::new(&run, &location) })
}

fn delete(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("run_id")?;
    app.writers.delete_run(&app.store, run_id(given)?).map_err(|error| refused(error, given))?;
    Ok(Reply::empty())
}

fn restore(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("run_id")?;
    app.store.restore_run(run_id(given)?).map_err(|error| refused(error, given))?;
    Ok(Reply::empty())
}

/// Names a run, by its writer if it has one.
pub(super) fn rename(app: &App, id: RunId, name: &str) -> Result<()> {
    let by_writer = app.writers.if_open(id, |writer| writer.set_name(name));
    Ok(by_writer.unwrap_or_else(|| app.store.set_run_name(id, name))?)
}

/// The id of a run; what cannot be one is the id of none.
pub(crate) fn run_id(given: &str) -> Result<RunId> {
    given.parse().map_err(|_| not_found(given))
}

fn not_found(given: &str) -> Error {
    Error::missing(format!("Run with id={given} not found"))
}

/// MLflow's text for what the engine does not do to a run.
pub(crate) fn refused(error: trackway::Error, given: &str) -> Error {
    match error {
        trackway::Error::NotFound { what: "run", .. } => not_found(given),
        trackway::Error::InvalidState { what: "run", .. } => not_active(given),
        other => other.into(),
    }
}

fn not_active(given: &str) -> Error {
    Error::invalid(format!("The run {given} must be in the 'active' state. Current state is deleted."))
}

/// A run, and where artifacts of its experiment are.
pub(crate) fn read(app: &App, id: RunId) -> Result<(Run, String)> {
    let mut run = app.store.run(id).map_err(|error| refused(error, &id.to_string()))?;
    let experiment = find(app, run.experiment_id)?;
    if experiment.lifecycle_stage == LifecycleStage::Deleted {
        run.lifecycle_stage = LifecycleStage::Deleted;
    }
    Ok((run, artifact_location(&experiment)))
}

/// As [`read`], of a run that is not deleted.
pub(crate) fn find_active_run(app: &App, given: &str) -> Result<(Run, String)> {
    let (run, location) = read(app, run_id(given)?)?;
    match run.lifecycle_stage {
        LifecycleStage::Active => Ok((run, location)),
        LifecycleStage::Deleted => Err(not_active(given)),
    }
}
